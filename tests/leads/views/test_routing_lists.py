"""Named lists of the draft: pasted, uploaded, with what is wrong line by line."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from routing import draft, lists
from routing.models import NamedList, Rule, Territory
from tests.conftest import Cast
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

ALL, NEW = "/routing/lists/", "/routing/lists/new/"


@pytest.fixture
def named(cast: Cast) -> NamedList:
    row = NamedList(slug="named", name="Named", kind="domains", values=["a.com", "b.com"])
    return draft.save(row, 0, cast.otto)


def form(**fields: Any) -> dict[str, Any]:
    base = {
        "name": "Partners",
        "kind": "domains",
        "values": "c.com\nd.com",
        "is_active": "on",
        "revision": "1",
    }
    return {name: value for name, value in (base | fields).items() if value is not None}


def file(content: str, name: str = "list.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode(), "text/csv")


def page_of(row: NamedList) -> str:
    return f"{ALL}{row.pk}/"


def test_a_list_is_pasted(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert "A new list" in html(client.get(NEW))
    page = html(client.post(NEW, form(values="https://www.C.com/x\nd.com; c.com"), follow=True))
    made = NamedList.objects.get()
    assert (made.slug, made.kind, made.values) == ("partners", "domains", ["c.com", "d.com"])
    assert "holds 2 values, 1 that came again taken once" in page


def test_a_file_is_added_or_taken_alone(as_: SignIn, cast: Cast, named: NamedList) -> None:
    client = as_(cast.otto)
    sent = form(values="a.com", file=file("domain,owner\nx.com,me\ny.com,you\n"), how="add")
    assert client.post(page_of(named), sent).status_code == 302
    named.refresh_from_db()
    assert named.values == ["a.com", "x.com", "y.com"]
    sent = form(values="a.com", file=file("z.com"), how="replace", revision="2")
    client.post(page_of(named), sent)
    named.refresh_from_db()
    assert (named.values, named.slug) == (["z.com"], "named")


def test_wrong_lines_are_named_and_nothing_typed_is_lost(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    typed = "c.com\nnot a domain\n<script>x</script>"
    page = html(client.post(NEW, form(values=typed)), 422)
    assert "Line 2, not a domain: is no domain; an example is example.com" in page
    assert "<script>x" not in page and "not a domain\n" in page and 'value="Partners"' in page
    assert not NamedList.objects.exists()
    assert client.post(NEW, form(values=typed, anyway="1")).status_code == 302
    assert NamedList.objects.get().values == ["c.com"]


def test_what_was_good_in_a_file_stands_in_the_box(as_: SignIn, cast: Cast) -> None:
    page = html(
        as_(cast.otto).post(NEW, form(values="c.com", file=file("x.com\nnonsense\n"), how="add")), 422
    )
    assert "Line 2, nonsense" in page and "c.com\nx.com</textarea>" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "Give it a name."),
        ({"kind": "secrets"}, "Choose what it holds."),
        ({"values": ""}, "Paste values or choose a file."),
        ({"values": "nonsense", "anyway": "1"}, "nonsense: is no domain"),
    ],
)
def test_what_is_wrong_is_said(as_: SignIn, cast: Cast, fields: dict[str, str], said: str) -> None:
    assert said in html(as_(cast.otto).post(NEW, form(**fields)), 422)
    assert not NamedList.objects.exists()


def test_a_file_that_is_too_large_is_refused_unread(as_: SignIn, cast: Cast) -> None:
    huge = file("a" * (lists.MOST_BYTES + 1))
    page = html(as_(cast.otto).post(NEW, form(values="c.com", file=huge)), 422)
    assert "The file is larger than 1,024 KiB" in page and "c.com</textarea>" in page


def test_the_list_says_where_it_is_used(as_: SignIn, cast: Cast, named: NamedList) -> None:
    assert "nothing asks for it" in html(as_(cast.mia).get(ALL))
    asks = {"all": [{"any": [{"field": "company_domain", "op": "in_list", "value": "named"}]}]}
    Rule.objects.update(name="Named accounts", conditions=asks)
    Territory.objects.create(slug="t", name="Ours", conditions={"all": asks["all"][0]["any"]})
    page = html(as_(cast.mia).get(ALL))
    assert "asked for by rule Named accounts, territory Ours" in page and "a.com, b.com" in page


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, named: NamedList) -> None:
    named.values = ["a.com", "ada.com"]
    draft.save(named, 1, cast.ada)
    page = html(as_(cast.otto).post(page_of(named), form(name="Named", values="a.com\notto.com")), 409)
    assert "Ada Admin saved this" in page and "ada.com" in page and "otto.com</textarea>" in page
    named.refresh_from_db()
    assert named.values == ["a.com", "ada.com"]
    sent = form(name="Named", values="a.com\notto.com", revision="2")
    assert as_(cast.otto).post(page_of(named), sent).status_code == 302
    named.refresh_from_db()
    assert named.values == ["a.com", "otto.com"]


def test_the_same_twice_is_no_conflict(as_: SignIn, cast: Cast, named: NamedList) -> None:
    for _ in range(2):
        assert as_(cast.otto).post(page_of(named), form()).status_code == 302
    named.refresh_from_db()
    assert named.revision == 2


def test_before_there_is_any_it_says_so(as_: SignIn, cast: Cast) -> None:
    assert "There is no list yet." in html(as_(cast.otto).get(ALL))


def test_who_may(client: Client, as_: SignIn, cast: Cast, named: NamedList) -> None:
    sent_to_sign_in(client, ALL, NEW, page_of(named))
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, page_of(named)), post=(NEW, page_of(named)))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, page_of(named)))
        refuses(as_(user), 404, get=(NEW,))
        page = html(as_(user).get(page_of(named)))
        assert "a.com" in page and "<textarea" not in page
    refuses(as_(cast.otto), 405, post=(ALL,))
    refuses(as_(cast.otto), 404, get=(f"{ALL}999/",), post=(f"{ALL}999/",))


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast, named: NamedList) -> None:
    NamedList.objects.update(name="<script>x</script>", values=["<script>y</script>", 7, None])
    for url in (ALL, page_of(named)):
        for user in (cast.otto, cast.mia):
            page = html(as_(user).get(url))
            assert "<script>x" not in page and "<script>y" not in page


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, named: NamedList) -> None:
    client = as_(cast.mia)
    before = [queries(client, url) for url in (ALL, page_of(named))]
    for number in range(3):
        NamedList.objects.create(slug=f"l{number}", name=f"L{number}", values=["x.com"])
        Rule.objects.create(
            name=f"R{number}",
            conditions={"all": [{"field": "company_domain", "op": "in_list", "value": "named"}]},
            target_kind="account_owner",
        )
    assert [queries(client, url) for url in (ALL, page_of(named))] == before
