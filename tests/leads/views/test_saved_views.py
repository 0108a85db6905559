"""Saved views: kept, shared, opened with, renamed, deleted; a name is text, and nobody sees more by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client

from leads import saved_views
from leads.models import DefaultView, SavedView
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

NEW = "/views/handoffs/new/"
HOSTILE = "\"><script>alert(1)</script> ' &amp; ="


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def keep(
    client: Client, name: str = "Late ones", query: str = "needs=late&sort=due", **more: str
) -> SavedView:
    response = client.post(NEW, {"name": name, "query": query, **more})
    assert response.status_code == 302, response.content
    return SavedView.objects.latest("pk")


def tabs(client: Client, url: str = "/handoffs/?view=all") -> list[str]:
    response = client.get(url)
    assert response.status_code == 200
    return [tab.name for tab in response.context["tabs"]]


def test_what_a_list_shows_is_kept_and_opened(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    page = html(client.get("/handoffs/?view=all&state=open&after=x&col=rule&col=team"))
    assert f'href="{NEW}?query=state%3Dopen%26col%3Drule%26col%3Dteam"' in page
    view = keep(client, query="state=open&after=x&col=rule&col=team&q=&view=3")
    assert (view.query, view.owner, view.audience) == ("state=open&col=rule&col=team", cast.femke, "owner")
    response = client.get(f"/handoffs/?{view.query}&view={view.pk}")
    assert [(tab.name, tab.is_current) for tab in response.context["tabs"]] == [("Late ones", True)]
    assert [head["label"] for head in response.context["heads"]] == ["Rule", "Team"]
    assert "Update “" not in html(response)
    # Narrowed further it can be brought up to date.
    assert "Update “Late ones”" in html(client.get(f"/handoffs/?{view.query}&type=demo&view={view.pk}"))
    client.post(f"/views/{view.pk}/", {"query": "state=open&type=demo"})
    view.refresh_from_db()
    assert (view.name, view.query) == ("Late ones", "state=open&type=demo")


def test_who_may_share_with_whom(as_: SignIn, cast: Cast) -> None:
    keep(as_(cast.femke), "Mine")
    everyone = keep(as_(cast.otto), "For all", audience="everyone")
    dach = keep(as_(cast.mia), "For DACH", audience=f"team-{cast.femke.team_id}")
    assert tabs(as_(cast.femke)) == ["For all", "For DACH", "Mine"]
    assert tabs(as_(cast.mia)) == ["For all", "For DACH"]
    assert tabs(as_(cast.rosa)) == tabs(as_(cast.vera)) == ["For all"]
    assert "by Otto Maier" in html(as_(cast.femke).get("/handoffs/?view=all"))
    for user, audience in (
        (cast.femke, "everyone"),
        (cast.vera, "everyone"),
        (cast.femke, f"team-{cast.femke.team_id}"),
        (cast.mia, f"team-{cast.rosa.team_id}"),
        (cast.mia, "team-x"),
        (cast.mia, "nonsense"),
    ):
        page = html(as_(user).post(NEW, {"name": "Ours", "audience": audience}), 422)
        assert "Choose yourself, or those with whom you may share." in page
    # What is shared is its owner's, and an administrator's, to change.
    for view in (everyone, dach):
        assert as_(cast.femke).get(f"/views/{view.pk}/").status_code == 403
        refuses(as_(cast.femke), 403, post=(f"/views/{view.pk}/", f"/views/{view.pk}/delete/"))
    refuses(as_(cast.rosa), 404, post=(f"/views/{dach.pk}/", f"/views/{dach.pk}/delete/"))
    assert as_(cast.ada).post(f"/views/{everyone.pk}/delete/").status_code == 302
    assert tabs(as_(cast.rosa)) == []


def test_a_view_shows_nobody_more_than_they_see(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.rosa)
    view = keep(as_(cast.otto), query=f"holder={cast.rosa.pk}", audience="everyone")
    url = f"/handoffs/?{view.query}&view={view.pk}"
    assert [row.id for row in as_(cast.otto).get(url).context["rows"]] == [handoff.pk]
    assert as_(cast.femke).get(url).context["rows"] == []


def test_names_are_text_bounded_and_once(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    view = keep(client, HOSTILE)
    page = html(client.get(f"/handoffs/?{view.query}&view={view.pk}"))
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in html(client.get(f"/views/{view.pk}/"))
    for name, words in (
        ("", "This is needed."),
        ("x" * 61, "At most 60 characters; this has 61."),
        ("a\x07b", "Control characters are not allowed."),
        (HOSTILE.upper(), "You have a view of this name already."),
    ):
        page = html(client.post(NEW, {"name": name, "query": "state=open"}), 422)
        assert words in page and 'value="state=open"' in page
    assert "too long to be kept" in html(client.post(NEW, {"name": "Long", "query": "q=" + "x" * 2001}), 422)
    # The same name is free for somebody else and on another list.
    keep(as_(cast.jonas), HOSTILE)
    assert client.post("/views/leads/new/", {"name": HOSTILE, "query": ""}).status_code == 302


def test_there_are_no_more_than_fit(as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_views, "MOST", 2)
    client = as_(cast.femke)
    keep(client, "One")
    view = keep(client, "Two")
    assert "You have 2 views of this list already" in html(client.post(NEW, {"name": "Three"}), 422)
    assert client.post(f"/views/{view.pk}/", {"name": "Zwei"}).status_code == 302
    assert tabs(client) == ["One", "Zwei"]


def test_a_list_opens_with_ones_default(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    view = keep(client, query="state=open", default="1")
    assert client.get("/handoffs/")["Location"] == f"/handoffs/?state=open&view={view.pk}"
    assert client.get("/handoffs/?view=all").status_code == 200
    other = keep(client, "Other", query="")
    client.post(f"/views/{other.pk}/default/")
    assert client.get("/handoffs/")["Location"] == f"/handoffs/?view={other.pk}"
    assert client.get("/leads/").status_code == 200
    assert as_(cast.jonas).get("/handoffs/").status_code == 200
    client.post(f"/views/{other.pk}/default/", {"off": "1"})
    assert client.get("/handoffs/").status_code == 200 and not DefaultView.objects.exists()


def test_a_default_that_is_deleted_or_no_longer_shared_is_none(as_: SignIn, cast: Cast) -> None:
    view = keep(as_(cast.otto), audience="everyone")
    client = as_(cast.femke)
    client.post(f"/views/{view.pk}/default/")
    assert client.get("/handoffs/").status_code == 302
    as_(cast.otto).post(f"/views/{view.pk}/", {"name": view.name, "audience": "owner"})
    assert client.get("/handoffs/").status_code == 200
    page = html(client.get(f"/handoffs/?{view.query}&view={view.pk}"))
    assert "This view is deleted, or not shared with you any more." in page
    as_(cast.otto).post(f"/views/{view.pk}/delete/")
    assert not SavedView.objects.exists() and not DefaultView.objects.exists()


def test_a_view_of_somebody_who_is_gone_says_so_and_opens(as_: SignIn, cast: Cast) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.otto)
    view = keep(client, query="holder=987654&state=open")
    response = client.get(f"/handoffs/?{view.query}&view={view.pk}")
    assert "There is no such person, or no longer." in html(response)
    assert [row.id for row in response.context["rows"]] == [handoff.pk]


def test_the_leads_have_views_too(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert (
        client.post("/views/leads/new/", {"name": "Fair", "query": "source=Fair&sort=newest"}).status_code
        == 302
    )
    view = SavedView.objects.get()
    assert view.page == "leads"
    response = client.get(f"/leads/?{view.query}&view={view.pk}")
    assert [(tab.name, tab.is_current) for tab in response.context["tabs"]] == [("Fair", True)]
    assert tabs(client) == []
    client.post(f"/views/{view.pk}/default/")
    assert client.get("/leads/")["Location"] == f"/leads/?source=Fair&sort=newest&view={view.pk}"


def test_who_may_not(as_: SignIn, client: Client, cast: Cast) -> None:
    view = keep(as_(cast.femke))
    sent_to_sign_in(client, NEW, f"/views/{view.pk}/")
    foreign = (f"/views/{view.pk}/", f"/views/{view.pk}/delete/", f"/views/{view.pk}/default/")
    refuses(as_(cast.ada), 404, get=(f"/views/{view.pk}/",), post=foreign)
    refuses(as_(cast.ada), 404, get=("/views/nothing/new/",), post=("/views/nothing/new/",))
    refuses(as_(cast.femke), 405, get=foreign[1:])


def test_queries_do_not_grow_with_the_views(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    keep(client, "One")
    before = queries(client, "/handoffs/?view=all")
    keep(client, "Two")
    keep(as_(cast.mia), "Three", audience="everyone")
    assert queries(client, "/handoffs/?view=all") == before
