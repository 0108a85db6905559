"""What is kept equals what is counted anew, whatever happens and in whatever order; and is nobody else's."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections, transaction
from django.db.models import Exists, Q
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from handoff_site import tasks
from leads import history, lifecycle
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Event, Handoff
from metrics import horizon, kept, pulse, weekly
from metrics.address import WEEKS, Asked
from metrics.counted import Counted
from metrics.filters import NO_FILTERS, Filters
from metrics.measures import MEASURES, listed
from metrics.models import Ledger, Snapshot
from metrics.periods import Week, WeekRange
from metrics.stages import STAGES
from metrics.terms import Terms
from metrics.views import dashboard
from metrics.words import SHOWN
from routing.models import Team, User
from tests.alone import alone
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, open_handoff, route_to
from tests.storm import deeds

ZONE = "UTC"
pytestmark = pytest.mark.django_db(transaction=True)


def counted(
    now: datetime,
    user: User | None = None,
    filters: Filters = NO_FILTERS,
    *,
    anew: bool = False,
) -> Counted:
    """The counts as a page asks for them; `anew` looks back to this very moment, which is never kept."""
    weeks = WeekRange.ending(Week.of(now, ZONE), WEEKS, ZONE)
    asked = Asked(now, now if anew else None, weeks, filters, SHOWN["acceptance_rate"])
    rows = Handoff.objects.all() if user is None else Handoff.objects.visible_to(user)
    return Counted(asked, rows)


def everything(found: Counted) -> dict[str, Any]:
    return {
        "week": found.by_week,
        "source": found.by_source,
        "beside": found.beside(found.weeks),
        "reasons": found.reasons(["a"]),
        "acts": found.acts(["a"], found.weeks),
        "bands": found.bands(found.weeks),
        "decided": found.decided(found.weeks),
        "medians": found.medians(found.weeks),
        "spread": found.spread(),
        "hours": found.hours(),
        "dispositions": found.dispositions("source"),
        "stages": found.stages(),
        **{by: found.by(by) for by in ("rep", "team", "campaign")},
    }


def queries(what: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as seen:
        what()
    return len(seen)


def settled(zone: str = ZONE) -> None:
    """As after some of the worker's minutes: whatever else ran has ended meanwhile."""
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    for _ in range(600):
        with alone():
            pulse.settle(zone)
        if Ledger.objects.get().settled_to == newest:
            return
        # The first round only begins it; later something is in the way, as the server's own analyzing.
        time.sleep(0.02)
    raise AssertionError("something holds a transaction open in this database")


def past(name: str, at: datetime, **more: str) -> io.StringIO:
    """A file of history with one handoff."""
    out = io.StringIO()
    row = {"external_id": name, "first_name": name, "last_name": "Past", "mql_at": at.isoformat(), **more}
    writer = csv.DictWriter(out, list(row))
    writer.writeheader()
    writer.writerow(row)
    out.seek(0)
    return out


# The same, whatever happens


step = st.tuples(
    st.sampled_from(
        ("new", "old", "deed", "deed", "deed", "deed", "undo", "contact", "import", "merge", "team", "settle")
    ),
    st.integers(0, 12),
    st.integers(0, 9),
    st.sampled_from((2, 8, 90, 600, 7200, 100_000, 700_000)),
)


