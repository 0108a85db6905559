"""Policies over time: versions are made, never edited; what is in use is not retired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from leads import invariants
from routing import policies, publish, sla
from routing.models import Queue, Rule, SlaPolicy
from routing.policies import InUse, Stale, Unsound
from routing.publish import NoReason, NotPublishable
from tests.conftest import NOW, Cast

LATER = NOW + timedelta(days=1)


def parts(slug: str = "standard", **targets: sla.Target) -> tuple[dict[str, sla.Target], list[sla.Step]]:
    policy = policies.latest(slug).policy()
    return policies.targets_of(policy) | targets, list(policy.steps)


def test_a_change_is_the_next_version(cast: Cast) -> None:
    before = SlaPolicy.objects.get(slug="standard")
    old = before.policy()
    targets, steps = parts(accept=sla.Target(30, business=False))
    made = policies.revise("standard", targets, steps[1:], cast.otto, LATER, "  Too \n long ")
    assert (made.version, made.is_live, made.is_default, made.created_by, made.created_at, made.note) == (
        2, True, True, cast.otto, LATER, "Too long",
    )  # fmt: skip
    assert made.policy() == replace(
        old, id=made.pk, version=2, accept=sla.Target(30, business=False), steps=old.steps[1:]
    )
    before.refresh_from_db()
    assert (before.is_live, before.policy()) == (False, old)


def test_the_same_again_makes_none(cast: Cast) -> None:
    assert policies.revise("standard", *parts(), cast.otto, LATER, "x") == SlaPolicy.objects.get(
        slug="standard"
    )
    assert policies.revise("standard", *parts(), cast.otto, LATER, "x", name="Usual").version == 2
    assert policies.revise("standard", *parts(), cast.otto, LATER, "x", version=1).version == 2


def test_a_person_says_why_and_the_system_need_not(cast: Cast) -> None:
    targets, steps = parts(accept=sla.Target(30, business=True))
    with pytest.raises(NoReason):
        policies.revise("standard", targets, steps, cast.otto, LATER, " ")
    assert policies.revise("standard", targets, steps, None, LATER, "").version == 2


def test_an_edit_from_an_older_version_is_refused(cast: Cast) -> None:
    policies.revise("standard", *parts(accept=sla.Target(30, True)), cast.otto, LATER, "x", version=1)
    with pytest.raises(Stale) as caught:
        policies.revise("standard", *parts(accept=sla.Target(40, True)), cast.otto, LATER, "x", version=1)
    assert caught.value.current.version == 2
    assert SlaPolicy.objects.filter(slug="standard").count() == 2


def test_an_unsound_policy_is_not_stored(cast: Cast) -> None:
    targets, steps = parts()
    cast.nils.is_active = False
    cast.nils.save()
    completion = Queue.objects.get(kind=Queue.Kind.COMPLETION)
    wrong = [
        *steps,
        sla.Step("x", "idle", 100, None, (f"person:{cast.nils.pk}",), "tell"),
        sla.Step("y", "acceptance", 100, None, ("manager",), "queue", completion.pk),
        sla.Step("z", "acceptance", 100, None, ("manager",), "queue", 9999),
    ]
    with pytest.raises(Unsound) as caught:
        policies.revise("standard", targets, wrong, cast.otto, LATER, "x")
    assert caught.value.problems == [
        "Step 9: it tells a person who is not there any more.",
        "Step 10: it moves the lead to a queue that takes no leads.",
        "Step 11: it moves the lead to a queue that takes no leads.",
    ]
    with pytest.raises(Unsound, match="Nobody is told"):
        policies.create("None", "demo", targets, [], cast.otto, LATER, "x")
    assert SlaPolicy.objects.count() == 2 and SlaPolicy.objects.filter(is_live=True).count() == 2


def test_what_is_in_use_is_not_retired(cast: Cast) -> None:
    made = policies.create("Named accounts", "demo", *parts("demo"), cast.otto, NOW, "New")
    Rule.objects.update(policy_slug=made.slug)
    publish.publish(NOW, cast.otto, "With it")
    with pytest.raises(InUse, match="which is live, needs it: \u201cEverything else\u201d"):
        policies.retire(made.slug, cast.otto, LATER, "x")
    with pytest.raises(InUse, match="default of demo leads"):
        policies.retire("demo", cast.otto, LATER, "x")
    Rule.objects.update(policy_slug="")
    publish.publish(NOW, cast.otto, "Without it")
    Rule.objects.update(policy_slug=made.slug)
    assert policies.drafted(made.slug) == ["Everything else"]
    gone = policies.retire(made.slug, cast.otto, LATER, "Not needed")
    assert (gone.version, gone.is_live, gone.is_default, gone.note) == (2, False, False, "Not needed")
    assert policies.retire(made.slug, cast.otto, LATER, "Again") == gone
    # The draft's rule still points at it, and says so.
    assert "no live SLA policy" in str(publish.check(publish.compile_draft())[0])
    assert policies.revise(made.slug, *parts(made.slug), cast.otto, LATER, "Back").version == 3
    assert publish.check(publish.compile_draft()) == []


def test_a_rule_is_not_published_onto_an_unsound_policy(cast: Cast) -> None:
    # As no form would make it.
    SlaPolicy.objects.get(slug="standard").steps.filter(code="no_activity").delete()
    Rule.objects.update(policy_slug="standard", name="Renamed")
    with pytest.raises(NotPublishable, match="Nobody is told when the time without activity"):
        publish.publish(LATER, cast.otto, "x")
    found = [str(one) for one in invariants.violations() if one.code == "policy"]
    assert found == ["policy: policy standard: Nobody is told when the time without activity is over."]


def test_names_make_addresses_of_their_own(cast: Cast) -> None:
    names = ("Demo", "New", "\u65e5\u672c", "A" * 100)
    made = [policies.create(name, "demo", *parts("demo"), cast.otto, NOW, "x") for name in names]
    assert [row.slug for row in made] == ["demo-2", "new-2", "policy", "a" * 40]


def test_an_unknown_policy_is_unknown(cast: Cast) -> None:
    targets, steps = parts()
    for act in (
        lambda: policies.latest("none"),
        lambda: policies.retire("none", cast.otto, NOW, "x"),
        lambda: policies.revise("none", targets, steps, cast.otto, NOW, "x"),
    ):
        with pytest.raises(SlaPolicy.DoesNotExist):
            act()


@pytest.mark.django_db(transaction=True)
def test_two_editors_at_once_make_two_versions_or_one_is_told(cast: Cast) -> None:
    def edit(minutes: int) -> Any:
        try:
            targets, steps = parts(accept=sla.Target(minutes, business=True))
            made = policies.revise("standard", targets, steps, cast.otto, timezone.now(), "x", version=1)
            return made.version
        except Stale as stale:
            return f"stale at {stale.current.version}"
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        found = sorted(map(str, pool.map(edit, (30, 40))))
    assert found == ["2", "stale at 2"]
    assert SlaPolicy.objects.filter(slug="standard", is_live=True).count() == 1
