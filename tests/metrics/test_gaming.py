"""Jumps in the share of weak signals and in volume: told where a test shows them, and nowhere else."""

from __future__ import annotations

import pytest

from metrics import gaming
from metrics.comparing import Compared
from metrics.diagnosis import Finding
from metrics.figures import Rate
from metrics.gaming import Counted, Definition
from metrics.periods import Week

FIRST = Week(2026, 1)


def weeks(*counts: tuple[int, int, int]) -> list[Counted]:
    """Consecutive weeks of (MQLs, weak, rest)."""
    return [Counted(FIRST.plus(index), *each) for index, each in enumerate(counts)]


def found(counted: list[Counted], definitions: list[Definition] | None = None) -> list[Finding]:
    return gaming.findings(counted, definitions or [], lambda at: Week.of(at, "UTC"))


def codes(counted: list[Counted], definitions: list[Definition] | None = None) -> list[str]:
    return [each.code for each in found(counted, definitions)]


CALM = [(50, 5, 35)] * 12


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((50, 5, 35), ["gaming_fine"]),
        ((50, 7, 33), ["gaming_fine"]),  # 17.5 % after 12.5 %: no more than chance
        ((50, 12, 28), ["inflated"]),
        ((50, 2, 38), ["gaming_fine"]),  # fewer is no alarm
        ((80, 5, 35), ["more_mqls"]),
        ((58, 5, 35), ["gaming_fine"]),  # 16 % more is no jump, whatever the test says
        ((80, 20, 40), ["inflated", "more_mqls"]),
    ],
)
def test_the_last_four_weeks_against_the_twelve_before(
    last: tuple[int, int, int], expected: list[str]
) -> None:
    assert codes(weeks(*CALM, *[last] * 4)) == expected


def test_what_it_says_of_inflation() -> None:
    [finding] = found(weeks(*CALM, *[(50, 12, 28)] * 4))
    assert finding.sentence == (
        "30 % (48 of 160) of the conversions by score of the last 4 weeks needed weak signals to cross the "
        "threshold, up from 12 % in the 12 weeks before."
    )
    assert finding.severity == "late" and "quota" in finding.fix
    assert finding.list is not None
    assert finding.list.weeks == (FIRST.plus(12), FIRST.plus(15))


@pytest.mark.parametrize(
    "counted",
    [
        [],
        weeks((50, 5, 35)),
        weeks(*[(50, 12, 28)] * 4),  # nothing to hold it against
        weeks(*[(50, 0, 1)] * 16),  # sixteen conversions by score
        weeks(*[(0, 0, 0)] * 12, *[(50, 12, 28)] * 4),  # nothing came in before
    ],
)
def test_too_few_to_say(counted: list[Counted]) -> None:
    [finding] = found(counted)
    assert (finding.code, finding.severity) == ("gaming_too_few", "")


def version(number: int, threshold: int, week: Week) -> Definition:
    start = week.span("UTC").start
    assert start is not None
    return Definition(number, threshold, start)


def test_a_new_threshold_that_let_more_through() -> None:
    counted = weeks(*[(50, 4, 36)] * 8, (50, 10, 30), *[(75, 12, 28)] * 3, *[(75, 12, 28)] * 4)
    versions = [version(1, 65, FIRST.plus(-50)), version(2, 60, FIRST.plus(8))]
    finding = found(counted, versions)[-1]
    assert (finding.code, finding.severity) == ("since_version_2", "late")
    assert finding.sentence == (
        "Since version 2 of the definition (threshold 60, before 65) came into force in W09, 30 % of the "
        "conversions "
        "by score need weak signals, up from 10 % and there are 75 MQLs a week, up from 50 MQLs."
    )
    # The week of the change belongs to neither side.
    assert finding.figures[0].list.weeks == (FIRST.plus(9), FIRST.plus(15))


@pytest.mark.parametrize(
    "versions",
    [
        [version(1, 65, FIRST.plus(-50))],
        [version(1, 65, FIRST.plus(-50)), version(2, 60, FIRST.plus(1))],  # one week before
        [version(1, 65, FIRST.plus(-50)), version(2, 60, FIRST.plus(14))],  # one week since
        [version(1, 65, FIRST.plus(-50)), version(2, 60, FIRST.plus(40))],
        [version(1, 65, FIRST.plus(-50)), version(2, 60, FIRST.plus(8))],
    ],
)
def test_a_new_threshold_that_changed_nothing_or_is_too_new(versions: list[Definition]) -> None:
    assert codes(weeks(*CALM, *CALM[:4]), versions) == ["gaming_fine"]


def faring(accepted: tuple[Rate, Rate], won: tuple[Rate, Rate]) -> list[tuple[str, str]]:
    found = gaming.faring(gaming.Fare(Compared(*accepted), Compared(*won)))
    return [(each.code, each.severity) for each in found]


NONE = (Rate(), Rate())


@pytest.mark.parametrize(
    ("accepted", "won", "expected"),
    [
        (NONE, NONE, [("faring_too_few", "")]),
        ((Rate(5, 19), Rate(80, 100)), NONE, [("faring_too_few", "")]),
        ((Rate(20, 50), Rate(80, 100)), NONE, [("weak_decided_worse", "late")]),
        ((Rate(38, 50), Rate(80, 100)), NONE, [("weak_decided_alike", "ok")]),
        (
            (Rate(38, 50), Rate(80, 100)),
            (Rate(2, 38), Rate(30, 80)),
            [("weak_decided_alike", "ok"), ("weak_accepted_worse", "late")],
        ),
    ],
)
def test_how_they_fare(
    accepted: tuple[Rate, Rate], won: tuple[Rate, Rate], expected: list[tuple[str, str]]
) -> None:
    assert faring(accepted, won) == expected


def test_groups_are_held_against_each_other() -> None:
    tallies = {
        "weak": {"all": Rate(9, 9), "decided": Rate(1, 2), "accepted": Rate(0, 1)},
        "rest": {"all": Rate(9, 9), "decided": Rate(3, 4), "accepted": Rate(1, 3)},
    }
    found = gaming.fare(tallies, tallies)
    assert found.accepted == Compared(Rate(1, 2), Rate(3, 4))
    assert found.won == Compared(Rate(0, 1), Rate(1, 3))
