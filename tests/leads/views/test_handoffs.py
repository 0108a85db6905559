"""The list of handoffs: what each filter selects, its orders, its pages, its file, and who sees what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.handoff_filter import NEEDS, ORDERS
from leads.models import Handoff, Lead
from leads.views import handoffs as page_of_handoffs
from leads.views import staff
from leads.views.staff import Params
from routing.models import Queue, User
from tests.conftest import NOW, Cast
from tests.factories import make_company, make_handoff, make_lead, make_score
from tests.leads.views.asking import SignIn, file_of, html, queries, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def shown(client: Client, query: str = "") -> list[int]:
    response = client.get(f"/handoffs/?view=all&{query}")
    assert response.status_code == 200
    return [row.id for row in response.context["rows"]]


def facts(handoff: Handoff, **columns: object) -> Handoff:
    Handoff.objects.filter(pk=handoff.pk).update(**columns)
    return handoff


def test_each_filter_selects_what_it_names(as_: SignIn, cast: Cast) -> None:
    held = facts(
        make_handoff("assigned", cast.femke, lead=make_lead(first_name="Adaeze", last_name="Okonkwo")),
        campaign="Spring", territory="dach", rule_name="Rule 2", lead_source="Fair",
    )  # fmt: skip
    demo = make_handoff("accepted", cast.rosa, kind="demo_request", at=NOW - timedelta(days=3))
    queued = make_handoff("queued")
    waits = make_handoff("incomplete")
    closed = make_handoff("rejected", cast.jonas)
    client = as_(cast.otto)
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    completion = Queue.objects.get(kind=Queue.Kind.COMPLETION)
    for query, expected in {
        "": {held, demo, queued, waits, closed},
        "state=open": {held, demo, queued, waits},
        "state=closed": {closed},
        "state=accepted": {demo},
        "q=okonkwo": {held},
        f"q={queued.pk}": {queued},
        f"holder={cast.femke.pk}": {held},
        f"team={cast.rosa.team_id}": {demo},
        f"queue={overflow.pk}": {queued},
        f"queue={completion.pk}": {waits},
        "type=demo": {demo},
        "source=Fair": {held},
        "campaign=Spring": {held},
        "territory=dach": {held},
        "rule=Rule+2": {held},
        "reason=not_icp": {closed},
        "check=company_name": {waits},
        "until=2026-03-07": {demo},
        "since=2026-03-08&state=open": {held, queued, waits},
        "needs=unowned": {queued},
        "state=open&source=Fair&type=demo": set(),
    }.items():
        assert set(shown(client, query)) == {row.pk for row in expected}, query


def test_what_the_team_page_counts_is_what_the_list_shows(as_: SignIn, cast: Cast) -> None:
    for number, at in enumerate((0, 70, 130, 60 * 5, 60 * 30)):
        make_handoff(
            "assigned", (cast.femke, cast.jonas, cast.rosa)[number % 3], at=NOW - timedelta(minutes=at)
        )
    make_handoff("queued")
    facts(make_handoff("assigned", cast.femke), black_hole_at=NOW)
    facts(make_handoff("assigned", cast.jonas), no_activity_at=NOW)
    for user in (cast.mia, cast.otto):
        client = as_(user)
        groups = staff.load(user, Params(), LATER).groups
        assert sum(len(group.rows) for group in groups) >= 3
        for group in groups:
            assert {row.id for row in group.rows} == set(shown(client, f"whose=watched&needs={group.key}")), (
                group.key
            )


def test_what_cannot_be_read_or_is_gone_is_said_and_selects_nothing_away(as_: SignIn, cast: Cast) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.otto)
    for query, words in {
        "holder=999999": "There is no such person, or no longer.",
        f"holder={'9' * 30}": "There is no such person, or no longer.",
        "team=x": "There is no such team, or no longer.",
        "queue=77777": "There is no such queue, or no longer.",
        "reason=gone": "There is no such reason, or no longer.",
        "state=maybe": "State:",
        "since=yesterday": "Since:",
        "since=0001-01-01": "Since:",
        "until=9999-12-31": "Until:",
        "q=a%00b": "Q:",
        "sort=nonsense&col=nonsense&after=nonsense": "",
    }.items():
        response = client.get(f"/handoffs/?view=all&{query}")
        assert words in html(response), query
        assert [row.id for row in response.context["rows"]] == [handoff.pk], query


@pytest.mark.parametrize("sort", ORDERS)
def test_orders_and_pages(as_: SignIn, cast: Cast, sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_of_handoffs, "SIZE", 2)
    made = [make_handoff("assigned", cast.femke, at=NOW - timedelta(hours=hours)) for hours in (1, 3, 2, 3)]
    facts(made[0], next_due_at=None, score_total=None)
    facts(made[1], score_total=40)
    client, seen, url = as_(cast.otto), [], f"/handoffs/?view=all&sort={sort}"
    while url:
        response = client.get(url)
        seen += [row.id for row in response.context["rows"]]
        url = f"/handoffs/{response.context['more']}" if response.context["more"] else ""
    rows = {row.pk: row for row in Handoff.objects.all()}
    assert sorted(seen) == sorted(rows)
    back, name = sort.startswith("-"), sort.removeprefix("-")
    key = {
        "mql": lambda row: row.mql_at,
        "due": lambda row: (row.next_due_at is None, row.next_due_at or NOW),
        "score": lambda row: -1 if row.score_total is None else row.score_total,
        "changed": lambda row: row.updated_at,
    }[name]
    values = [key(rows[pk]) for pk in seen]
    assert values == sorted(values, reverse=back)


def test_a_column_heads_link_goes_both_ways(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    client = as_(cast.otto)
    page = html(client.get("/handoffs/?view=all&state=open"))
    assert re.findall(r'aria-sort="(\w+)"', page) == ["descending"]
    assert 'href="?view=all&amp;state=open&amp;sort=mql"' in page
    page = html(client.get("/handoffs/?view=all&sort=due"))
    assert re.findall(r'aria-sort="(\w+)"', page) == ["ascending"]
    assert 'href="?view=all&amp;sort=-due"' in page


def test_columns_as_chosen(as_: SignIn, cast: Cast) -> None:
    facts(make_handoff("assigned", cast.femke), campaign="Spring fair", rule_name="<b>All</b>")
    client = as_(cast.otto)
    assert "Spring fair" not in re.sub("<option.*?</option>", "", html(client.get("/handoffs/?view=all")))
    page = html(client.get("/handoffs/?view=all&col=campaign&col=rule"))
    assert (
        '<td data-label="Campaign">Spring fair</td>' in page
        and '<td data-label="Rule">&lt;b&gt;All&lt;/b&gt;</td>' in page
    )
    assert ">Source</th>" not in page


def test_the_file_is_the_list_and_runs_no_formula(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(first_name="=cmd()", last_name="Okonkwo", company=make_company(name="@SUM(A1)"))
    make_handoff("assigned", cast.femke, lead=lead)
    make_handoff("accepted", cast.rosa)
    lines = file_of(as_(cast.otto).get(f"/handoffs/handoffs.csv?holder={cast.femke.pk}"))
    assert len(lines) == 2
    assert "'=cmd() Okonkwo" in lines[1] and "'@SUM(A1)" in lines[1] and lead.email in lines[1]


def test_whose_it_is_and_what_a_viewer_is_not_shown(as_: SignIn, cast: Cast) -> None:
    nameless = make_lead()
    hers = make_handoff("assigned", cast.femke, lead=nameless)
    Lead.objects.filter(pk=nameless.pk).update(first_name="", last_name="")
    theirs = make_handoff("assigned", cast.rosa)
    assert shown(as_(cast.femke)) == [hers.pk]
    assert shown(as_(cast.mia)) == [hers.pk]
    assert set(shown(as_(cast.vera))) == {hers.pk, theirs.pk}
    for url in ("/handoffs/?view=all", f"/handoffs/?view=all&q={nameless.email}"):
        assert f">{nameless.email}" not in html(as_(cast.vera).get(url))
    assert nameless.email not in "".join(file_of(as_(cast.vera).get("/handoffs/handoffs.csv")))
    assert shown(as_(cast.vera), f"q={nameless.email}") == []
    assert shown(as_(cast.femke), f"q={nameless.email}") == [hers.pk]
    assert len(file_of(as_(cast.femke).get("/handoffs/handoffs.csv"))) == 2


def test_who_may_not(as_: SignIn, client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/handoffs/", "/handoffs/handoffs.csv")
    for url in ("/handoffs/", "/handoffs/handoffs.csv"):
        assert as_(cast.otto).post(url).status_code == 405


@pytest.mark.parametrize("query", ["", "needs=risk", "q=ada&team=1&col=team&sort=due"])
def test_queries_do_not_grow_with_the_rows(as_: SignIn, cast: Cast, query: str) -> None:
    def more(user: User) -> None:
        make_score(lead := make_lead(first_name="Ada"))
        make_handoff("assigned", user, lead=lead)
        make_handoff("queued")

    client = as_(cast.otto)
    more(cast.femke)
    one = queries(client, f"/handoffs/?view=all&{query}")
    more(cast.jonas)
    more(cast.rosa)
    assert queries(client, f"/handoffs/?view=all&{query}") == one
    assert one <= 24


def test_the_list_stands_beside_the_leads_in_the_navigation(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.femke)

    def current(url: str) -> list[str]:
        shell = client.get(url).context["shell"]
        return [item.label for item in shell.nav if item.is_current]

    assert current("/handoffs/?view=all") == current("/leads/") == current("/handoffs/bulk/") == ["Leads"]
    assert current(f"/handoffs/{handoff.pk}/") == ["Inbox"]


def test_every_need_has_its_condition(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, lifecycle.Act(NOW, cast.femke), reason="existing_customer")
    client = as_(cast.otto)
    found = {code: shown(client, f"needs={code}") for code, _ in NEEDS}
    assert found == {code: [handoff.pk] if code == "triage" else [] for code, _ in NEEDS}


@pytest.mark.parametrize(
    ("query", "first"), [("needs=triage", "settle"), ("state=incomplete", "recheck"), ("", "")]
)
def test_the_act_that_a_list_is_for_is_offered_first(as_: SignIn, cast: Cast, query: str, first: str) -> None:
    make_handoff(state="incomplete")
    assert as_(cast.otto).get(f"/handoffs/?{query}").context["first_verb"] == first