def carry_out(what: str, one: int, other: int, now: datetime, cast: Cast) -> None:
    rows = list(Handoff.objects.order_by("-pk")[:8])
    handoff = rows[one % len(rows)] if rows else None
    act = Act(now, deeds.person(cast, other))
    if what == "new":
        open_handoff(at=now, kind="demo_request" if other % 2 else "score_threshold")
    elif what == "old":
        make_handoff(("accepted", "rejected", "working")[other % 3], cast.jonas, at=now - timedelta(days=one))
    elif what == "import":
        at = now - timedelta(days=7 * one, hours=other)
        answer = {"accepted_at": (at + timedelta(hours=3)).isoformat(), "assigned_at": at.isoformat()}
        # Some of it lies in the future, and counts once it comes.
        later = {"assigned_at": at.isoformat(), "rejected_at": (now + timedelta(hours=one)).isoformat()}
        more = (answer, later | {"rejection_reason": "not_icp"}, {})[other % 3]
        history.import_history(past(f"{now.isoformat()}-{one}", at, **more), now)
    elif what == "team":
        teams = list(Team.objects.order_by("pk"))
        User.objects.filter(pk=act.user.pk).update(team=teams[one % len(teams)])
    elif what == "settle":
        tasks.figures()
    elif handoff is None:
        return
    elif what == "undo":
        event = handoff.events.order_by("-number").first()
        lifecycle.undo(handoff.pk, Act(now, event.user or cast.femke))
    elif what == "contact":
        held = Act(now, handoff.assignee or cast.femke)
        at = max(handoff.mql_at, now - timedelta(hours=other * 7))
        lifecycle.contact(handoff.pk, held, channel="phone", outcome="reached", at=at)
    elif what == "merge":
        lifecycle.merge(rows[0].lead, rows[-1].lead, Act(now, cast.otto))
    else:
        holder = handoff.assignee if other % 2 and handoff.assignee else act.user
        deeds.do(handoff, one, Act(now, holder), cast, other)


# One storm that goes on from example to example, always the same: what came before is part of each.
@settings(
    max_examples=5,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(step, min_size=3, max_size=8))
def test_it_equals_the_recount_after_any_storm(cast: Cast, steps: list[tuple[str, int, int, int]]) -> None:
    if not Handoff.objects.exists():
        route_to(cast.femke, cast.jonas)
    # Time goes on over the examples, as it does.
    newest = Event.objects.order_by("-recorded_at").values_list("recorded_at", flat=True).first()
    now = max(NOW, newest or NOW) + timedelta(hours=1)
    with time_machine.travel(now, tick=False) as clock:
        settled()
        for what, one, other, seconds in steps:
            with suppress(Refused, Invalid, ValueError, KeyError):
                carry_out(what, one, other, now, cast)
            for user, filters in ((None, NO_FILTERS), (cast.mia, Filters(team="DACH"))):
                assert everything(counted(now, user, filters)) == everything(
                    counted(now, user, filters, anew=True)
                ), (what, one, other)
            now += timedelta(seconds=seconds)
            clock.move_to(now)
            # Time alone, with no event.
            assert everything(counted(now)) == everything(counted(now, anew=True)), seconds


# It is kept at all, and for how long


def test_the_second_page_counts_nothing(cast: Cast) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    settled()
    found = everything(counted(NOW))
    again = counted(NOW)
    with CaptureQueriesContext(connection) as seen:
        assert everything(again) == found
    assert not [query["sql"] for query in seen if "leads_handoff" in query["sql"]]


def test_only_weeks_that_moved_are_counted_again(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, at=NOW - timedelta(days=20))
    make_handoff("working", cast.femke, at=NOW - timedelta(days=60))
    settled()
    assert counted(NOW).by_week
    made = {row.first: row.made_at for row in Snapshot.objects.all()}
    now = NOW + timedelta(minutes=1)
    lifecycle.note(handoff.pk, Act(now, cast.femke), text="still there")
    assert counted(now).by_week
    moved = {row.first for row in Snapshot.objects.all() if row.made_at != made[row.first]}
    # The current week is not over: a lead could come at any moment, but no event came.
    assert moved == {Week.of(handoff.mql_at, ZONE).monday}


def test_a_moment_that_comes_ends_it(cast: Cast) -> None:
    make_handoff("assigned", cast.femke, at=NOW)
    settled()
    assert counted(NOW).by_week["2026-W11"].rate("black_hole_rate").denominator == 0
    due = Handoff.objects.get().accept_due_at
    assert due is not None
    for now in (due, due + timedelta(microseconds=1), NOW + timedelta(days=1), NOW + timedelta(days=2)):
        assert everything(counted(now)) == everything(counted(now, anew=True))
    later = counted(NOW + timedelta(days=1)).by_week["2026-W11"]
    assert later.rate("black_hole_rate").denominator == 1


