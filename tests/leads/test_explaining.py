"""The explain command: the kept decision in words, for what was routed, queued, held and routed again, and
whether the same comes out when it is made again."""

import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from leads import lifecycle
from leads.models import Handoff
from routing.models import Absence, Pool, Queue, Rule, Territory
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
        "  Not Femke de Boer of the pool DACH reps: away.",
        "  Taken by Jonas Keller of the pool DACH reps, by the rule's own target.",
        "  Re-run: the same answer.",
    ]


def test_a_lead_that_nobody_can_take_says_so(cast: Cast, rules: None) -> None:
    cast.rosa.is_active = False
    cast.rosa.save()
    told = explained(factories.open_handoff(factories.make_lead(country_code="AT")))
    assert told[0].endswith("is queued, with the queue Overflow.")
    assert told[-3:] == [
        "  Not Rosa Lindqvist: inactive.",
        "  Taken by the queue Overflow, because nobody else could.",
        "  Re-run: the same answer.",
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
    why = "rejected it before: out of territory, and the place is the same."
    assert f"  Not {holder} of the pool DACH reps: {why}" in told
    assert told.count("  Re-run: the same answer.") == 2


def test_the_owner_of_an_account_is_told_as_what_the_company_is(cast: Cast, rules: None) -> None:
    def told(stage: str) -> list[str]:
        company = factories.make_company(owner=cast.rosa, stage=stage)
        return explained(factories.open_handoff(factories.make_lead(country_code="DE", company=company)))

    owned = told("prospect")
    assert "  The company has an owner of its own, who comes first: Rosa Lindqvist." in owned
    assert "  Taken by Rosa Lindqvist, as the owner of the account." in owned
    customer = told("customer")
    assert "  The company is a customer, so its account owner comes first: Rosa Lindqvist." in customer
    assert owned[-1] == customer[-1] == "  Re-run: the same answer."


def test_a_rule_that_was_renamed_and_moved_since_changes_nothing(cast: Cast, rules: None) -> None:
    handoff = factories.open_handoff(factories.make_lead(country_code="DE"))
    before = explained(handoff)
    Rule.objects.filter(name="Germany").update(name="Deutschland", position=0)
    publish(NOW, None)
    assert explained(handoff) == before


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({"rule_id": "99"}, "Kept was rule 99, now it is rule {germany}."),
        (
            {"trace": {"failed": [1], "matched": "{germany}"}},
            "Rule {austria} failed on its condition 2, now on 1.",
        ),
        ({"trace": {"failed": [], "matched": "{germany}"}}, "0 rules did not match, now 1 do not."),
        ({"trace": {"failed": [0], "matched": "7"}}, "The trace says matched 7, now {germany}."),
        (
            {"trace": {"failed": [0], "matched": "{germany}", "account": "5"}},
            "The trace says account 5, now None.",
        ),
        ({"candidates": [{"queue": "overflow", "took": "overflow"}]}, "Looked at was queue {overflow}"),
        (
            {"candidates": [{"user": 1, "pool": 999, "took": "rule"}]},
            "was pool 999, now pool {pool} is next",
        ),
        ({"candidates": [{"user": 1, "pool": "{pool}", "took": "account"}]}, "It was taken by way of the"),
        ({"candidates": [], "outcome": "nobody"}, "Nobody took it, and pool {pool} was not looked at."),
        ({"facts": {"country": "AT"}}, "Kept was rule {germany}, now it is rule {austria}."),
    ],
)
def test_a_decision_that_comes_out_otherwise_is_told_and_is_a_failure(
    cast: Cast, rules: None, kept: dict[str, Any], told: str
) -> None:
    handoff = factories.open_handoff(factories.make_lead(country_code="DE"))
    ids = {
        "germany": Rule.objects.get(name="Germany").pk,
        "austria": Rule.objects.get(name="Austria").pk,
        "pool": Pool.objects.get(slug="dach").pk,
        "overflow": Queue.objects.get(slug="overflow").pk,
    }
    filled = json.loads(re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), json.dumps(kept)))
    handoff.decisions.update(**filled)
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 1 decisions came out otherwise than kept"):
        call_command("explain", str(handoff.pk), stdout=out)
    last = out.getvalue().splitlines()[-1]
    assert last.startswith("  Re-run: another answer. ")
    assert told.format(**ids) in last


def test_what_was_never_routed_says_what_is_missing(cast: Cast, rules: None) -> None:
    told = explained(factories.make_handoff("incomplete"))
    assert len(told) == 1
    assert "It was never routed; missing: company_name" in told[0]


def test_other_ids_are_refused(db: None) -> None:
    with pytest.raises(CommandError, match="no handoff 7"):
        call_command("explain", "7")
    with pytest.raises(CommandError):
        call_command("explain", "seven")
