"""Past handoffs from a file: what is read, what is refused, what is written, and that twice is once."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import given, settings
from hypothesis import strategies as st

from leads import history, projection
from leads.history import rows, story, writing
from leads.models import Company, ContactAttempt, Deferral, Event, Handoff, Lead, Rejection, RejectionReason
from leads.models import Score as ScoreRow
from leads.reasons import SHIPPED, ensure_reasons
from routing.people import User

NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
REP = "Rep@Handoff.example.com"
FULL = {
    "external_id": "h-1",
    "email": "Ada.Okonkwo@Halvorsen-Logistics.com",
    "first_name": "Ada",
    "last_name": "Okonkwo",
    "company": "Halvorsen Logistics",
    "lead_source": "Webinar",
    "trigger": "demo_request",
    "mql_at": "2026-02-02T09:00:00Z",
    "score_fit": "40",
    "score_intent": "20",
    "score_behavior": "12",
    "score_total": "72",
    "assigned_at": "2026-02-02T09:01:00Z",
    "assignee": REP,
    "accepted_at": "2026-02-02T09:05:00Z",
    "first_contact_at": "2026-02-02T09:30:00Z",
    "contact_channel": "phone",
    "contact_outcome": "reached",
    "opportunity_at": "2026-02-20",
    "opportunity_amount": "12500.5",
    "opportunity_currency": "eur",
}


def table(*lines: dict[str, str], separator: str = ",", newline: str = "\n") -> str:
    """A file with all columns and these rows."""
    parts = [separator.join(rows.COLUMNS)]
    parts += [separator.join(line.get(name, "") for name in rows.COLUMNS) for line in lines]
    return newline.join(parts) + newline


def row(**changes: str) -> dict[str, str]:
    """FULL with some cells changed; "" empties one."""
    return FULL | changes


def bare(**cells: str) -> dict[str, str]:
    return {"external_id": "h-1", "mql_at": "2026-02-02T09:00:00Z"} | cells


def take(*lines: dict[str, str], **options: Any) -> history.Result:
    options = {"create_people": True} | options
    return history.import_history(io.StringIO(table(*lines)), NOW, **options)


def refused(*lines: dict[str, str]) -> list[tuple[str, str]]:
    """Column and message of what is wrong, without a database."""
    found: list[tuple[str, str]] = []
    for item in rows.read(io.StringIO(table(*lines))):
        if isinstance(item, list):
            found += [(problem.column, problem.message) for problem in item]
    return found


# Reading


def test_reads_every_column() -> None:
    (read,) = rows.read(io.StringIO(table(row())))
    assert isinstance(read, rows.Row)
    assert read.number == 2
    assert read.assignee == REP.lower()
    assert read.mql_at == datetime(2026, 2, 2, 9, tzinfo=UTC)
    assert read.opportunity_at == datetime(2026, 2, 20, tzinfo=UTC)  # a bare date is its midnight in UTC
    assert (read.opportunity_amount, read.opportunity_currency) == (Decimal("12500.50"), "EUR")
    assert (read.score_fit, read.score_total) == (40, 72)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_reads_what_spreadsheets_write(tmp_path: Path, newline: str, separator: str, bom: str) -> None:
    file = tmp_path / "history.csv"
    text = bom + table(row(), {}, row(external_id="h-2"), separator=separator, newline=newline)
    file.write_bytes(text.encode())
    with file.open(encoding="utf-8-sig", newline="") as open_file:
        read = list(rows.read(open_file))
    assert [item.external_id for item in read if isinstance(item, rows.Row)] == ["h-1", "h-2"]


def test_unknown_columns_are_left_alone_and_cells_may_span_lines() -> None:
    text = 'Mql_At ,why,external_id,lead_source\n2026-02-02,"two\nlines",h-1,"a ""quoted"" source"\n'
    (read,) = rows.read(io.StringIO(text))
    assert isinstance(read, rows.Row)
    assert read.lead_source == 'a "quoted" source'


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("2026-02-02", "2026-02-02T00:00:00+00:00"),
        ("2026-02-02 09:00", "2026-02-02T09:00:00+00:00"),
        ("2026-02-02T09:00:00.123456+02:00", "2026-02-02T07:00:00.123456+00:00"),
    ],
)
def test_times_become_utc(cell: str, at: str) -> None:
    assert rows.parse_time(cell) == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("changes", "column", "words"),
    [
        ({"mql_at": ""}, "mql_at", "is required"),
        ({"external_id": ""}, "external_id", "is required"),
        ({"mql_at": "yesterday"}, "mql_at", "is not a time"),
        ({"mql_at": "0001-01-01"}, "mql_at", "is not a time"),
        ({"mql_at": "9999-12-31T23:59:59-12:00"}, "mql_at", "is not a time"),
        ({"assigned_at": "2026-02-01T09:00:00Z"}, "assigned_at", "is before mql_at"),
        ({"opportunity_at": "2026-02-01"}, "opportunity_at", "is before mql_at"),
        ({"accepted_at": "2026-02-02T09:00:30Z"}, "accepted_at", "is before assigned_at"),
        ({"first_contact_at": "2026-02-02T09:00:30Z"}, "first_contact_at", "is before assigned_at"),
        ({"trigger": "luck"}, "trigger", "is none of score_threshold"),
        ({"contact_channel": "pigeon"}, "contact_channel", "is none of phone"),
        ({"contact_outcome": "maybe"}, "contact_outcome", "is none of reached"),
        ({"score_total": "7.5"}, "score_total", "is not a whole number"),
        ({"score_total": "1e99"}, "score_total", "is not a whole number"),
        ({"score_total": "NaN"}, "score_total", "is not a whole number"),
        ({"opportunity_amount": "-1"}, "opportunity_amount", "is not an amount"),
        ({"opportunity_amount": "Infinity"}, "opportunity_amount", "is not an amount"),
        ({"opportunity_amount": "1" * 19}, "opportunity_amount", "is not an amount"),
        ({"opportunity_currency": "euro"}, "opportunity_currency", "fit"),
        ({"opportunity_currency": "€€€"}, "opportunity_currency", "is not a currency code"),
        ({"first_name": "x" * 201}, "first_name", "at most 200 fit"),
        ({"first_name": "a\x00b"}, "first_name", "control characters"),
        ({"rejected_at": "2026-02-03"}, "rejection_reason", "is required with rejected_at"),
        ({"rejection_reason": "timing"}, "rejected_at", "is required with rejection_reason"),
        ({"first_contact_at": ""}, "first_contact_at", "is required with contact_channel"),
        ({"assigned_at": ""}, "assigned_at", "is required with assignee"),
    ],
)
def test_a_bad_row_says_what_is_wrong(changes: dict[str, str], column: str, words: str) -> None:
    found = refused(row(**changes))
    assert any(name == column and words in message for name, message in found), found


def test_a_row_with_too_many_cells_is_one_problem() -> None:
    text = table(row()).rstrip("\n") + ",more,and more\n" + ",".join(FULL.get(n, "") for n in rows.COLUMNS)
    first, second = rows.read(io.StringIO(text))
    assert isinstance(first, list)
    assert "cells under" in first[0].message
    assert isinstance(second, rows.Row)
    assert second.number == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "lacks external_id and mql_at"),
        (b"external_id,email\n1,a@b.c\n", "lacks mql_at"),
        (b"external_id,mql_at,mql_at\n", "mql_at twice"),
        (b"external_id,mql_at\nh-1,\xff\xfe\n", "not UTF-8"),
        (b'external_id,mql_at\n"' + b"x" * 200_000, "not readable as CSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "history.csv"
    file.write_bytes(content)
    with (
        file.open(encoding="utf-8-sig", newline="") as open_file,
        pytest.raises(history.FileProblem, match=words),
    ):
        list(rows.read(open_file))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROWS", 2)
    with pytest.raises(history.FileProblem, match="more than 2 rows"):
        list(rows.read(io.StringIO(table(row(), row(), row()))))


# The story of a row, without a database

moments = st.integers(0, 60).map(lambda days: NOW + timedelta(days=days))
maybe = st.none() | moments


@st.composite
def told_rows(draw: st.DrawFn) -> rows.Row:
    assigned = draw(maybe)
    after = st.none() | st.integers(0, 30).map(lambda d: (assigned or NOW) + timedelta(days=d))
    rejected, contacted = draw(after), draw(after)
    return rows.Row(
        number=2,
        external_id="x",
        mql_at=NOW,
        assigned_at=assigned,
        assignee="rep@example.com" if assigned else "",
        accepted_at=draw(after),
        rejected_at=rejected,
        rejection_reason="timing" if rejected else "",
        deferred_at=draw(after),
        first_contact_at=contacted,
        contact_channel="phone" if contacted else "",
        contact_outcome=draw(st.sampled_from(["reached", "no_answer"])) if contacted else "",
        opportunity_at=draw(maybe),
    )


CONTEXT = story.Context(
    lead_id=1, assignee_id=7, reason_id=3, next_step="recycled", score_id=None, definition_id=None
)


@settings(max_examples=150, deadline=None)
@given(told_rows())
def test_a_story_is_in_order_and_holds_each_fact(given_row: rows.Row) -> None:
    steps = story.tell(given_row, CONTEXT)
    assert steps[0].kind == "opened"
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    columns = story.fold(steps)
    accepted = given_row.accepted_at or given_row.first_contact_at
    assert columns.get("accepted_at") == accepted
    for name in ("assigned_at", "rejected_at", "deferred_at", "first_contact_at", "opportunity_at"):
        assert columns.get(name) == getattr(given_row, name)
    answers = [at for at in (accepted, given_row.rejected_at, given_row.deferred_at) if at]
    acts = answers + ([given_row.first_contact_at] if given_row.first_contact_at else [])
    assert columns.get("first_activity_at") == (min(acts) if acts else None)
    assert columns.get("last_activity_at") == (max(acts) if acts else None)
    assert columns.get("acknowledged_at") == (min(answers) if answers else None)
    closed = columns["state"] in ("rejected", "converted")
    assert (columns.get("closed_at") is not None) == closed
    # No event repeats what the row holds already.
    known: dict[str, Any] = {}
    for step in steps:
        assert all(name not in known or known[name] != value for name, value in step.sets.items())
        known |= step.sets


@pytest.mark.parametrize(
    ("changes", "state", "disposition"),
    [
        ({}, "converted", "accepted_contacted"),
        ({"opportunity_at": "", "opportunity_amount": ""}, "working", "accepted_contacted"),
        ({"opportunity_at": "2026-02-02T09:02:00Z"}, "converted", "accepted_contacted"),
        ({"accepted_at": "", "contact_outcome": "no_answer"}, "converted", "accepted_attempted"),
    ],
)
def test_the_state_is_the_furthest_stage(changes: dict[str, str], state: str, disposition: str) -> None:
    (read,) = rows.read(io.StringIO(table(row(**changes))))
    assert isinstance(read, rows.Row)
    columns = story.fold(story.tell(read, CONTEXT))
    assert (columns["state"], columns["disposition"]) == (state, disposition)


@pytest.mark.parametrize(
    ("cells", "state"),
    [
        ({}, "incomplete"),
        ({"assigned_at": "2026-02-03"}, "queued"),
        ({"assigned_at": "2026-02-03", "assignee": REP}, "assigned"),
        ({"assigned_at": "2026-02-03", "assignee": REP, "accepted_at": "2026-02-04"}, "accepted"),
        ({"assigned_at": "2026-02-03", "deferred_at": "2026-02-04"}, "deferred"),
        ({"rejected_at": "2026-02-04", "rejection_reason": "timing"}, "rejected"),
        (
            {"accepted_at": "2026-02-03", "rejected_at": "2026-02-04", "rejection_reason": "timing"},
            "rejected",
        ),
        (  # rejected, routed again and accepted by the next
            {"accepted_at": "2026-02-05", "rejected_at": "2026-02-04", "rejection_reason": "timing"},
            "accepted",
        ),
        (  # rejected, yet won: the state stays
            {"rejected_at": "2026-02-04", "rejection_reason": "timing", "opportunity_at": "2026-02-09"},
            "rejected",
        ),
        ({"opportunity_at": "2026-02-09"}, "incomplete"),
    ],
)
def test_the_state_of_unfinished_stories(cells: dict[str, str], state: str) -> None:
    (read,) = rows.read(io.StringIO(table(bare(**cells))))
    assert isinstance(read, rows.Row)
    context = replace(CONTEXT, assignee_id=7 if read.assignee else None)
    assert story.fold(story.tell(read, context))["state"] == state


# Writing


def test_writes_everything_that_the_row_knows(db: None) -> None:
    result = take(row())
    assert (result.rows, result.created, result.failed, result.problems) == (1, 1, 0, [])
    assert (result.leads_created, result.companies_created, result.people_created) == (1, 1, 1)

    handoff = Handoff.objects.get()
    assert (handoff.is_history, handoff.history_key, handoff.state) == (True, "h-1", "converted")
    assert (handoff.lead_type, handoff.trigger, handoff.lead_source) == ("demo", "demo_request", "Webinar")
    rep = User.objects.get()
    assert (rep.email, rep.is_active, rep.has_usable_password()) == (REP.lower(), False, False)
    holders = (handoff.assignee, handoff.first_holder, handoff.holder_at_24h, handoff.accepted_by)
    assert holders == (rep, rep, rep, rep)
    assert handoff.first_contact_by == rep
    assert handoff.next_due_at is None
    assert handoff.next_step_at is None
    lead = handoff.lead
    assert (lead.email_key, lead.full_name) == ("ada.okonkwo@halvorsen-logistics.com", "Ada Okonkwo")
    assert (lead.company.domain, lead.company.name) == ("halvorsen-logistics.com", "Halvorsen Logistics")
    score = ScoreRow.objects.get()
    assert (handoff.score, score.total, score.fit, score.scored_at) == (score, 72, 40, handoff.mql_at)
    attempt = ContactAttempt.objects.get()
    assert (attempt.channel, attempt.outcome, attempt.by, attempt.at) == (
        "phone",
        "reached",
        rep,
        handoff.first_contact_at,
    )
    kinds = list(Event.objects.values_list("kind", flat=True))
    assert kinds == ["opened", "assigned", "accepted", "contacted", "converted"]
    assert handoff.revision == 5
    # Nobody did these things today: they stand in no one's day.
    assert not Event.objects.filter(user__isnull=False).exists()
    assert projection.differences(handoff) == []


def test_a_rejection_and_a_deferral_have_rows_of_their_own(db: None) -> None:
    changes = {"opportunity_at": "", "opportunity_amount": "", "opportunity_currency": ""}
    take(row(rejected_at="2026-02-03", rejection_reason="timing", deferred_at="2026-02-02T10:00Z", **changes))
    rejection, deferral, handoff = Rejection.objects.get(), Deferral.objects.get(), Handoff.objects.get()
    assert (rejection.reason.code, rejection.next_step, rejection.by) == (
        "timing",
        "recycled",
        handoff.assignee,
    )
    assert (handoff.state, handoff.rejection_reason, handoff.follow_up_at) == (
        "rejected",
        rejection.reason,
        None,
    )
    assert (handoff.deferrals, handoff.deferred_at, deferral.at) == (1, deferral.at, deferral.at)
    assert projection.differences(handoff) == []


def test_again_changes_nothing(db: None) -> None:
    lines = [row(), row(external_id="h-2", email="other@elsewhere-freight.com"), bare(external_id="h-3")]
    assert take(*lines).created == 3
    models = (Handoff, Event, Lead, Company, ScoreRow, ContactAttempt, RejectionReason, User)
    before = {model: list(model.objects.order_by("pk").values()) for model in models}
    again = take(*lines)
    assert (again.created, again.unchanged, again.failed) == (0, 3, 0)
    assert {model: list(model.objects.order_by("pk").values()) for model in models} == before


def test_one_bad_row_spoils_none_of_the_others(db: None) -> None:
    result = take(row(), row(external_id="h-2", mql_at="soon"), row(external_id="h-3"))
    assert (result.rows, result.created, result.failed) == (3, 2, 1)
    assert [(problem.row, problem.column) for problem in result.problems] == [(3, "mql_at")]


def test_the_same_external_id_twice_in_a_file_is_reported(db: None) -> None:
    result = take(row(), row(lead_source="Other"))
    assert (result.created, result.failed) == (1, 1)
    assert result.problems[0].message == "is the same as in row 2"
    assert Handoff.objects.get().lead_source == "Webinar"


def test_unknown_reasons_and_people_are_reported(db: None) -> None:
    result = take(
        row(rejected_at="2026-02-05", rejection_reason="bad_hair"),
        row(external_id="h-2"),
        create_people=False,
    )
    assert (result.created, result.failed) == (0, 2)
    assert {(problem.row, problem.column) for problem in result.problems} == {
        (2, "rejection_reason"),
        (2, "assignee"),
        (3, "assignee"),
    }
    assert not Lead.objects.exists()
    assert not User.objects.exists()


def test_people_are_not_made_of_anything(db: None) -> None:
    result = take(row(assignee="queue:overflow"))
    assert result.problems[0].message == "'queue:overflow' is not an e-mail address"


def test_a_known_person_is_taken_by_address_whatever_its_case(db: None) -> None:
    user = User.objects.create_user("rep@handoff.example.com")
    assert take(row(), create_people=False).created == 1
    assert Handoff.objects.get().assignee == user


def test_a_dry_run_counts_and_writes_nothing(db: None) -> None:
    lines = [
        row(),
        row(external_id="h-2"),
        row(external_id="h-3", email="someone@elsewhere-freight.com"),
        row(external_id="h-4", trigger="luck"),
        row(external_id="h-5", rejected_at="2026-02-05", rejection_reason="timing"),
    ]
    dry = take(*lines, dry_run=True)
    for model in (Handoff, Lead, Company, User, RejectionReason, Event):
        assert not model.objects.exists()
    wet = take(*lines)
    assert dry == wet
    assert (wet.created, wet.failed, wet.leads_created, wet.companies_created) == (4, 1, 2, 2)
    assert take(*lines, dry_run=True) == take(*lines)


def test_rows_of_one_person_share_the_lead_across_chunks(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHUNK", 2)
    lines = [
        row(external_id="h-1", mql_at="2026-02-01", first_name="Ada"),
        row(
            external_id="h-2",
            mql_at="2026-01-01",
            first_name="Adda",
            email="ADA.okonkwo@halvorsen-logistics.com",
        ),
        row(external_id="h-3", mql_at="2026-01-20", first_name="Adah", company="Halvorsen"),
    ]
    dry, wet = take(*lines, dry_run=True), take(*lines)
    assert dry == wet
    assert (wet.created, wet.leads_created, wet.companies_created) == (3, 1, 1)
    lead = Lead.objects.get()
    # The newest fact stands, in whatever order the file has them.
    assert lead.first_name == "Ada"
    assert lead.company.name == "Halvorsen Logistics"
    assert lead.handoffs.count() == 3


def test_an_older_row_does_not_overwrite_a_lead_that_is_there(db: None) -> None:
    newer = "2026-03-01T00:00:00+00:00"
    Lead.objects.create(
        email="ada.okonkwo@halvorsen-logistics.com",
        email_key="ada.okonkwo@halvorsen-logistics.com",
        first_name="Adaeze",
        field_times={"first_name": newer},
        created_at=NOW,
        updated_at=NOW,
    )
    result = take(row())
    assert (result.leads_created, result.created) == (0, 1)
    lead = Lead.objects.get()
    assert (lead.first_name, lead.last_name) == ("Adaeze", "Okonkwo")
    assert lead.name_key == "adaeze okonkwo"


def test_free_mail_makes_no_company_of_its_domain(db: None) -> None:
    take(
        row(email="ada@gmail.com"),
        row(external_id="h-2", email="wei@gmail.com", company=""),
        row(external_id="h-3", email="eva@gmail.com", company="N/A"),
    )
    company = Company.objects.get()
    assert (company.domain, company.name) == (None, "Halvorsen Logistics")
    assert Lead.objects.filter(company=company).count() == 1
    take(row(external_id="h-4", email="kim@gmail.com"))
    assert Company.objects.count() == 1


def test_a_row_without_an_address_is_known_by_its_id(db: None) -> None:
    take(row(email=""), row(external_id="h-2", email="not an address"))
    assert Lead.objects.count() == 2
    assert not Lead.objects.filter(email_key__isnull=False).exists()
    assert take(row(email="")).unchanged == 1


def test_history_does_not_stand_in_the_way_of_a_new_handoff(db: None) -> None:
    take(bare(assigned_at="2026-02-03", assignee=REP, email="ada@halvorsen-logistics.com"))
    lead = Lead.objects.get()
    Handoff.objects.create(
        lead=lead,
        state="incomplete",
        lead_type="standard",
        trigger="manual_flag",
        mql_at=NOW,
        received_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )
    assert Handoff.objects.open().count() == 1
    assert take(bare(external_id="h-9", email="ada@halvorsen-logistics.com")).created == 1


def test_queries_do_not_grow_with_the_rows(db: None, django_assert_max_num_queries: Any) -> None:
    def lines(first: int, count: int) -> list[dict[str, str]]:
        return [
            row(external_id=f"h-{n}", email=f"p{n}@company-{n}-freight.com", rejected_at="2026-02-05",
                rejection_reason="timing", opportunity_at="", opportunity_amount="", opportunity_currency="")
            for n in range(first, first + count)
        ]  # fmt: skip

    take(*lines(0, 1))
    with django_assert_max_num_queries(40):
        take(*lines(10, 4))
    with django_assert_max_num_queries(40):
        take(*lines(20, 12))


# Reasons


def test_reasons_are_made_once_and_edits_outlive_it(db: None) -> None:
    assert ensure_reasons() == len(SHIPPED) == 11
    RejectionReason.objects.filter(code="timing").update(label="Later", is_active=False)
    RejectionReason.objects.filter(code="other").delete()
    assert ensure_reasons() == 1
    assert ensure_reasons() == 0
    timing = RejectionReason.objects.get(code="timing")
    assert (timing.label, timing.is_active) == ("Later", False)
    assert RejectionReason.history.filter(code="duplicate").count() == 1


def test_the_shipped_reasons_are_those_of_the_domain() -> None:
    gives_back = {reason.code for reason in SHIPPED if reason.gives_turn_back}
    assert gives_back == {"bad_data", "out_of_territory", "duplicate"}
    steps = {reason.code: (str(reason.next_step), reason.cool_off_days) for reason in SHIPPED}
    assert steps == {
        "bad_data": ("completion", 0),
        "wrong_person": ("recycled", 90),
        "wrong_title": ("recycled", 90),
        "competitor": ("suppressed", 0),
        "out_of_territory": ("rerouted", 0),
        "timing": ("recycled", 90),
        "not_icp": ("recycled", 180),
        "duplicate": ("completion", 0),
        "existing_customer": ("triage", 0),
        "student_or_jobseeker": ("suppressed", 0),
        "other": ("triage", 0),
    }


# The command


def run(path: Path, *options: str) -> tuple[str, int]:
    out = io.StringIO()
    code = 0
    try:
        call_command("import_history", str(path), *options, stdout=out, stderr=out)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return out.getvalue(), code


def test_the_command_prints_counts_and_fails_on_bad_rows(db: None, tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text("\ufeff" + table(row(), row(external_id="h-2", mql_at="never"), newline="\r\n"), "utf-8")
    text, code = run(file, "--create-people", "--json")
    counts = json.loads(text)
    assert code == 1
    assert {name: counts[name] for name in ("rows", "created", "unchanged", "failed")} == {
        "rows": 2,
        "created": 1,
        "unchanged": 0,
        "failed": 1,
    }
    assert counts["problems"] == [
        {"row": 3, "column": "mql_at", "message": "'never' is not a time such as 2026-03-31T14:05:00Z"}
    ]
    file.write_text(table(row()), "utf-8")
    text, code = run(file)
    assert code == 0
    assert "1 unchanged" in text
    assert run(file, "--dry-run")[1] == 0


def test_the_command_refuses_what_is_no_file(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run(tmp_path / "nothing.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match="lacks external_id and mql_at"):
        run(tmp_path / "other.csv")
