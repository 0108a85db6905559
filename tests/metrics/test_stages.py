"""What goes wrong at each stage: counts and lists against plain Python on generated handoffs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.models import Handoff, Lead, Rejection, RejectionReason
from metrics import query, tallying
from metrics.figures import Rate
from metrics.measures import BLACK_HOLE
from metrics.periods import EVERYTHING
from metrics.stages import STAGES
from metrics.tallying import BAND
from tests.conftest import NOW, Cast

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
stored = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
AS_OF = NOW
TARGET = {"demo": 5 * MINUTE, "standard": 60 * MINUTE}


def moments() -> st.SearchStrategy[datetime | None]:
    """Around the moment looked at, or never."""
    hours = st.integers(-60, 2).map(lambda hours: NOW + hours * HOUR)
    return st.one_of(st.none(), hours)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "mql_at": st.integers(-60, 0).map(lambda hours: NOW + hours * HOUR),
            "lead_type": st.sampled_from(["demo", "standard"]),
            "trigger": st.sampled_from(["", "score_threshold"]),
            "state": st.sampled_from(["superseded", "accepted", "deferred", "rejected"]),
            "score_total": st.one_of(st.none(), st.integers(0, 120)),
            "completion_visits": st.integers(0, 1),
            "is_history": st.booleans(),
            "ready_at": moments(),
            "assigned_at": moments(),
            "acknowledged_at": moments(),
            "acknowledged_due_at": moments(),
            "accept_due_at": moments(),
            "accepted_at": moments(),
            "rejected_at": moments(),
            "first_contact_at": moments(),
            "first_activity_at": moments(),
            "first_contact_personal": st.sampled_from([None, True, False]),
            "said": st.lists(
                st.tuples(
                    st.sampled_from(["out_of_territory", "timing"]),
                    st.sampled_from(["rerouted", "recycled"]),
                    st.integers(-60, 2),
                    st.booleans(),
                ),
                max_size=2,
            ),
        }
    ),
    max_size=6,
)

Row = dict[str, Any]


def seen(row: Row, column: str) -> datetime | None:
    at = row[column]
    return at if at is not None and at <= AS_OF else None


def acknowledged(row: Row) -> bool:
    return any(seen(row, name) for name in ("acknowledged_at", "accepted_at", "rejected_at"))


def misrouted(row: Row) -> bool:
    return any(
        (code == "out_of_territory" or step == "rerouted") and hours <= 0 and not undone
        for code, step, hours, undone in row["said"]
    )


def answered_late(row: Row) -> bool | None:
    at = seen(row, "acknowledged_at")
    if at is not None and row["acknowledged_due_at"] is not None:
        return at > row["acknowledged_due_at"]
    due = row["accept_due_at"]
    if at is None and due is not None and due < AS_OF and row["state"] in ("accepted", "deferred"):
        return True
    return None


def contacted_late(row: Row) -> bool | None:
    at = seen(row, "first_contact_at")
    return None if at is None else at - row["mql_at"] > TARGET[row["lead_type"]]


def when(counts: object, hit: object) -> bool | None:
    """None for what does not count."""
    return bool(hit) if counts else None


PLAIN: dict[str, Callable[[Row], bool | None]] = {
    "not_named": lambda row: row["trigger"] == "",
    "incomplete": lambda row: when(not row["is_history"], row["completion_visits"]),
    "never_ready": lambda row: not (seen(row, "ready_at") or seen(row, "assigned_at")),
    "misrouted": lambda row: when(seen(row, "assigned_at"), misrouted(row)),
    "never_assigned": lambda row: when(
        seen(row, "ready_at") or seen(row, "assigned_at"), not seen(row, "assigned_at")
    ),
    "black_holes": lambda row: when(
        row["assigned_at"] and row["assigned_at"] <= AS_OF - BLACK_HOLE,
        not (row["first_activity_at"] and row["first_activity_at"] <= row["assigned_at"] + BLACK_HOLE)
        if row["assigned_at"]
        else False,
    ),
    "answered_late": answered_late,
    "never_answered": lambda row: when(seen(row, "assigned_at"), not acknowledged(row)),
    "contacted_late": contacted_late,
    "generic": lambda row: when(
        seen(row, "first_contact_at") and row["first_contact_personal"] is not None,
        row["first_contact_personal"] is False,
    ),
    "never_contacted": lambda row: when(seen(row, "accepted_at"), not seen(row, "first_contact_at")),
    "complete": lambda row: when(
        seen(row, "assigned_at"), seen(row, "accepted_at") and seen(row, "first_contact_at")
    ),
}


def store(rows: list[Row]) -> None:
    reasons = {each.code: each for each in RejectionReason.objects.all()}
    lead = Lead.objects.create(created_at=NOW, updated_at=NOW)
    for row in rows:
        values = {name: value for name, value in row.items() if name != "said"}
        at = row["mql_at"]
        handoff = Handoff.objects.create(
            lead=lead if row["is_history"] else Lead.objects.create(created_at=NOW, updated_at=NOW),
            received_at=at,
            created_at=at,
            updated_at=at,
            **values,
        )
        for code, step, hours, undone in row["said"]:
            Rejection.objects.create(
                handoff=handoff,
                reason=reasons[code],
                next_step=step,
                at=NOW + hours * HOUR,
                undone_at=NOW if undone else None,
            )


def band(total: int | None) -> str:
    if total is None:
        return ""
    return "0-49" if total < 50 else "50-64" if total < 65 else "65-79" if total < 80 else "80+"


@stored
@given(rows=ROWS)
def test_counts_and_lists_agree_with_plain_python(cast: Cast, rows: list[Row]) -> None:
    assert set(PLAIN) == set(STAGES)
    with transaction.atomic():
        store(rows)
        look = query.Asked.of(query.Question(AS_OF, EVERYTHING))
        whole, _ = tallying.total(look, STAGES)
        grouped = tallying.by(BAND, look, STAGES)
        types = tallying.largest(F("lead_type"), look, STAGES, "not_named", 1)
        for name, plain in PLAIN.items():
            verdicts = [(band(row["score_total"]), plain(row)) for row in rows]
            counted = [(group, hit) for group, hit in verdicts if hit is not None]
            assert whole[name] == Rate(sum(hit for _, hit in counted), len(counted)), name
            for group, tally in grouped.items():
                mine = [hit for each, hit in counted if each == group]
                assert tally[name] == Rate(sum(mine), len(mine)), (name, group)
            listed = {
                part: tallying.listed(look, STAGES[name], part).count() for part in ("all", "hits", "misses")
            }
            assert listed == {
                "all": len(counted),
                "hits": whole[name].numerator,
                "misses": len(counted) - whole[name].numerator,
            }, name
        assert set(grouped) == {band(row["score_total"]) for row in rows}
        unnamed = [row["lead_type"] for row in rows if row["trigger"] == ""]
        most = sorted(set(unnamed), key=lambda kind: (-unnamed.count(kind), kind))[:1]
        assert list(types) == most
        transaction.set_rollback(True)
