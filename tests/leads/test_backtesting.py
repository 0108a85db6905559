"""Back-tests over real intakes: a version replayed over its own decisions, and what another would change."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.models import Count, Model
from django.test.utils import CaptureQueriesContext

from leads import backtesting, escalation, lifecycle
from leads.backtesting import reading, storing
from leads.intake import receive
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Backtest, Company, Handoff, RoutingDecision
from routing import publish
from routing.backtest import Tally
from routing.models import Absence, Pool, PoolMember, Queue, Rule, Ruleset, Turn, User
from tests.conftest import NOW, Cast
from tests.factories import event, make_lead, open_handoff

pytestmark = pytest.mark.django_db

COUNTRIES = ("DE", "FR", "SE", "NL", "US")
DAY = timedelta(days=1)


def rule(position: int, name: str, country: str | None, kind: str, target: object, **more: object) -> Rule:
    conditions = {"all": [{"field": "country", "op": "in", "value": [country]}] if country else []}
    return Rule.objects.create(
        position=position, name=name, conditions=conditions, target_kind=kind, target_id=str(target), **more
    )


def pool(slug: str, *people: User, **fields: object) -> Pool:
    made = Pool.objects.create(slug=slug, name=slug.capitalize(), **fields)
    for place, user in enumerate(people):
        PoolMember.objects.create(pool=made, user=user, weight=1 + place)
    return made


@pytest.fixture
def rules(cast: Cast) -> Ruleset:
    """Five rules over every kind of target: a weighted pool with a cap, a person with a fallback, the least
    loaded, a queue, and nobody for the rest but the overflow."""
    Rule.objects.all().delete()
    queue = Queue.objects.create(slug="nordics", name="Nordics", owner=cast.nils)
    queue.members.add(cast.rosa)
    dach = pool("dach", cast.femke, cast.jonas, cap_open=4)
    west = pool("west", cast.femke, cast.rosa, cast.nils, method=Pool.Method.LEAST_OPEN)
    rule(10, "Germany", "DE", "pool", dach.pk, fallback_kind="pool", fallback_id=str(west.pk))
    rule(20, "France", "FR", "rep", cast.jonas.pk, fallback_kind="pool", fallback_id=str(west.pk))
    rule(30, "Sweden", "SE", "queue", queue.pk)
    rule(40, "Netherlands", "NL", "pool", west.pk)
    rule(50, "The rest", None, "account_owner", "")
    return publish.publish(NOW - 30 * DAY, cast.otto, "First rules")


def lived(cast: Cast, seed: int, hours: int) -> None:
    """A stretch of life: leads come, are answered, given on, fall back, and come again."""
    dice, now = random.Random(seed), NOW
    people = [cast.femke, cast.jonas, cast.rosa, cast.nils]
    come_back(now)
    for hour in range(hours):
        now += timedelta(minutes=dice.randrange(20, 90))
        numbers = [dice.randrange(60) for _ in range(dice.randrange(1, 5))]
        receive(
            [
                event(
                    number,
                    id=f"{hour}-{place}",
                    at=now,
                    lead={"country_code": dice.choice(COUNTRIES)},
                    trigger={"kind": dice.choice(("demo_request", "pricing_inquiry", "manual_flag"))},
                )
                for place, number in enumerate(numbers)
            ],
            None,
            now,
        )
        if hour % 7 == 3:
            company = Company.objects.order_by("pk").all()[dice.randrange(Company.objects.count())]
            company.owner = dice.choice(people)
            company.stage = dice.choice(("customer", "prospect"))
            company.save()
        if hour % 9 == 4:
            who = dice.choice(people)
            Absence.objects.create(
                user=who, starts_at=now, ends_at=now + timedelta(hours=dice.randrange(2, 30))
            )
            escalation.repair(now)
        waiting = list(Handoff.objects.open().select_related("assignee").order_by("pk"))
        for handoff in dice.sample(waiting, min(len(waiting), dice.randrange(6))):
            act = Act(now + timedelta(minutes=dice.randrange(1, 15)), handoff.assignee or cast.rosa)
            try:
                one_move(cast, handoff, act, dice, people)
            except (Refused, Invalid):
                continue
        escalation.sweep(now + timedelta(minutes=16))


def come_back(now: datetime) -> None:
    """A lead that is worked asks for a demo once more, and is offered to the same rep first."""
    dutch = {"country_code": "NL"}
    [answer] = receive([event(99, lead=dutch, at=now)], None, now)
    handoff = Handoff.objects.select_related("assignee").get(pk=int(answer["handoff"]["id"]))
    lifecycle.contact(handoff.pk, Act(now, handoff.assignee), channel="phone", outcome="reached")
    receive([event(99, id="again", lead=dutch, at=now, trigger={"kind": "demo_request"})], None, now)


def one_move(cast: Cast, handoff: Handoff, act: Act, dice: random.Random, people: list[User]) -> None:
    match dice.randrange(8):
        case 0 | 1:
            lifecycle.reject(handoff.pk, act, reason="out_of_territory")
        case 2:
            lifecycle.reject(handoff.pk, act, reason="wrong_title")
        case 3:
            lifecycle.claim(handoff.pk, Act(act.now, cast.rosa))
        case 4:
            lifecycle.reassign(handoff.pk, Act(act.now, cast.otto), to=dice.choice(people).email, reason="x")
        case 5:
            lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached")
        case 6:
            lifecycle.release(dice.choice(people), Act(act.now), "left")
        case _:
            lifecycle.accept(handoff.pk, act)


def replayed(document: dict, until: Any = NOW + 60 * DAY, days: int = 90) -> backtesting.Run:
    run = backtesting.Run(document, until - days * DAY, until)
    while not run.is_done:
        run.step()
    return run


@pytest.mark.parametrize("seed", [1, 2])
def test_a_version_agrees_with_every_decision_it_made(cast: Cast, rules: Ruleset, seed: int) -> None:
    lived(cast, seed, 30)
    decisions = RoutingDecision.objects.all()
    took = {str(row.get("took")) for d in decisions for row in d.candidates if "took" in row}
    assert {"rule", "fallback", "overflow", "account", "re_engaged"} <= took, took
    again = Handoff.objects.annotate(n=Count("decisions")).filter(n__gt=1).count()
    assert decisions.filter(outcome="queue").exists() and again > 5
    tally: Tally = replayed(rules.document).replay.tally
    assert tally.replayed == decisions.count()
    assert tally.agreement == 1
    assert (tally.overflow[0], tally.late[0]) == (tally.overflow[1], tally.late[1])


def test_agreement_is_measured_not_assumed(cast: Cast, rules: Ruleset) -> None:
    """Whatever part of a decision is tampered with, the replay no longer agrees with it."""
    for country in ("DE", "DE", "FR", "SE"):
        open_handoff(make_lead(country_code=country), at=NOW)
    german = RoutingDecision.objects.filter(rule_id=rules.document["rules"][0]["id"]).order_by("pk")

    def agreeing() -> int:
        return replayed(rules.document).replay.tally.kinds["same"]

    def tampered(row: Model, **changes: object) -> int:
        before = {name: getattr(row, name) for name in changes}
        type(row)._default_manager.filter(pk=row.pk).update(**changes)
        found = agreeing()
        type(row)._default_manager.filter(pk=row.pk).update(**before)
        return found

    assert agreeing() == 4
    first = german[0]
    assert tampered(first, facts=first.facts | {"country": "FR"}) == 3
    assert tampered(first, rule_id="999") == 3
    swapped = [row | {"user": cast.rosa.pk} for row in first.candidates]
    assert tampered(first, candidates=swapped) == 3
    turn = Turn.objects.get(ref=f"handoff:{first.handoff_id}")
    assert tampered(turn, user_id=cast.rosa.pk) == 3
    assert tampered(turn, pool_id=Pool.objects.get(slug="west").pk) == 3
    assert agreeing() == 4


def test_a_rule_to_somebody_else_moves_its_leads(cast: Cast, rules: Ruleset) -> None:
    made = [open_handoff(make_lead(country_code=code), at=NOW) for code in ("FR", "FR", "DE")]
    Rule.objects.filter(name="France").update(target_id=str(cast.rosa.pk))
    run = backtesting.Run(publish.compile_draft(), NOW - DAY, NOW + DAY)
    moves = []
    while not run.is_done:
        moves += run.step()
    assert [(move.handoff_id, move.kind) for move in moves] == [(made[0].pk, "moved"), (made[1].pk, "moved")]
    assert moves[0].before["id"] == str(cast.jonas.pk) and moves[0].after["id"] == str(cast.rosa.pk)
    found = backtesting.report(run)
    assert (found["replayed"], found["moved"], found["unrouted"], found["agreement"]) == (3, 2, 0, 1 / 3)
    table = {row["rep"]: (row["before"], row["after"], row["peak_after"]) for row in found["by_rep"]}
    # The German lead was and stays Jonas's, whose weight in the pool is two.
    assert table["jonas@handoff.example.com"] == (3, 1, 1)
    assert table["rosa@handoff.example.com"] == (0, 2, 2)
    by_rule = {row["name"]: (row["before"], row["after"]) for row in found["by_rule"]}
    assert by_rule["France"] == (2, 2) and by_rule["Germany"] == (1, 1)


def test_without_its_rule_a_lead_is_unrouted(cast: Cast, rules: Ruleset) -> None:
    open_handoff(make_lead(country_code="NL"), at=NOW)
    Rule.objects.filter(name__in=("Netherlands", "The rest")).update(is_active=False)
    found = backtesting.report(replayed(publish.compile_draft()))
    assert (found["unrouted"], found["moved"]) == (1, 1)
    assert found["by_rule"][-1] | {"before": 0} == {
        "rule": "", "name": "No rule", "before": 0, "after": 1, "is_in_ruleset": False,
    }  # fmt: skip


def test_caps_hold_in_the_simulation(cast: Cast, rules: Ruleset) -> None:
    """Seven French leads into a pool of two with a cap of two each: four fit, three fall to overflow."""
    for number in range(7):
        open_handoff(make_lead(country_code="FR"), at=NOW + timedelta(minutes=number))
    Absence.objects.all().delete()
    small = pool("small", cast.nils, cast.rosa, cap_open=2)
    Rule.objects.filter(name="France").update(
        target_kind="pool", target_id=str(small.pk), fallback_kind="", fallback_id=""
    )
    found = backtesting.report(replayed(publish.compile_draft()))
    assert found["overflow"] == {"before": 0, "after": 3} and found["unrouted"] == 3
    table = {row["rep"]: row for row in found["by_rep"]}
    for email in ("nils@handoff.example.com", "rosa@handoff.example.com"):
        assert (table[email]["after"], table[email]["peak_after"]) == (2, 2)
    # Rosa's other pool sets no cap, so nothing keeps her from more.
    assert table["rosa@handoff.example.com"]["cap"] is None


def test_absences_of_then_count(cast: Cast, rules: Ruleset) -> None:
    open_handoff(make_lead(country_code="FR"), at=NOW)
    open_handoff(make_lead(country_code="FR"), at=NOW + DAY)
    Absence.objects.create(user=cast.rosa, starts_at=NOW - DAY, ends_at=NOW + timedelta(hours=1))
    Rule.objects.filter(name="France").update(target_id=str(cast.rosa.pk), fallback_kind="", fallback_id="")
    tally = replayed(publish.compile_draft()).replay.tally
    assert tally.kinds["unrouted"] == 1 and tally.kinds["moved"] == 1


def test_lateness_is_predicted_from_working_hours(cast: Cast, rules: Ruleset) -> None:
    """Demos have five minutes on the clock: at ten in the morning they can be met, at ten at night not. A
    standard lead has two working hours, and those always come."""
    open_handoff(make_lead(country_code="FR"), kind="demo_request", at=NOW)
    open_handoff(make_lead(country_code="FR"), kind="demo_request", at=NOW + timedelta(hours=12))
    open_handoff(make_lead(country_code="FR"), kind="score_threshold", at=NOW + timedelta(hours=12))
    assert backtesting.report(replayed(rules.document))["late"] == {"before": 1, "after": 1}


def test_imported_history_is_compared_with_its_assignee(cast: Cast, rules: Ruleset) -> None:
    for number, (country, email) in enumerate(
        (("DE", "femke"), ("DE", "rosa"), ("DE", "mia"), ("FR", "mia"), ("SE", "rosa"), ("US", "jonas"))
    ):
        made = open_handoff(make_lead(country_code=country), at=NOW)
        made.decisions.all().delete()
        who = getattr(cast, email)
        Handoff.objects.filter(pk=made.pk).update(
            is_history=True, assignee=who, queue=None, mql_at=NOW + timedelta(minutes=number)
        )
    run = backtesting.Run(rules.document, NOW - DAY, NOW + DAY)
    moves = []
    while not run.is_done:
        moves += run.step()
    assert [move.after["cause"] for move in moves] == [
        "Rule “Germany” tries the pool Dach first; Rosa Lindqvist comes after.",
        "Rule “Germany” gives it to the pool Dach, and Mia Brandt is no member.",
        "Rule “France” gives it to Jonas Keller.",
        "Rule “Sweden” lets it wait in the queue Nordics.",
        "Rule “The rest” names nobody for this lead; it falls to the queue Overflow.",
    ]
    found = backtesting.report(run)["history"]
    assert (found["compared"], found["agreeing"], found["differing"]) == (6, 1, 5)


def test_a_run_in_slices_finds_what_one_in_a_piece_finds(
    cast: Cast, rules: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(cast, 5, 14)
    Rule.objects.filter(name="Germany").update(target_id=str(Pool.objects.get(slug="west").pk))
    whole = backtesting.report(replayed(publish.compile_draft(), NOW + 5 * DAY, 10))
    monkeypatch.setattr(reading, "CHUNK", 3)
    run = backtesting.start("draft", 10, cast.otto, NOW + 5 * DAY)
    slices = 0
    while backtesting.work(run, NOW + 5 * DAY + slices * DAY, seconds=0):
        slices += 1
        run.refresh_from_db()
    run.refresh_from_db()
    assert slices > 5 and run.status == "done" and run.replayed == run.total
    assert run.result == whole
    different = whole["moved"] + whole["other_rule"]
    assert run.moves.count() == different > 0
    assert run.state == {}


def test_two_workers_at_once_do_a_slice_once(cast: Cast, rules: Ruleset) -> None:
    for country in ("FR", "DE"):
        open_handoff(make_lead(country_code=country), at=NOW)
    Rule.objects.filter(name="France").update(target_id=str(cast.rosa.pk))
    run = backtesting.start("draft", 10, cast.otto, NOW + DAY)
    same = type(run).objects.get(pk=run.pk)
    assert backtesting.work(run, NOW + DAY) is False
    # The other read the row before the first one worked on it.
    assert backtesting.work(same, NOW + DAY) is False
    assert run.moves.count() == 1
    run.refresh_from_db()
    assert (run.status, run.result["moved"], run.replayed) == ("done", 1, 2)
    assert list(backtesting.unfinished(NOW + 2 * DAY)) == []


def test_a_slice_whose_claim_is_lost_saves_nothing(
    cast: Cast, rules: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_handoff(make_lead(country_code="FR"), at=NOW)
    Rule.objects.filter(name="France").update(target_id=str(cast.rosa.pk))
    run = backtesting.start("draft", 10, cast.otto, NOW + DAY)
    step = backtesting.Run.step

    def taken_away(self: backtesting.Run) -> list:
        Backtest.objects.update(worked_at=NOW + 3 * DAY)
        return step(self)

    monkeypatch.setattr(backtesting.Run, "step", taken_away)
    assert backtesting.work(run, NOW + DAY) is False
    run.refresh_from_db()
    assert (run.status, run.replayed, run.moves.count()) == ("running", 0, 0)


def test_a_slice_that_died_is_taken_up_again_and_given_up_at_last(
    cast: Cast, rules: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_handoff(make_lead(country_code="FR"), at=NOW)
    run = backtesting.start("live", 10, cast.otto, NOW + DAY)

    def died(*args: object) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(storing, "Run", died)
    at = NOW + DAY
    for tries in range(1, 6):
        [found] = backtesting.unfinished(at) or [None]
        if found is None:
            break
        assert backtesting.work(found, at) is False
        # Nobody else takes it up while it may still be at work.
        assert not backtesting.unfinished(at + timedelta(seconds=30)).exists()
        at += timedelta(minutes=2)
    run.refresh_from_db()
    assert (run.status, run.error, tries) == (
        "failed",
        "It stopped 4 times without getting on, after 0 decisions.",
        5,
    )


def test_memory_does_not_grow_with_the_span(
    cast: Cast, rules: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions are read a chunk at a time, and no chunk holds more than its share."""
    monkeypatch.setattr(reading, "CHUNK", 4)
    for number in range(11):
        open_handoff(make_lead(country_code="DE"), at=NOW + timedelta(minutes=number))
    run = backtesting.Run(rules.document, NOW - DAY, NOW + DAY)
    done = []
    while run.phase in ("before", "decisions"):
        with CaptureQueriesContext(connection) as queries:
            run.step()
        read = [query["sql"] for query in queries if 'FROM "leads_routingdecision"' in query["sql"]]
        assert len(read) <= 2 and all("LIMIT 4" in sql or '"at" = ' in sql for sql in read)
        done.append(run.done)
    assert done == [4, 8, 11, 11]


