"""What a lead has forbidden, as flags beside the name: a word and an icon, never a colour alone. Pure."""

from __future__ import annotations

from leads.models import Lead
from leads.presenters.flags import Flag

NO_CALLS, NO_MAIL = Flag("Do not call", "late", "no-call"), Flag("No e-mail", "late", "no-mail")


def flags(lead: Lead) -> tuple[Flag, ...]:
    """Of whichever channels the lead wants no contact by."""
    shut = ((NO_CALLS, lead.do_not_call), (NO_MAIL, lead.email_opt_out))
    return tuple(flag for flag, is_shut in shut if is_shut)


def yes(is_so: bool) -> str:
    """A refusal in a file: "yes", or nothing."""
    return "yes" if is_so else ""
