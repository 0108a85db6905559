"""The explain command: the kept decision in words, for what was routed, queued, held and routed again."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from leads import lifecycle
from leads.models import Handoff
from routing.models import Absence, Pool, Rule, Territory
from routing.publish import publish
from tests import factories
from tests.conftest import NOW, Cast


def explained(handoff: Handoff) -> list[str]:
    out = StringIO()
    call_command("explain", str(handoff.pk), stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def rules(cast: Cast) -> None:
    """Austria to its territory's owner; Germany to a pool of Femke and Jonas; the rest to overflow."""
    Territory.objects.create(
        slug="at", name="Austria", owner=cast.rosa,
        conditions={"all": [{"field": "country", "op": "in", "value": ["AT"]}]},
    )  # fmt: skip
    pool = Pool.objects.create(slug="dach", name="DACH reps")
    for user in (cast.femke, cast.jonas):
        pool.seats.create(user=user)
    Rule.objects.create(
        position=1, name="Austria", target_kind="territory_owner", target_id="at",
        conditions={"all": [{"op": "in_territory", "value": "at"}]},
    )  # fmt: skip
    Rule.objects.create(
        position=2, name="Germany", target_kind="pool", target_id=str(pool.pk),
        conditions={"all": [{"field": "country", "op": "in", "value": ["DE"]}]},
    )  # fmt: skip
    publish(NOW, None)


def test_each_rule_and_each_person_looked_at_is_named(cast: Cast, rules: None) -> None:
    Absence.objects.create(
        user=cast.femke, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=1)
    )
    told = explained(factories.open_handoff(factories.make_lead(country_code="DE")))
    assert told == [
        f"Handoff {Handoff.objects.get().pk} is assigned, with Jonas Keller.",
        "2026-03-10 10:00:00 UTC, ruleset 2:",
        "  Rule \u201cAustria\u201d did not match: it asks that territory is Austria, but country is DE.",
        "  Rule \u201cGermany\u201d matched: country is DE.",
        "  It goes to the pool DACH reps, else to the queue Overflow.",
        "  Not Femke de Boer: away.",
        "  Taken by Jonas Keller, by the rule's own target.",
    ]


def test_a_lead_that_nobody_can_take_says_so(cast: Cast, rules: None) -> None:
    cast.rosa.is_active = False
    cast.rosa.save()
    told = explained(factories.open_handoff(factories.make_lead(country_code="AT")))
    assert told[0].endswith("is queued, with the queue Overflow.")
    assert told[-2:] == [
        "  Not Rosa Lindqvist: inactive.",
        "  Taken by the queue overflow, because nobody else could.",
    ]


def test_every_decision_is_told_in_order(cast: Cast, rules: None) -> None:
    handoff = factories.open_handoff(factories.make_lead(country_code="DE"))
    holder = handoff.assignee
    act = lifecycle.Act(NOW + timedelta(hours=1), holder)
    lifecycle.reject(handoff.pk, act, reason="out_of_territory")
    told = explained(handoff)
    assert [line for line in told if "UTC" in line] == [
        "2026-03-10 10:00:00 UTC, ruleset 2:",
        "2026-03-10 11:00:00 UTC, ruleset 2:",
    ]
    assert f"  Not {holder}: had it before." in told


def test_what_was_never_routed_says_what_is_missing(cast: Cast, rules: None) -> None:
    told = explained(factories.make_handoff("incomplete"))
    assert told[1].startswith("It was never routed; missing: company_name")


def test_other_ids_are_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no handoff 7"):
        call_command("explain", "7")
    with pytest.raises(CommandError):
        call_command("explain", "seven")
