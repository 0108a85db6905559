"""When tests act and by whom, and what has to hold afterwards: the few words that most of them begin with."""

from __future__ import annotations

from datetime import datetime, timedelta

from leads import invariants
from leads.lifecycle import Act
from leads.models import Handoff
from routing.models import User
from tests.conftest import NOW


def at(**span: float) -> datetime:
    """This long after NOW: at(minutes=5)."""
    return NOW + timedelta(**span)


def by(user: User | None, **span: float) -> Act:
    """This person acts, this long after NOW."""
    return Act(at(**span), user)


def fresh(handoff: Handoff) -> Handoff:
    """The handoff as it is stored."""
    return Handoff.objects.get(pk=handoff.pk)


def assert_sound() -> None:
    """No invariant is broken."""
    found = [str(violation) for violation in invariants.violations()]
    assert not found, "\n".join(found)
