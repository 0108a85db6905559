"""Territories of the draft: conditions, owner, members, and the warning that two hold the same leads."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from routing import draft, publish
from routing.models import NamedList, Rule, Territory
from tests.conftest import Cast
from tests.leads.views.asking import HTMX, SignIn, html, queries, refuses, sent_to_sign_in

ALL, NEW = "/routing/territories/", "/routing/territories/new/"


@pytest.fixture
def dach(cast: Cast) -> Territory:
    when = {"all": [{"field": "country", "op": "in", "value": ["DE", "AT", "CH"]}]}
    row = Territory(slug="dach", name="DACH", conditions=when, owner=cast.femke)
    return draft.save(row, 0, cast.otto, members=[cast.femke, cast.jonas])


def form(cast: Cast, **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "name": "Nordics",
        "owner": str(cast.rosa.pk),
        "members": [str(cast.rosa.pk), str(cast.nils.pk)],
        "is_active": "on",
        "revision": "1",
        "c__kind": "all",
        "c__0__field": "country",
        "c__0__op": "in",
        "c__0__lines": "SE\nNO",
    }
    return {name.replace("__", "."): value for name, value in (base | fields).items() if value is not None}


def page_of(row: Territory) -> str:
    return f"{ALL}{row.pk}/"


def test_a_new_territory_is_written(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "A new territory" in html(client.get(NEW))
    assert client.post(NEW, form(cast))["Location"] == ALL
    made = Territory.objects.get()
    assert (made.slug, made.name, made.owner) == ("nordics", "Nordics", cast.rosa)
    assert made.conditions == {"all": [{"field": "country", "op": "in", "value": ["SE", "NO"]}]}
    assert set(made.members.all()) == {cast.rosa, cast.nils}
    live = publish.live()
    assert live is not None and live.document["territories"] == {}
    client.post(NEW, form(cast))
    assert set(Territory.objects.values_list("slug", flat=True)) == {"nordics", "nordics-2"}


def test_a_name_without_letters_gets_a_slug_all_the_same(as_: SignIn, cast: Cast) -> None:
    as_(cast.otto).post(NEW, form(cast, name="日本"))
    assert Territory.objects.get().slug == "territory"


def test_a_territory_is_changed_and_keeps_its_slug(as_: SignIn, cast: Cast, dach: Territory) -> None:
    as_(cast.otto).post(page_of(dach), form(cast, members=[], owner=""))
    dach.refresh_from_db()
    assert (dach.slug, dach.name, dach.owner, dach.members.count()) == ("dach", "Nordics", None, 0)


def test_errors_stand_at_their_places_and_nothing_typed_is_lost(as_: SignIn, cast: Cast) -> None:
    fields = {
        "name": "",
        "owner": "999",
        "c__0__lines": "",
        "c__1__field": "region",
        "c__1__op": "equals",
        "c__1__lines": "N",
    }
    page = html(as_(cast.otto).post(NEW, form(cast, **fields)), 422)
    for said in ("Give it a name.", "Choose somebody who is active.", "Country needs at least one value."):
        assert said in page
    assert 'name="c.1.lines" id="c-1-lines" value="N"' in page
    assert not Territory.objects.exists()


def test_a_territory_cannot_ask_for_one(as_: SignIn, cast: Cast, dach: Territory) -> None:
    fields = {"c__0__field": "territory", "c__0__op": "in_territory", "c__0__pick": "dach"}
    page = html(as_(cast.otto).post(NEW, form(cast, **fields)), 422)
    assert "A territory cannot be defined by a territory." in page


def test_overlaps_are_said_while_one_types(as_: SignIn, cast: Cast, dach: Territory) -> None:
    client = as_(cast.otto)

    def aloud(lines: str) -> str:
        return html(client.post(NEW, form(cast, c__0__lines=lines, edit="aloud"), headers=HTMX))

    assert "too." not in aloud("SE")
    assert "A lead can be in it and in DACH too." in aloud("SE\nAT")
    assert "Every lead in it is in DACH too." in aloud("AT")
    assert "It holds every lead of DACH." in aloud("DE\nAT\nCH\nIT")
    client.post(NEW, form(cast, c__0__lines="CH"))
    page = html(client.get(ALL))
    assert "Every lead in it is in DACH too." in page and "It holds every lead of Nordics." in page


def test_the_list_says_who_uses_it(as_: SignIn, cast: Cast, dach: Territory) -> None:
    assert "no rule asks for it" in html(as_(cast.mia).get(ALL))
    Rule.objects.update(name="Everybody", conditions={"none": [{"op": "in_territory", "value": "dach"}]})
    page = html(as_(cast.mia).get(ALL))
    assert "asked for by Everybody" in page and "2 members" in page and "Femke de Boer owns it" in page


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, dach: Territory) -> None:
    dach.name = "By Ada"
    draft.save(dach, dach.revision, cast.ada, members=[cast.rosa])
    page = html(as_(cast.otto).post(page_of(dach), form(cast)), 409)
    assert "Ada Admin saved this" in page and "By Ada" in page
    assert "Nils Holm, Rosa Lindqvist" in page and 'value="Nordics"' in page
    dach.refresh_from_db()
    assert (dach.name, list(dach.members.all())) == ("By Ada", [cast.rosa])
    assert as_(cast.otto).post(page_of(dach), form(cast, revision=str(dach.revision))).status_code == 302
    dach.refresh_from_db()
    assert (dach.name, dach.members.count()) == ("Nordics", 2)


def test_the_same_twice_is_no_conflict(as_: SignIn, cast: Cast, dach: Territory) -> None:
    for _ in range(2):
        assert as_(cast.otto).post(page_of(dach), form(cast)).status_code == 302
    dach.refresh_from_db()
    assert dach.revision == 2


def test_a_member_who_left_sales_stands_in_no_ones_way(as_: SignIn, cast: Cast, dach: Territory) -> None:
    cast.jonas.is_active = False
    cast.jonas.save()
    page = html(as_(cast.otto).get(page_of(dach)))
    assert "Jonas Keller (not to choose any more)" in page
    members = [str(cast.femke.pk), str(cast.jonas.pk)]
    assert as_(cast.otto).post(page_of(dach), form(cast, members=members)).status_code == 302


def test_before_there_is_any_it_says_so(as_: SignIn, cast: Cast) -> None:
    assert "There is no territory yet." in html(as_(cast.otto).get(ALL))
    assert "Marketing ops make them." in html(as_(cast.mia).get(ALL))


def test_who_may(client: Client, as_: SignIn, cast: Cast, dach: Territory) -> None:
    sent_to_sign_in(client, ALL, NEW, page_of(dach))
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, page_of(dach)), post=(NEW, page_of(dach)))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, page_of(dach)))
        refuses(as_(user), 404, get=(NEW,))
        page = html(as_(user).get(page_of(dach)))
        assert "<mark>DE</mark>" in page and "Femke de Boer, Jonas Keller" in page and "<textarea" not in page
    refuses(as_(cast.otto), 405, post=(ALL,))
    refuses(as_(cast.otto), 404, get=(f"{ALL}999/",), post=(f"{ALL}999/",))


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, dach: Territory) -> None:
    Territory.objects.update(name="<script>x</script>")
    Territory.objects.create(slug="two", name="<script>x</script>", conditions={"all": []})
    for url in (ALL, page_of(dach)):
        for user in (cast.otto, cast.mia):
            assert "<script>x" not in html(as_(user).get(url))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, dach: Territory) -> None:
    client = as_(cast.mia)
    before = [queries(client, url) for url in (ALL, page_of(dach))]
    for number in range(3):
        row = Territory(slug=f"t{number}", name=f"T{number}", conditions={"all": []}, owner=cast.rosa)
        draft.save(row, 0, cast.otto, members=[cast.rosa])
        NamedList.objects.create(slug=f"l{number}", name=f"L{number}")
    assert [queries(client, url) for url in (ALL, page_of(dach))] == before
