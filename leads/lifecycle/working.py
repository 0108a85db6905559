"""Stage 5 and what comes after: contact, opportunity, disqualify.

Owns what counts as the first contact and as the disposition. Each verb is one transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from leads import consent
from leads.choices import CLOSED, NOT_A_SIGNAL, Channel, Disposition, EventKind, Outcome, Stage, State
from leads.lifecycle import guard
from leads.lifecycle.act import Act, Invalid
from leads.lifecycle.answering import UNDO_FOR, activity, mark_accepted, withdraw_flags
from leads.lifecycle.book import Book
from leads.lifecycle.draining import free
from leads.models import Activity, ContactAttempt, Handoff, Note, TriageItem
from routing import hours

LATE_AFTER = timedelta(minutes=60)
NEXT_TOUCH_DAYS = {Outcome.REACHED: 14}
NEXT_TOUCH_DAYS_OTHERWISE = 3
LARGEST_AMOUNT = Decimal(10) ** 15
CENT, DIGITS = Decimal("0.01"), Context(prec=15)
_NO_SIGNAL = [str(kind) for kind in NOT_A_SIGNAL]


def exact(amount: Decimal) -> Decimal:
    """The amount to the cent and to fifteen digits: SQLite keeps no more, and log and column say the same."""
    return DIGITS.plus(amount).quantize(CENT)


def business_days_after(moment: datetime, count: int, calendar: hours.Calendar | None) -> datetime:
    """The same time of day, so many working days later (every day works without a calendar)."""
    if calendar is None:
        return moment + timedelta(days=count)
    local = moment.astimezone(ZoneInfo(calendar.zone))
    for _ in range(400):
        local += timedelta(days=1)
        if calendar.week[local.weekday()] and local.date() not in calendar.closed:
            count -= 1
        if count <= 0:
            break
    return local


@transaction.atomic
def contact(
    handoff_id: int,
    act: Act,
    *,
    channel: str,
    outcome: str,
    at: datetime | None = None,
    activity_id: int | None = None,
    note: str = "",
    next_touch_at: datetime | None = None,
    asked_for: bool | None = None,
    revision: int | None = None,
) -> Handoff:
    """Log an outreach attempt; accepts first if need be. `at` is when it was made, now by default.

    `activity_id` is the signal it referred to: one of the lead's activities. The earliest attempt is
    the first contact, even if it is logged later. The same attempt again is one: of the same moment, or
    where no moment is given, within ten seconds. Of a channel that the lead has forbidden the event says
    whether the lead `asked_for` this very contact. False is Invalid: whoever was warned chooses another way;
    None is who was not, and what has happened is logged all the same.
    """
    handoff = guard.locked(handoff_id)
    guard.require_fresh(handoff, revision, act, "log a contact")
    allowed = (State.ASSIGNED, State.ACCEPTED, State.DEFERRED, State.WORKING)
    guard.require_state(handoff, allowed, "log a contact")
    user = guard.require_holder(handoff, act, "log a contact")
    is_now = at is None
    at = act.now if at is None else at
    _check_contact(handoff, act, channel, outcome, at, activity_id, next_touch_at)
    codes: dict[str, Any] = {}
    if channel in consent.forbidden(handoff.lead):
        if asked_for is False:
            words = (
                f"{consent.REFUSED[Channel(channel)]} Choose another way, or say that they asked for this."
            )
            raise Invalid({"asked_for": words})
        codes["asked_for"] = bool(asked_for)
    # A sender's clock may be minutes ahead of ours; nobody is contacted before they qualified.
    at = max(at, handoff.mql_at)
    text = guard.bounded("note", note)
    attempts = handoff.attempts.filter(undone_at__isnull=True)
    same = attempts.filter(by=user, channel=channel, outcome=outcome, activity=activity_id)
    if same.filter(at=at).exists():
        return handoff
    # Pressed twice. Another day for the next touch, or other words, are news and kept.
    says_no_more = next_touch_at in (None, handoff.next_touch_at)
    if is_now and says_no_more and same.filter(note=text, at__gte=at - UNDO_FOR).exists():
        return handoff
    late = act.now - at > LATE_AFTER
    book = Book(act, handoff)
    active_since = handoff.last_activity_at
    if handoff.state == State.ASSIGNED or handoff.accepted_at is None:
        mark_accepted(book, handoff, max(at, handoff.assigned_at or at))
    book.add(
        ContactAttempt(
            handoff=handoff,
            by=user,
            channel=channel,
            outcome=outcome,
            at=at,
            recorded_at=act.now,
            logged_late=late,
            activity_id=activity_id,
            note=text,
        )
    )
    changes = activity(handoff, at) | {
        "state": State.WORKING,
        "disposition_at": act.now,
    }
    # The best outcome decides, whatever came between.
    reached = outcome == Outcome.REACHED or attempts.filter(outcome=Outcome.REACHED).exists()
    changes["disposition"] = Disposition.ACCEPTED_CONTACTED if reached else Disposition.ACCEPTED_ATTEMPTED
    if handoff.first_contact_at is None or at < handoff.first_contact_at:
        changes |= {
            "first_contact_at": at,
            "first_contact_by_id": user.pk,
            "first_contact_channel": channel,
            "first_contact_outcome": outcome,
            "first_contact_personal": activity_id is not None,
            "first_contact_logged_late": late,
        }
    days = NEXT_TOUCH_DAYS.get(Outcome(outcome), NEXT_TOUCH_DAYS_OTHERWISE)
    changes["next_touch_at"] = next_touch_at or business_days_after(act.now, days, book.calendar(handoff))
    free(handoff, act.now)
    book.write(
        handoff,
        EventKind.CONTACTED,
        Stage.CONTACT,
        changes,
        occurred_at=at,
        channel=channel,
        outcome=outcome,
        activity=activity_id,
        logged_late=late,
        **codes,
    )
    withdraw_flags(book, handoff, at, active_since)
    book.save()
    return handoff


def _check_contact(
    handoff: Handoff,
    act: Act,
    channel: str,
    outcome: str,
    at: datetime,
    activity_id: int | None,
    next_touch_at: datetime | None,
) -> None:
    errors: dict[str, str] = {}
    if channel not in Channel.values:
        errors["channel"] = f"Choose one of {', '.join(Channel.values)}."
    if outcome not in Outcome.values:
        errors["outcome"] = f"Choose one of {', '.join(Outcome.values)}."
    if at > act.now:
        errors["at"] = "This is in the future."
    elif at < min(handoff.mql_at, act.now):
        errors["at"] = f"This is before the lead qualified ({handoff.mql_at:%Y-%m-%d %H:%M} UTC)."
    if activity_id is not None:
        signals = Activity.objects.filter(lead_id=handoff.lead_id).exclude(kind__in=_NO_SIGNAL)
        if not signals.filter(pk=activity_id).exists():
            errors["activity_id"] = "This is not one of the lead's signals."
    if next_touch_at is not None and not act.now < next_touch_at <= act.now + timedelta(days=365):
        errors["next_touch_at"] = "Choose a time within the next year."
    if errors:
        raise Invalid(errors)


@transaction.atomic
def opportunity(
    handoff_id: int,
    act: Act,
    *,
    external_id: str = "",
    amount: Decimal | None = None,
    currency: str = "",
    stage: str = "",
    at: datetime | None = None,
    revision: int | None = None,
) -> Handoff:
    """An opportunity came of it. Accepted and working become converted; others keep their state, and one
    that had ended otherwise goes to triage.

    A second report about it updates amount and stage; the first `at` stays.
    """
    handoff = guard.locked(handoff_id)
    guard.require_person(handoff, "record an opportunity")
    guard.require_fresh(handoff, revision, act, "record an opportunity")
    book = Book(act, handoff)
    record_opportunity(book, handoff, external_id, amount, currency, stage, at)
    book.save()
    return handoff


def record_opportunity(
    book: Book,
    handoff: Handoff,
    external_id: str = "",
    amount: Decimal | None = None,
    currency: str = "",
    stage: str = "",
    at: datetime | None = None,
) -> None:
    """See `opportunity`; within somebody else's transaction, on a locked handoff."""
    when = at or book.now
    errors: dict[str, str] = {}
    if amount is not None and not (amount.is_finite() and 0 <= amount < LARGEST_AMOUNT):
        errors["amount"] = "This must be a positive amount."
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        errors["currency"] = "Use a three-letter code such as EUR."
    if amount is not None and not currency:
        errors["currency"] = "An amount needs its currency."
    if when > book.now + timedelta(minutes=5):
        errors["at"] = "This is in the future."
    if errors:
        raise Invalid(errors)
    changes: dict[str, Any] = {
        "opportunity_at": handoff.opportunity_at or when,
        "opportunity_id": guard.bounded("external_id", external_id, limit=200) or handoff.opportunity_id,
        "opportunity_stage": guard.bounded("stage", stage, limit=100) or handoff.opportunity_stage,
    }
    if amount is not None:
        changes |= {"opportunity_amount": exact(amount), "opportunity_currency": currency.upper()}
    converts = handoff.state in (State.ACCEPTED, State.WORKING)
    was_open = handoff.is_open
    if converts:
        changes |= {"state": State.CONVERTED, "closed_at": book.now}
        if book.act.user is not None and handoff.assignee_id == book.act.user.pk:
            changes |= activity(handoff, book.now)
        free(handoff, book.now)
    if all(getattr(handoff, name) == value for name, value in changes.items()):
        return
    if handoff.opportunity_at is None and handoff.state in CLOSED and not handoff.is_history:
        data = {"handoff": handoff.pk, "state": str(handoff.state)}
        book.add(TriageItem(lead=handoff.lead, kind="won_anyway", data=data, at=book.now))
    book.write(handoff, EventKind.CONVERTED, Stage.AFTER, changes, occurred_at=when)
    if was_open:
        told = [handoff.assignee] if handoff.assignee is not None else book.queue_owner(handoff)
        book.tell(handoff, "converted_elsewhere", told)


@transaction.atomic
def disqualify(
    handoff_id: int, act: Act, *, reason: str, note: str = "", revision: int | None = None
) -> Handoff:
    """Worked, and nothing will come of it. The reason is one of the rejection reasons' codes."""
    handoff = guard.locked(handoff_id)
    if handoff.state == State.DISQUALIFIED and handoff.close_reason == reason:
        return handoff
    guard.require_fresh(handoff, revision, act, "disqualify")
    guard.require_state(handoff, (State.WORKING,), "disqualify")
    user = guard.require_holder(handoff, act, "disqualify")
    row = guard.reason_row(reason)
    text = guard.bounded("note", note, required=row.note_required)
    book = Book(act, handoff)
    if text:
        book.add(Note(handoff=handoff, by=user, at=act.now, text=text))
    changes = activity(handoff, act.now) | {
        "state": State.DISQUALIFIED,
        "close_reason": row.code,
        "closed_at": act.now,
    }
    book.write(handoff, EventKind.DISQUALIFIED, Stage.AFTER, changes, reason=row.code)
    book.save()
    return handoff
