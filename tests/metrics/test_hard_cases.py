"""Hard cases with figures worked out by hand.

`hard_cases.csv` is a history file whose further columns, from `week` on, say what each case must give as
of 15 November 2026, 12:00 UTC in Amsterdam weeks: week, answer (accepted, rejected or neither), minutes
to first contact, within target, won, black hole (empty: does not count), clean, and why. What a file
cannot say (two deferrals, a second rejection, undo, ...) is played through the lifecycle below it.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from leads import lifecycle
from leads.intake import receive
from leads.models import DuplicatePair, Handoff, Lead
from metrics import measures, query
from metrics.periods import Week
from routing.models import Queue
from tests.conftest import NOW, Cast
from tests.factories import event, make_handoff, make_lead, open_handoff, route_to

AS_OF = datetime(2026, 11, 15, 12, tzinfo=UTC)
FILE = Path(__file__).with_name("hard_cases.csv")
CASES = list(csv.DictReader(FILE.open(encoding="utf-8")))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def imported(db: None, settings: Any) -> None:
    settings.ORG_TIME_ZONE = "Europe/Amsterdam"
    call_command("import_history", str(FILE), "--create-people", stdout=io.StringIO())


def judged(as_of: datetime) -> dict[int, dict[str, str]]:
    """By handoff what each measure says of it: yes, no, or "" where it does not count."""
    look = query.Asked.of(query.Question(as_of))
    found = {pk: dict.fromkeys(measures.MEASURES, "") for pk in look.rows.values_list("pk", flat=True)}
    for measure in measures.MEASURES:
        for part, said in (("hits", "yes"), ("misses", "no")):
            for pk in look.listed(measure, part).values_list("pk", flat=True):
                assert found[pk][measure] == ""
                found[pk][measure] = said
    return found


def test_each_case_of_the_file(imported: None) -> None:
    found = {}
    verdicts = judged(AS_OF)
    for handoff in Handoff.objects.filter(pk__in=verdicts):
        said = verdicts[handoff.pk]
        contact_at = handoff.first_contact_at
        minutes = ""
        if contact_at is not None and contact_at <= AS_OF:
            minutes = f"{(contact_at - handoff.mql_at) / timedelta(minutes=1):.6f}".rstrip("0").rstrip(".")
        found[handoff.history_key] = {
            "week": Week.of(handoff.mql_at, "Europe/Amsterdam").name,
            "answer": {"": "", "yes": "accepted", "no": "rejected"}[said["acceptance_rate"]],
            "minutes": minutes,
            "in_time": said["time_to_first_contact"],
            "won": said["mql_to_opportunity"],
            "hole": said["black_hole_rate"],
            "clean": said["clean_handoff_rate"],
        }
    for case in CASES:
        expected = {
            name: case[name] for name in ("week", "answer", "minutes", "in_time", "won", "hole", "clean")
        }
        assert found.pop(case["external_id"], dict.fromkeys(expected, "")) == expected, case["why"]
    assert found == {}


def metrics(*options: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("metrics", "--as-of", "2026-11-15T12:00:00Z", *options, stdout=out)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def share(numerator: int, denominator: int, rate: float | None) -> dict[str, Any]:
    return {"numerator": numerator, "denominator": denominator, "rate": rate}


def test_the_figures_of_the_file(imported: None) -> None:
    """Added up with pencil and paper from the cases."""
    answer = metrics()
    assert answer["as_of"] == "2026-11-15T12:00:00Z"
    assert answer["total"] == {
        "mqls": 34,
        "acceptance_rate": share(15, 19, 0.789474),
        "mql_to_opportunity": share(3, 15, 0.2),
        "rejection_rate": share(4, 19, 0.210526),
        "black_hole_rate": share(5, 24, 0.208333),
        "clean_handoff_rate": share(13, 34, 0.382353),
        "time_to_first_contact": {
            # 0, 4, 5, 5:01, 23 h, 25 h
            "demo": {
                "n": 6,
                "mean_minutes": 482.336,
                "median_minutes": 5.008,
                "p90_minutes": 1440.0,
                "within_target": share(3, 6, 0.5),
            },
            # 45, 45, 55, 60, 60, 60:01, 420
            "standard": {
                "n": 7,
                "mean_minutes": 106.431,
                "median_minutes": 60.0,
                "p90_minutes": 204.01,
                "within_target": share(5, 7, 0.714286),
            },
        },
    }
    assert {name: each["mqls"] for name, each in answer["by_source"].items()} == {
        "": 3,
        "=SUM(A1)": 1,
        "Border": 9,
        "Google": 6,
        "Partner": 6,
        "Webinar": 6,
        "google": 3,
    }
    assert answer["by_source"]["google"]["rejection_rate"] == share(1, 3, 0.333333)
    assert {name: each["mqls"] for name, each in answer["by_week"].items()} == {
        "2025-W52": 1,
        "2026-W01": 1,
        "2026-W13": 1,
        "2026-W40": 1,
        "2026-W41": 21,
        "2026-W42": 1,
        "2026-W43": 2,
        "2026-W44": 1,
        "2026-W46": 5,
    }
    # Nine never had a person; the one that only a queue held is nobody's black hole.
    nobody = answer["by_rep"][""]
    assert (nobody["mqls"], nobody["black_hole_rate"]) == (9, share(1, 1, 1.0))
    assert list(answer["by_team"]) == [""]
    assert {name: each["mqls"] for name, each in answer["by_type"].items()} == {"demo": 6, "standard": 28}
    assert answer["rejections_by_reason"] == dict.fromkeys(
        ["bad_data", "competitor", "not_icp", "out_of_territory", "timing", "wrong_title"], 1
    )


def test_a_range_of_days_and_weeks(imported: None) -> None:
    assert metrics("--from", "2026-10-05", "--to", "2026-10-05")["total"]["mqls"] == 7
    assert metrics("--from", "2026-10-25", "--to", "2026-10-25")["total"]["mqls"] == 2
    assert metrics("--weeks", "1")["total"]["mqls"] == 5
    assert list(metrics("--weeks", "4", "--by", "week")["by_week"]) == ["2026-W43", "2026-W44", "2026-W46"]
    assert list(metrics("--by", "type")) == ["as_of", "total", "by_type"]


def test_the_csv_holds_the_same_figures_and_no_formula(imported: None) -> None:
    out = io.StringIO()
    call_command("metrics", "--as-of", "2026-11-15T12:00:00Z", "--format", "csv", stdout=out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert list(rows[0]) == ["group", "measure", "numerator", "denominator", "value"]
    cells = {(row["group"], row["measure"]): row for row in rows}
    accepted = cells["total", "acceptance_rate"]
    assert (accepted["numerator"], accepted["denominator"], accepted["value"]) == ("15", "19", "0.789474")
    median = cells["total", "time_to_first_contact.demo.median_minutes"]
    assert (median["numerator"], median["denominator"], median["value"]) == ("", "6", "5.008")
    assert cells["source==SUM(A1)", "mqls"]["value"] == "1"
    assert cells["total", "rejections.timing"]["value"] == "1"
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


# Played through the lifecycle


def act(user: Any = None, after: timedelta = timedelta(0)) -> lifecycle.Act:
    return lifecycle.Act(NOW + after, user)


FIVE = (
    "acceptance_rate",
    "mql_to_opportunity",
    "rejection_rate",
    "black_hole_rate",
    "clean_handoff_rate",
    "time_to_first_contact",
)


def verdicts(handoff: Handoff, after: timedelta) -> dict[str, str]:
    """What the five and clean handoffs say of it so long after NOW."""
    found = judged(NOW + after)[handoff.pk]
    return {name: found[name] for name in FIVE}


def holes(after: timedelta) -> dict[str, tuple[int, int]]:
    """Black holes and what was assigned by rep, so long after NOW; "" is a queue."""
    reps = query.Asked.of(query.Question(NOW + after)).by("rep")
    rates = {rep: each.rates["black_hole_rate"] for rep, each in reps.items()}
    return {rep: (rate.numerator, rate.denominator) for rep, rate in rates.items() if rate.denominator}


def decider(after: timedelta) -> dict[str, tuple[int, int]]:
    """Accepted and decided by rep, so long after NOW."""
    reps = query.Asked.of(query.Question(NOW + after)).by("rep")
    rates = {rep: each.rates["acceptance_rate"] for rep, each in reps.items()}
    return {rep: (rate.numerator, rate.denominator) for rep, rate in rates.items() if rate.denominator}


def reasons(after: timedelta = 30 * DAY) -> dict[str, int]:
    return query.ask(query.Question(NOW + after))["rejections_by_reason"]


def test_deferred_twice_and_then_accepted(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    for day in (0, 8):
        lifecycle.defer(
            handoff.pk, act(cast.femke, HOUR + day * DAY), until=NOW + (day + 7) * DAY, explanation="x"
        )
        assert verdicts(handoff, (day + 2) * DAY)["acceptance_rate"] == ""
        lifecycle.resume(handoff.pk, act(cast.femke, (day + 7) * DAY))
    lifecycle.accept(handoff.pk, act(cast.femke, 16 * DAY))
    lifecycle.contact(handoff.pk, act(cast.femke, 16 * DAY + HOUR), channel="phone", outcome="reached")
    assert verdicts(handoff, 15 * DAY)["acceptance_rate"] == ""
    assert verdicts(handoff, 17 * DAY) == {
        "acceptance_rate": "yes",
        "mql_to_opportunity": "no",
        "rejection_rate": "no",
        "black_hole_rate": "no",
        "clean_handoff_rate": "yes",
        "time_to_first_contact": "no",
    }


def reject_and_hand_on(handoff: Handoff, after: timedelta) -> Any:
    """The holder rejects as out of territory; who did."""
    holder = Handoff.objects.get(pk=handoff.pk).assignee
    lifecycle.reject(handoff.pk, act(holder, after), reason="out_of_territory")
    return holder


def test_rerouted_and_accepted_by_the_next(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    first = reject_and_hand_on(handoff, HOUR)
    second = Handoff.objects.get(pk=handoff.pk).assignee
    assert second is not None
    assert second != first
    lifecycle.accept(handoff.pk, act(second, 3 * HOUR))
    assert decider(2 * HOUR) == {first.email: (0, 1)}
    assert decider(4 * HOUR) == {second.email: (1, 1)}
    assert reasons() == {"out_of_territory": 1}
    assert reasons(timedelta(minutes=30)) == {}


def test_rejected_by_two_is_one_rejection_and_two_acts(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    first = reject_and_hand_on(handoff, HOUR)
    reject_and_hand_on(handoff, 3 * HOUR)
    assert decider(2 * HOUR) == decider(DAY) == {first.email: (0, 1)}
    assert reasons() == {"out_of_territory": 2}


def test_sent_back_for_its_data_stays_rejected_until_somebody_accepts(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, act(cast.femke, HOUR), reason="bad_data", note="no such number")
    assert Handoff.objects.get(pk=handoff.pk).state == "incomplete"
    assert verdicts(handoff, 2 * HOUR)["rejection_rate"] == "yes"


def test_re_engaged_is_two_mqls_of_one_person(cast: Cast) -> None:
    route_to(cast.femke)
    (answer,) = receive([event(1)], None, NOW)
    first = Handoff.objects.get()
    lifecycle.contact(first.pk, act(cast.femke, HOUR), channel="phone", outcome="no_answer")
    receive([event(1, at=NOW + DAY, id="ev-again")], None, NOW + DAY)
    old, new = Handoff.objects.order_by("mql_at")
    assert (old.state, new.state) == ("superseded", "assigned")
    assert old.lead_id == new.lead_id
    totals = query.ask(query.Question(NOW + 3 * DAY))["total"]
    assert (totals["mqls"], totals["acceptance_rate"]) == (2, share(1, 1, 1.0))
    assert totals["clean_handoff_rate"] == share(1, 2, 0.5)
    assert answer


def test_logged_late_but_made_in_time(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    assert verdicts(handoff, 25 * HOUR)["black_hole_rate"] == "yes"
    made_at = NOW + timedelta(minutes=50)
    lifecycle.contact(handoff.pk, act(cast.femke, 30 * HOUR), channel="phone", outcome="reached", at=made_at)
    handoff = Handoff.objects.get(pk=handoff.pk)
    assert handoff.first_contact_logged_late
    # A fact counts from when it occurred, not from when it was written down.
    assert verdicts(handoff, 25 * HOUR)["black_hole_rate"] == "no"
    assert verdicts(handoff, 51 * timedelta(minutes=1))["time_to_first_contact"] == "yes"


def test_an_earlier_attempt_logged_after_a_later_one_is_the_first_contact(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.contact(handoff.pk, act(cast.femke, 5 * HOUR), channel="email", outcome="no_answer")
    early = NOW + timedelta(minutes=20)
    lifecycle.contact(handoff.pk, act(cast.femke, 6 * HOUR), channel="phone", outcome="reached", at=early)
    assert Handoff.objects.get(pk=handoff.pk).first_contact_at == early
    assert verdicts(handoff, DAY)["time_to_first_contact"] == "yes"


def test_raised_to_demo_keeps_the_type_it_had(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1, trigger={"kind": "score_threshold"})], None, NOW)
    receive([event(1, at=NOW + HOUR / 2, id="ev-form")], None, NOW + HOUR / 2)
    handoff = Handoff.objects.get()
    assert handoff.raised_at is not None
    lifecycle.contact(handoff.pk, act(cast.femke, HOUR), channel="phone", outcome="reached")
    assert Handoff.objects.get().lead_type == "standard"
    # 60 minutes are in time for the standard lead that it was, not for a demo request.
    assert verdicts(handoff, DAY)["time_to_first_contact"] == "yes"


def test_waived_counts_from_the_trigger_not_from_readiness(cast: Cast) -> None:
    route_to(cast.femke)
    lead = make_lead(first_name="-")
    handoff = open_handoff(lead)
    assert handoff.state == "incomplete"
    lifecycle.waive(handoff.pk, act(cast.otto, 2 * HOUR), check="full_name", reason="known by one name")
    handoff = Handoff.objects.get(pk=handoff.pk)
    assert handoff.state == "assigned"
    lifecycle.contact(handoff.pk, act(cast.femke, 2 * HOUR + HOUR / 2), channel="phone", outcome="reached")
    handoff = Handoff.objects.get(pk=handoff.pk)
    assert handoff.first_contact_at is not None
    assert handoff.first_contact_at - handoff.mql_at == 2 * HOUR + HOUR / 2
    # The day of the black hole begins with the assignment.
    assert handoff.assigned_at == NOW + 2 * HOUR
    assert verdicts(handoff, 25 * HOUR)["black_hole_rate"] == ""


def test_discarded_is_an_mql_and_nothing_else(cast: Cast) -> None:
    handoff = make_handoff("incomplete")
    lifecycle.discard(handoff.pk, act(cast.otto, HOUR), reason="a test entry")
    assert verdicts(handoff, 3 * DAY) == {
        "acceptance_rate": "",
        "mql_to_opportunity": "",
        "rejection_rate": "",
        "black_hole_rate": "",
        "clean_handoff_rate": "no",
        "time_to_first_contact": "",
    }


def test_an_undone_acceptance_is_no_acceptance_and_no_activity(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, act(cast.femke, HOUR))
    lifecycle.undo(handoff.pk, act(cast.femke, HOUR + timedelta(seconds=9)))
    found = verdicts(handoff, 2 * DAY)
    assert (found["acceptance_rate"], found["black_hole_rate"]) == ("", "yes")


def test_an_undone_rejection_is_not_counted_among_the_reasons(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, act(cast.femke, HOUR), reason="timing", undoable=True)
    lifecycle.undo(handoff.pk, act(cast.femke, HOUR + timedelta(seconds=5)))
    assert reasons() == {}
    assert verdicts(handoff, 2 * DAY)["rejection_rate"] == ""


def test_an_undone_contact_is_no_contact(cast: Cast) -> None:
    handoff = make_handoff("accepted", cast.femke)
    lifecycle.contact(handoff.pk, act(cast.femke, HOUR), channel="phone", outcome="reached")
    lifecycle.undo(handoff.pk, act(cast.femke, HOUR + timedelta(seconds=5)))
    found = verdicts(handoff, 2 * DAY)
    assert (found["acceptance_rate"], found["time_to_first_contact"]) == ("yes", "")


def test_claimed_from_a_queue_is_activity_of_the_claimer(cast: Cast) -> None:
    queue = Queue.objects.create(slug="dach", name="DACH", owner=cast.mia)
    queue.members.add(cast.femke)
    handoff = make_handoff("queued", queue=queue)
    assert holes(25 * HOUR) == {"": (1, 1)}
    lifecycle.claim(handoff.pk, act(cast.femke, 23 * HOUR))
    assert holes(25 * HOUR) == {cast.femke.email: (0, 1)}


def test_a_reassignment_is_no_activity_and_the_black_hole_is_the_later_holders(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, act(cast.mia, 5 * HOUR), to=cast.jonas.email, reason="Femke is out")
    assert Handoff.objects.get(pk=handoff.pk).assigned_at == NOW
    assert holes(25 * HOUR) == {cast.jonas.email: (1, 1)}
    by_rep = query.Asked.of(query.Question(NOW + 25 * HOUR)).by("rep")
    assert {rep: each.mqls for rep, each in by_rep.items()} == {cast.femke.email: 1, cast.jonas.email: 0}


def test_after_the_day_a_new_holder_does_not_take_the_black_hole_over(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, act(cast.mia, 26 * HOUR), to=cast.jonas.email, reason="nothing happened")
    assert holes(3 * DAY) == {cast.femke.email: (1, 1)}


def test_a_note_of_sales_is_activity_and_one_of_marketing_is_not(cast: Cast) -> None:
    noted, told = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.jonas)
    lifecycle.note(noted.pk, act(cast.femke, HOUR), text="Calls back on Thursday")
    lifecycle.note(told.pk, act(cast.otto, HOUR), text="Came twice")
    assert verdicts(noted, 2 * DAY)["black_hole_rate"] == "no"
    assert verdicts(told, 2 * DAY)["black_hole_rate"] == "yes"


def test_merged_people_keep_both_conversions(cast: Cast) -> None:
    keep, gone = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    lifecycle.merge(keep.lead, gone.lead, act(cast.otto, HOUR))
    assert Handoff.objects.get(pk=gone.pk).state == "merged"
    assert query.ask(query.Question(NOW + 2 * DAY))["total"]["mqls"] == 2
    assert not DuplicatePair.objects.filter(status="open").exists()
    assert Lead.objects.filter(merged_into=keep.lead).count() == 1


def test_a_rejected_lead_that_was_won_after_all_stays_rejected(cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke)
    receive(
        [
            event(
                type="opportunity.created",
                at=NOW + DAY,
                lead={"email": handoff.lead.email, "external_ids": []},
                opportunity={"external_id": "op-1", "amount": "100", "currency": "EUR", "stage": "new"},
                score=None,
                trigger=None,
                activities=None,
            )
        ],
        None,
        NOW + DAY,
    )
    assert Handoff.objects.get(pk=handoff.pk).opportunity_at is not None
    found = verdicts(handoff, 2 * DAY)
    assert (found["rejection_rate"], found["mql_to_opportunity"]) == ("yes", "")


def test_quiet_handoffs_are_measured(cast: Cast) -> None:
    make_handoff("accepted", cast.femke, is_quiet=True)
    assert query.ask(query.Question(NOW + DAY))["total"]["acceptance_rate"] == share(1, 1, 1.0)