@pytest.mark.parametrize("name", [*MEASURES, *(f"stage {name}" for name in STAGES)])
def test_the_horizon_knows_each_moment_that_a_measure_compares(name: str) -> None:
    """Every column that is compared with the moment of looking is one that the horizon watches."""
    stage = STAGES.get(name.removeprefix("stage "))
    at = datetime(2001, 2, 3, tzinfo=UTC)
    compared = set()

    def walk(node: Q) -> None:
        for child in node.children:
            if isinstance(child, Q):
                walk(child)
            elif isinstance(child, Exists):
                # An act of rejection: the next one to come is watched, of whatever handoff.
                assert stage is STAGES["misrouted"]
            elif child[1] in (at, at - timedelta(hours=24)):
                compared.add(child[0].rsplit("__", 1)[0])

    if stage is not None and name not in MEASURES:
        walk(stage.counts(Terms(at)))
        walk(stage.hit(Terms(at)))
    else:
        for part in ("all", "hits", "misses"):
            walk(listed(name, part, Terms(at)))
    # What stands beside the five, and the stages, are kept with their deadlines watched.
    is_watched = name in weekly.ASIDE or name not in MEASURES
    assert compared <= {*horizon.FACTS, *(horizon.DEADLINES if is_watched else ())}


def test_what_is_old_is_counted_anew_and_pruned(cast: Cast) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    settled()
    assert counted(NOW).by_week
    before = Snapshot.objects.count()
    assert before
    assert kept.prune(NOW + timedelta(hours=23)) == 0
    # A hand that edits the table leaves no event; a day later it is seen all the same.
    Handoff.objects.update(accepted_at=None, first_contact_at=None)
    assert counted(NOW + timedelta(hours=23)).by_week == counted(NOW).by_week
    late = NOW + timedelta(days=1, seconds=1)
    assert counted(late).by_week == counted(late, anew=True).by_week
    assert kept.prune(late) == 0  # made again in their places
    assert kept.prune(late + timedelta(days=2)) == Snapshot.objects.count() + before
    assert Snapshot.objects.count() == 0


