"""The diagnosis as a page: works, for whom, its lists agree with its figures, and it stays cheap."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads.models import Handoff
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import agree, make_handoff, make_proposal
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

URL = "/dashboard/diagnosis/"
LONG_AGO = NOW - timedelta(days=21)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def many(cast: Cast, state: str, count: int, user: User | None = None, **changed: Any) -> None:
    """So many handoffs of three weeks ago in a state: one made by the lifecycle, the others its copies."""
    made = make_handoff(state, user or cast.femke, at=LONG_AGO)
    Handoff.objects.filter(pk=made.pk).update(**changed)
    made.refresh_from_db()
    made.is_history = True  # of one lead only one may be open
    Handoff.objects.bulk_create(
        Handoff(**{field.attname: getattr(made, field.attname) for field in copied}) for _ in range(count - 1)
    )


copied = [field for field in Handoff._meta.concrete_fields if field.name not in ("id", "history_key")]


def found(client: Client, url: str = URL) -> dict[str, Any]:
    response = client.get(url)
    assert response.status_code == 200
    said = [each for question in response.context["questions"] for each in question.findings]
    return {each.code: each for each in (*said, *response.context["reasons"].findings)}


def test_it_says_when_there_is_too_little(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.otto).get(URL))
    codes = list(found(as_(cast.otto)))
    assert codes == ["scoring_too_few", "stages_too_few", "nothing_signed", "reasons_too_few"]
    assert "Nothing is signed yet" in page and "Sales has decided on no lead of these weeks." in page


def test_a_decayed_model_leads_to_its_leads(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 15)
    many(cast, "accepted", 10)
    client = as_(cast.otto)
    finding = found(client)["model_decayed"]
    assert "Sales rejects 60 % (15 of 25) of the leads with a score of 80 or more" in finding.sentence
    assert "has decayed" in finding.sentence and finding.state.tone == "late"
    listed = html(client.get(finding.href))
    assert "<h1>Closed loop: 15 rejected</h1>" in unescape(listed)
    assert client.get(URL).context["first"].code == "model_decayed"


def test_it_says_by_which_agreement_the_weeks_are_judged(as_: SignIn, cast: Cast) -> None:
    many(cast, "accepted", 2)
    client = as_(cast.otto)
    assert "First contact is held against version 1 of the agreement" in html(client.get(URL))
    assert "nothing_signed" in found(client)
    agree(cast.otto, cast.mia, LONG_AGO - timedelta(days=1), threshold=70)
    page = html(client.get(URL))
    assert "Version 2 of the agreement holds since 16 February 2026" in page
    assert "against the same times as before it: demo 5 min, standard 60 min" in page
    assert "Version 2 is in force" in found(client)["signed"].sentence
    # Weeks that were over before it have what was in force then.
    assert "nothing_signed" in found(client, f"{URL}?week=2026-W07")
    assert "held against version 1" in html(client.get(f"{URL}?week=2026-W07"))


def test_each_figure_opens_as_many_handoffs_as_it_says(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 15)
    many(cast, "accepted", 12, first_activity_at=None)
    many(cast, "working", 9, first_contact_personal=False)
    client = as_(cast.otto)
    page = client.get(URL)
    checked = 0
    for said in found(client).values():
        for figure in said.figures:
            hits = figure.of.split(" of ")[0].replace(",", "")
            if figure.href and hits != "0":
                assert f": {hits} " in html(client.get(figure.href)).split("<h1>")[1].split("</h1>")[0]
                checked += 1
    for row in page.context["bands"]:
        for cell in (row["accepted"], row["won"]):
            if cell["href"]:
                hits = cell["of"].split(" of ")[0]
                assert f": {hits} " in html(client.get(cell["href"])).split("<h1>")[1]
                checked += 1
    for row in page.context["stages"]:
        if row["href"]:
            assert f": {row['lost']} " in html(client.get(row["href"])).split("<h1>")[1]
            checked += 1
    assert checked >= 6
    assert [row["came"] for row in page.context["stages"]] == ["36", "36", "36", "36", "21"]


def test_reasons_name_the_source_and_open_it(as_: SignIn, cast: Cast) -> None:
    for _ in range(4):
        make_handoff("rejected", cast.femke, at=LONG_AGO)
    client = as_(cast.otto)
    assert list(found(client)) == ["scoring_too_few", "stages_too_few", "nothing_signed", "reasons_too_few"]
    for _ in range(16):
        make_handoff("rejected", cast.femke, at=LONG_AGO)
    finding = found(client)["reason_not_icp"]
    assert finding.sentence.startswith(
        "100 % of rejections say not our customer profile, mostly from Webinar: 20 of 20."
    )
    assert ": 20 handoffs</h1>" in html(client.get(finding.href))
    assert found(client)["source_1"].sentence.startswith("Webinar: sales rejects 100 % (20 of 20)")


def test_it_covers_what_the_person_may_see_and_what_the_address_narrows(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 15)
    many(cast, "accepted", 10)
    assert "model_decayed" in found(as_(cast.mia))
    assert "scoring_too_few" in found(as_(cast.nils))
    narrowed = as_(cast.otto).get(f"{URL}?source=Fair")
    assert "Sales decided on 0 leads" in html(narrowed)
    assert (
        "source Fair" in html(narrowed)
        and narrowed.context["ways"].whole == "/dashboard/diagnosis/?week=2026-W11"
    )
    assert "model_decayed" in found(as_(cast.otto), f"{URL}?source=Webinar&rep=femke@handoff.example.com")
    assert "scoring_too_few" in found(as_(cast.otto), f"{URL}?rep=jonas@handoff.example.com")


def test_young_weeks_say_nothing(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 30)
    assert "model_decayed" in found(as_(cast.otto))
    assert "scoring_too_few" in found(as_(cast.otto), f"{URL}?as_of=2026-02-20T00:00:00Z")


def test_who_it_is_for(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, URL)
    refuses(as_(cast.femke), 404, get=(URL,))
    for user in (cast.mia, cast.otto, cast.vera, cast.ada):
        assert as_(user).get(URL).status_code == 200
    refuses(as_(cast.otto), 405, post=(URL,))
    refuses(as_(cast.otto), 404, get=(f"{URL}?week=soon", f"{URL}?as_of=never"))


def test_asking_twice_says_the_same(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 30)
    first, second = (as_(cast.otto).get(URL).context for _ in range(2))
    for name in ("questions", "reasons", "bands", "stages"):
        assert first[name] == second[name]


def test_hostile_sources_are_text(as_: SignIn, cast: Cast) -> None:
    many(cast, "rejected", 30, lead_source="<script>alert(1)</script>")
    page = html(as_(cast.otto).get(URL))
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;: sales rejects" in page


def test_it_says_who_signed_what_done_means(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "nothing_signed" in found(client)
    agree(cast.otto, cast.mia, NOW - timedelta(days=1), threshold=70)
    make_proposal(cast.mia, NOW - timedelta(days=1), threshold=75)
    said = found(client)["signed"].sentence
    assert "Version 2 is in force since 9 March 2026" in said
    assert "signed by Otto Maier for marketing and Mia Brandt for sales. 1 proposal waits" in said


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    make_handoff("rejected", cast.femke, at=LONG_AGO)
    one = queries(client, URL)
    make_handoff("rejected", cast.jonas, at=LONG_AGO), make_handoff("converted", cast.rosa, at=LONG_AGO)
    assert queries(client, URL) == one


def test_the_dashboard_leads_there_those_whose_page_it_is(as_: SignIn, cast: Cast) -> None:
    links = ["/dashboard/", URL, "/dashboard/time/", "/dashboard/loop/", "/dashboard/gaming/"]
    for user, expected in ((cast.otto, links), (cast.vera, links), (cast.femke, [])):
        pages = as_(user).get("/dashboard/").context["ways"].pages
        assert [page.href.split("?")[0] for page in pages] == expected


def test_opportunities_are_of_weeks_old_enough_and_as_many_before(as_: SignIn, cast: Cast) -> None:
    """Of the twelve weeks from W52 on, four are 45 days old (to W03); before them W48 to W51."""
    for days, states in (
        (21, ("accepted", "converted")),
        (60, ("accepted", "converted", "converted")),
        (90, ("accepted", "converted")),
        (110, ("converted",)),
    ):
        for state in states:
            make_handoff(state, cast.femke, at=NOW - timedelta(days=days))
    client = as_(cast.otto)
    response = client.get(URL)
    assert (response.context["settled"], response.context["ripe"]) == ("W52 to W09", "W52 to W03")
    row = next(row for row in response.context["bands"] if row["name"] == "80+")
    assert (row["accepted"]["of"], row["accepted"]["before"]) == ("5 of 5", "100 %")
    assert (row["won"]["of"], row["won"]["value"], row["won"]["before"]) == ("2 of 3", "67 %", "50 %")
    assert ": 2 with an opportunity</h1>" in html(client.get(row["won"]["href"]))
