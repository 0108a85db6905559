"""What a message says: what happened, to which lead, what to do, by when.

Owns the filling in of a kind's sentences. Words are made when read, from what the handoff says then and the
codes kept with the message, in the reader's zone. Names the lead and the company, no other personal data.
Plain text: whoever shows it escapes it. Never decides who is told or when.
"""

from __future__ import annotations

import re
import unicodedata
import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse
from django.utils.dateparse import parse_date, parse_datetime

from leads.choices import Check, LeadType, State, TriggerKind
from leads.consent import REFUSED, forbidden
from leads.models import Handoff, Notification
from leads.notifications.wordings import (
    ANSWER,
    CLOCKS,
    CONTACT,
    DATA,
    STEP,
    UNKNOWN,
    WORDINGS,
    Todo,
)
from routing.people import User

# The kinds of messages that are not about a handoff.
QUEUE_GIVEN, RULE_REVIEW = "queue_given", "rule_review"
AWAY, BACK = "absence_entered", "absence_taken_back"
SYNC_DRIFT, SYNC_FAILED = "sync_drift", "sync_failed"
# About a proposal for the agreement: what is said first, what then ("by" is who did it), and what to do.
AGREEMENT = {
    "agreement_proposed": (
        "To sign",
        "{by} proposes a change of the agreement. It holds once somebody of your side signs it.",
        Todo.AGREE,
    ),
    "agreement_signed": ("Your proposal was signed", "{by} signed what you proposed.", Todo.KNOW),
    "agreement_declined": (
        "Your proposal was declined",
        "{by} declined what you proposed, and says why.",
        Todo.KNOW,
    ),
}
# What is said first of each kind; what is not about a handoff goes on with a name.
HEADS = {
    **{kind: wording.head for kind, wording in WORDINGS.items()},
    QUEUE_GIVEN: "Your queue now",
    RULE_REVIEW: "Review due",
    AWAY: "Absence entered",
    BACK: "Absence taken back",
    SYNC_DRIFT: "Systems differ",
    SYNC_FAILED: "The sync audit failed",
    **{kind: head for kind, (head, _, _) in AGREEMENT.items()},
}
LONGEST_NAME = 80
# The last day of a span ends when the next one begins.
BRIEFLY = timedelta(microseconds=1)
LONGEST_READ = 2000
# Format characters that names in Persian and Hindi are written with.
_JOINERS = "\u200c\u200d"
# What makes an address: a scheme, a network share, an @ within a word, a dot before a letter, the dots of
# "10.0.0.1" but not that of "Web 2.0". Browsers take three more characters for a dot, and do not see joiners.
_DOTS = ".\u3002\uff0e\uff61"
_ADDRESS = re.compile(
    rf"://|\\\\|(?<=\S)@(?=\S)|(?<=\S)[{_DOTS}](?=[{_JOINERS}\ufe00-\ufe0f]*[^\W\d])"
    rf"|(?<=\d)[{_DOTS}](?=\d+[{_DOTS}]\d)"
)


@dataclass(frozen=True)
class Words:
    """A message in words: one line, some sentences, and the path of the page it is about.

    For mail: `head` is the line without the lead, `company` all that a mail's subject may say of it; `due` is
    the deadline as (what, moment), or empty; `link` names the page.
    """

    subject: str
    text: str
    url: str
    head: str
    todo: Todo
    link: str
    lead: str = ""
    company: str = ""
    lead_type: str = ""
    consent: str = ""
    due: tuple[str, str] | None = None