def test_what_was_decided_in_one_act_stays_in_one_chunk(
    cast: Cast, rules: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 2)
    receive([event(number, lead={"country_code": "DE"}) for number in range(5)], None, NOW)
    run = backtesting.Run(rules.document, NOW - DAY, NOW + DAY)
    run.step()
    assert run.done == 5
    assert replayed(rules.document).replay.tally.agreement == 1


def test_the_command_prints_one_object(cast: Cast, rules: Ruleset, time_machine: Any) -> None:
    for country in ("DE", "FR", "SE"):
        open_handoff(make_lead(country_code=country), at=NOW)
    time_machine.move_to(NOW + DAY, tick=False)
    out, err = StringIO(), StringIO()
    call_command("backtest", "--days", "7", "--ruleset", "live", "--format", "json", stdout=out, stderr=err)
    found = json.loads(out.getvalue())
    assert (found["replayed"], found["agreement"], found["moved"], found["unrouted"]) == (3, 1.0, 0, 0)
    assert found["ruleset"] == str(rules.pk) and found["version"] == rules.version
    assert sum(row["before"] for row in found["by_rule"]) == 3
    assert sum(row["before"] for row in (*found["by_rep"], *found["by_queue"])) == 3
    assert "3 of 3 (100 %)" in err.getvalue()
    call_command("backtest", "--ruleset", str(rules.pk), stdout=StringIO(), stderr=StringIO())
    assert not Backtest.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ruleset", "999999"], "There is no ruleset '999999'. Name draft, live or the id of a version."),
        (["--days", "0"], "'0' is no number of days from 1 to 400"),
        (["--days", "many"], "'many' is no number of days from 1 to 400"),
    ],
)
def test_the_command_refuses_nonsense(cast: Cast, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("backtest", *arguments)
