"""What the agreement promises, played minute by minute: what happens when nobody answers, who is told, and in
which words. The tables are meant to be read beside the agreement, by people who read no code.

A lead comes in by the real intake; then the clock jumps from one minute in which something is due to the
next, as the worker's sweep sees them, and nobody does anything. Office hours are Monday to Friday, 9 to 18,
UTC.
"""

# A line of the tables is one message, as long as it is.
# ruff: noqa: E501

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from leads import intake
from leads.escalation import sweep
from leads.models import Handoff, Notification
from leads.notifications import words
from routing import policies, sla
from routing.models import Queue, SlaPolicy
from tests import factories
from tests.conftest import Cast

MINUTE = timedelta(minutes=1)
TAKEN = sla.Step("taken", "acceptance", 100, None, ("manager",), "reassign")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A time in March 2026; the 10th is a Tuesday, the 13th a Friday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def conversion(kind: str, when: datetime) -> dict[str, Any]:
    """Adaeze Okonkwo of Halvorsen Logistics, as marketing's system reports her."""
    who = {"first_name": "Adaeze", "last_name": "Okonkwo"}
    return factories.event(
        7, when, lead=who, company={"name": "Halvorsen Logistics"}, trigger={"kind": kind, "reason": "x"}
    )


def play(kind: str, start: datetime, until: datetime) -> tuple[Handoff, list[str]]:
    """Take the lead in at `start`, let nobody answer, and write down what was said until `until`."""
    with time_machine.travel(start, tick=False) as clock:
        intake.receive([conversion(kind, start)], None, start)
        handoff = Handoff.objects.get()
        lines = _said(start)
        while (due := Handoff.objects.get().next_step_at) is not None and due <= until:
            # The sweep runs each full minute: the first one from then on.
            now = due if due.second == due.microsecond == 0 else due.replace(second=0, microsecond=0) + MINUTE
            clock.move_to(now)
            assert sweep(now - MINUTE) == [], "nothing fires before its time"
            assert sweep(now) != []
            assert sweep(now) == [], "each step once"
            lines += _said(now)
    handoff.refresh_from_db()
    return handoff, lines


def _said(now: datetime) -> list[str]:
    """What was told in this minute, in the order of its events: when | to whom | what."""
    rows = Notification.objects.filter(created_at=now).select_related("user", "handoff__lead__company")
    lines = []
    for row in rows.order_by("event_number", "pk"):
        said = words(row)
        lines.append(f"{now:%a %d %H:%M} | {str(row.user).split()[0]:5} | {said.head}. {said.text}")
    return lines


def table(text: str) -> list[str]:
    return [line.strip() for line in text.format(lead=LEAD).strip().splitlines()]


@pytest.fixture
def two_reps(cast: Cast) -> Cast:
    """Femke and Jonas share the leads; Mia leads both; Ada owns the overflow queue; Otto is marketing."""
    factories.route_to(cast.femke, cast.jonas)
    return cast


LEAD = "Adaeze Okonkwo (Halvorsen Logistics)"

# when         | to    | what
STANDARD_OVER_A_WEEKEND = """
Fri 13 16:30 | Femke | New lead for you. {lead} is yours. Your answer is due Mon 16 Mar 09:30 UTC.
Fri 13 17:30 | Femke | Half the time is gone. Your answer on {lead} is due Mon 16 Mar 09:30 UTC.
Fri 13 17:30 | Femke | Not contacted in time. The first contact with {lead} was due Fri 13 Mar 17:30 UTC. It is with you.
Fri 13 17:30 | Mia   | Not contacted in time. The first contact with {lead} was due Fri 13 Mar 17:30 UTC. It is with Femke de Boer.
Sat 14 16:30 | Mia   | Black hole. Nobody in sales has done anything about {lead} since it was assigned.
Mon 16 09:06 | Femke | Nearly due. Your answer on {lead} is due Mon 16 Mar 09:30 UTC.
Mon 16 09:30 | Femke | Not answered in time. The answer on {lead} was due Mon 16 Mar 09:30 UTC. It is with you.
Mon 16 09:30 | Mia   | Not answered in time. The answer on {lead} was due Mon 16 Mar 09:30 UTC. It is with Femke de Boer.
Mon 16 09:30 | Mia   | Nobody has answered. {lead} is still not acknowledged. It is with Femke de Boer.
Mon 16 11:30 | Mia   | Nothing happens. Femke de Boer has not touched {lead} for too long.
"""