def test_the_table_is_bounded(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    settled()
    for minutes, source in enumerate(("a", "b", "c")):
        assert not counted(NOW + timedelta(minutes=minutes), filters=Filters(source=source)).by_week
    monkeypatch.setattr(kept, "MOST", WEEKS - 1)
    kept.prune(NOW)
    # Those of the last page, which were made at one moment.
    left = Snapshot.objects.values_list("made_at", flat=True)
    assert list(left) == [NOW + timedelta(minutes=2)] * WEEKS


# Whose it is


def test_nobody_is_given_what_was_counted_for_another(cast: Cast) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    make_handoff("rejected", cast.rosa, at=NOW - timedelta(days=20))
    settled()

    def mqls(user: User | None, filters: Filters = NO_FILTERS) -> int:
        return sum(each.mqls for each in counted(NOW, user, filters).by_source.values())

    for _ in range(2):
        asked = [mqls(user) for user in (None, cast.otto, cast.mia, cast.nils, cast.femke, cast.jonas)]
        assert asked == [2, 2, 1, 1, 1, 0]
        assert mqls(None, Filters(team="DACH")) == 1
        assert mqls(cast.mia, Filters(team="Nordics")) == 0
    # A move to another team: what Nils may see, and whose the team's figures are.
    User.objects.filter(pk=cast.femke.pk).update(team=cast.rosa.team)
    nils = User.objects.get(pk=cast.nils.pk)
    assert mqls(nils) == 2
    assert mqls(None, Filters(team="DACH")) == 0
    assert counted(NOW).by("team").keys() == {"Nordics"}
    User.objects.filter(pk=cast.femke.pk).update(email="fem@handoff.example.com")
    assert set(counted(NOW).by("rep")) == {"fem@handoff.example.com", "rosa@handoff.example.com"}


def test_other_formulas_and_terms_find_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    settled()
    warm = queries(lambda: counted(NOW).by_week) and queries(lambda: counted(NOW).by_week)
    kept.formulas.cache_clear()
    monkeypatch.setattr(kept, "_ROOMS", (*kept._ROOMS, horizon))
    assert queries(lambda: counted(NOW).by_week) > warm
    assert queries(lambda: counted(NOW).by_week) == warm
    monkeypatch.undo()
    kept.formulas.cache_clear()


def test_a_look_back_is_not_kept(cast: Cast) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    settled()
    counted(NOW, anew=True).by_week
    assert Snapshot.objects.count() == 0


# The marks


def test_within_somebody_elses_transaction_nothing_is_settled(cast: Cast) -> None:
    with transaction.atomic():
        assert pulse.settle(ZONE) is False
        assert pulse.read(ZONE) is None
    assert not Ledger.objects.exists()


def test_another_zone_or_another_log_begins_anew(cast: Cast) -> None:
    make_handoff("working", cast.femke, at=NOW)
    settled()
    lifecycle.note(Handoff.objects.get().pk, Act(NOW, cast.femke), text="one more")
    settled()
    assert pulse.read(ZONE) == pulse.Pulse({"2026-03-09": 1})
    settled("Asia/Tokyo")
    assert pulse.read("Asia/Tokyo") == pulse.Pulse({})
    settled()
    assert pulse.read(ZONE) == pulse.Pulse({})
    # A log that is shorter than what was counted is another one.
    Ledger.objects.update(settled_to=10**9, marks={"2026-03-09": 5})
    settled()
    assert pulse.read(ZONE) == pulse.Pulse({})


def test_each_event_is_counted_once_whoever_settles(cast: Cast) -> None:
    settled()
    week = Week.of(NOW, ZONE)
    handoff = make_handoff("assigned", cast.femke, at=NOW)
    marks = []
    for number in range(6):
        found = pulse.read(ZONE)
        assert found is not None
        assert found.of([week]) == str(
            Event.objects.filter(handoff__mql_at__gte=week.span(ZONE).start).count()
        )
        marks.append(found.of([week]))
        if number % 2:
            settled()
        else:
            lifecycle.note(handoff.pk, Act(NOW + timedelta(minutes=number), cast.femke), text=str(number))
    assert len(set(marks)) == 4


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_an_event_that_commits_late_is_not_missed(cast: Cast) -> None:
    """One transaction draws a lower number than another and ends long after it was counted around."""
    slow, quick = (make_handoff("assigned", cast.femke, at=NOW) for _ in range(2))
    settled()
    week = Week.of(NOW, ZONE)
    written, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        try:
            with transaction.atomic():
                lifecycle.note(slow.pk, Act(NOW, cast.femke), text="slow")
                written.set()
                go_on.wait(20)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hang)
    thread.start()
    try:
        assert written.wait(20)
        lifecycle.note(quick.pk, Act(NOW, cast.femke), text="quick")
        for among in (nullcontext, alone) * 3:
            with among():
                pulse.settle(ZONE)
        before = pulse.read(ZONE)
        newest = Event.objects.order_by("-pk").values_list("pk", flat=True)[0]
        assert Ledger.objects.get().settled_to < newest - 1
    finally:
        go_on.set()
        thread.join()
    after = pulse.read(ZONE)
    assert before is not None and after is not None
    assert int(after.of([week])) == int(before.of([week])) + 1
    settled()
    assert pulse.read(ZONE) == after
    assert Ledger.objects.get().settled_to == newest


# The page


def test_the_page_is_ready_before_somebody_opens_it(cast: Cast, as_: Callable[[User], Any]) -> None:
    handoff = make_handoff("assigned", cast.femke, at=NOW - timedelta(days=20))
    settled()
    with time_machine.travel(NOW, tick=False) as clock:
        tasks.figures()
        client = as_(cast.vera)
        with CaptureQueriesContext(connection) as seen:
            first = client.get("/dashboard/")
        assert not [query["sql"] for query in seen if "GROUP BY" in query["sql"] and "mql_at" in query["sql"]]
        assert client.get("/dashboard/").context["drawn"].body == first.context["drawn"].body
        # It moves when somebody acts, at once.
        now = NOW + timedelta(minutes=1)
        clock.move_to(now)
        lifecycle.accept(handoff.pk, Act(now, cast.femke))
        assert client.get("/dashboard/").context["drawn"].body != first.context["drawn"].body
        # Nobody else is shown what was drawn for one who sees all.
        others = as_(cast.nils).get("/dashboard/").context["drawn"]
        assert others.body != client.get("/dashboard/").context["drawn"].body


