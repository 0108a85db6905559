"""Somebody's absence entered and taken back, by themselves or by whoever watches over their work.

Owns what follows at once: one that has begun moves on what the person still owes an answer, whoever is back
takes what waits, and nobody is away by somebody else's hand without being told. Who may is the caller's to
check; the shape of the form is `leads.personal`.
"""

from __future__ import annotations

from datetime import datetime

from leads import escalation, lifecycle, notifications
from leads.lifecycle import Act
from leads.personal import AbsenceForm
from routing.models import Absence


def enter(form: AbsenceForm, act: Act) -> int:
    """Keep the absence of a form that is valid; how many handoffs moved on, none before it begins."""
    absence = form.save()
    say(absence, notifications.AWAY, act)
    return escalation.let_go(form.user, act) if is_now(absence, act.now) else 0


def take_back(absence: Absence, act: Act) -> str:
    """One that lasts ends now ("ended"), one to come is deleted ("deleted"), one that is over stays ("")."""
    now = act.now
    if absence.ends_at <= now:
        return ""
    say(absence, notifications.BACK, act)
    if absence.starts_at < now:
        absence.ends_at = now
        absence.save(update_fields=["ends_at"])
        # What waits for want of a place may be theirs now; what their cover was given stays there.
        lifecycle.drain_soon(now)
        return "ended"
    absence.delete()
    return "deleted"


def say(absence: Absence, kind: str, act: Act) -> None:
    """Tell whose absence it is what somebody else entered (AWAY) or took back (BACK), and who that was."""
    if act.user == absence.user or not absence.user.is_active or absence.ends_at <= act.now:
        return
    span = {"starts_at": absence.starts_at.isoformat(), "ends_at": absence.ends_at.isoformat()}
    by, cover = str(act.user or ""), str(absence.cover or "")
    data = {"absence": absence.pk, "by": by, "cover": cover, **span}
    notifications.message(absence.user, None, kind, act.now, data).save()


def is_now(absence: Absence, now: datetime) -> bool:
    return absence.starts_at <= now < absence.ends_at


def moved_words(moved: int) -> str:
    """What is said of an absence that was entered."""
    if not moved:
        return "Absence saved."
    return f"Absence saved. {moved} lead{'' if moved == 1 else 's'} went to somebody who can answer."
