"""The monitor of weak signals as a page: its lines, its lists, for whom, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client

from leads.models import Activity, Handoff
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import agree, make_activity, make_handoff, make_lead, make_score
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

URL = "/dashboard/gaming/"
WEEK = timedelta(weeks=1)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def crossed(user: User, at: datetime, *, by: str, state: str = "accepted") -> Handoff:
    """A conversion by score whose last 20 points came by this kind of activity."""
    lead = make_lead()
    make_score(lead, 70, at=at, fit=30, intent=20, behavior=20)
    make_activity(lead, by, at=at - timedelta(hours=1), points=20)
    return make_handoff(state, user, lead=lead, at=at)


def copies(handoff: Handoff, count: int) -> None:
    """Further handoffs like it, of the same lead; of one lead only one may be open."""
    fields = [field for field in Handoff._meta.concrete_fields if field.name not in ("id", "history_key")]
    Handoff.objects.bulk_create(
        Handoff(
            **{field.attname: getattr(handoff, field.attname) for field in fields} | {"state": "superseded"}
        )
        for _ in range(count)
    )


def test_it_says_when_there_is_too_little(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.otto).get(URL))
    assert "0 conversions by score in 0 mature weeks: too few" in page
    assert "No conversion by score of these weeks was decided on yet." in page


def test_inflation_is_found_and_leads_to_its_conversions(as_: SignIn, cast: Cast) -> None:
    for weeks in range(2, 18):
        recent = weeks < 6
        copies(crossed(cast.femke, NOW - weeks * WEEK, by="page_view"), 5 if recent else 0)
        copies(crossed(cast.femke, NOW - weeks * WEEK, by="chat"), 5)
    client = as_(cast.otto)
    response = client.get(URL)
    findings = {said.code: said for said in response.context["findings"]}
    inflated = findings["inflated"]
    assert inflated.sentence.startswith("50 % (24 of 48) of the conversions by score of the last 4 weeks")
    assert "up from 14 % in the 10 weeks before" in inflated.sentence
    assert ": 24 conversions by score</h1>" in html(client.get(inflated.href))
    row = next(row for row in response.context["rows"] if row["name"] == "W09")
    assert (row["mqls"], row["judged"], row["weak"], row["share"]) == ("12", "12", "6", "50 %")
    assert ": 6 conversions by score</h1>" in html(client.get(row["weak_href"]))
    assert ": 12 MQLs</h1>" in html(client.get(row["mqls_href"]))
    assert [row["name"] for row in response.context["rows"] if row["is_early"]] == ["W11", "W10"]
    assert [row["of"] for row in response.context["fare_rows"][:2]] == ["34 of 34", "84 of 84"]
    for row in response.context["fare_rows"]:
        if row["href"]:
            hits = row["of"].split(" of ")[0]
            assert f": {hits} " in html(client.get(row["href"])).split("<h1>")[1]


def test_a_new_definition_is_named(as_: SignIn, cast: Cast) -> None:
    agree(cast.otto, cast.mia, NOW - 4 * WEEK, threshold=55)
    assert "version 2 (threshold 55) in W07" in html(as_(cast.otto).get(URL))


def test_it_covers_what_the_person_may_see(as_: SignIn, cast: Cast) -> None:
    crossed(cast.femke, NOW - 3 * WEEK, by="page_view")
    crossed(cast.rosa, NOW - 3 * WEEK, by="page_view")

    def weak(user: User, query: str = "") -> str:
        rows = as_(user).get(URL + query).context["rows"]
        return next(row["weak"] for row in rows if row["name"] == "W08")

    assert (weak(cast.otto), weak(cast.mia), weak(cast.otto, f"?rep={cast.rosa.email}")) == ("2", "1", "1")
    assert weak(cast.otto, "?source=Fair") == "0"


def test_late_activities_and_none_change_what_is_needed(as_: SignIn, cast: Cast) -> None:
    made = crossed(cast.femke, NOW - 3 * WEEK, by="page_view")

    def weak() -> str:
        rows = as_(cast.otto).get(URL).context["rows"]
        return next(row["weak"] for row in rows if row["name"] == "W08")

    assert weak() == "1"
    Activity.objects.filter(lead=made.lead).update(points=None)
    assert weak() == "1"
    make_activity(made.lead, "chat", at=made.mql_at)
    assert weak() == "0"


def test_who_it_is_for(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, URL)
    refuses(as_(cast.femke), 404, get=(URL,))
    for user in (cast.mia, cast.otto, cast.vera, cast.ada):
        assert as_(user).get(URL).status_code == 200
    refuses(as_(cast.otto), 405, post=(URL,))


def test_asking_twice_says_the_same(as_: SignIn, cast: Cast) -> None:
    crossed(cast.femke, NOW - 3 * WEEK, by="page_view")
    first, second = (as_(cast.otto).get(URL).context["rows"] for _ in range(2))
    assert first == second


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    crossed(cast.femke, NOW - 3 * WEEK, by="page_view")
    one = queries(client, URL)
    crossed(cast.femke, NOW - 3 * WEEK, by="chat"), crossed(cast.rosa, NOW - 9 * WEEK, by="page_view")
    assert queries(client, URL) == one


def test_lists_by_name_and_none_else(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    crossed(cast.femke, NOW - 3 * WEEK, by="page_view", state="rejected")
    base = "/dashboard/handoffs/?list=weak_decided&first=2026-W01&last=2026-W11"
    assert "<h1>Weak signals: 0 accepted</h1>" in html(client.get(base))
    whole = client.get(f"{base}&part=all")
    assert "<h1>Weak signals: 1 decided</h1>" in html(whole) and whole.context["part"] == "all"
    assert "weak-decided-all-2026-W01.csv" in client.get(f"{base}&part=all&format=csv")["Content-Disposition"]
    refuses(client, 404, get=("/dashboard/handoffs/?list=strong", f"{base}&part=misses", f"{base}&part=some"))
    assert "There is no list that is called “strong”." in html(
        client.get("/dashboard/handoffs/?list=strong"), 404
    )
