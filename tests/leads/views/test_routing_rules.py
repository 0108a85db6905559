"""One rule of the draft: written with the condition editor, moved, and what two editors see."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from routing import draft, publish
from routing.models import NamedList, Pool, PoolMember, Queue, Rule, Territory
from tests.conftest import NOW, Cast
from tests.leads.views.asking import HTMX, SignIn, html, queries, refuses, sent_to_sign_in

NEW = "/routing/rules/new/"


@pytest.fixture
def pool(cast: Cast) -> Pool:
    made = Pool.objects.create(slug="dach", name="DACH")
    PoolMember.objects.create(pool=made, user=cast.femke)
    return made


@pytest.fixture
def rule(cast: Cast, pool: Pool) -> Rule:
    return draft.save(
        Rule(
            name="German",
            conditions={"all": [{"field": "country", "op": "equals", "value": "DE"}]},
            target_kind="pool",
            target_id=str(pool.pk),
        ),
        0,
        cast.otto,
    )


def form(pool: Pool, **fields: Any) -> dict[str, Any]:
    """What a browser sends; "c__0__field" stands for "c.0.field"."""
    base: dict[str, Any] = {
        "name": "German freight",
        "target": f"pool:{pool.pk}",
        "fallback": "account_owner:",
        "policy": "demo",
        "owner": "",
        "is_active": "on",
        "revision": "1",
        "c__kind": "all",
        "c__0__field": "country",
        "c__0__op": "in",
        "c__0__lines": "DE\nAT",
    }
    return {name.replace("__", "."): value for name, value in (base | fields).items() if value is not None}


def page_of(rule: Rule) -> str:
    return f"/routing/rules/{rule.pk}/"


def test_a_new_rule_is_written(as_: SignIn, cast: Cast, pool: Pool) -> None:
    client = as_(cast.otto)
    assert "A new rule" in html(client.get(NEW))
    response = client.post(NEW, form(pool, owner=str(cast.otto.pk)))
    made = Rule.objects.get(name="German freight")
    assert response["Location"] == f"/routing/?tab=draft#rule-{made.pk}"
    assert made.conditions == {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}
    assert (made.target_kind, made.target_id) == ("pool", str(pool.pk))
    assert (made.fallback_kind, made.fallback_id, made.policy_slug) == ("account_owner", "", "demo")
    assert (made.owner, made.history.get().history_user) == (cast.otto, cast.otto)
    # Ahead of the catch-all that was shipped; nothing is in force yet.
    assert made.position < Rule.objects.get(conditions={"all": []}).position
    live = publish.live()
    assert live is not None and len(live.document["rules"]) == 1


def test_a_rule_is_changed(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    client = as_(cast.otto)
    page = html(client.get(page_of(rule)))
    assert "Otto Maier changed it" in page and "<mark>DE</mark>" in page
    client.post(page_of(rule), form(pool, revision=str(rule.revision)))
    rule.refresh_from_db()
    assert (rule.name, rule.revision) == ("German freight", 2)


def test_saving_what_is_shown_changes_no_condition(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    stored = {"all": [{"op": "in_territory", "value": "dach"}]}
    Territory.objects.create(slug="dach", name="DACH", conditions={"all": []})
    Rule.objects.filter(pk=rule.pk).update(conditions=stored)
    fields = {
        "c__0__field": "territory",
        "c__0__op": "in_territory",
        "c__0__lines": None,
        "c__0__pick": "dach",
    }
    as_(cast.otto).post(page_of(rule), form(pool, **fields))
    rule.refresh_from_db()
    assert rule.conditions == stored


def test_errors_stand_at_their_places_and_nothing_typed_is_lost(as_: SignIn, cast: Cast, pool: Pool) -> None:
    fields = {
        "name": "  ",
        "target": "",
        "c__1__field": "score_total",
        "c__1__op": "range",
        "c__1__low": "many",
        "c__2__field": "",
    }
    page = html(as_(cast.otto).post(NEW, form(pool, **fields)), 422)
    assert "Give it a name." in page and "Choose who gets it." in page
    assert "Score is a number; “many” is none." in page
    assert "Choose a field, or remove this condition." in page
    assert 'value="many"' in page and "DE\nAT</textarea>" in page
    assert not Rule.objects.filter(name="").exists() and Rule.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("target", "pool:999", "Choose who gets it."),
        ("target", "<script>", "Choose who gets it."),
        ("fallback", "pool:999", "Choose who gets it otherwise."),
        ("policy", "nonsense", "Choose one of the policies in force."),
        ("owner", "999", "Choose somebody who is active."),
        ("name", "x" * 121, "at most 120 characters"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    as_: SignIn, cast: Cast, pool: Pool, field: str, value: str, said: str
) -> None:
    page = html(as_(cast.otto).post(NEW, form(pool, **{field: value})), 422)
    assert said in page and "<script>" not in page.replace("<script src", "")


def test_a_form_without_conditions_is_no_catch_all(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    sent = {name: value for name, value in form(pool).items() if not name.startswith("c.")}
    page = html(as_(cast.otto).post(page_of(rule), sent), 422)
    assert "The form came without its conditions" in page
    rule.refresh_from_db()
    assert rule.conditions["all"]


def test_conditions_that_name_what_is_not_there_are_refused(as_: SignIn, cast: Cast, pool: Pool) -> None:
    NamedList.objects.create(slug="off", name="Off", is_active=False)
    fields = {
        "c__0__field": "company_domain",
        "c__0__op": "in_list",
        "c__0__lines": None,
        "c__0__pick": "off",
    }
    assert "There is no list “off”." in html(as_(cast.otto).post(NEW, form(pool, **fields)), 422)


def test_the_editors_buttons_keep_all_that_was_typed(as_: SignIn, cast: Cast, pool: Pool) -> None:
    client = as_(cast.otto)
    page = html(client.post(NEW, form(pool, name="Half typ", target="", edit="add")))
    assert 'id="c-1-field"' in page and "autofocus" in page
    assert 'value="Half typ"' in page and "DE\nAT</textarea>" in page
    assert "Choose who gets it." not in page
    page = html(client.post(NEW, form(pool, edit="group")))
    assert 'name="c.1.kind"' in page and 'name="c.1.0.field"' in page
    page = html(
        client.post(
            NEW, form(pool, c__1__field="score_total", c__1__op="range", c__1__low="7", edit="remove.0")
        )
    )
    assert 'name="c.0.low" id="c-0-low" value="7"' in page and 'name="c.1.field"' not in page
    assert Rule.objects.count() == 1


def test_with_htmx_only_the_editor_is_swapped(as_: SignIn, cast: Cast, pool: Pool) -> None:
    client = as_(cast.otto)
    page = html(client.post(NEW, form(pool, edit="add"), headers=HTMX))
    assert "<html" not in page
    assert 'id="conds"' in page and 'hx-swap-oob="innerHTML:#aloud"' in page
    aloud = html(client.post(NEW, form(pool, edit="aloud"), headers=HTMX))
    assert 'id="conds"' not in aloud
    assert "give it to the pool <mark>DACH</mark>, else to the <mark>owner of the account</mark>." in aloud
    # Renewing the inputs leaves the cursor where it is.
    assert "autofocus" not in html(client.post(NEW, form(pool, edit="renew.0"), headers=HTMX))


def test_the_sentence_never_misleads(as_: SignIn, cast: Cast, pool: Pool) -> None:
    client = as_(cast.otto)
    half = html(client.post(NEW, form(pool, c__1__field="", edit="aloud"), headers=HTMX))
    assert "1 condition is not finished; it is left out here." in half
    nothing = html(client.post(NEW, form(pool, c__0__lines="", edit="aloud"), headers=HTMX))
    assert "Nothing to read aloud yet" in nothing and "Give it to" not in nothing


def test_a_stored_rule_that_is_wrong_says_so_at_once(as_: SignIn, cast: Cast, rule: Rule) -> None:
    Rule.objects.filter(pk=rule.pk).update(conditions={"all": [{"op": "in_territory", "value": "gone"}]})
    assert "There is no territory “gone”." in html(as_(cast.otto).get(page_of(rule)))
    Rule.objects.filter(pk=rule.pk).update(conditions=[1, 2])
    assert "cannot be read" in html(as_(cast.otto).get(page_of(rule)))


def test_two_editors_see_each_other(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    client, stale = as_(cast.otto), str(rule.revision)
    rule.name = "By Ada"
    draft.save(rule, rule.revision, cast.ada)
    page = html(client.post(page_of(rule), form(pool, revision=stale)), 409)
    assert "Ada Admin saved this" in page and "By Ada" in page
    assert 'value="German freight"' in page and "country is DE or AT</ins>" in page
    rule.refresh_from_db()
    assert rule.name == "By Ada"
    assert f'name="revision" value="{rule.revision}"' in page and "Save mine over theirs" in page
    assert client.post(page_of(rule), form(pool, revision=str(rule.revision))).status_code == 302
    rule.refresh_from_db()
    assert rule.name == "German freight"


def test_two_long_lists_that_read_alike_are_a_conflict(
    as_: SignIn, cast: Cast, rule: Rule, pool: Pool
) -> None:
    many = [f"C{number}" for number in range(30)]
    rule.name, rule.fallback_kind, rule.policy_slug = "German freight", "account_owner", "demo"
    rule.conditions = {"all": [{"field": "country", "op": "in", "value": [*many, "ADA"]}]}
    draft.save(rule, rule.revision, cast.ada)
    sent = form(pool, revision="1", c__0__lines="\n".join([*many, "OTTO"]))
    page = html(as_(cast.otto).post(page_of(rule), sent), 409)
    assert "<ins>" in page and "OTTO</ins>" in page and "ADA</del>" in page
    rule.refresh_from_db()
    assert rule.conditions["all"][0]["value"][-1] == "ADA"


def test_the_same_twice_is_no_conflict(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    client, revision = as_(cast.otto), str(rule.revision)
    for _ in range(2):
        assert client.post(page_of(rule), form(pool, revision=revision)).status_code == 302
    rule.refresh_from_db()
    assert rule.revision == 2


def test_a_rule_is_switched_off(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    as_(cast.otto).post(page_of(rule), form(pool, is_active=None))
    rule.refresh_from_db()
    assert not rule.is_active
    assert "Switched off" in html(as_(cast.otto).get(page_of(rule)))
    assert "1 rule switched off" in html(as_(cast.otto).get("/routing/?tab=draft"))


def test_rules_are_moved(as_: SignIn, cast: Cast, rule: Rule) -> None:
    client, last = as_(cast.otto), Rule.objects.get(conditions={"all": []})
    order = draft.current().revision
    response = client.post(f"{page_of(rule)}move/", {"to": "down", "revision": order})
    assert response["Location"] == f"/routing/?tab=draft&moved={rule.pk}-down#rule-{rule.pk}"
    assert list(Rule.objects.values_list("pk", flat=True)) == [last.pk, rule.pk]
    # From a page that is old by now nothing is moved, and it is said.
    page = html(client.post(f"{page_of(rule)}move/", {"to": "up", "revision": order}, follow=True))
    assert "Not moved: Otto Maier changed the order meanwhile." in page
    assert list(Rule.objects.values_list("pk", flat=True)) == [last.pk, rule.pk]


def test_those_who_only_read_see_how_it_reads(as_: SignIn, cast: Cast, rule: Rule) -> None:
    for user in (cast.mia, cast.ada):
        page = html(as_(user).get(page_of(rule)))
        assert "<mark>DE</mark>" in page and "Marketing ops edit the rules." in page
        assert "<textarea" not in page and "Save in the draft" not in page


def test_who_may(client: Client, as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    move = f"{page_of(rule)}move/"
    sent_to_sign_in(client, NEW, page_of(rule))
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(NEW, page_of(rule)), post=(NEW, page_of(rule), move))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, page_of(rule), move))
        refuses(as_(user), 404, get=(NEW,))
    refuses(as_(cast.otto), 405, get=(move,))
    refuses(
        as_(cast.otto),
        404,
        get=("/routing/rules/999/",),
        post=("/routing/rules/999/", "/routing/rules/999/move/"),
    )
    assert as_(cast.otto).put(page_of(rule)).status_code == 405
    assert Rule.objects.count() == 2


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, rule: Rule, pool: Pool) -> None:
    for model in (Pool, Queue):
        model.objects.update(name="<script>x</script>")  # type: ignore[attr-defined]
    Territory.objects.create(slug="t", name="<script>x</script>", conditions={}, owner=cast.rosa)
    fields = {"name": "<script>x</script>", "c__0__lines": "<script>x</script>", "owner": "", "edit": "add"}
    assert "<script>x" not in html(as_(cast.otto).post(page_of(rule), form(pool, **fields)))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, rule: Rule) -> None:
    found = {}
    clients = {user.pk: as_(user) for user in (cast.otto, cast.mia)}
    for pk, client in clients.items():
        found[pk] = queries(client, page_of(rule))
    for number in range(3):
        Pool.objects.create(slug=f"p{number}", name=f"P{number}")
        Territory.objects.create(
            slug=f"t{number}", name=f"T{number}", conditions={"all": []}, owner=cast.rosa
        )
        NamedList.objects.create(slug=f"l{number}", name=f"L{number}")
        draft.save(Rule(name=f"R{number}", conditions={"all": []}, target_kind="account_owner"), 0, cast.otto)
    assert {pk: queries(client, page_of(rule)) for pk, client in clients.items()} == found


def test_what_is_in_force_is_read_from_its_version(as_: SignIn, cast: Cast, rule: Rule) -> None:
    """A published rule is read from its version, whatever the draft says of it by now."""
    publish.publish(NOW, cast.otto, "A test")
    rule.name = "Renamed in the draft"
    draft.save(rule, rule.revision, cast.otto)
    assert "Renamed in the draft" not in html(as_(cast.mia).get("/routing/"))