def words(notification: Notification) -> Words:
    """The message in plain words (lead, company, assignee and queue are loaded, or queries follow)."""
    handoff, data = notification.handoff, notification.data
    if handoff is None:
        return _ABOUT.get(notification.kind, _about_rule)(notification)
    wording = WORDINGS.get(notification.kind, STEP if "due_at" in data else UNKNOWN)
    lead, zone = lead_words(handoff), zone_of(notification.user)
    holds = handoff.assignee_id == notification.user_id
    by = plain(str(data.get("by") or ""))
    moments = {
        "due": _moment(data.get("due_at"), handoff.next_due_at, zone),
        ANSWER: _moment(data.get("accept_due_at"), handoff.accept_due_at, zone),
        CONTACT: _moment(data.get("contact_due_at"), handoff.contact_due_at, zone),
        DATA: _moment(data.get("completion_due_at"), handoff.completion_due_at, zone),
    }
    fields = {
        "lead": lead,
        "holder": holder_words(handoff),
        "whom": "you" if holds else holder_words(handoff),
        "who_has": "You have" if holds else f"{holder_words(handoff)} has",
        "answer": f"Your answer on {lead}" if holds else f"{holder_words(handoff)}'s answer on {lead}",
        "by": f" by {by}" if by else "",
        "rule": f" \u201c{plain(str(data['rule']))}\u201d" if data.get("rule") else "",
        "kind": plain(notification.kind.replace("_", " ")),
        "trigger": _label(TriggerKind, data.get("trigger") or handoff.trigger),
        "missing": ", ".join(_label(Check, code) for code in handoff.missing) or "nothing any more",
    } | {name: found or "as agreed" for name, found in moments.items()}
    at = moments.get(wording.clock, "")
    return Words(
        subject=f"{wording.head}: {lead}",
        text=_sentence(wording.text.format_map(fields)),
        url=reverse("leads:handoff", args=[handoff.pk]),
        head=wording.head,
        todo=wording.todo if holds or wording.step_in is None else wording.step_in,
        link="Open the lead",
        lead=plain(handoff.lead.full_name),
        company=company_words(handoff),
        lead_type=str(LeadType(handoff.effective_type).label),
        consent=consent_words(handoff),
        due=(CLOCKS[wording.clock], at) if at else None,
    )


def _about_rule(notification: Notification) -> Words:
    """A message that is about a rule: what it is called, and by when it is to be looked at again."""
    data = notification.data
    rule = plain(str(data.get("rule") or "a rule"))
    day = parse_date(str(data.get("due_on") or ""))
    due = f"{day.day} {day:%B %Y}" if day else "the end of the quarter"
    pk = data.get("rule_id")
    head, verb = ("Review overdue", "was") if data.get("overdue") else ("Review due", "is")
    return Words(
        subject=f"{head}: {rule}",
        text=f"The routing rule \u201c{rule}\u201d {verb} to be reviewed by {due}. Look whether it still fits"
        " the territories and people of today.",
        url=reverse("leads:rule", args=[pk]) if isinstance(pk, int) else reverse("leads:routing"),
        head=f"{head}: {rule}",
        todo=Todo.REVIEW,
        link="Open the rule",
        due=("Was due" if data.get("overdue") else "Due", due),
    )


def _about_agreement(notification: Notification) -> Words:
    """A message about a proposal: who did what."""
    data = notification.data
    head, text, todo = AGREEMENT[notification.kind]
    pk = data.get("proposal_id")
    is_known = isinstance(pk, int)
    return Words(
        subject=f"{head}: a change of the agreement",
        text=text.format(by=plain(str(data.get("by") or "Somebody"))),
        url=reverse("metrics:proposal", args=[pk]) if is_known else reverse("metrics:agreement"),
        head=f"{head}: the agreement",
        todo=todo,
        link="Open the proposal",
    )


def _about_queue(notification: Notification) -> Words:
    """A message that a queue has another owner now."""
    queue = plain(str(notification.data.get("queue") or "a queue"))
    return Words(
        subject=f"Your queue now: {queue}",
        text=f"Nobody answers for the queue \u201c{queue}\u201d any more, so it was given to you. What waits"
        " there is yours to hand out, until somebody gives the queue to another owner.",
        url=reverse("leads:inbox"),
        head=f"Your queue now: {queue}",
        todo=Todo.HAND_ON,
        link="Open the inbox",
    )


def _about_absence(notification: Notification) -> Words:
    """A message that somebody else entered an absence of the reader's, or took one back."""
    data, zone = notification.data, zone_of(notification.user)
    by = plain(str(data.get("by") or "")) or "Somebody"
    ends = _parsed(data.get("ends_at"))
    days = [
        _day(at.astimezone(zone)) for at in (_parsed(data.get("starts_at")), ends and ends - BRIEFLY) if at
    ]
    span = " to ".join(dict.fromkeys(days)) or "some days"
    if notification.kind == BACK:
        text = f"{by} took back your absence of {span}. New leads come to you then."
    else:
        cover = plain(str(data.get("cover") or ""))
        covers = f"{cover} covers for you." if cover else "Nobody covers: your open leads are routed again."
        text = f"{by} entered that you are away: {span}. {covers} No new lead comes to you meanwhile."
    return Words(
        subject=f"{HEADS[notification.kind]}: {span}",
        text=text,
        url=f"{reverse('leads:profile')}#away",
        head=f"{HEADS[notification.kind]}: {span}",
        todo=Todo.KNOW,
        link="Open your profile",
    )


