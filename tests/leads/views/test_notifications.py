"""Messages: one's own, newest first, marked as read once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.models import Handoff, Notification
from leads.search import indexing
from routing.models import User
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_handoff
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def told(user: User, handoff: Handoff, kind: str = "assigned", at: datetime = NOW) -> Notification:
    return Notification.objects.create(user=user, handoff=handoff, kind=kind, created_at=at)


@pytest.fixture
def handoff(cast: Cast) -> Handoff:
    return with_the_cast(cast, _handoff)


def _handoff(cast: Cast) -> Handoff:
    made = make_handoff("assigned", cast.femke)
    Notification.objects.all().delete()
    return made


def subjects(client: Client, query: str = "") -> list[str]:
    return [line.subject for line in client.get(f"/notifications/{query}").context["lines"]]


def test_ones_own_unread_newest_first(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    told(cast.femke, handoff)
    told(cast.femke, handoff, "contact_breach", LATER)
    told(cast.jonas, handoff)
    response = as_(cast.femke).get("/notifications/")
    lines = response.context["lines"]
    assert [line.subject.split(":")[0] for line in lines] == ["Not contacted in time", "New lead for you"]
    assert [line.is_alarm for line in lines] == [True, False]
    assert "2 unread" in html(response)


def test_opening_one_marks_it_and_goes_there(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    message = told(cast.femke, handoff)
    client = as_(cast.femke)
    for _ in range(2):
        response = client.post(f"/notifications/{message.pk}/read/")
        assert (response.status_code, response["Location"]) == (302, f"/handoffs/{handoff.pk}/")
        message.refresh_from_db()
        assert message.read_at == LATER
    assert subjects(client) == []
    assert len(subjects(client, "?show=all")) == 1


def test_one_can_stay_on_the_page(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    message = told(cast.femke, handoff)
    response = as_(cast.femke).post(f"/notifications/{message.pk}/read/", {"stay": "1"})
    assert response["Location"] == "/notifications/"


def test_all_that_was_shown_is_marked_and_what_came_since_stays(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    shown = told(cast.femke, handoff)
    client = as_(cast.femke)
    until = client.get("/notifications/").context["until"]
    since = told(cast.femke, handoff, at=NOW + timedelta(seconds=1))
    other = told(cast.jonas, handoff)
    assert "1 message marked as read." in html(
        client.post("/notifications/read/", {"until": until}, follow=True)
    )
    for row in (shown, since, other):
        row.refresh_from_db()
    assert (shown.read_at, since.read_at, other.read_at) == (LATER, None, None)
    assert "0 messages" in html(client.post("/notifications/read/", {"until": until}, follow=True))


def test_what_an_act_that_began_before_the_page_writes_after_it_stays(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    """A sweep works for half a minute under the moment at which it began."""
    shown = told(cast.femke, handoff, at=NOW + timedelta(seconds=20))
    client = as_(cast.femke)
    page = client.get("/notifications/")
    form = {"until": page.context["until"], "last": page.context["last"]}
    assert f'name="last" value="{shown.pk}"' in html(page)
    written_later = told(cast.femke, handoff, "accept_breach", NOW)
    assert "1 message marked as read." in html(client.post("/notifications/read/", form, follow=True))
    for row in (shown, written_later):
        row.refresh_from_db()
    assert (shown.read_at, written_later.read_at) == (LATER, None)
    assert [subject.split(":")[0] for subject in subjects(client)] == ["Not answered in time"]


@pytest.mark.parametrize("last", ["", "-1", "all", "9" * 40])
def test_a_nonsense_number_leaves_the_moment_to_decide(
    as_: SignIn, cast: Cast, handoff: Handoff, last: str
) -> None:
    early, late = told(cast.femke, handoff), told(cast.femke, handoff, at=NOW + timedelta(minutes=1))
    form = {"until": NOW.isoformat(), "last": last}
    assert as_(cast.femke).post("/notifications/read/", form).status_code == 302
    for row in (early, late):
        row.refresh_from_db()
    assert (early.read_at, late.read_at) == (LATER, None)


@pytest.mark.parametrize("until", ["", "yesterday", "2026-13-45T99:00", "2026-03-10T10:00:00"])
def test_nonsense_marks_what_there_is(as_: SignIn, cast: Cast, handoff: Handoff, until: str) -> None:
    told(cast.femke, handoff)
    assert as_(cast.femke).post("/notifications/read/", {"until": until}).status_code == 302
    assert not Notification.objects.filter(user=cast.femke, read_at__isnull=True).exists()


def test_a_lead_that_went_elsewhere_is_not_linked(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    message = told(cast.femke, handoff)
    act = lifecycle.Act(LATER, cast.otto)
    lifecycle.reassign(handoff.pk, act, to="rosa@handoff.example.com", reason="Nordics")
    client = as_(cast.femke)
    assert "no longer yours to see" in html(client.get("/notifications/"))
    assert client.post(f"/notifications/{message.pk}/read/")["Location"] == "/notifications/"


def test_another_persons_message_is_not_there(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    message = told(cast.femke, handoff)
    for user in (cast.jonas, cast.ada, cast.vera):
        refuses(as_(user), 404, post=(f"/notifications/{message.pk}/read/",))
    message.refresh_from_db()
    assert message.read_at is None


def test_marking_is_posted_and_the_list_is_not(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    refuses(client, 405, get=("/notifications/read/", "/notifications/1/read/"), post=("/notifications/",))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/notifications/")


def test_an_empty_list_says_so(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.vera)
    assert "Nothing unread." in html(client.get("/notifications/"))
    assert "Nothing has been told to you yet." in html(client.get("/notifications/?show=all"))


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    type(handoff.lead).objects.filter(pk=handoff.lead_id).update(first_name="<script>x</script>")
    told(cast.femke, handoff)
    assert "<script>x" not in html(as_(cast.femke).get("/notifications/"))


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    told(cast.femke, handoff)
    client = as_(cast.femke)
    one = queries(client, "/notifications/")
    for _ in range(2):
        told(cast.femke, make_handoff("assigned", cast.femke))
    assert queries(client, "/notifications/") == one


def test_ten_thousand_take_no_more_queries_than_one(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    told(cast.femke, handoff)
    client = as_(cast.femke)
    pages = ("/notifications/", "/notifications/?show=all")
    one = [queries(client, page) for page in pages]
    Notification.objects.bulk_create(
        Notification(user=cast.femke, handoff=handoff, kind="assigned", created_at=NOW - timedelta(seconds=n))
        for n in range(1, 10_001)
    )
    assert [queries(client, page) for page in pages] == one
    response = client.get("/notifications/")
    assert "10,000+ unread" in html(response)
    seen = [line.id for line in response.context["lines"]]
    for _ in range(3):
        response = client.get(f"/notifications/{response.context['more']}")
        seen += [line.id for line in response.context["lines"]]
    assert len(seen) == len(set(seen)) == 200
    newest = Notification.objects.order_by("-created_at", "-pk").values_list("pk", flat=True)[:200]
    assert seen == list(newest)


def test_words_find_lead_company_and_what_happened_but_no_address(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    lead = handoff.lead
    told(cast.femke, handoff, "contact_breach")
    other = make_handoff("assigned", cast.femke)
    Notification.objects.filter(handoff=other).delete()
    type(lead).objects.filter(pk=other.lead_id).update(first_name="Zbigniew", last_name="Xanthos")
    indexing.keep([type(lead).objects.get(pk=other.lead_id)])
    told(cast.femke, other)
    told(cast.femke, other, "made_up")
    Notification.objects.create(
        user=cast.femke, kind="rule_review", data={"rule": "Nordic hotels"}, created_at=NOW
    )
    client = as_(cast.femke)
    assert len(subjects(client, "?q=xanth")) == 2
    assert [said.split(":")[0] for said in subjects(client, "?q=NOT+contacted")] == ["Not contacted in time"]
    assert subjects(client, "?q=hotels") == ["Review due: Nordic hotels"]
    other.lead.refresh_from_db()
    assert other.lead.email
    assert subjects(client, f"?q={other.lead.email}") == []
    page = html(client.get("/notifications/?q=xanth"))
    assert "2 found" in page
    # Marking everything would mark what is not shown.
    assert "Mark all as read" not in page
    assert "No unread message fits." in html(client.get("/notifications/?q=qqqq"))
    assert 'class="error" role="alert"' in html(client.get(f"/notifications/?q={'x' * 300}"))


def test_a_search_finds_nobody_elses(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    told(cast.jonas, handoff, "contact_breach")
    assert subjects(as_(cast.femke), "?q=contacted&show=all") == []


@pytest.mark.parametrize("sort", ["when", "-when", "what", "-what", "lead", "-lead", "nonsense"])
def test_each_order_goes_through_all_page_by_page(
    as_: SignIn, cast: Cast, handoff: Handoff, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr("leads.views.notifications.SIZE", 2)
    other = make_handoff("assigned", cast.femke)
    Notification.objects.all().delete()
    type(other.lead).objects.filter(pk=other.lead_id).update(name_key="aaa")
    for minute, (about, kind) in enumerate(
        [(handoff, "assigned"), (other, "claimed"), (handoff, "black_hole"), (other, "assigned")]
    ):
        told(cast.femke, about, kind, NOW + timedelta(minutes=minute))
    Notification.objects.create(user=cast.femke, kind="rule_review", created_at=NOW + timedelta(minutes=9))
    keys = {
        "when": lambda row: (row.created_at, row.pk),
        "what": lambda row: (row.kind, row.created_at),
        "lead": lambda row: (row.handoff.lead.name_key if row.handoff else "", row.created_at),
    }
    by = sort if sort.removeprefix("-") in keys else "-when"
    rows = Notification.objects.select_related("handoff__lead")
    wanted = sorted(rows, key=keys[by.removeprefix("-")], reverse=by.startswith("-"))
    client, seen, query = as_(cast.femke), [], f"?sort={sort}"
    while query:
        response = client.get(f"/notifications/{query}")
        seen += [line.id for line in response.context["lines"]]
        query = response.context["more"]
    assert seen == [row.pk for row in wanted]


def test_the_heads_turn_the_order_round_and_keep_the_words(as_: SignIn, cast: Cast) -> None:
    what, lead, when = as_(cast.femke).get("/notifications/?q=a&show=all").context["heads"]
    assert (what["aria"], lead["aria"], when["aria"]) == ("", "", "descending")
    assert when["href"] == "?q=a&show=all&sort=when"
    assert lead["href"] == "?q=a&show=all&sort=lead"


def test_marking_one_keeps_the_search(as_: SignIn, cast: Cast, handoff: Handoff) -> None:
    message = told(cast.femke, handoff)
    form = {"stay": "1", "query": "q=acme&sort=lead"}
    response = as_(cast.femke).post(f"/notifications/{message.pk}/read/", form)
    assert response["Location"] == "/notifications/?q=acme&sort=lead"
    hostile = {"stay": "1", "query": "//evil.example/\r\nX: y"}
    response = as_(cast.femke).post(f"/notifications/{message.pk}/read/", hostile)
    assert response["Location"].startswith("/notifications/?%2F%2Fevil")


def test_search_and_order_take_a_constant_number_of_queries(
    as_: SignIn, cast: Cast, handoff: Handoff
) -> None:
    told(cast.femke, handoff, "contact_breach")
    client, url = as_(cast.femke), "/notifications/?q=contacted&sort=lead"
    one = queries(client, url)
    for _ in range(3):
        told(cast.femke, make_handoff("assigned", cast.femke), "contact_breach")
    assert len(subjects(client, "?q=contacted&sort=lead")) == 4
    assert queries(client, url) == one
