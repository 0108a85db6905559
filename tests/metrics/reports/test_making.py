"""A made report: equal to what is counted at that moment, and untouched by whatever comes later."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from leads import agreeing, lifecycle
from leads.agreement import Terms
from leads.models import Agreement, Handoff, Rejection, RejectionReason
from metrics import query
from metrics.models import CallEntry, Report, ReportMail, ReportSchedule
from metrics.periods import Week
from metrics.reports import calls, comparing, mailing, making, opening, showing, tabled
from metrics.reports.making import NotYet
from tests.conftest import NOW, Cast
from tests.factories import agree, make_handoff, make_proposal
from tests.metrics.reports.conftest import LONG_AGO, WEEK, later


def made(**changes: Any) -> Report:
    return making.make(WEEK, NOW, None, **changes)


def kept(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(report.kept)
    return found


def metric(report: Report, key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in kept(report)["metrics"] if each["key"] == key)
    return found


# What is in it


def test_it_holds_the_figures_of_the_last_mature_week_and_of_its_own(some: list[Handoff]) -> None:
    report = made()
    acceptance = metric(report, "acceptance_rate")
    # W09 is mature and had nothing; W08 has its place in the line.
    assert acceptance["last"] == {"week": "2026-W09", "n": 0, "of": 0, "mature": True}
    assert acceptance["this"] == {"week": "2026-W10", "n": 1, "of": 1, "mature": False}
    assert [week["of"] for week in acceptance["weeks"]] == [0] * 9 + [4, 0, 1]
    assert (kept(report)["mqls"], kept(report)["mqls_before"], kept(report)["mqls_in_weeks"]) == (1, 0, 6)
    assert kept(report)["as_of"] == "2026-03-10T10:00:00Z"
    assert kept(report)["terms"][0]["contact"] == {"demo": 5.0, "standard": 60.0}
    assert report.digest == hashlib.sha256(report.kept.encode()).hexdigest()
    assert (report.edition, report.made_by) == (1, None)


def test_it_is_held_against_the_agreement_in_force_when_its_week_ends(cast: Cast) -> None:
    for _ in range(5):
        handoff = make_handoff("working", cast.femke, at=LONG_AGO, kind="demo_request")
        Handoff.objects.filter(pk=handoff.pk).update(first_contact_at=LONG_AGO + timedelta(minutes=6))
    before = making.make(Week(2026, 8), NOW, None)
    slower = {
        kind: replace(promise, figure=10)
        for kind, promise in Terms.of(Agreement.objects.get()).targets.items()
    }
    agree(cast.otto, cast.mia, LONG_AGO - timedelta(days=1), targets=slower)
    after = making.make(Week(2026, 8), NOW, cast.mia)
    assert [metric(each, "contact_demo")["status"][1] for each in (before, after)] == [
        "Over target",
        "On target",
    ]
    assert [metric(each, "contact_demo")["goal_text"] for each in (before, after)] == ["5 min", "10 min"]
    assert [kept(each)["contact"][0]["target"] for each in (before, after)] == [5.0, 10.0]
    assert "version 1 of the agreement: demo 5 min" in showing.shown(before).terms
    said = showing.shown(after).terms
    assert said.startswith("Version 2 of the agreement holds since 16 February 2026: demo 10 min")
    # Of a week before the version, made now: what held then.
    make_handoff("assigned", cast.femke, at=LONG_AGO - timedelta(days=7))
    earlier = making.make(Week(2026, 7), NOW, cast.mia)
    assert metric(earlier, "contact_demo")["goal_text"] == "5 min"
    assert "version 1 of the agreement: demo 5 min" in showing.shown(earlier).terms


def test_the_figures_are_those_of_the_dashboard(some: list[Handoff]) -> None:
    report = making.make(Week(2026, 9), NOW, None)
    figures = query.ask(query.Question(NOW, query.last_weeks(4, NOW)))["by_week"]
    for week in ("2026-W08", "2026-W10"):
        for each in kept(making.make(WEEK, NOW, None))["metrics"]:
            own = next(found for found in each["weeks"] if found["week"] == week)
            if each["is_time"]:
                spread = figures[week]["time_to_first_contact"][each["key"].removeprefix("contact_")]
                assert (own["n"], own["of"]) == (spread["within_target"]["numerator"], spread["n"])
                assert own["value"] == spread["median_minutes"]
            else:
                rate = figures[week][each["key"]]
                assert (own["n"], own["of"]) == (rate["numerator"], rate["denominator"])
    assert metric(report, "acceptance_rate")["this"]["week"] == "2026-W09"


def test_what_waits_for_a_signature_stands_in_it_as_it_was(cast: Cast, some: list[Handoff]) -> None:
    proposal = make_proposal(cast.otto, NOW - timedelta(days=3), threshold=72)
    report = made()
    expected = {
        "title": "Score threshold 65 → 72",
        "by": "Otto Maier",
        "side": "marketing",
        "since": "7 March 2026",
        "href": f"/agreement/proposals/{proposal.pk}/",
    }
    assert kept(report)["proposals"] == [expected]
    agreeing.sign(proposal.pk, lifecycle.Act(NOW, cast.mia))
    assert kept(Report.objects.get(pk=report.pk))["proposals"] == [expected]
    assert kept(making.make(WEEK, NOW, cast.mia))["proposals"] == []


def test_the_lists_are_the_handoffs_behind_the_figures(cast: Cast, some: list[Handoff]) -> None:
    report = making.make(Week(2026, 8), NOW, None)
    lists = kept(report)["lists"]
    accepted, won, rejected, ignored, theirs, _ = (handoff.pk for handoff in some)
    assert lists["counted"]["acceptance_rate"] == [[rejected, 0], [accepted, 1], [won, 1], [theirs, 1]]
    assert lists["counted"]["black_hole_rate"][0] == [ignored, 1]
    assert len(lists["counted"]["black_hole_rate"]) == 5
    assert lists["counted"]["contact_demo"] == [[won, 1]]
    assert [number for number, _ in lists["counted"]["mqls"]] == sorted(
        (accepted, won, rejected, ignored, theirs)
    )
    fact = lists["facts"][str(rejected)]
    assert fact["decided_by"] == "Jonas Keller" and fact["reason"] == "Not our customer profile"
    assert "accepted_at" not in fact and fact["source"] == "Webinar"


def test_the_rows_of_its_tables_have_lists_too(cast: Cast, some: list[Handoff]) -> None:
    report = making.make(Week(2026, 8), NOW, None)
    lists = kept(report)["lists"]["counted"]
    accepted, won, rejected, ignored, theirs, _ = (handoff.pk for handoff in some)
    assert [row["name"] for row in kept(report)["sources"]] == ["Webinar"]
    assert lists["source.0"] == [
        [rejected, tabled.HIT], [accepted, tabled.MISS], [won, tabled.MISS], [theirs, tabled.MISS],
        [ignored, tabled.NEITHER],
    ]  # fmt: skip
    assert lists["reason.0"] == [[rejected, tabled.HIT]] and "reason.1" not in lists
    # Jonas let one lie; the others, in the order of the table, answered theirs.
    assert [row["rep"] for row in kept(report)["black_holes"]] == [
        "Jonas Keller", "Femke de Boer", "Rosa Lindqvist",
    ]  # fmt: skip
    assert lists["holder.0"] == [[ignored, tabled.HIT], [rejected, tabled.MISS]]
    assert lists["holder.1"] == [[accepted, tabled.MISS], [won, tabled.MISS]]
    # Those who got no further than the stage before stand first.
    assert lists["stage.0"] == [[pk, tabled.HIT] for pk in (ignored, accepted, rejected, theirs, won)]
    assert lists["stage.3"][0] == [ignored, tabled.MISS] and len(lists["stage.3"]) == 5
    assert lists["stage.4"][-1] == [won, tabled.HIT]
    assert [code for _, code in lists["stage.4"]] == [tabled.MISS] * 3 + [tabled.HIT]
    assert {str(number) for rows in lists.values() for number, _ in rows} == set(
        kept(report)["lists"]["facts"]
    )


def test_of_a_row_only_some_are_kept_and_the_page_says_how_many_more(
    cast: Cast, some: list[Handoff], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tabled, "MOST_IN_ROW", 2)
    report = making.make(Week(2026, 8), NOW, None)
    lists = kept(report)["lists"]["counted"]
    assert {
        key: len(rows) for key, rows in lists.items() if key[:5] != "this." and "." in key and len(rows) > 2
    } == {}
    assert [code for _, code in lists["source.0"]] == [tabled.HIT, tabled.MISS]
    opened = opening.opened(kept(report), "source.0")
    assert opened is not None and (opened.total, opened.left) == (5, 3)
    assert opening.opened(kept(report), "source.9") is None


def test_a_report_of_before_has_no_lists_of_rows(cast: Cast, some: list[Handoff]) -> None:
    report = making.make(Week(2026, 8), NOW, None)
    content = kept(report)
    counted = {key: rows for key, rows in content["lists"]["counted"].items() if "." not in key}
    older = Report(
        week=report.week,
        edition=1,
        made_at=NOW,
        kept=making.frozen(content | {"format": 1, "lists": content["lists"] | {"counted": counted}}),
    )
    page = showing.shown(older)
    assert {row.key for row in (*page.sources, *page.reasons, *page.black_holes, *page.funnel)} == {""}
    assert {row.key for row in page.contact} == {"", "contact_demo"}


def test_it_names_no_lead(some: list[Handoff]) -> None:
    text = making.make(Week(2026, 8), NOW, None).kept
    for handoff in some:
        assert handoff.lead.last_name not in text and handoff.lead.email not in text


def test_the_funnel_falls_from_stage_to_stage(some: list[Handoff]) -> None:
    stages = kept(making.make(Week(2026, 8), NOW, None))["funnel"]
    assert [(each["stage"], each["count"]) for each in stages] == [
        ("MQL", 5), ("Complete", 5), ("Assigned", 5), ("Answered", 4), ("Contacted", 1),
    ]  # fmt: skip
    assert stages[3]["median"] == 1.0


def test_a_black_hole_stands_with_who_held_it(some: list[Handoff]) -> None:
    rows = kept(making.make(Week(2026, 8), NOW, None))["black_holes"]
    assert rows[0] == {"rep": "Jonas Keller", "n": 1, "of": 2}
    assert sorted(row["rep"] for row in rows) == ["Femke de Boer", "Jonas Keller", "Rosa Lindqvist"]


def test_it_takes_as_many_queries_for_many_handoffs(cast: Cast, some: list[Handoff]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            making.content(WEEK, NOW)
        return len(found)

    before = queries()
    for kind in ("rejected", "accepted", "assigned"):
        make_handoff(kind, cast.rosa, at=LONG_AGO)
    assert queries() == before == 27


# Frozen


def test_counting_it_again_as_of_that_moment_gives_the_same_bytes(some: list[Handoff]) -> None:
    assert making.content(WEEK, NOW) == made().kept == making.content(WEEK, NOW)


def test_what_comes_later_changes_nothing_kept(cast: Cast, some: list[Handoff]) -> None:
    report = made()
    page = showing.shown(report)
    act = lifecycle.Act(later(hours=2), cast.jonas)
    lifecycle.accept(some[3].pk, act)
    make_handoff("rejected", cast.rosa, at=LONG_AGO)
    RejectionReason.objects.filter(code="not_icp").update(label="Changed")
    there = Report.objects.get(pk=report.pk)
    assert (there.kept, there.digest) == (report.kept, report.digest)
    assert showing.shown(there) == page
    # Who looks back to that moment still finds what it says of what had been there.
    assert comparing.since(there, "UTC") > 0
    assert making.content(WEEK, later(hours=3)) != report.kept


@pytest.mark.parametrize("column", ["accepted_at", "rejected_at", "first_contact_at", "opportunity_at"])
def test_what_occurred_later_is_not_there_as_of_that_moment(some: list[Handoff], column: str) -> None:
    report = made()
    empty = Handoff.objects.filter(**{f"{column}__isnull": True})
    assert empty.update(**{column: later(minutes=5)}) > 0
    assert making.content(WEEK, NOW) == report.kept


def test_the_database_refuses_to_change_or_delete_a_report_or_an_entry(
    cast: Cast, some: list[Handoff]
) -> None:
    report = made()
    calls.write(WEEK, cast.mia, NOW, kind="note", text="Said")
    for rows, change in (
        (Report.objects.filter(pk=report.pk), {"kept": "{}"}),
        (CallEntry.objects.all(), {"text": "Never said"}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
        with pytest.raises(DatabaseError), transaction.atomic():
            rows._raw_delete(rows.db)  # type: ignore[attr-defined]
    assert Report.objects.get().kept == report.kept
    assert CallEntry.objects.get().text == "Said"


# Which, and once


def test_a_second_look_is_a_new_edition_and_the_old_one_stays(cast: Cast, some: list[Handoff]) -> None:
    first = made()
    second = making.make(WEEK, later(days=1), cast.mia, 2)
    assert (second.edition, second.made_by) == (2, cast.mia)
    assert making.make(WEEK, later(days=2), cast.mia, 2) == second
    assert making.make(WEEK, later(days=2), cast.otto).edition == 3
    assert Report.objects.get(edition=1).kept == first.kept


def test_a_week_that_is_not_over_and_one_with_nothing_are_refused(cast: Cast, some: list[Handoff]) -> None:
    with pytest.raises(NotYet, match="2026-W11 is not over yet"):
        making.make(Week(2026, 11), NOW, cast.mia)
    with pytest.raises(NotYet, match="No lead became an MQL in the 12 weeks to 2025-W01"):
        making.make(Week(2025, 1), NOW, cast.mia)
    assert not Report.objects.exists()


def test_the_schedule_makes_the_last_week_once(some: list[Handoff]) -> None:
    report = making.make_due(NOW)
    assert report is not None and report.week == "2026-W10"
    assert making.make_due(later(minutes=1)) is None
    assert making.make_due(later(days=5)) is None
    following = making.make_due(later(days=6))
    assert following is not None and following.week == "2026-W11"


def test_the_schedule_makes_its_own_beside_one_made_by_hand(cast: Cast, some: list[Handoff]) -> None:
    making.make(WEEK, NOW, cast.otto)
    report = making.make_due(NOW)
    assert report is not None and report.edition == 2


def test_a_schedule_that_is_off_makes_nothing(some: list[Handoff]) -> None:
    ReportSchedule.objects.create(pk=1, is_on=False)
    assert making.make_due(NOW) is None
    ReportSchedule.objects.update(is_on=True, weekday=3, hour=15)
    # Thursday has not come this week: the week before last is what it wanted.
    report = making.make_due(NOW)
    assert report is not None and report.week == "2026-W09"


def test_nothing_is_made_where_there_is_nothing(cast: Cast) -> None:
    assert making.make_due(NOW) is None


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_at_once_one_makes_it_and_mails_it(cast: Cast, some: list[Handoff]) -> None:
    mailing.subscribe(cast.vera, True, NOW)
    barrier, problems = Barrier(4), []

    def work() -> None:
        try:
            barrier.wait()
            making.make_due(NOW)
        except Exception as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert Report.objects.count() == 1
    assert list(ReportMail.objects.values_list("user__name", flat=True)) == ["Vera Costa"]


# Comparing


def test_the_comparison_names_what_differs_and_nothing_else(cast: Cast, some: list[Handoff]) -> None:
    report = made()
    assert comparing.since(report, "UTC") == 0
    assert not any(row.changed for row in comparing.rows(kept(report), kept(report)))
    lifecycle.contact(
        some[3].pk, lifecycle.Act(later(hours=1), cast.jonas), channel="phone", outcome="reached"
    )
    now = json.loads(making.content(WEEK, later(hours=1)))
    changed = {
        (row.figure, row.week): (row.then, row.now)
        for row in comparing.rows(kept(report), now)
        if row.changed
    }
    assert changed["Acceptance rate", "W08"] == ("75 %, 3 of 4", "80 %, 4 of 5")
    assert {week for _, week in changed} == {"W08", "all"}
    count = comparing.since(report, "UTC")
    assert comparing.said(count) == f"{count} facts have come in since." and count >= 2


def test_facts_of_other_weeks_are_not_counted(cast: Cast, some: list[Handoff]) -> None:
    report = made()
    make_handoff("accepted", cast.femke, at=later(hours=1))
    assert comparing.since(report, "UTC") == 0
    assert comparing.said(1) == "1 fact has come in since."
    assert comparing.said(1001) == "More than 1,000 facts have come in since."


def test_reasons_are_counted_as_they_stood(cast: Cast, some: list[Handoff]) -> None:
    report = made()
    assert kept(report)["reasons"] == [{"code": "not_icp", "label": "Not our customer profile", "count": 1}]
    Rejection.objects.update(at=F("at") + timedelta(days=60))
    assert json.loads(making.content(WEEK, NOW))["reasons"] == []
