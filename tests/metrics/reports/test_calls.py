"""What is written on a call: append-only, a correction a new entry, decisions carried until they are done."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from metrics.models import CallEntry
from metrics.periods import Week
from metrics.reports import calls
from metrics.reports.calls import Overtaken
from tests.conftest import NOW, Cast
from tests.metrics.reports.conftest import WEEK, later

UNTIL = date(2026, 3, 20)


def decide(cast: Cast, text: str = "Ask for the title", week: Week = WEEK, at: datetime = NOW) -> CallEntry:
    return calls.write(week, cast.mia, at, kind="decision", text=text, owner=cast.femke, until=UNTIL)


def test_the_same_by_the_same_person_is_written_once(cast: Cast) -> None:
    assert decide(cast) == decide(cast, at=later(minutes=1))
    calls.write(WEEK, cast.otto, NOW, kind="note", text="Ask for the title")
    calls.write(WEEK.plus(1), cast.mia, NOW, kind="note", text="Ask for the title")
    assert CallEntry.objects.count() == 3


def test_a_correction_is_a_new_entry_and_what_was_said_stays(cast: Cast) -> None:
    entry = decide(cast, "Ask for teh title")
    second = calls.correct(
        entry, cast.otto, later(hours=1), text="Ask for the title", owner=cast.rosa, until=UNTIL
    )
    third = calls.correct(second, cast.mia, later(hours=2), text="Ask for it", owner=cast.rosa, until=UNTIL)
    (said,) = calls.of_week(WEEK)
    assert (said.first, said.now, said.was) == (entry, third, [entry, second])
    assert (said.now.text, said.now.owner) == ("Ask for it", cast.rosa)
    assert CallEntry.objects.get(pk=entry.pk).text == "Ask for teh title"


def test_a_correction_of_what_somebody_has_corrected_is_refused_with_who(cast: Cast) -> None:
    entry = calls.write(WEEK, cast.mia, NOW, kind="note", text="One")
    mine = calls.correct(entry, cast.otto, NOW, text="Two")
    # The same again is there; other words are somebody's who has not seen it.
    assert calls.correct(entry, cast.otto, NOW, text="Two") == mine
    with pytest.raises(Overtaken, match="Otto Maier has corrected it meanwhile"):
        calls.correct(entry, cast.mia, NOW, text="Three")
    assert calls.correct(mine, cast.mia, NOW, text="Two") == mine
    assert CallEntry.objects.count() == 2


def test_a_decision_is_done_and_reopened_and_each_once(cast: Cast) -> None:
    entry = decide(cast)
    assert calls.turn(entry, cast.femke, NOW, done=True) is True
    assert calls.turn(entry, cast.mia, NOW, done=True) is False
    assert calls.finished([entry.pk])[entry.pk].by == cast.femke
    assert calls.turn(entry, cast.mia, later(hours=1), done=False) is True
    assert calls.finished([entry.pk]) == {}
    assert calls.turn(entry, cast.mia, later(hours=2), done=True) is True
    (said,) = calls.of_week(WEEK)
    assert [turn.kind for turn in said.turns] == ["done", "reopened", "done"]
    assert said.done is not None and said.done.by == cast.mia


def test_a_call_begins_with_the_last_ones_decisions_and_what_is_open_from_earlier(cast: Cast) -> None:
    done, old_done = decide(cast, "Done"), decide(cast, "Old and done", WEEK.plus(-3))
    decide(cast, "Old and open", WEEK.plus(-3))
    for entry in (done, old_done):
        calls.turn(entry, cast.mia, NOW, done=True)
    calls.write(WEEK, cast.mia, NOW, kind="note", text="No decision")
    decide(cast, "Of the call itself", WEEK.plus(1))
    found = calls.before(WEEK.plus(1), NOW)
    assert [(each.text, each.is_done, each.week) for each in found] == [
        ("Done", True, "2026-W10"),
        ("Old and open", False, "2026-W07"),
    ]
    assert (found[0].owner, found[0].until, found[0].id) == ("Femke de Boer", "2026-03-20", done.pk)


def test_they_stand_as_they_stood_at_the_moment(cast: Cast) -> None:
    entry = decide(cast, "First")
    calls.correct(entry, cast.mia, later(hours=2), text="Second", owner=cast.femke, until=UNTIL)
    calls.turn(entry, cast.mia, later(hours=3), done=True)

    def at(**span: float) -> list[Any]:
        return [(each.text, each.is_done) for each in calls.before(WEEK.plus(1), later(**span))]

    assert at(hours=-1) == []
    assert at(hours=1) == [("First", False)]
    assert at(hours=2) == [("Second", False)]
    assert at(hours=4) == [("Second", True)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "decision", "text": "Nobody does it"},
        {"kind": "note", "text": ""},
        {"kind": "done", "text": ""},
        {"kind": "note", "text": "A turn of nothing", "turn": 1},
    ],
)
def test_the_database_refuses_half_an_entry(cast: Cast, wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CallEntry.objects.create(week=WEEK.name, by=cast.mia, at=NOW, **wrong)
