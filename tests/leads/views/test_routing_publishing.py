"""Publishing, discarding, the draft's one setting, and the versions that came of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from leads.models import Backtest
from routing import draft, publish
from routing.models import Pool, PoolMember, Queue, Rule, Ruleset, Territory
from tests.conftest import NOW, Cast
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

PUBLISH, DISCARD, SETTINGS = "/routing/publish/", "/routing/discard/", "/routing/settings/"
VERSIONS = "/routing/versions/"


@pytest.fixture
def rule(cast: Cast) -> Rule:
    """A rule that is in the draft and not yet in force; version 1 is as shipped."""
    pool = Pool.objects.create(slug="dach", name="DACH")
    PoolMember.objects.create(pool=pool, user=cast.femke)
    row = Rule(
        name="German",
        conditions={"all": [{"field": "country", "op": "equals", "value": "DE"}]},
        target_kind="pool",
        target_id=str(pool.pk),
    )
    return draft.save(row, 0, cast.otto)


def live() -> Ruleset:
    found = publish.live()
    assert found is not None
    return found


def test_the_draft_is_published_with_its_reason(as_: SignIn, cast: Cast, rule: Rule) -> None:
    client = as_(cast.otto)
    page = html(client.get(PUBLISH))
    assert "Publish version 2?" in page and "<b>Rule German</b>" in page and "<mark>DE</mark>" in page
    assert "This draft was not back-tested as it is now." in page
    page = html(client.post(PUBLISH, {"note": "German leads to DACH", "from": "1"}, follow=True))
    assert "Version 2 is in force." in page
    assert (live().version, live().note, live().published_by) == (2, "German leads to DACH", cast.otto)
    assert live().document["rules"][0]["name"] == "German"


def test_a_reason_is_asked_for(as_: SignIn, cast: Cast, rule: Rule) -> None:
    client = as_(cast.otto)
    for note in ("", "   "):
        assert "Write why" in html(client.post(PUBLISH, {"note": note, "from": "1"}), 422)
    page = html(client.post(PUBLISH, {"note": "x" * 301, "from": "1"}), 422)
    assert "at most 300 characters" in page and "x" * 301 in page
    assert live().version == 1


def test_publishing_twice_publishes_once(as_: SignIn, cast: Cast, rule: Rule) -> None:
    client = as_(cast.otto)
    client.post(PUBLISH, {"note": "Once", "from": "1"})
    # The same form again comes from a version that is no longer live: it is said, nothing happens.
    page = html(client.post(PUBLISH, {"note": "Once", "from": "1"}), 409)
    assert "Version 2 was published meanwhile" in page and "nothing is left to publish" in page
    page = html(client.post(PUBLISH, {"note": "Again", "from": "2"}, follow=True))
    assert "Nothing differs: version 2 stays in force." in page
    assert Ruleset.objects.count() == 2


def test_somebody_who_published_meanwhile_is_named_before_it_goes_on(
    as_: SignIn, cast: Cast, rule: Rule
) -> None:
    publish.publish(NOW, cast.ada, "Ada was quicker")
    rule.name = "Germany"
    draft.save(rule, rule.revision, cast.otto)
    page = html(as_(cast.otto).post(PUBLISH, {"note": "My reason", "from": "1"}), 409)
    assert "Version 2 was published meanwhile" in page and 'value="My reason"' in page
    assert "look once more, then publish" in page and 'name="from" value="2"' in page
    assert live().version == 2


def test_what_stands_in_the_way_is_linked_to_its_place(as_: SignIn, cast: Cast, rule: Rule) -> None:
    rule.conditions = {"all": [{"op": "in_territory", "value": "gone"}]}
    draft.save(rule, rule.revision, cast.otto)
    when = {"all": [{"field": "nonsense", "op": "present"}]}
    territory = draft.save(Territory(slug="odd", name="Odd", conditions=when), 0, cast.otto)
    client = as_(cast.otto)
    for page in (
        html(client.get(PUBLISH)),
        html(client.post(PUBLISH, {"note": "All the same", "from": "1"}), 422),
    ):
        assert "2 things to mend first" in page
        assert (
            f'<a href="/routing/rules/{rule.pk}/">Rule 1 “German”</a>: There is no territory “gone”.' in page
        )
        assert f'<a href="/routing/territories/{territory.pk}/">' in page
        assert "Put it in force" not in page
    assert live().version == 1
    Rule.objects.update(is_active=False)
    assert '<a href="/routing/rules/new/">The ruleset</a>: There is no active rule.' in html(
        client.get(PUBLISH)
    )


def test_a_back_test_of_this_very_draft_is_named(as_: SignIn, cast: Cast, rule: Rule) -> None:
    made = {"since": NOW, "until": NOW, "created_at": NOW, "status": "done", "replayed": 40}
    Backtest.objects.create(document=publish.compile_draft(), **made)
    assert "0 of 40 leads would have gone to somebody else." in html(as_(cast.otto).get(PUBLISH))
    rule.name = "Changed since"
    draft.save(rule, rule.revision, cast.otto)
    assert "not back-tested as it is now" in html(as_(cast.otto).get(PUBLISH))


def test_the_draft_is_discarded_once_it_was_seen(as_: SignIn, cast: Cast, rule: Rule) -> None:
    client = as_(cast.otto)
    assert "Discard 1 change" in html(client.get(DISCARD))
    rule.refresh_from_db()
    assert rule.is_active
    page = html(client.post(DISCARD, follow=True))
    assert "The draft is what is live again." in page and "Draft, no changes" in page
    rule.refresh_from_db()
    assert not rule.is_active
    # Nothing left to discard.
    assert client.get(DISCARD)["Location"] == "/routing/?tab=draft"
    assert client.post(DISCARD).status_code == 302


def test_before_anything_is_live_nothing_is_discarded(as_: SignIn, cast: Cast, rule: Rule) -> None:
    Ruleset.objects.all().delete()
    page = html(as_(cast.otto).post(DISCARD, follow=True))
    assert "There is no published version to go back to." in page
    assert "Publish version 1?" in html(as_(cast.otto).get(PUBLISH))
    as_(cast.otto).post(PUBLISH, {"note": "The first"})
    assert live().version == 1


def test_whose_account_comes_first(as_: SignIn, cast: Cast) -> None:
    client, row = as_(cast.otto), draft.current()
    page = html(client.post(SETTINGS, {"account_first": "never", "revision": row.revision}, follow=True))
    assert "Saved in the draft." in page and "Draft, 1 change" in page
    assert draft.current().account_first == "never"
    assert "The owner of the account gets its leads first" in html(client.get("/routing/"))
    page = html(client.post(SETTINGS, {"account_first": "owned", "revision": row.revision}, follow=True))
    assert "Not saved: Otto Maier changed the draft meanwhile." in page
    for wrong in ("", "nonsense"):
        page = html(
            client.post(SETTINGS, {"account_first": wrong, "revision": row.revision + 1}, follow=True)
        )
        assert "Not saved: choose whose leads" in page
    assert draft.current().account_first == "never"


@pytest.fixture
def three(cast: Cast, rule: Rule) -> list[Ruleset]:
    """Version 1 as shipped, 2 with a German rule, 3 without the name it had."""
    publish.publish(NOW, cast.otto, "German leads")
    rule.name = "Germany"
    draft.save(rule, rule.revision, cast.otto)
    publish.publish(NOW, cast.otto, "A better name")
    return list(Ruleset.objects.order_by("version"))


def test_versions_are_listed_with_who_and_why(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    found = as_(cast.mia).get(VERSIONS).context["lines"]
    assert [(line.version, line.is_live, line.by, line.note) for line in found[:2]] == [
        (3, True, "Otto Maier", "A better name"),
        (2, False, "Otto Maier", "German leads"),
    ]
    assert [line.differs for line in found] == ["1 rule changed", "1 rule added", "The first"]


def test_a_version_is_read_with_its_differences(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    page = html(as_(cast.otto).get(f"{VERSIONS}2/"))
    assert "When country is <mark>DE</mark>" in page.replace("\n", "")
    assert "Against version 1, the one before" in page and "Against version 3, which is live" in page
    assert "Bring back version 2" in page
    live_page = html(as_(cast.otto).get(f"{VERSIONS}3/"))
    assert "Bring back" not in live_page and "which is live" not in live_page
    assert "Bring back version 2" not in html(as_(cast.mia).get(f"{VERSIONS}2/"))


def test_a_version_is_brought_back(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    client = as_(cast.otto)
    assert "Write why" in html(client.post(f"{VERSIONS}2/restore/", {"note": " "}), 422)
    page = html(client.post(f"{VERSIONS}2/restore/", {"note": "The name confused"}, follow=True))
    assert "Version 4 is in force; it says what version 2 said." in page
    assert (live().restored_from, live().document) == (three[1], three[1].document)
    assert "Draft, 1 change" in page
    # Once more: it says the same already.
    page = html(client.post(f"{VERSIONS}2/restore/", {"note": "Again"}, follow=True))
    assert "Nothing differs: version 4 stays in force." in page
    assert "Brings back 2" in html(client.get(VERSIONS))


def test_a_version_that_no_longer_fits_is_refused(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    Pool.objects.all().delete()
    page = html(as_(cast.otto).post(f"{VERSIONS}2/restore/", {"note": "Back"}), 422)
    assert "a pool that does not exist" in page and 'value="Back"' in page
    assert live().version == 3


def test_before_anything_is_published_it_says_so(as_: SignIn, cast: Cast) -> None:
    Ruleset.objects.all().delete()
    assert "Nothing was published yet." in html(as_(cast.otto).get(VERSIONS))


def test_versions_come_in_pages(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    document = live().document
    for version in range(4, 30):
        Ruleset.objects.create(version=version, document=document, published_at=NOW)
    first = as_(cast.otto).get(VERSIONS)
    assert [line.version for line in first.context["lines"]] == list(range(29, 4, -1))
    second = as_(cast.otto).get(VERSIONS + first.context["more"])
    assert [line.version for line in second.context["lines"]] == [4, 3, 2, 1]


def test_who_may(client: Client, as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    one, back = f"{VERSIONS}2/", f"{VERSIONS}2/restore/"
    sent_to_sign_in(client, PUBLISH, DISCARD, VERSIONS, one)
    acts = (PUBLISH, DISCARD, SETTINGS, back)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(PUBLISH, DISCARD, VERSIONS, one), post=acts)
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=acts)
        refuses(as_(user), 404, get=(PUBLISH, DISCARD))
        assert [as_(user).get(url).status_code for url in (VERSIONS, one)] == [200, 200]
    refuses(as_(cast.otto), 405, get=(SETTINGS, back), post=(VERSIONS, one))
    refuses(as_(cast.otto), 404, get=(f"{VERSIONS}99/",), post=(f"{VERSIONS}99/restore/",))
    assert live().version == 3


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, rule: Rule) -> None:
    hostile = "<script>x</script>"
    rule.name, rule.conditions = hostile, {"all": [{"field": "region", "op": "equals", "value": hostile}]}
    draft.save(rule, rule.revision, cast.otto)
    draft.save(Territory(slug="t", name=hostile, conditions={"all": []}), 0, cast.otto)
    Queue.objects.update(name=hostile)
    client = as_(cast.otto)
    pages = [client.get(url) for url in (PUBLISH, DISCARD)]
    publish.publish(NOW, cast.otto, hostile)
    pages += [client.get(url) for url in (VERSIONS, f"{VERSIONS}1/", f"{VERSIONS}2/")]
    for page in pages:
        assert "<script>x" not in html(page)


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, three: list[Ruleset]) -> None:
    client = as_(cast.otto)
    urls: tuple[Any, ...] = (VERSIONS, f"{VERSIONS}2/", PUBLISH)
    before = [queries(client, url) for url in urls]
    for number in range(3):
        row = Rule(name=f"R{number}", conditions={"all": []}, target_kind="account_owner", owner=cast.rosa)
        draft.save(row, 0, cast.otto)
        draft.save(Territory(slug=f"t{number}", name="T", conditions={"all": []}), 0, cast.otto)
        publish.publish(NOW, cast.otto, "More")
    draft.save(Rule(name="Last", conditions={"all": []}, target_kind="account_owner"), 0, cast.otto)
    assert [queries(client, url) for url in urls] == before
