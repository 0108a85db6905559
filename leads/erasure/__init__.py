"""A person's data as such: where it stands, how it is emptied, and what is still known of the erased.

The verb is `leads.lifecycle.erase`, for it moves handoffs. What is emptied is listed in one place:
`emptying`.
"""

from leads.erasure.emptying import ERASED, empty
from leads.erasure.held import Held, held_of
from leads.erasure.keys import digest, erased_since, event_key, history_mark, remember

__all__ = [
    "ERASED",
    "Held",
    "digest",
    "empty",
    "erased_since",
    "event_key",
    "held_of",
    "history_mark",
    "remember",
]