def _about_audit(notification: Notification) -> Words:
    """A message about a run of the sync audit: what is new in which system, or that it came to nothing."""
    data, head = notification.data, HEADS[notification.kind]
    told = []
    if found := data.get("found") or {}:
        count = sum(found.values())
        each = ", ".join(f"{number} in {plain(str(name))}" for name, number in sorted(found.items()))
        told.append(f"{count} new grave finding{'' if count == 1 else 's'}: {each}.")
    for name, percent in sorted((data.get("below") or {}).items()):
        told.append(f"Only {percent:g} % of the handoffs agree with {plain(str(name))}.")
    if notification.kind == SYNC_FAILED:
        told.append(
            "What differs between us, the CRM and the marketing platform was not looked at to the end."
        )
    return Words(
        subject=head,
        text=" ".join(told) or "Some handoffs differ between us and another system.",
        url=reverse("leads:sync_audits"),
        head=head,
        todo=Todo.LOOK,
        link="Open the sync audit",
    )


_ABOUT = {
    QUEUE_GIVEN: _about_queue,
    AWAY: _about_absence,
    BACK: _about_absence,
    SYNC_DRIFT: _about_audit,
    SYNC_FAILED: _about_audit,
    **dict.fromkeys(AGREEMENT, _about_agreement),
}


def _day(local: datetime) -> str:
    return f"{local:%a} {local.day} {local:%b}"


def _parsed(kept: Any) -> datetime | None:
    return parse_datetime(kept) if isinstance(kept, str) else None


def _sentence(text: str) -> str:
    """With a capital where what stands first is no name."""
    is_name = not text.startswith(("a lead ", "the queue ", "nobody", "data completion"))
    return text if is_name else text[:1].upper() + text[1:]


def lead_words(handoff: Handoff) -> str:
    """The lead's name and company on one line; "a lead" when neither is known."""
    name, company = plain(handoff.lead.full_name), company_words(handoff)
    if name and company:
        return f"{name} ({company})"
    return name or (f"a lead of {company}" if company else "a lead without a name")


def company_words(handoff: Handoff) -> str:
    """The company's name or domain; "" when neither is known."""
    company = handoff.lead.company
    return plain(company.name or company.domain or "") if company else ""


def consent_words(handoff: Handoff) -> str:
    """What the lead has forbidden, for whoever may contact them; "" for nothing."""
    shut = forbidden(handoff.lead)
    return " ".join(words for channel, words in REFUSED.items() if channel in shut)


def holder_words(handoff: Handoff) -> str:
    """Who holds it: a person, a queue, or whoever completes data."""
    if handoff.assignee_id and handoff.assignee is not None:
        return plain(str(handoff.assignee))
    if handoff.queue_id and handoff.queue is not None:
        return f"the queue {plain(handoff.queue.name)}"
    return "data completion" if handoff.state == State.INCOMPLETE else "nobody"


def zone_of(user: User) -> ZoneInfo:
    """The reader's zone, else the organisation's."""
    try:
        return ZoneInfo(user.time_zone or settings.ORG_TIME_ZONE)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # Whoever wrote nonsense there past the forms is told all the same.
        return ZoneInfo(settings.ORG_TIME_ZONE)


def plain(text: str, longest: int = LONGEST_NAME) -> str:
    """Hostile text made safe for one line of mail: no control or format characters, no address that a mail
    program turns into a link, cut at `longest` characters.

    What a mail program would take for an address gets a gap that one sees: "evil. com", "eve @ evil. com".
    """
    return one_line(_ADDRESS.sub(_with_gap, text[:LONGEST_READ]), longest)


def one_line(text: str, longest: int = LONGEST_NAME) -> str:
    """Text without control or format characters and double spaces, cut at `longest` characters."""
    kept = "".join(char if _prints(char) else " " for char in text[:LONGEST_READ])
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "\u2026"


def _with_gap(found: re.Match[str]) -> str:
    """The dot of an address stands before a gap, an @ in one; of a scheme or a share only the gap is left."""
    mark = found.group()
    return f"{mark} " if mark in _DOTS else " @ " if mark == "@" else " "


def _prints(char: str) -> bool:
    return char in _JOINERS or unicodedata.category(char)[0] not in "CZ"


def _label(choices: Any, code: Any) -> str:
    known = dict(choices.choices)
    return str(known.get(code, plain(str(code).replace("_", " "), 40))).lower()


def _moment(kept: Any, stored: datetime | None, zone: ZoneInfo) -> str:
    """An instant in the reader's zone, the one kept with the message, else the handoff's; "" for none."""
    at = _parsed(kept) or stored
    if at is None:
        return ""
    local = at.astimezone(zone)
    return f"{_day(local)} {local:%H:%M} {local.tzname()}"
