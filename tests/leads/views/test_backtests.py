"""The pages of back-tests: started, worked on in slices, read, and taken away as a file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leads import backtesting, tasks
from leads.backtesting import storing
from leads.models import Backtest
from routing import publish
from routing.models import Pool, PoolMember, Rule, Ruleset
from tests.conftest import NOW
from tests.factories import make_lead, open_handoff
from tests.leads.views.asking import HTMX, file_of, html

pytestmark = pytest.mark.django_db
URL = "/routing/backtests/"
TODAY = NOW + timedelta(days=2)


@pytest.fixture(autouse=True)
def _two_days_later(time_machine):
    time_machine.move_to(TODAY, tick=False)


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[str]:
    """What the worker was asked for."""
    names: list[str] = []
    monkeypatch.setattr("leads.queueing.put", names.append)
    return names


@pytest.fixture
def routed(cast) -> Ruleset:
    """Twelve leads from Germany and France went to Femke by the one rule there was."""
    pool = Pool.objects.create(slug="all", name="All")
    PoolMember.objects.create(pool=pool, user=cast.femke)
    Rule.objects.all().delete()
    Rule.objects.create(
        name="All leads", position=20, conditions={"all": []}, target_kind="pool", target_id=str(pool.pk)
    )
    ruleset = publish.publish(NOW - timedelta(days=3), cast.otto, "One rule")
    for number in range(12):
        open_handoff(make_lead(country_code="DE" if number % 3 else "FR"), at=NOW + timedelta(minutes=number))
    return ruleset


def french_to_jonas(cast) -> Rule:
    return Rule.objects.create(
        name="France",
        position=10,
        conditions={"all": [{"field": "country", "op": "in", "value": ["FR"]}]},
        target_kind="rep",
        target_id=str(cast.jonas.pk),
    )


def done(cast, which: str = "draft", days: int = 30) -> Backtest:
    run = backtesting.start(which, days, cast.otto, timezone.now())
    while backtesting.work(run, timezone.now()):
        run.refresh_from_db()
    run.refresh_from_db()
    assert run.status == "done", run.error
    return run


def test_a_run_is_started_worked_on_and_read(cast, routed, as_, asked):
    french_to_jonas(cast)
    client = as_(cast.otto)
    response = client.post(URL, {"ruleset": "draft", "days": "30"})
    run = Backtest.objects.get()
    assert (response.status_code, response["Location"]) == (302, f"{URL}{run.pk}/")
    assert asked == ["leads.tasks.backtests"]
    body = html(client.get(f"{URL}{run.pk}/"))
    assert (
        "0 of 12 decisions" in body and "waiting for the worker" in body and 'hx-trigger="every 2s"' in body
    )
    assert tasks.backtests() == 12
    body = html(client.get(f"{URL}{run.pk}/"))
    assert "every 2s" not in body
    assert "Back-test of the draft" in body
    # Four of twelve came from France.
    assert "<dd>4</dd>" in body and "of 12 decisions" in body and "66.6 %" in body
    assert "Publish this draft" in body
    assert "Jonas Keller" in body and "Somebody else 4" in body
    assert "Rule “France” matched: country is FR." in body
    assert "Taken by Jonas Keller, by the rule&#x27;s own target." in body
    assert run.moves.count() == 4


def test_a_changed_draft_says_so_and_is_not_offered_for_publishing(cast, routed, as_):
    rule = french_to_jonas(cast)
    run = done(cast)
    rule.name = "France and more"
    rule.save()
    body = html(as_(cast.otto).get(f"{URL}{run.pk}/"))
    assert "The draft has changed since." in body and "Publish this draft" not in body


def test_a_version_over_its_own_decisions_changes_nothing(cast, routed, as_):
    body = html(as_(cast.mia).get(f"{URL}{done(cast, 'live').pk}/"))
    assert f"Back-test of version {routed.version}" in body and "100 %" in body
    assert "Nothing: every lead would have gone where it went, by the same rule." in body
    assert "Publish this draft" not in body


def test_starting_twice_is_one_run(cast, routed, as_):
    client = as_(cast.otto)
    for _ in range(2):
        client.post(URL, {"ruleset": "live", "days": "7"})
    assert Backtest.objects.count() == 1
    client.post(URL, {"ruleset": "live", "days": "8"})
    assert Backtest.objects.count() == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"days": "0"}, "Days: a whole number from 1 to 400."),
        ({"days": "401"}, "Days: a whole number from 1 to 400."),
        ({"days": "soon"}, "Days: a whole number from 1 to 400."),
        ({"days": "7", "ruleset": "999999"}, "Rules: There is no ruleset"),
        ({"days": "7", "ruleset": "x'; --"}, "Rules: There is no ruleset"),
    ],
)
def test_bad_input_is_named(cast, routed, as_, given, words):
    body = html(as_(cast.otto).post(URL, given), 422)
    assert words in body and f'value="{given["days"]}"' in body
    assert not Backtest.objects.exists()


def test_who_may(cast, routed, as_, asked):
    run = done(cast, "live")
    for user in (cast.otto, cast.mia, cast.ada):
        assert as_(user).get(URL).status_code == 200
        assert as_(user).get(f"{URL}{run.pk}/").status_code == 200
    for user in (cast.femke, cast.vera):
        for path in (URL, f"{URL}{run.pk}/", f"{URL}{run.pk}/moved.csv"):
            assert as_(user).get(path).status_code == 404
        assert as_(user).post(URL, {"days": "7"}).status_code == 404
    for user in (cast.mia, cast.ada):
        assert as_(user).post(URL, {"days": "7"}).status_code == 403
    assert as_(cast.otto).put(URL).status_code == 405
    assert as_(cast.otto).post(f"{URL}{run.pk}/").status_code == 405
    assert as_(cast.otto).post(f"{URL}{run.pk}/moved.csv").status_code == 405
    assert as_(cast.otto).get(f"{URL}999999/").status_code == 404
    assert asked == []


def test_a_manager_is_told_the_figures_but_not_others_leads(cast, routed, as_):
    french_to_jonas(cast)
    run = done(cast)
    name = run.moves.first().handoff.lead.full_name
    assert name in html(as_(cast.mia).get(f"{URL}{run.pk}/"))
    body = html(as_(cast.nils).get(f"{URL}{run.pk}/"))
    assert name not in body and "None of the leads that you see." in body and "<dd>4</dd>" in body
    assert len(file_of(as_(cast.nils).get(f"{URL}{run.pk}/moved.csv"))) == 1


def test_the_file_holds_both_sides_and_no_formula(cast, routed, as_):
    french_to_jonas(cast)
    lead = make_lead(first_name="=Adaeze", last_name="Evil", country_code="FR")
    open_handoff(lead, at=NOW + timedelta(hours=1))
    run = done(cast)
    lines = file_of(as_(cast.otto).get(f"{URL}{run.pk}/moved.csv"))
    assert lines[0].startswith("handoff,lead,company,decided at,kind,had it,by rule,would have had it")
    assert len(lines) == 1 + 5
    assert (
        "'=Adaeze Evil" in lines[-1]
        and "Femke de Boer, by the pool All" in lines[-1]
        and "Jonas Keller" in lines[-1]
    )


def test_moves_are_paged_and_chosen_by_kind(cast, routed, as_):
    french_to_jonas(cast)
    for number in range(30):
        open_handoff(make_lead(country_code="FR"), at=NOW + timedelta(hours=2, minutes=number))
    run = done(cast)
    client = as_(cast.otto)
    body = html(client.get(f"{URL}{run.pk}/"))
    assert body.count('class="row-name"') == 25
    after = body.split("?after=")[1].split("#moved")[0]
    assert html(client.get(f"{URL}{run.pk}/?after={after}")).count('class="row-name"') == 34 - 25
    assert "None of this kind" in html(client.get(f"{URL}{run.pk}/?kind=queue"))


def test_queries_do_not_grow_with_moves(cast, routed, as_):
    french_to_jonas(cast)
    client = as_(cast.otto)

    def queries(run: Backtest) -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(f"{URL}{run.pk}/")
        return len(found)

    first = done(cast)
    queries(first)
    few = queries(first)
    for number in range(8):
        open_handoff(make_lead(country_code="FR"), at=NOW + timedelta(hours=2, minutes=number))
    assert queries(done(cast)) == few


def test_the_list_costs_the_same_with_more_runs(cast, routed, as_):
    client = as_(cast.otto)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(URL)
        return len(found)

    done(cast, "live", 1)
    queries()
    few = queries()
    done(cast, "live", 2)
    done(cast, "draft", 3)
    assert queries() == few


def test_the_part_that_polls_reloads_the_page_at_the_end(cast, routed, as_):
    client = as_(cast.otto)
    run = backtesting.start("live", 30, cast.otto, TODAY)
    response = client.get(f"{URL}{run.pk}/?part=progress", headers=HTMX)
    assert "<html" not in html(response) and "HX-Refresh" not in response
    tasks.backtests()
    assert client.get(f"{URL}{run.pk}/?part=progress", headers=HTMX)["HX-Refresh"] == "true"


def test_a_silent_worker_is_named(cast, routed, as_, time_machine):
    run = backtesting.start("live", 30, cast.otto, TODAY)
    client = as_(cast.otto)
    assert "may not be running" not in html(client.get(f"{URL}{run.pk}/"))
    time_machine.move_to(TODAY + timedelta(minutes=4), tick=False)
    body = html(client.get(f"{URL}{run.pk}/"))
    assert "Nothing has happened for 4 min. The background worker may not be running." in body


def test_a_failure_is_shown_with_its_reason(cast, routed, as_, monkeypatch):
    run = backtesting.start("live", 30, cast.otto, TODAY)

    def broken(*args: object) -> None:
        raise ValueError("the sky is low")

    monkeypatch.setattr(storing, "Run", broken)
    assert tasks.backtests() == 0
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "ValueError: the sky is low")
    body = html(as_(cast.otto).get(f"{URL}{run.pk}/"))
    assert "It failed: ValueError: the sky is low" in body and "every 2s" not in body


def test_a_rejected_address_of_the_contract_leads_here(cast, as_):
    assert as_(cast.otto).get("/routing/backtest/")["Location"] == URL
