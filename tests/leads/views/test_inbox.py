"""The inbox: what stands in it, for whom, in how many queries; the poll; the frame around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from leads import lifecycle
from leads.models import DuplicatePair, Handoff, Notification
from leads.views import stamp, worklist
from routing.models import Queue, User
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_handoff, make_lead, make_score

SignIn = Callable[[User], Client]
LATER = NOW + timedelta(minutes=10)
POLL = {"HX-Request": "true", "HX-Target": "list-body"}


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def _html(response: HttpResponse) -> str:
    assert response.status_code == 200
    return response.content.decode()


def _rows(response: HttpResponse, section: str) -> list[str]:
    found = {part.key: part for part in response.context["list"].sections}
    return [row.name for row in found[section].rows] if section in found else []


def _queue(*members: User, owner: User) -> Queue:
    queue = Queue.objects.create(slug="dach-overflow", name="DACH overflow", owner=owner)
    queue.members.add(*members)
    return queue


def test_each_state_has_its_section(as_: SignIn, cast: Cast) -> None:
    states = ("assigned", "accepted", "working", "deferred")
    made = {state: make_handoff(state, cast.femke) for state in states}
    response = as_(cast.femke).get("/inbox/")
    assert _html(response)
    for state in states:
        assert _rows(response, state) == [str(made[state].lead)]


def test_answer_now_is_in_the_order_of_deadlines(as_: SignIn, cast: Cast) -> None:
    standard = make_handoff("assigned", cast.femke)
    demo = make_handoff("assigned", cast.femke, kind="demo_request")
    response = as_(cast.femke).get("/inbox/")
    assert _rows(response, "assigned") == [str(demo.lead), str(standard.lead)]


def test_it_shows_ones_own_work_only(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.jonas)
    html = _html(as_(cast.femke).get("/inbox/"))
    assert "Nothing waits for you" in html


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    response = client.get("/inbox/")
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_only_reading_is_allowed(as_: SignIn, cast: Cast) -> None:
    assert as_(cast.femke).post("/inbox/").status_code == 405


def test_the_first_lead_is_fetched_when_it_can_be_seen(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    html = _html(as_(cast.femke).get("/inbox/"))
    assert f'hx-get="?h={handoff.pk}" hx-trigger="intersect once"' in html
    assert f'<a href="?h={handoff.pk}">Open the first lead</a>' in html


def test_a_lead_is_opened_by_its_address(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    response = as_(cast.femke).get(f"/inbox/?h={handoff.pk}")
    assert "Why did this lead qualify?" in _html(response)
    assert response.context["pane"].handoff == handoff
    assert [row.is_current for row in response.context["list"].sections[0].rows] == [True]


def test_htmx_gets_the_lead_alone_and_history_gets_the_page(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client, url = as_(cast.femke), f"/inbox/?h={handoff.pk}"
    part = client.get(url, headers={"HX-Request": "true", "HX-Target": "lead"})
    assert part.content.lstrip().startswith(b'<article class="lead"')
    assert "HX-Target" in part["Vary"]
    assert part["Cache-Control"] == "no-store"
    restored = client.get(
        url, headers={"HX-Request": "true", "HX-Target": "lead", "HX-History-Restore-Request": "true"}
    )
    assert b"<!doctype html>" in restored.content


@pytest.mark.parametrize("value", ["0", "-1", "abc", "99999999999999999999", "1'--"])
def test_a_nonsense_lead_in_the_address_breaks_nothing(as_: SignIn, cast: Cast, value: str) -> None:
    assert as_(cast.femke).get("/inbox/", {"h": value}).status_code in (200, 404)


def test_a_foreign_lead_is_not_found(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.rosa)
    assert as_(cast.femke).get(f"/inbox/?h={handoff.pk}").status_code == 404


def test_flags_warn_of_duplicates_and_weak_signals(as_: SignIn, cast: Cast) -> None:
    lead, other = make_lead(), make_lead()
    make_score(lead)
    make_activity(lead, "page_view", title="Docs")
    make_handoff("assigned", cast.femke, lead=lead)
    DuplicatePair.objects.create(first=lead, second=other, found_at=NOW)
    response = as_(cast.femke).get("/inbox/")
    row = response.context["list"].sections[0].rows[0]
    assert [flag.label for flag in row.flags] == ["Duplicate?", "Weak signals"]


def test_filters_stand_in_the_address(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(first_name="Tomasz", last_name="Nowicki")
    make_handoff("assigned", cast.femke, lead=lead)
    make_handoff("assigned", cast.femke, kind="demo_request")
    client = as_(cast.femke)
    assert _rows(client.get("/inbox/?q=nowick"), "assigned") == ["Tomasz Nowicki"]
    assert _rows(client.get("/inbox/?type=standard"), "assigned") == ["Tomasz Nowicki"]
    empty = client.get("/inbox/?q=nobody-is-called-so")
    assert "Nothing in this list fits the filter" in _html(empty)


def test_queues_one_belongs_to_are_tabs(as_: SignIn, cast: Cast) -> None:
    queue = _queue(cast.femke, owner=cast.mia)
    handoff = make_handoff("queued", queue=queue)
    client = as_(cast.femke)
    assert [(tab.label, tab.count) for tab in client.get("/inbox/").context["list"].tabs] == [
        ("Mine", 0),
        ("DACH overflow", 1),
    ]
    assert _rows(client.get("/inbox/?queue=dach-overflow"), "queued") == [str(handoff.lead)]


def test_a_queue_one_does_not_belong_to_is_not_found(as_: SignIn, cast: Cast) -> None:
    _queue(cast.femke, owner=cast.mia)
    assert as_(cast.jonas).get("/inbox/?queue=dach-overflow").status_code == 404
    assert as_(cast.jonas).get("/inbox/?queue=nonsense").status_code == 404


def test_done_today_keeps_what_was_finished(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke)
    working = make_handoff("working", cast.femke)
    done = as_(cast.femke).get("/inbox/").context["list"].done
    assert {(row.id, row.text) for row in done} == {
        (handoff.pk, "rejected, not our customer profile"),
        (working.pk, "no answer by phone"),
    }


def test_done_today_begins_at_the_viewers_midnight(as_: SignIn, cast: Cast) -> None:
    make_handoff("rejected", cast.femke)
    with time_machine.travel(NOW + timedelta(days=1), tick=False):
        assert as_(cast.femke).get("/inbox/").context["list"].done == []


def test_the_title_counts_what_waits_for_an_answer(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    make_handoff("accepted", cast.femke)
    assert "<title>(1) Inbox - Handoff</title>" in _html(as_(cast.femke).get("/inbox/"))


def test_no_query_is_added_by_a_row(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)

    def queries() -> int:
        client.get("/inbox/")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get("/inbox/").status_code == 200
        return len(captured)

    for state in ("assigned", "accepted", "working", "deferred", "rejected"):
        make_handoff(state, cast.femke)
    one = queries()
    for _ in range(2):
        for state in ("assigned", "accepted", "working", "deferred", "rejected"):
            make_handoff(state, cast.femke)
    assert queries() == one
    assert one <= 16


# The poll


def _stamp(response: HttpResponse) -> str:
    return str(response.context["list"].stamp)


def test_a_poll_is_silent_until_something_changes(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    client = as_(cast.femke)
    version = _stamp(client.get("/inbox/"))
    assert client.get("/inbox/", {"v": version}, headers=POLL).status_code == 204
    fresh = make_handoff("assigned", cast.femke, at=LATER)
    response = client.get("/inbox/", {"v": version}, headers=POLL)
    html = _html(response)
    assert f'id="row-{fresh.pk}"' in html
    assert "<title>(2) Inbox - Handoff</title>" in html
    assert 'id="nav" hx-swap-oob="true"' in html
    assert "<!doctype" not in html


def test_a_poll_hears_of_a_queue_that_one_comes_into_though_nothing_waits_there(cast: Cast) -> None:
    before = stamp.of(cast.femke, NOW)
    _queue(owner=cast.mia).members.add(cast.femke)
    assert stamp.of(cast.femke, NOW).text != before.text


@pytest.mark.parametrize("what", ["nothing", "some", "a message", "a queue", "a filter", "too many"])
def test_the_page_has_the_stamp_that_a_poll_would_find(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(worklist, "MOST_ROWS", 2)
    held = {"nothing": 0, "too many": 3}.get(what, 2)
    mine = [make_handoff("assigned", cast.femke, at=NOW - timedelta(minutes=age)) for age in range(held)]
    for handoff in mine[1:]:
        lifecycle.note(handoff.pk, lifecycle.Act(LATER, cast.mia), text="Call before noon")
    if what != "a message":
        Notification.objects.update(read_at=NOW)
    if what == "a queue":
        _queue(owner=cast.mia).members.add(cast.femke)
    response = as_(cast.femke).get("/inbox/", {"type": "demo"} if what == "a filter" else {})
    assert _stamp(response) == stamp.of(cast.femke, response.context["shell"].now).text


def test_what_changes_between_the_counts_and_the_rows_is_news(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = make_handoff("assigned", cast.femke)
    read = worklist._mine

    def read_late(user: int) -> list[Handoff]:
        lifecycle.accept(mine.pk, lifecycle.Act(NOW, cast.femke))
        return read(user)

    monkeypatch.setattr(worklist, "_mine", read_late)
    response = as_(cast.femke).get("/inbox/")
    assert "<title>(1) Inbox - Handoff</title>" in _html(response)
    assert _stamp(response) != stamp.of(cast.femke, response.context["shell"].now).text


@pytest.mark.parametrize("what", ["held", "queued"])
def test_a_poll_hears_of_a_change_that_was_written_down_as_of_an_earlier_moment(
    cast: Cast, what: str
) -> None:
    """As a sweep does, which has one moment for all that it fires."""
    queue = _queue(owner=cast.femke)
    both = [make_handoff("assigned", cast.femke) for _ in range(2)]
    lifecycle.note(both[0].pk, lifecycle.Act(LATER, cast.mia), text="Call before noon")
    if what == "queued":
        Handoff.objects.update(queue=queue, state="queued", assignee=None)
    before = stamp.of(cast.femke, NOW).text
    lifecycle.note(both[1].pk, lifecycle.Act(LATER - timedelta(seconds=9), cast.mia), text="Or after")
    assert stamp.of(cast.femke, NOW).text != before


def test_past_what_the_bell_counts_a_message_more_is_no_news(cast: Cast) -> None:
    mine = make_handoff("assigned", cast.femke)
    Notification.objects.update(read_at=NOW)

    def told(numbers: range) -> str:
        told = {"user": cast.femke, "kind": "assigned", "created_at": NOW, "handoff": mine}
        Notification.objects.bulk_create(Notification(event_number=number, **told) for number in numbers)
        return stamp.of(cast.femke, NOW).text

    assert told(range(100, 199)) != told(range(199, 200)) == told(range(200, 210))


def test_a_poll_hears_of_the_queue_the_bell_and_a_change_in_place(as_: SignIn, cast: Cast) -> None:
    mine = make_handoff("assigned", cast.femke)
    queue = _queue(owner=cast.femke)
    seen = {stamp.of(cast.femke, NOW).text}

    def is_news() -> bool:
        text = stamp.of(cast.femke, NOW).text
        is_new = text not in seen
        seen.add(text)
        return is_new

    assert not is_news()
    waiting = make_handoff("queued")
    Handoff.objects.filter(pk=waiting.pk).update(queue=queue)
    assert is_news()
    lifecycle.note(mine.pk, lifecycle.Act(LATER, cast.mia), text="Call before noon")
    assert is_news()
    Notification.objects.create(
        user=cast.femke, kind="assigned", created_at=LATER, handoff=mine, event_number=99
    )
    assert is_news()
    Notification.objects.filter(user=cast.femke).update(read_at=LATER)
    assert is_news()
    assert not is_news()
    assert stamp.of(cast.femke, NOW + timedelta(seconds=stamp.REFRESH)).text not in seen
    assert stamp.of(cast.femke, NOW, mine.pk).revision == mine.revision + 1
    assert stamp.of(cast.femke, NOW, waiting.pk).revision is None


def test_rows_do_not_inherit_the_version_of_the_poll(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    response = as_(cast.femke).get("/inbox/")
    html = _html(response)
    assert f'hx-get="/inbox/?v={_stamp(response)}" hx-trigger="every 20s, again"' in html
    assert "hx-vals" not in html


def test_a_silent_poll_is_cheap(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.femke)
    version = _stamp(client.get("/inbox/"))
    with CaptureQueriesContext(connection) as captured:
        client.get("/inbox/", {"v": version, "open": handoff.pk, "rev": handoff.revision}, headers=POLL)
    # The session with its person, and the stamp.
    assert len(captured) == 2


def test_a_poll_tells_who_took_the_open_lead(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.femke)
    lifecycle.reassign(
        handoff.pk, lifecycle.Act(LATER, cast.mia), to=cast.jonas.email, reason="Femke is on the train"
    )
    asked = {"v": "old", "open": handoff.pk, "rev": handoff.revision}
    response = client.get("/inbox/", asked, headers=POLL)
    html = _html(response)
    assert "Mia Brandt: reassigned, today 10:10." in html
    assert 'id="lead-news"' in html
    assert response.context["news"].is_lost


def test_a_poll_tells_a_stranger_nothing(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.rosa)
    asked = {"v": "old", "open": handoff.pk, "rev": 0}
    response = as_(cast.femke).get("/inbox/", asked, headers=POLL)
    assert response.context["news"] is None
    assert str(handoff.lead) not in _html(response)


def test_ones_own_acts_are_no_news(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    asked = {"v": "old", "open": handoff.pk, "rev": handoff.revision}
    assert as_(cast.femke).get("/inbox/", asked, headers=POLL).context["news"] is None


# The frame


def test_the_frame_costs_the_same_for_every_role(as_: SignIn, cast: Cast) -> None:
    for person in cast:
        client = as_(person)
        client.get("/inbox/")
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/inbox/").status_code == 200
        assert len(captured) <= 15, person


def test_navigation_is_for_the_role(as_: SignIn, cast: Cast) -> None:
    def labels(user: User) -> list[str]:
        return [item.label for item in as_(user).get("/inbox/").context["shell"].nav]

    assert "Inbox" in labels(cast.femke)
    assert "Completion" not in labels(cast.femke)
    assert "Inbox" not in labels(cast.vera)


def test_late_work_is_counted_in_words(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke, kind="demo_request")
    item = as_(cast.femke).get("/inbox/").context["shell"].nav[0]
    assert (item.count, item.late) == ("1", "1")


def test_the_theme_is_kept(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    response = client.post("/theme/", {"theme": "dark", "next": "/inbox/"})
    assert response["Location"] == "/inbox/"
    assert 'data-theme="dark"' in _html(client.get("/inbox/"))
    for foreign in ("https://evil.example/", "//evil.example/", "inbox", "a:b", "a\x00b", "\\evil.example"):
        assert client.post("/theme/", {"theme": "x", "next": foreign})["Location"] == "/"
    cast.femke.refresh_from_db()
    assert cast.femke.theme == "dark"


def test_nothing_inline_for_the_policy_to_refuse(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    response = as_(cast.femke).get(f"/inbox/?h={handoff.pk}")
    html = _html(response)
    assert " style=" not in html
    assert " onclick=" not in html
    assert "<script>" not in html
    assert "unsafe" not in response["Content-Security-Policy"]


def test_hostile_lead_data_is_shown_as_text(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(
        first_name="<script>alert(1)</script>", last_name='"><img src=x>', job_title="{{ 7|add:7 }}"
    )
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    html = _html(as_(cast.femke).get(f"/inbox/?h={handoff.pk}"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "{{ 7|add:7 }}" in html


def test_keys_can_be_switched_off(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.femke)
    assert "<body data-keys " in _html(client.get("/inbox/"))
    User.objects.filter(pk=cast.femke.pk).update(single_keys=False)
    assert "<body data-keys" not in _html(client.get("/inbox/"))


def test_imported_history_is_no_work(as_: SignIn, cast: Cast, now: datetime) -> None:
    handoff = make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=handoff.pk).update(is_history=True)
    assert as_(cast.femke).get("/inbox/").context["list"].order == []


@pytest.mark.parametrize("asked", [{"q": "a\x00b"}, {"queue": "\x00"}])
def test_a_null_character_in_the_list_is_no_error(as_: SignIn, cast: Cast, asked: dict[str, str]) -> None:
    handoff = make_handoff("accepted", cast.femke)
    client = as_(cast.femke)
    assert client.get("/inbox/", asked).status_code == 200
    sent = {"channel": "phone", "outcome": "no_answer"} | asked
    assert client.post(f"/handoffs/{handoff.pk}/contact/", sent).status_code in (200, 302)