def test_the_page_reads_what_is_kept_at_once(cast: Cast, as_: Callable[[User], Any]) -> None:
    """Who it is, marks, terms, whom to filter for, the frame's one; what was drawn is not read again."""
    make_handoff("assigned", cast.femke, at=NOW - timedelta(days=20))
    client = as_(cast.otto)
    counts = []
    with time_machine.travel(NOW, tick=False):
        for _ in range(2):
            settled()
            client.get("/dashboard/")
            with CaptureQueriesContext(connection) as seen:
                again = client.get("/dashboard/")
            counts.append((len(seen), sum('FROM "metrics_snapshot"' in query["sql"] for query in seen)))
            # Nothing is drawn anew.
            assert "tiles" not in again.context
            for state in ("working", "rejected"):
                make_handoff(state, cast.jonas, at=NOW - timedelta(days=30))
    assert counts == [(5, 0)] * 2


def test_what_was_drawn_ends_when_time_alone_changes_it(cast: Cast, as_: Callable[[User], Any]) -> None:
    """No event comes; 24 hours after the assignment nobody has touched it, and it is a black hole."""
    make_handoff("assigned", cast.femke, at=NOW - timedelta(hours=23, minutes=30))
    client = as_(cast.otto)
    settled()

    def shown(at: datetime) -> tuple[bool, bool, str]:
        with time_machine.travel(at, tick=False), CaptureQueriesContext(connection) as seen:
            page = client.get("/dashboard/", {"metric": "black_hole_rate"})
        is_read = any('FROM "metrics_snapshot"' in query["sql"] for query in seen)
        return "tiles" in page.context, is_read, page.context["drawn"].body

    is_drawn, _, first = shown(NOW)
    assert is_drawn
    moment = Handoff.objects.get().assigned_at + timedelta(days=1)
    assert shown(moment - timedelta(microseconds=1)) == (False, False, first)
    is_drawn, is_read, then = shown(moment)
    assert (is_drawn, is_read) == (True, True)
    assert then != first
    # A clock that was set back is not shown what is yet to come.
    assert shown(NOW) == (True, True, first)


def test_what_was_drawn_is_no_older_than_what_is_kept(
    cast: Cast, as_: Callable[[User], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_handoff("working", cast.femke, at=NOW - timedelta(days=20))
    client = as_(cast.otto)
    settled()
    monkeypatch.setattr(dashboard, "DRAWN_FOR", None)

    def shown(at: datetime) -> str:
        with time_machine.travel(at, tick=False):
            return client.get("/dashboard/").context["drawn"].body

    assert counted(NOW).by_week
    first = shown(NOW + timedelta(hours=1))
    # A hand that edits the table leaves no event.
    Handoff.objects.update(accepted_at=None, first_contact_at=None)
    assert shown(NOW + kept.AGE - timedelta(microseconds=1)) == first
    assert shown(NOW + kept.AGE) != first


def test_the_diagnosis_is_kept(cast: Cast, as_: Callable[[User], Any]) -> None:
    rejected = make_handoff("rejected", cast.jonas, at=NOW - timedelta(days=20))
    for days in (20, 30, 90, 120):
        make_handoff("working", cast.femke, at=NOW - timedelta(days=days))
    settled()
    client = as_(cast.otto)

    def counted_rows() -> int:
        with CaptureQueriesContext(connection) as seen:
            client.get("/dashboard/diagnosis/")
        return sum("mql_at" in query["sql"] for query in seen)

    with time_machine.travel(NOW, tick=False) as clock:
        assert counted_rows() == 5  # bands, acts of misrouting, medians, acts by reason, decided by source
        assert counted_rows() == 0
        now = NOW + timedelta(minutes=1)
        clock.move_to(now)
        lifecycle.note(rejected.pk, Act(now, cast.jonas), text="still no")
        assert counted_rows() > 5  # what moved the marks, and the week that moved
        assert counted_rows() == 1


def test_acts_of_rejection_are_read_of_the_weeks_alone(cast: Cast) -> None:
    """By the index on when they were done, which no earlier week's are within."""
    make_handoff("rejected", cast.jonas, at=NOW - timedelta(days=20))
    found = counted(NOW, anew=True)
    with CaptureQueriesContext(connection) as seen:
        found.acts(["a"], found.weeks)
        found.bands(found.weeks)
    acts = [query["sql"] for query in seen if "leads_rejection" in query["sql"]]
    assert len(acts) == 2
    first = found.weeks.span.start
    assert first is not None
    for statement in acts:
        assert f'"at" >= \'{first - weekly.WRONG_CLOCK:%Y-%m-%d}' in statement
