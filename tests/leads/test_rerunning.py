"""A kept decision made again: the order in which targets were tried, and whom the walk may put in."""

import pytest

from leads.models import RoutingDecision
from leads.rerunning import differences
from routing.models import Queue, Ruleset
from tests.conftest import NOW, Cast

LEAD = {"country": "DE", "account_owner": 3}
# The owner of the account (person 3), then pool 1, then person 4; the overflow where it is named.
DOCUMENT = {
    "rules": [
        {
            "id": "1",
            "name": "All",
            "when": {"all": []},
            "target": {"kind": "pool", "id": "1"},
            "fallback": {"kind": "rep", "id": "4"},
            "policy": None,
        }
    ],
}
AWAY = {"user": 3, "skipped": "away"}
FULL = [{"user": 8, "pool": 1, "skipped": "holds 2 of 2"}, {"user": 9, "pool": 1, "skipped": "away"}]
REJECTED = {"user": 4, "skipped": "rejected it before"}
OVERFLOW = {"queue": "overflow", "took": "overflow"}


def again(*candidates: dict[str, object], named: bool) -> list[str]:
    queue = Queue.objects.get(slug="overflow")
    overflow = {"kind": "queue", "id": str(queue.pk)} if named else None
    ruleset = Ruleset.objects.create(
        version=50 + named, document=DOCUMENT | {"overflow": overflow}, published_at=NOW
    )
    decision = RoutingDecision(
        ruleset=ruleset,
        rule_id="1",
        facts=LEAD,
        trace={"failed": [], "matched": "1", "account": "3"},
        candidates=list(candidates),
    )
    [found] = differences([decision])
    return found


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    "candidates",
    [
        [{"user": 3, "took": "account"}],
        [AWAY, *FULL, {"user": 4, "took": "fallback"}],
        [AWAY, *FULL, REJECTED, {"user": 6, "took": "manager"}],
        [AWAY, *FULL, REJECTED, {"user": 5, "skipped": "away"}, {"user": 6, "took": "manager"}],
        [AWAY, *FULL, REJECTED, OVERFLOW],
        [AWAY, *FULL, REJECTED, {"user": 5, "skipped": "away"}, OVERFLOW],
        [{"user": 7, "took": "re_engaged"}],
        [{"user": 3, "took": "re_engaged"}],
        [{"user": 7, "skipped": "away"}, {"user": 3, "took": "account"}],
        [{"user": 4, "skipped": "away"}, AWAY, *FULL, {"user": 4, "skipped": "away"}, OVERFLOW],
    ],
)
def test_a_walk_over_the_targets_in_their_order_is_the_same(
    cast: Cast, candidates: list[dict[str, object]], named: bool
) -> None:
    assert again(*candidates, named=named) == []


@pytest.mark.parametrize(
    ("candidates", "told"),
    [
        ([*FULL, AWAY, {"user": 4, "took": "fallback"}], "Looked at was pool 1, now person 3 is next."),
        ([AWAY, REJECTED, *FULL, OVERFLOW], "Looked at was person 4, now pool 1 is next."),
        ([AWAY, OVERFLOW], "Looked at was queue {overflow}, now pool 1 is next."),
        ([AWAY, *FULL, {"user": 6, "skipped": "away"}, REJECTED], "Looked at was person 6"),
        ([AWAY, *FULL, {"user": 4, "took": "rule"}], "It was taken by way of the rule"),
        ([AWAY, *FULL], "Nobody took it, and person 4 was not looked at."),
        ([AWAY, *FULL, REJECTED, OVERFLOW, {"pool": 2, "skipped": "no members"}], "pool 2, now nobody is"),
    ],
)
def test_another_order_is_told(cast: Cast, candidates: list[dict[str, object]], told: str) -> None:
    [line] = again(*candidates, named=True)
    assert told.format(overflow=Queue.objects.get(slug="overflow").pk) in line


def test_before_the_first_version_no_rule_is_the_same_answer(cast: Cast) -> None:
    bare = RoutingDecision(facts={}, trace={"failed": []}, candidates=[OVERFLOW])
    assert differences([bare]) == [[]]
    assert differences([]) == []
