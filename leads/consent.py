"""What a lead has forbidden: which ways of contact are shut unless the lead asked for this very one.

Owns the rule alone. How it is shown is `presenters.consent`, where it is held `lifecycle.contact`. Pure.
"""

from __future__ import annotations

from leads.choices import Channel
from leads.models import Lead

# By the channel: what is said of it, to whoever chooses it all the same.
REFUSED = {
    Channel.PHONE: "They asked not to be called.",
    Channel.EMAIL: "They opted out of e-mail.",
}


def forbidden(lead: Lead) -> frozenset[str]:
    """The channels by which this lead wants no contact."""
    shut = ((Channel.PHONE, lead.do_not_call), (Channel.EMAIL, lead.email_opt_out))
    return frozenset(str(channel) for channel, is_shut in shut if is_shut)


def wants_none(lead: Lead) -> bool:
    """Neither calls nor e-mail: nothing is proposed to open a conversation with."""
    return lead.do_not_call and lead.email_opt_out
