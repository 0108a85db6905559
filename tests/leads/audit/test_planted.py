"""Each check on the doubles: a planted drift is found by the next run, named right, and settled each way."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from leads.audit import repairing
from leads.audit.checks import Code
from leads.lifecycle import Act
from leads.models import Connection, Delivery, Finding, Handoff, Lead
from leads.outbox import letters
from tests import doubles
from tests.conftest import Cast
from tests.factories import make_handoff
from tests.leads.audit.planted import ANOTHER, CASES, clean, world
from tests.leads.audit.test_running import LATER, run
from tests.leads.connectors.contract.conftest import _outer, deliver, outer, settled
from tests.leads.connectors.contract.hubspot import PlayedHubSpot

__all__ = ["_outer", "outer"]

AT = LATER + timedelta(minutes=5)
NEXT = LATER + timedelta(hours=2)
STEPS = [(code, choice) for code, case in CASES.items() for choice in case.choices]


def open_now() -> list[tuple[str, str]]:
    rows = Finding.objects.filter(resolved_at__isnull=True).order_by("check_code", "pk")
    return [(row.check_code, row.connection.role) for row in rows.select_related("connection")]


def test_every_check_is_planted() -> None:
    assert set(CASES) == {str(code) for code in Code}


@pytest.mark.parametrize(("code", "choice"), STEPS)
def test_a_planted_drift_is_found_and_settled(
    cast: Cast, outer: doubles.Doubles, code: str, choice: str
) -> None:
    case = CASES[code]
    there = world(cast, outer, case.state, alone=case.alone)
    if not case.alone:
        run()
        assert open_now() == [], "before anything was planted"
    case.plant(there)

    run(LATER + timedelta(minutes=2))

    finding = Finding.objects.get(check_code=code, connection__role=case.on)
    others = [name for name, _ in open_now() if name != code]
    assert [*others, *(name for name, role in open_now() if role != case.on)] == list(case.also)
    assert repairing.choices(finding) == case.choices
    _settle(finding, choice, Act(AT, cast.otto))
    finding.refresh_from_db()
    assert finding.resolved_by == cast.otto

    there.send(AT + timedelta(minutes=1))
    Connection.objects.update(polled_at=NEXT)
    run(NEXT)

    left = case.left.get(choice)
    if choice == "ignore":
        # The other systems' own findings of the same drift were not ignored.
        assert open_now() == [
            (name, other) for name in case.also for other in ("crm", "map") if other != case.on
        ]
        finding.refresh_from_db()
        assert finding.resolution == ("ignored" if code not in _HEALED else finding.resolution)
    else:
        assert open_now() == ([(left, case.on)] if left else [])
        assert left or there.agrees()


# What mends itself: polling went on, and what was owed has left.
_HEALED = ("STALE_CURSOR", "OUTBOX_STUCK")


def _settle(finding: Finding, choice: str, act: Act) -> None:
    if choice == "push":
        repairing.push(finding, act)
    elif choice == "adopt":
        repairing.adopt(finding, act)
    else:
        repairing.ignore(finding, act, "We know of it.")


def test_what_was_adopted_is_ours_by_whoever_did_it(cast: Cast, outer: doubles.Doubles) -> None:
    there = world(cast, outer)
    for code in ("EMAIL_MISMATCH", "OPTED_OUT_BUT_ACTIVE", "CRM_OWNER_NE_APP_OWNER"):
        CASES[code].plant(there)
    run()
    for code in ("EMAIL_MISMATCH", "OPTED_OUT_BUT_ACTIVE", "CRM_OWNER_NE_APP_OWNER"):
        row = Finding.objects.get(check_code=code, connection__role="crm")
        repairing.adopt(row, Act(AT, cast.otto))
    lead = Lead.objects.get(pk=there.handoff.lead_id)
    assert (lead.email, lead.email_opt_out) == (ANOTHER, True)
    assert Handoff.objects.get().assignee == cast.jonas


def test_what_was_given_up_is_settled_when_it_arrives(cast: Cast, outer: doubles.Doubles) -> None:
    there = world(cast, outer)
    CASES["DEAD_LETTER"].plant(there)
    run()
    assert open_now() == [("DEAD_LETTER", "crm")]
    letters.replay(Delivery.objects.get(status="dead"), AT)
    there.send(AT + timedelta(minutes=1))
    Connection.objects.update(polled_at=NEXT)
    run(NEXT)
    assert open_now() == []


def test_a_stage_that_hubspot_keeps_is_no_drift(cast: Cast, outer: doubles.Doubles) -> None:
    """A customer stays one whatever becomes of the handoff; what else is written is compared all the same."""
    system = PlayedHubSpot(outer)
    connection = system.connection(polled_at=NEXT)
    handoff = make_handoff("rejected", cast.femke)
    remote_id = system.make_record(handoff.lead)
    outer.hubspot.act({"id": remote_id, "values": {"lifecyclestage": "customer"}})
    settled(connection, handoff.lead_id)
    assert system.read_record(remote_id)["lifecyclestage"] == "customer"
    run()
    assert open_now() == []

    outer.hubspot.act({"id": remote_id, "values": {"hs_lead_status": "OPEN", "handoff_status": "accepted"}})
    run(LATER + timedelta(minutes=5))
    [(code, _)] = open_now()
    assert code == "EXTERNAL_CHANGE"
    repairing.push(Finding.objects.get(check_code=code), Act(AT, cast.otto))
    deliver(connection, AT + timedelta(minutes=1))
    run(NEXT)
    assert open_now() == []
    assert system.read_record(remote_id)["lifecyclestage"] == "customer"


@pytest.mark.parametrize(
    ("deed", "code", "choice"),
    [
        ("merge", "RECORD_MERGED", "adopt"),
        ("delete", "RECORD_DELETED", "push"),
        ("edit", "EXTERNAL_CHANGE", "adopt"),
        ("optout", "OPTED_OUT_BUT_ACTIVE", "adopt"),
    ],
)
def test_on_hubspot_too(cast: Cast, outer: doubles.Doubles, deed: str, code: str, choice: str) -> None:
    system = PlayedHubSpot(outer)
    connection = system.connection(polled_at=NEXT, options={"creates": True})
    handoff = make_handoff("accepted", cast.femke)
    remote_id = system.make_record(handoff.lead)
    settled(connection, handoff.lead_id)
    run()
    assert open_now() == []
    if deed == "merge":
        [other] = outer.hubspot.seed({"contacts": [{"email": "other@example.com"}]})["contacts"]
        outer.hubspot.act({"do": "merge", "id": remote_id, "other": other})
    elif deed == "delete":
        outer.hubspot.act({"do": "delete", "id": remote_id})
    elif deed == "optout":
        outer.hubspot.act({"id": remote_id, "values": {"hs_email_optout": "true"}})
    else:
        rejected = {"lifecyclestage": "lead", "hs_lead_status": "UNQUALIFIED", "handoff_reason": "timing"}
        outer.hubspot.act({"id": remote_id, "values": rejected})
    run(LATER + timedelta(minutes=2))
    assert open_now() == [(code, "both")]
    _settle(Finding.objects.get(check_code=code), choice, Act(AT, cast.otto))
    deliver(connection, AT + timedelta(minutes=1))
    run(NEXT)
    assert open_now() == []


def test_a_clean_system_of_300_gives_no_finding_and_full_coverage(cast: Cast, outer: doubles.Doubles) -> None:
    clean(cast, outer, 300)
    job = run()
    assert job.handoffs == 300
    for numbers in job.counts.values():
        assert Counter(numbers) == Counter(compared=300, agreed=300, in_flight=0)
    assert not Finding.objects.exists()