DEMO_THAT_IS_TAKEN_AWAY = """
Tue 10 10:00 | Femke | New lead for you. {lead} is yours. Your answer is due Tue 10 Mar 10:05 UTC.
Tue 10 10:03 | Femke | Half the time is gone. Your answer on {lead} is due Tue 10 Mar 10:05 UTC.
Tue 10 10:04 | Femke | Nearly due. Your answer on {lead} is due Tue 10 Mar 10:05 UTC.
Tue 10 10:05 | Femke | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:05 UTC. It is with Jonas Keller.
Tue 10 10:05 | Mia   | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:05 UTC. It is with Jonas Keller.
Tue 10 10:05 | Jonas | New lead for you. {lead} is yours. Your answer is due Tue 10 Mar 10:10 UTC.
Tue 10 10:05 | Mia   | With somebody else now. The answer on {lead} was due Tue 10 Mar 10:05 UTC and did not come. It is with Jonas Keller now.
Tue 10 10:05 | Jonas | Not contacted in time. The first contact with {lead} was due Tue 10 Mar 10:05 UTC. It is with you.
Tue 10 10:05 | Mia   | Not contacted in time. The first contact with {lead} was due Tue 10 Mar 10:05 UTC. It is with Jonas Keller.
Tue 10 10:08 | Jonas | Half the time is gone. Your answer on {lead} is due Tue 10 Mar 10:10 UTC.
Tue 10 10:09 | Jonas | Nearly due. Your answer on {lead} is due Tue 10 Mar 10:10 UTC.
Tue 10 10:10 | Jonas | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:10 UTC. It is with Mia Brandt.
Tue 10 10:10 | Mia   | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:10 UTC. It is with you.
Tue 10 10:10 | Mia   | New lead for you. {lead} is yours. Your answer is due Tue 10 Mar 10:15 UTC.
Tue 10 10:10 | Mia   | With somebody else now. The answer on {lead} was due Tue 10 Mar 10:10 UTC and did not come. It is with you now.
Tue 10 10:13 | Mia   | Half the time is gone. Your answer on {lead} is due Tue 10 Mar 10:15 UTC.
Tue 10 10:14 | Mia   | Nearly due. Your answer on {lead} is due Tue 10 Mar 10:15 UTC.
Tue 10 10:15 | Mia   | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:15 UTC. It is with the queue Overflow.
Tue 10 10:15 | Ada   | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:15 UTC. It is with the queue Overflow.
Tue 10 10:15 | Ada   | Waiting in your queue. {lead} waits for somebody to claim it.
Tue 10 10:15 | Ada   | With somebody else now. The answer on {lead} was due Tue 10 Mar 10:15 UTC and did not come. It is with the queue Overflow now.
Tue 10 10:20 | Ada   | Not answered in time. The answer on {lead} was due Tue 10 Mar 10:20 UTC. It is with the queue Overflow.
Tue 10 12:00 | Ada   | Nobody has answered. {lead} is still not acknowledged. It is with the queue Overflow.
Tue 10 14:15 | Ada   | Nothing happens. The queue Overflow has not touched {lead} for too long.
Wed 11 10:00 | Ada   | Black hole. Nobody in sales has done anything about {lead} since it was assigned.
"""


def test_a_standard_lead_that_comes_on_friday_afternoon(two_reps: Cast) -> None:
    """Two hours of office hours to answer, one to the first contact; the day of the black hole is a day of the
    calendar on the wall. Nobody takes it away: that is the manager's to do, who was told five times."""
    handoff, lines = play("score_threshold", at(13, 16, 30), at(31, 0))
    assert lines == table(STANDARD_OVER_A_WEEKEND)
    assert (handoff.state, handoff.assignee, handoff.next_step_at) == ("assigned", two_reps.femke, None)
    assert (handoff.no_activity_at, handoff.black_hole_at) == (at(16, 11, 30), at(14, 16, 30))


def test_a_demo_that_nobody_answers_goes_from_hand_to_hand_and_ends_with_a_name(two_reps: Cast) -> None:
    """Five minutes each, around the clock. The policy says: whoever lets it lapse loses it to the next, then
    to the manager, then to the overflow queue, whose owner is told and goes on being told. What the manager
    lets lapse an admin hears of: nobody watches over themselves."""
    row = SlaPolicy.objects.get(slug="demo")
    targets, steps = policies.targets_of(row.policy()), list(row.policy().steps)
    assert steps[2].code == "accept_breach"
    policies.revise("demo", targets, [*steps[:3], TAKEN, *steps[3:]], two_reps.otto, at(1, 9), "Next, please")
    handoff, lines = play("demo_request", at(10, 10), at(31, 0))
    assert lines == table(DEMO_THAT_IS_TAKEN_AWAY)
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    assert (handoff.state, handoff.queue, handoff.next_step_at) == ("queued", overflow, None)
    assert overflow.owner == two_reps.ada
    # The lead's own clock never started anew.
    assert handoff.contact_due_at == at(10, 10, 5)


def test_every_line_names_somebody_who_can_act(two_reps: Cast) -> None:
    for walk in (STANDARD_OVER_A_WEEKEND, DEMO_THAT_IS_TAKEN_AWAY):
        people = {line.split("|")[1].strip() for line in table(walk)}
        assert people <= {"Femke", "Jonas", "Mia", "Ada"}
        assert table(walk)[-1].split("|")[1].strip() in ("Mia", "Ada")
