"""Windows and whose they are, as the domain has them: what a change of hands or a deferral does to clocks."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from leads import lifecycle
from leads.lifecycle import Act
from leads.lifecycle.book import clocks
from leads.models import Handoff
from routing import sla
from routing.sla import Step, Target
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, open_handoff, route_to

MINUTE = timedelta(minutes=1)


def test_a_change_of_hands_mid_window_is_a_fair_window_and_hides_nothing(cast: Cast) -> None:
    """Demo: five minutes to answer, five to contact. Jonas gets it a minute before the second is over."""
    route_to(cast.femke)
    handoff = open_handoff(kind="demo_request")
    act = Act(NOW + 4 * MINUTE, cast.mia)
    handoff = lifecycle.reassign(handoff.pk, act, to=cast.jonas.email, reason="Femke is in a meeting")
    assert handoff.accept_due_at == NOW + 9 * MINUTE
    assert handoff.contact_due_at == NOW + 5 * MINUTE == handoff.next_due_at
    assert handoff.clock_started_at == NOW and handoff.window == 2


def test_routing_and_late_delivery_count_on_the_leads_clock(cast: Cast) -> None:
    route_to(cast.femke)
    handoff = open_handoff(kind="demo_request", at=NOW, now=NOW + 7 * MINUTE)
    assert handoff.contact_due_at == NOW + 5 * MINUTE
    assert handoff.accept_due_at == NOW + 12 * MINUTE


def test_after_a_deferral_the_shares_of_the_leads_clock_count_from_the_day_asked_for(cast: Cast) -> None:
    """A week's deferral: half of the contact's hour is half an hour after it, not three days into it."""
    handoff = make_handoff("assigned", cast.femke)
    until = NOW + timedelta(days=7)
    lifecycle.defer(handoff.pk, Act(NOW + MINUTE, cast.femke), until=until, explanation="After the fair")
    lifecycle.fire(handoff.pk, until)
    handoff = Handoff.objects.get(pk=handoff.pk)
    policy = sla.Policy(
        id=0, slug="x", version=1, lead_type="standard", accept=Target(120, True), contact=Target(60, False),
        unacknowledged=Target(120, True), no_activity=Target(240, True), black_hole=Target(1440, True),
        completion=Target(240, True), steps=(Step("half", "contact", 50, None, ("rep",), "tell"),),
    )  # fmt: skip
    assert handoff.contact_due_at is not None
    [half] = sla.scheduled(policy, clocks(handoff), None)
    assert half.at == until + (handoff.contact_due_at - until) / 2


def test_an_auto_reply_is_an_attempt_and_reached_nobody(cast: Cast) -> None:
    handoff = make_handoff("accepted", cast.femke)
    act = Act(NOW + 10 * MINUTE, cast.femke)
    handoff = lifecycle.contact(handoff.pk, act, channel="email", outcome="auto_reply")
    assert (handoff.state, handoff.first_contact_at) == ("working", act.now)
    assert handoff.disposition == "accepted_attempted"


def test_no_clock_is_the_databases() -> None:
    """`now` comes in from the edge: a database whose clock is wrong, or of another zone, moves nothing."""
    # A default of the database's own is a constant.
    theirs = re.compile(r"\bNow\(|CURRENT_TIMESTAMP|clock_timestamp|datetime\('now'|db_default=(?!\"\"|0)")
    read = [
        path for app in ("routing", "leads", "metrics") for path in Path(settings.BASE_DIR, app).rglob("*.py")
    ]
    assert len(read) > 100
    # Which sessions that ran went on was decided in one statement, when the table was made.
    assert [path.name for path in read if theirs.search(path.read_text())] == ["0002_signed_in.py"]
