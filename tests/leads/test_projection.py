"""The fold of the log: every state a handoff can reach, tampered rows, logs that cannot be read."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from leads import lifecycle, projection
from leads.choices import State
from leads.models import Activity, Event, Handoff
from leads.projection import Difference, differences, fold
from tests import factories
from tests.conftest import NOW, Cast

STATES = [
    "incomplete", "queued", "assigned", "accepted", "deferred", "working", "converted", "disqualified",
    "rejected",
]  # fmt: skip


def made(number: int, sets: dict, at: datetime = NOW) -> Event:
    return Event(number=number, recorded_at=at, occurred_at=at, data={"set": sets})


def test_defaults_stand_where_no_event_sets_anything() -> None:
    columns = fold([made(1, {})])
    assert columns["state"] == "" and columns["deferrals"] == 0 and columns["missing"] == []
    assert columns["policy_id"] is None and columns["opportunity_amount"] is None
    assert (columns["revision"], columns["created_at"], columns["updated_at"]) == (1, NOW, NOW)


def test_later_events_win_and_values_are_decoded() -> None:
    later = NOW + timedelta(minutes=3)
    columns = fold(
        [
            made(
                1, {"state": "assigned", "assignee_id": 7, "held_since": "2026-03-10T10:00:00.000123+00:00"}
            ),
            made(2, {"assignee_id": 9, "opportunity_amount": "1200.50", "is_clamped": True}, later),
        ]
    )
    assert columns["assignee_id"] == 9 and columns["state"] == "assigned"
    assert columns["held_since"] == datetime(2026, 3, 10, 10, 0, 0, 123, tzinfo=UTC)
    assert columns["opportunity_amount"] == Decimal("1200.5") and columns["is_clamped"] is True
    assert (columns["revision"], columns["created_at"], columns["updated_at"]) == (2, NOW, later)


def test_an_import_says_when_its_row_was_made() -> None:
    made_at = NOW + timedelta(days=30)
    columns = fold([made(1, {"created_at": made_at.isoformat()}), made(2, {})])
    assert columns["created_at"] == made_at and columns["updated_at"] == NOW


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ({"colour": "red"}, "no column"),
        ({"mql_at": "yesterday"}, "mql_at"),
        ({"deferrals": "many"}, "deferrals"),
    ],
)
def test_what_is_no_column_or_no_value_is_named(sets: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fold([made(1, sets)])


@pytest.mark.parametrize("state", STATES)
def test_rows_are_the_fold_of_their_log_in_every_state(cast: Cast, state: str) -> None:
    handoff = factories.make_handoff(state, None if state in ("incomplete", "queued") else cast.femke)
    assert handoff.state == state
    assert differences(handoff) == []


def test_a_long_life_is_still_the_fold(cast: Cast) -> None:
    handoff = factories.make_handoff("accepted", cast.femke)
    at = NOW + timedelta(minutes=5)
    lifecycle.reassign(handoff.pk, lifecycle.Act(at, cast.mia), to=cast.jonas.email, reason="Closer")
    at += timedelta(seconds=30)
    lifecycle.accept(handoff.pk, lifecycle.Act(at, cast.jonas))
    at += timedelta(seconds=5)
    lifecycle.undo(handoff.pk, lifecycle.Act(at, cast.jonas))
    at += timedelta(hours=30)
    lifecycle.fire(handoff.pk, at)
    act = lifecycle.Act(at, cast.jonas)
    lifecycle.contact(handoff.pk, act, channel="email", outcome="reached")
    lifecycle.opportunity(handoff.pk, act, amount=Decimal("1200.50"), currency="EUR")
    handoff.refresh_from_db()
    assert handoff.state == State.CONVERTED
    assert differences(handoff) == []


def test_tampering_is_found_and_rebuilt(cast: Cast) -> None:
    handoff = factories.make_handoff("accepted", cast.femke)
    untouched = factories.make_handoff("queued")
    Handoff.objects.filter(pk=handoff.pk).update(state="queued", queue=untouched.queue, revision=99)
    tampered = Handoff.objects.get(pk=handoff.pk)
    found = {item.column: (item.logged, item.stored) for item in differences(tampered)}
    assert found == {
        "state": ("accepted", "queued"),
        "queue_id": (None, untouched.queue_id),
        "revision": (handoff.revision, 99),
    }
    out = StringIO()
    with pytest.raises(CommandError, match="3 differences"):
        call_command("rebuild_projection", "--check", stdout=out)
    assert f"handoff {handoff.pk}: state is 'queued', the log says 'accepted'" in out.getvalue()
    assert Handoff.objects.get(pk=handoff.pk).state == "queued"

    out = StringIO()
    call_command("rebuild_projection", stdout=out)
    assert out.getvalue().splitlines()[-1] == "1 handoffs rebuilt."
    rebuilt = Handoff.objects.get(pk=handoff.pk)
    assert (rebuilt.state, rebuilt.queue_id, rebuilt.revision) == ("accepted", None, handoff.revision)
    call_command("rebuild_projection", "--check", stdout=StringIO())


def test_an_unreadable_log_changes_nothing(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    Event.objects.create(
        handoff=handoff, number=handoff.revision + 1, kind="noted", stage="after", occurred_at=NOW,
        recorded_at=NOW, data={"set": {"colour": "red"}},
    )  # fmt: skip
    assert [item.column for item in differences(handoff)] == ["events"]
    with pytest.raises(CommandError, match="1 handoffs have a log that cannot be read"):
        call_command("rebuild_projection", stdout=StringIO())
    assert Handoff.objects.get(pk=handoff.pk).revision == handoff.revision


def test_a_handoff_without_events_is_a_difference(cast: Cast) -> None:
    handoff = Handoff.objects.create(
        lead=factories.make_lead(), state="rejected", lead_type="standard", mql_at=NOW, received_at=NOW,
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    assert differences(handoff) == [Difference(handoff.pk, "events", "no event", None)]


def test_a_row_that_was_deleted_under_the_handoff_is_no_difference(cast: Cast) -> None:
    handoff = factories.make_handoff("assigned", cast.femke)
    handoff.lead.scores.all().delete()
    Activity.objects.filter(lead=handoff.lead).delete()
    handoff.refresh_from_db()
    assert handoff.score_id is None
    assert differences(handoff) == []
    # But a column that was emptied while its row is there is one.
    other = factories.make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=other.pk).update(score=None)
    assert [item.column for item in differences(Handoff.objects.get(pk=other.pk))] == ["score_id"]


def test_queries_do_not_grow_with_rows(cast: Cast, django_assert_num_queries) -> None:
    for _ in range(3):
        factories.make_handoff("assigned", cast.femke)
    with django_assert_num_queries(3):
        assert list(projection.all_differences()) == []
