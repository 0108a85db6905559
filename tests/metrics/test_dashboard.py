"""The dashboard and the lists behind its figures: works, for whom, and that both always agree."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from leads import history, lifecycle
from leads.agreement import Terms
from leads.models import Agreement, Handoff
from metrics.filters import NAMES
from routing.models import User
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import agree, make_handoff, open_handoff, route_to

SignIn = Callable[[User], Client]
PAGES = ("/dashboard/", "/dashboard/figures.csv", "/dashboard/handoffs/")
PART = "/dashboard/figures/"
PARTS = ("reasons", "beside", "waits", "outcomes", "hours", "by")
EVERY = (*PAGES, *(f"{PART}{name}/" for name in PARTS))
LONG_AGO = NOW - timedelta(days=21)
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(autouse=True)
def _frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def some(cast: Cast) -> list[Handoff]:
    """Three weeks ago: accepted, won, rejected, ignored, accepted by the other team; and one of today."""
    return with_the_cast(cast, _some)


def _some(cast: Cast) -> list[Handoff]:
    return [
        make_handoff("accepted", cast.femke, at=LONG_AGO),
        make_handoff("converted", cast.femke, at=LONG_AGO, kind="demo_request"),
        make_handoff("rejected", cast.jonas, at=LONG_AGO),
        make_handoff("assigned", cast.jonas, at=LONG_AGO),
        make_handoff("accepted", cast.rosa, at=LONG_AGO),
        make_handoff("assigned", cast.femke, at=NOW - timedelta(hours=1)),
    ]


def figures(client: Client, query: str = "") -> dict[tuple[str, str], dict[str, str]]:
    """The CSV of the page, by group and measure."""
    text = client.get(f"/dashboard/figures.csv{query}").content.decode()
    return {(row["group"], row["measure"]): row for row in csv.DictReader(io.StringIO(text))}


def total(client: Client, measure: str, query: str = "") -> tuple[int, int]:
    row = figures(client, query)["total", measure]
    return int(row["numerator"]), int(row["denominator"] or 0)


def parts(client: Client, query: str = "") -> str:
    """All parts of the page as it fetches them."""
    found = [
        client.get(f"/dashboard/figures/{name}/{query}", headers={"HX-Request": "true"}) for name in PARTS
    ]
    assert all(response.status_code == 200 for response in found)
    return "".join(response.content.decode() for response in found)


# Who may


@pytest.mark.parametrize("path", EVERY)
def test_the_anonymous_are_sent_to_sign_in(db: None, client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_here_writes(cast: Cast, as_: SignIn, path: str, method: str) -> None:
    assert getattr(as_(cast.otto), method)(path).status_code == 405


def test_each_sees_the_figures_of_what_they_see(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    def mqls(user: User) -> int:
        return total(as_(user), "mqls")[0]

    assert [mqls(user) for user in (cast.otto, cast.vera, cast.ada)] == [6, 6, 6]
    assert [mqls(user) for user in (cast.mia, cast.nils)] == [5, 1]
    assert [mqls(user) for user in (cast.femke, cast.jonas, cast.rosa)] == [3, 2, 1]


def test_a_viewer_reads_names_and_no_address_of_a_lead(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.vera)
    lead = some[0].lead
    for query in ("?measure=mqls", "?measure=mqls&format=csv"):
        text = html.unescape(client.get(f"/dashboard/handoffs/{query}").content.decode())
        assert lead.full_name in text
        assert lead.email not in text


# What it says


def test_the_page_shows_tiles_line_and_tables(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    response = as_(cast.otto).get("/dashboard/")
    assert response.status_code == 200
    text = response.content.decode()
    assert text.count('class="tile"') == 5
    assert "<h1>Week 11</h1>" in text
    assert "1 MQL</a> so far" in text
    assert text.count('role="img"') == 6  # five trends and the line; no source has enough decided
    assert re.findall(r'hx-get="/dashboard/figures/([a-z]+)/', text) == list(PARTS)
    acceptance = next(tile for tile in response.context["tiles"] if tile.title == "Acceptance rate")
    # Three weeks ago is the last mature week but two; the one between has nothing.
    assert acceptance.this_week == "W11 so far: none decided"
    assert acceptance.status.text == "No data"
    row = next(row for row in response.context["weekly"].rows if row.name == "W08")
    assert row.between == "30 to 95 %"
    assert (row.value, row.numerator, row.denominator, row.is_early) == ("75 %", "3", "4", False)
    assert [row.name for row in response.context["weekly"].rows if row.is_early] == ["W11", "W10"]


def test_it_says_what_it_cannot_say_on_an_empty_database(cast: Cast, as_: SignIn) -> None:
    response = as_(cast.otto).get("/dashboard/")
    text = response.content.decode() + parts(as_(cast.otto))
    assert response.status_code == 200
    assert "Nothing was rejected in these weeks." in text
    assert "There is no MQL of these weeks yet." in text
    assert "No data" in text
    assert as_(cast.otto).get("/dashboard/handoffs/").content.decode().count("No handoff is behind") == 1


def test_a_figure_moves_when_somebody_acts(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.otto)
    before = client.get("/dashboard/").context["tiles"][0].this_week
    lifecycle.contact(some[-1].pk, lifecycle.Act(NOW, cast.femke), channel="phone", outcome="reached")
    after = client.get("/dashboard/").context["tiles"][0].this_week
    assert (before, after) == ("W11 so far: none decided", "W11 so far: 1 of 1")


def test_the_page_can_look_back(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.otto)
    moment = (LONG_AGO + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    assert total(client, "mqls", f"?as_of={moment}") == (5, 0)
    assert total(client, "acceptance_rate", f"?as_of={moment}") == (0, 0)
    text = client.get(f"/dashboard/?as_of={moment}").content.decode()
    assert "As it stood on 17 February 2026, 10:00" in text
    # The moment travels with every link.
    assert f"as_of={moment.replace(':', '%3A')}" in html.unescape(text)


@pytest.mark.parametrize(
    ("query", "mqls", "accepted"),
    [
        ("", 6, (3, 4)),
        ("?type=demo", 1, (1, 1)),
        ("?rep=femke@handoff.example.com", 3, (2, 2)),
        ("?rep=jonas@handoff.example.com", 2, (0, 1)),
        ("?team=Nordics", 1, (1, 1)),
        ("?team=DACH&type=standard", 4, (1, 2)),
        ("?source=Webinar", 6, (3, 4)),
        ("?source=webinar", 0, (0, 0)),
        ("?source=(none)", 0, (0, 0)),
        ("?week=2026-W09", 5, (3, 4)),
        ("?week=2026-W07", 0, (0, 0)),
    ],
)
def test_filters_stand_in_the_address(
    cast: Cast, some: list[Handoff], as_: SignIn, query: str, mqls: int, accepted: tuple[int, int]
) -> None:
    client = as_(cast.otto)
    assert client.get(f"/dashboard/{query}").status_code == 200
    assert total(client, "mqls", query)[0] == mqls
    assert total(client, "acceptance_rate", query) == accepted


@pytest.mark.parametrize("path", EVERY)
@pytest.mark.parametrize(
    "query",
    [
        "week=2026-W54",
        "week=soon",
        "week=0001-W01",
        "as_of=yesterday",
        "as_of=0001-01-01",
        "metric=luck",
        "metric=%00",
        "by=luck",
        "by=%00",
        "stack=luck",
    ],
)
def test_there_is_no_such_page(cast: Cast, as_: SignIn, path: str, query: str) -> None:
    assert as_(cast.otto).get(f"{path}?{query}").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["measure=luck", "part=half", "first=2026-W20&last=2026-W10", "first=1980-W01"],
)
def test_there_is_no_such_list(cast: Cast, as_: SignIn, query: str) -> None:
    assert as_(cast.otto).get(f"/dashboard/handoffs/?{query}").status_code == 404


@pytest.mark.parametrize("path", EVERY)
def test_nonsense_in_filters_finds_nothing(cast: Cast, some: list[Handoff], as_: SignIn, path: str) -> None:
    nonsense = "%00%27%22%3Cq7%3E" + "x" * 5000
    for name in NAMES:
        response = as_(cast.otto).get(f"{path}?{name}={nonsense}")
        assert response.status_code == 200
        assert b"<q7>" not in response.content


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("measure=luck%3Cb%3E", "There is no figure that is called “luck<b>”."),
        ("metric=black_holes", "There is no figure that is called “black_holes”."),
        ("part=half", "A figure has no part that is called “half”"),
    ],
)
def test_a_wrong_name_is_said(cast: Cast, as_: SignIn, query: str, said: str) -> None:
    response = as_(cast.otto).get(f"/dashboard/handoffs/?{query}")
    assert response.status_code == 404
    assert said in html.unescape(response.content.decode())
    assert b"<b>" not in response.content


def test_a_list_that_names_the_metric_alone_is_of_that_metric(
    cast: Cast, some: list[Handoff], as_: SignIn
) -> None:
    text = as_(cast.otto).get("/dashboard/handoffs/?metric=black_hole_rate").content.decode()
    assert "<h1>Black holes: " in text


# The lists


def links(client: Client, query: str = "") -> list[tuple[str, str]]:
    """Every link to a list on the page and its parts but those of the tiles, with its words."""
    text = client.get(f"/dashboard/{query}").content.decode() + parts(client, query)
    text = re.sub(r'<a class="tile".*?</a>', "", text, flags=re.DOTALL)
    found = re.findall(r'<a[^>]*href="(/dashboard/handoffs/[^"]*)"[^>]*>(.*?)</a>', text, re.DOTALL)
    return [(html.unescape(href), html.unescape(re.sub(r"<[^>]+>", "", words))) for href, words in found]


@pytest.mark.parametrize(
    "query", ["", "?metric=contact_demo", "?rep=femke@handoff.example.com", "?type=demo"]
)
def test_every_figure_opens_as_many_handoffs_as_it_says(
    cast: Cast, some: list[Handoff], as_: SignIn, query: str
) -> None:
    client = as_(cast.otto)
    checked = 0
    for href, words in links(client, query):
        response = client.get(href)
        numbers = re.findall(r"\d[\d,]*", words.split(" in W")[0])
        if "reason=" in href:
            assert response.context["count"] == numbers[0]
            checked += 1
            continue
        # "3 of 4" opens all four where both are asked for, the three where only the hits are.
        assert response.context["count"] == (numbers[-1] if "part=all" in href else numbers[0]), (href, words)
        assert len(response.context["rows"]) == int(response.context["count"])
        checked += 1
    assert checked >= 8


def test_a_tile_opens_the_week_that_it_shows(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.otto)
    # As of two weeks ago, the week of the handoffs is the last mature one.
    at = (NOW - timedelta(days=7)).isoformat().replace("+00:00", "Z")
    tiles = client.get(f"/dashboard/?as_of={at}").context["tiles"]
    shown = {tile.title: re.findall(r"\bof ([\d,]+)", f"{tile.of} {tile.more}") for tile in tiles}
    assert shown == {
        "Acceptance rate": ["4"],
        "Time to first contact": ["1"],
        "MQL to opportunity": [],  # 45 days are not over
        "Rejection rate": ["4"],
        "Black holes": [],  # its last mature week is the one after
    }
    for tile in tiles:
        assert [client.get(tile.href).context["count"]] == (shown[tile.title] or ["0"])


def test_a_list_has_its_two_halves_and_links_to_the_handoffs(
    cast: Cast, some: list[Handoff], as_: SignIn
) -> None:
    client = as_(cast.otto)
    base = "/dashboard/handoffs/?measure=acceptance_rate"
    counts = [client.get(f"{base}&part={part}").context["count"] for part in ("all", "hits", "misses")]
    assert counts == ["4", "3", "1"]
    text = client.get(f"{base}&part=misses").content.decode()
    assert "Acceptance rate: 1 rejected" in text
    assert reverse("leads:handoff", args=[some[2].pk]) in text
    assert "Not our customer profile" in text


def test_a_handoff_rejected_twice_for_a_reason_is_listed_once(cast: Cast, as_: SignIn) -> None:
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff(at=LONG_AGO)
    for hours in (1, 2):
        holder = Handoff.objects.get(pk=handoff.pk).assignee
        moment = LONG_AGO + timedelta(hours=hours)
        lifecycle.reject(handoff.pk, lifecycle.Act(moment, holder), reason="out_of_territory")
    client = as_(cast.otto)
    (row,) = client.get("/dashboard/figures/reasons/").context["reasons"].rows
    assert (row.label, row.count) == ("Out of territory", 2)
    assert client.get(row.href).context["count"] == "1"
    by_jonas = f"{row.href}&rep=jonas@handoff.example.com"
    assert client.get(by_jonas).context["count"] == "1"
    assert client.get(f"{row.href}&rep=rosa@handoff.example.com").context["count"] == "0"
    assert client.get("/dashboard/handoffs/?reason=luck%00").status_code == 404


def test_the_way_back_leads_to_the_same_page(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.otto)
    page = "/dashboard/?week=2026-W09&rep=femke%40handoff.example.com&metric=black_hole_rate"
    for href, _ in links(client, page.removeprefix("/dashboard/")):
        back = client.get(href).context["back"]
        assert back.startswith("/dashboard/?week=2026-W09&")
        assert back.endswith("metric=black_hole_rate")


def test_a_foreign_handoff_is_not_in_the_list(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    text = as_(cast.nils).get("/dashboard/handoffs/?measure=mqls").content.decode()
    assert some[4].lead.full_name in html.unescape(text)
    assert not any(handoff.lead.full_name in html.unescape(text) for handoff in (*some[:4], some[5]))


def history_file(count: int, name: str = "Ada", source: str = "Webinar") -> io.StringIO:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["external_id", "first_name", "company", "lead_source", "mql_at"])
    for number in range(count):
        at = LONG_AGO + timedelta(minutes=number)
        writer.writerow([f"h-{number}", f"{name} {number}", HOSTILE, source, at.isoformat()])
    out.seek(0)
    return out


def test_pages_follow_one_another_without_a_gap(cast: Cast, as_: SignIn) -> None:
    history.import_history(history_file(120), NOW)
    client = as_(cast.otto)
    seen: list[str] = []
    href = "/dashboard/handoffs/?measure=mqls"
    for _ in range(5):
        response = client.get(href)
        seen += [row.name for row in response.context["rows"]]
        href = response.context["next"]
        if not href:
            break
    assert seen == [f"Ada {number}" for number in reversed(range(120))]
    assert response.context["found"] == "120"
    # A cursor that nobody gave out begins at the top.
    response = client.get("/dashboard/handoffs/?measure=mqls&after=17")
    assert response.context["rows"][0].name == "Ada 119"


def names_of(client: Client, query: str) -> list[str]:
    return [row.name for row in client.get(f"/dashboard/handoffs/?{query}").context["rows"]]


def test_a_list_goes_in_the_order_of_its_heads(cast: Cast, as_: SignIn) -> None:
    history.import_history(history_file(3), NOW)
    client = as_(cast.otto)
    first = client.get("/dashboard/handoffs/?measure=mqls")
    assert [row.name for row in first.context["rows"]] == ["Ada 2", "Ada 1", "Ada 0"]
    heads = {head["label"]: head for head in first.context["heads"]}
    assert {label: head["aria"] for label, head in heads.items() if head.get("aria")} == {"MQL": "descending"}
    assert names_of(client, heads["MQL"]["href"].lstrip("?")) == ["Ada 0", "Ada 1", "Ada 2"]
    assert names_of(client, heads["Lead"]["href"].lstrip("?")) == ["Ada 0", "Ada 1", "Ada 2"]
    # An order that there is none of leaves the newest first; so does falling by what nobody has.
    for sort in ("-contact", "luck", "%00"):
        assert names_of(client, f"measure=mqls&sort={sort}") == ["Ada 2", "Ada 1", "Ada 0"]
    assert names_of(client, "measure=mqls&sort=contact") == ["Ada 0", "Ada 1", "Ada 2"]


def test_what_was_not_contacted_comes_last_either_way(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    lifecycle.contact(some[-1].pk, lifecycle.Act(NOW, cast.femke), channel="phone", outcome="reached")
    client = as_(cast.otto)
    for sort in ("contact", "-contact"):
        response = client.get(f"/dashboard/handoffs/?measure=mqls&sort={sort}")
        contacts = [row.contact for row in response.context["rows"]]
        having = [text for text in contacts if text]
        assert len(having) == 2 and contacts[:2] == having


def test_words_find_in_a_list_and_stay_with_its_pages_order_and_file(cast: Cast, as_: SignIn) -> None:
    history.import_history(history_file(60), NOW)
    history.import_history(io.StringIO(history_file(1, "Zoë").getvalue().replace("h-0", "z-0")), NOW)
    client = as_(cast.otto)
    assert names_of(client, "measure=mqls&q=zoe") == ["Zoë 0"]
    response = client.get("/dashboard/handoffs/?measure=mqls&q=ada&sort=mql")
    assert (response.context["count"], response.context["found"], len(response.context["rows"])) == (
        "61", "60", 50,
    )  # fmt: skip
    assert "q=ada" in response.context["next"] and "sort=mql" in response.context["next"]
    assert [row.name for row in client.get(response.context["next"]).context["rows"]] == [
        f"Ada {number}" for number in range(50, 60)
    ]
    assert all("q=ada" in href for _, _, href in response.context["parts"])
    lines = client.get(response.context["csv"]).content.decode().splitlines()
    assert len(lines) == 61 and "Ada 0" in lines[1]
    nothing = client.get("/dashboard/handoffs/?measure=mqls&q=nobody")
    assert "None of them fits." in nothing.content.decode()
    number = Handoff.objects.get(lead__first_name="Zoë 0").pk
    assert names_of(client, f"measure=mqls&q=%23{number}") == ["Zoë 0"]


def test_a_viewer_finds_by_no_address(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    query = f"measure=mqls&q={some[0].lead.email}"
    assert len(names_of(as_(cast.otto), query)) == 1
    assert names_of(as_(cast.vera), query) == []


@pytest.mark.parametrize("query", ["", "&q=ada", "&sort=lead", "&q=ada&sort=-contact"])
def test_no_row_costs_a_query(cast: Cast, as_: SignIn, query: str) -> None:
    client = as_(cast.otto)
    counts = []
    for count in (1, 30):
        history.import_history(history_file(count), NOW)
        client.get("/dashboard/handoffs/?measure=mqls")
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get(f"/dashboard/handoffs/?measure=mqls{query}").context["found"] == str(count)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_hostile_words_are_words(cast: Cast, as_: SignIn) -> None:
    history.import_history(history_file(2, f"=HYPERLINK(1) {HOSTILE}", f"{HOSTILE}"), NOW)
    client = as_(cast.otto)
    for path in ("/dashboard/", "/dashboard/handoffs/?measure=mqls", "/dashboard/?source=" + HOSTILE):
        assert b"<script>alert" not in client.get(path).content
    text = client.get("/dashboard/handoffs/?measure=mqls&format=csv").content.decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[1][1].startswith("'=HYPERLINK")
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert len(rows) == 3


def test_nothing_is_inline(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.otto)
    for path in ("/dashboard/", "/dashboard/handoffs/?measure=mqls", *(f"{PART}{name}/" for name in PARTS)):
        response = client.get(path)
        text = response.content.decode()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\bsrc=)", text)
        assert "unsafe" not in response["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path", ["/dashboard/", "/dashboard/handoffs/?measure=mqls", *(f"{PART}{name}/" for name in PARTS)]
)
def test_queries_do_not_grow_with_the_rows(cast: Cast, as_: SignIn, path: str) -> None:
    client = as_(cast.otto)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    make_handoff("accepted", cast.femke, at=LONG_AGO)
    client.get(path)
    one = queries()
    for state, user in (("rejected", cast.jonas), ("converted", cast.rosa)):
        make_handoff(state, user, at=LONG_AGO)
    assert queries() == one


def test_times_are_the_viewers(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    cast.otto.time_zone = "Asia/Tokyo"
    cast.otto.save()
    rows = as_(cast.otto).get("/dashboard/handoffs/?measure=mqls").context["rows"]
    assert rows[0].mql == "18:00"
    assert rows[0].mql_exact == "Tue 10 Mar 2026, 18:00:00 JST"
    assert isinstance(NOW, datetime)


def test_tiles_are_held_against_the_agreement_in_force_when_the_weeks_end(cast: Cast, as_: SignIn) -> None:
    for _ in range(5):
        made = make_handoff("working", cast.femke, at=LONG_AGO, kind="demo_request")
        Handoff.objects.filter(pk=made.pk).update(first_contact_at=LONG_AGO + timedelta(minutes=6))
    client = as_(cast.otto)

    def contact(query: str = "?week=2026-W08") -> tuple[str, str, str]:
        """The verdict on first contact, its targets, and by which version the page says that it judges."""
        page = html.unescape(client.get(f"/dashboard/{query}").content.decode())
        tile = page[page.index("Time to first contact") :]
        status = re.search(r"</svg>([^<]+)</span>", tile[: tile.index("</h2>")])
        targets = re.search(r"Target (\d+ \w+ and \d+ \w+)", tile)
        note = re.search(r"verdict\. ([^<]+)</p>", page)
        assert targets and note
        return status[1] if status else "", targets[1], note[1]

    as_shipped = "First contact is held against version 1 of the agreement: demo 5 min, standard 60 min."
    assert contact() == ("Demo over", "5 min and 60 min", as_shipped)
    slower = {
        kind: replace(promise, figure=10 if kind == "demo" else 240)
        for kind, promise in Terms.of(Agreement.objects.get()).targets.items()
    }
    agree(cast.otto, cast.mia, LONG_AGO - timedelta(days=1), targets=slower)
    status, targets, note = contact()
    assert (status, targets) == ("On target", "10 min and 4 h")
    assert note.startswith(
        "Version 2 of the agreement holds since 16 February 2026: demo 10 min, standard 4 h."
    )
    assert "Before it in these weeks version 1, demo 5 min, standard 60 min." in note
    # Weeks before it are held against what held then; and a version that has not begun judges nothing.
    assert contact("?week=2026-W07")[1:] == ("5 min and 60 min", as_shipped)
    assert contact("?week=2026-W08&as_of=2026-02-16T09:00:00Z")[1:] == ("5 min and 60 min", as_shipped)
