"""The wording of figures, and the targets and alarms at their borders."""

from __future__ import annotations

from datetime import timedelta

import pytest

from metrics import words
from metrics.beside import ASIDE
from metrics.figures import Figures
from metrics.periods import Week
from metrics.terms import SHIPPED, Target
from metrics.words import Reading, Status


def reading(numerator: int, denominator: int) -> Reading:
    return Reading(numerator / denominator if denominator else None, numerator, denominator)


def minutes(value: float | None) -> Reading:
    return Reading(value, 0, 0 if value is None else 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.744, "74 %"),
        (0.0049, "0.5 %"),
        (0.0001, "< 0.1 %"),
        (0.996, "99.6 %"),
        (0.99999, "> 99.9 %"),
    ],
)
def test_a_share_in_words(value: float | None, text: str) -> None:
    assert words.share(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.5, "30 s"),
        (6.6667, "6:40"),
        (42, "42 min"),
        (208, "3 h 28"),
        (3120, "2 days 4 h"),
    ],
)
def test_minutes_in_words(value: float | None, text: str) -> None:
    assert words.minutes(value) == text


@pytest.mark.parametrize(
    ("accepted", "decided", "tone"),
    [(71, 100, "ok"), (70, 100, "soon"), (50, 100, "soon"), (49, 100, "late"), (0, 0, "")],
)
def test_the_target_of_acceptance(accepted: int, decided: int, tone: str) -> None:
    assert words.judge_acceptance(reading(accepted, decided)).tone == tone


@pytest.mark.parametrize(
    ("lost", "assigned", "tone"), [(9, 100, "ok"), (10, 100, "soon"), (11, 100, "late"), (0, 0, "")]
)
def test_the_limit_of_black_holes(lost: int, assigned: int, tone: str) -> None:
    assert words.judge_black_holes(reading(lost, assigned)).tone == tone


@pytest.mark.parametrize(
    ("demo", "standard", "text"),
    [
        (5.0, 60.0, "On target"),
        (5.01, 60.0, "Demo over"),
        (None, 61.0, "Standard over"),
        (6.0, 61.0, "Both over"),
        (None, None, "No data"),
    ],
)
def test_the_targets_of_first_contact(demo: float | None, standard: float | None, text: str) -> None:
    assert words.judge_contact(minutes(demo), minutes(standard), SHIPPED[0]).text == text


def test_first_contact_is_held_against_what_was_agreed() -> None:
    demo, standard = words.SHOWN["contact_demo"], words.SHOWN["contact_standard"]
    slower = Target(contact={"demo": timedelta(minutes=10), "standard": timedelta(hours=4)})
    assert words.goal_of(demo, SHIPPED[0]) == (5.0, "5 min")
    assert words.goal_of(standard, SHIPPED[0]) == (60.0, "60 min")
    assert words.goal_of(demo, slower) == (10.0, "10 min")
    assert words.goal_of(standard, slower) == (240.0, "4 h")
    assert words.judge_contact(minutes(6), minutes(61), SHIPPED[0]).text == "Both over"
    assert words.judge_contact(minutes(6), minutes(61), slower).text == "On target"
    # The limits of the practice are in no version.
    for target in (SHIPPED[0], slower):
        assert words.goal_of(words.SHOWN["acceptance_rate"], target) == (0.7, "70 %")
        assert words.goal_of(words.SHOWN["black_hole_rate"], target) == (0.1, "10 %")
        assert words.goal_of(words.SHOWN["mql_to_opportunity"], target) == (None, "")


def test_of_one_type_a_verdict_needs_enough() -> None:
    assert [words.judge_time(minutes(each), 5.0).tone for each in (None, 5.0, 5.01)] == ["", "ok", "late"]
    assert words.judge_time(Reading(9.0, 0, 4), 5.0) == Status("", words.FEW)


@pytest.mark.parametrize(
    ("won", "accepted", "tone"), [(12, 100, "late"), (13, 100, "ok"), (18, 100, "ok"), (0, 0, "")]
)
def test_opportunities_are_held_against_their_own_baseline(won: int, accepted: int, tone: str) -> None:
    assert words.judge_opportunity(reading(won, accepted), 0.18).tone == tone
    assert words.judge_opportunity(reading(0, 100), None).tone == ""
    assert words.judge_opportunity(reading(0, 100), 0.0).tone == "ok"


def test_a_source_is_called_out_only_from_enough_leads_on() -> None:
    assert not words.is_over(reading(4, 4))
    assert words.is_over(reading(4, 5))
    assert not words.is_over(reading(3, 5))
    assert words.judge_rejection([reading(4, 4), reading(4, 5), reading(5, 5)]).text == "2 sources over"
    assert words.judge_rejection([reading(4, 4)]).text == words.FEW
    assert words.judge_rejection([reading(4, 4), reading(1, 5)]).text == "No source over"
    assert words.judge_rejection([reading(0, 0)]).text == "No data"


def test_fewer_than_enough_get_no_verdict_and_are_said_as_they_are() -> None:
    acceptance = words.SHOWN["acceptance_rate"]
    for judge in (
        words.judge_acceptance,
        words.judge_black_holes,
        lambda each: words.judge_opportunity(each, 0.5),
    ):
        assert judge(reading(0, 4)) == Status("", words.FEW)
        assert judge(reading(0, 5)).text not in (words.FEW, "No data")
    few = Reading(90.0, 0, 4)
    assert words.judge_contact(few, few, SHIPPED[0]) == Status("", words.FEW)
    # Of the two, only the one with enough behind it is called over.
    assert words.judge_contact(few, Reading(61.0, 0, 5), SHIPPED[0]).text == "Standard over"
    assert (words.told(reading(3, 4), acceptance), words.between(reading(3, 4))) == ("3 of 4", "30 to 95 %")
    assert (words.told(reading(4, 5), acceptance), words.between(reading(0, 0))) == ("80 %", "")
    assert words.told(few, words.SHOWN["contact_demo"]) == "1 h 30"


def test_every_shown_figure_can_be_read_from_nothing() -> None:
    for shown in (*words.SHOWN.values(), *ASIDE.values()):
        assert words.read(None, shown) == words.read(Figures(), shown) == Reading(None, 0, 0)


def test_weeks_and_counts_in_words() -> None:
    assert words.days_of(Week(2026, 41)) == "5 to 11 October"
    assert words.days_of(Week(2026, 40)) == "28 September to 4 October"
    assert words.short(Week(2026, 3)) == "W03"
    assert words.many(1, "lead") == "1 lead"
    assert words.many(1204, "lead") == "1,204 leads"
    assert words.many(2, "company", "companies") == "2 companies"
