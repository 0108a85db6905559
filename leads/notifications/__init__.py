"""Who is told, in which words, and the sending of the mail.

Never decides that somebody is to be told (`leads.lifecycle` does) and never moves a handoff.
"""

from leads.notifications.delivery import deliver_due
from leads.notifications.mails import absolute, compose
from leads.notifications.telling import message
from leads.notifications.urgency import UNDO_FOR, is_urgent, leaves_at
from leads.notifications.who import admins, present, recipients
from leads.notifications.wordings import WORDINGS, Todo, Wording
from leads.notifications.words import (
    AWAY,
    BACK,
    HEADS,
    QUEUE_GIVEN,
    SYNC_DRIFT,
    SYNC_FAILED,
    Words,
    company_words,
    consent_words,
    holder_words,
    lead_words,
    plain,
    words,
    zone_of,
)

__all__ = [
    "AWAY",
    "BACK",
    "HEADS",
    "QUEUE_GIVEN",
    "SYNC_DRIFT",
    "SYNC_FAILED",
    "UNDO_FOR",
    "WORDINGS",
    "Todo",
    "Wording",
    "Words",
    "absolute",
    "admins",
    "company_words",
    "compose",
    "consent_words",
    "deliver_due",
    "holder_words",
    "is_urgent",
    "lead_words",
    "leaves_at",
    "message",
    "plain",
    "present",
    "recipients",
    "words",
    "zone_of",
]
