"""What if: windows read from the log, both targets held against them, and the page for those it is for."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import Event, Handoff
from metrics import whatif
from metrics.whatif import Window, compare, is_broken
from routing import hours
from routing.models import User
from routing.sla import Target
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead, open_handoff, route_to
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LATER = NOW + 8 * HOUR
URL = "/whatif/?policy=standard&clock=accept&minutes=30&time=elapsed"
OFFICE = hours.Calendar("UTC", (((9 * 60, 17 * 60),),) * 5 + ((), ()))


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def answered(user: User, minutes: int) -> Handoff:
    route_to(user)
    handoff = open_handoff()
    return lifecycle.accept(handoff.pk, Act(NOW + minutes * MINUTE, user))


def windows(handoff: Handoff, clock: str) -> list[tuple[object, ...]]:
    """Who owed, from when and until when, in minutes since NOW."""
    log = list(Event.objects.filter(handoff=handoff).order_by("number"))
    found = []
    for window in whatif.windows(handoff.pk, log, clock):
        start = (window.starts_at - NOW) / MINUTE
        end = (window.ends_at - NOW) / MINUTE if window.ends_at else None
        found.append((window.person or window.queue, start, end))
    return found


def test_each_holder_has_their_own_window_to_answer(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    manager = Act(NOW + 20 * MINUTE, cast.mia)
    lifecycle.reassign(handoff.pk, manager, to=cast.jonas.email, reason="Ill")
    lifecycle.accept(handoff.pk, Act(NOW + 50 * MINUTE, cast.jonas))
    assert windows(handoff, "accept") == [(cast.femke.pk, 0, 20), (cast.jonas.pk, 20, 50)]


def test_the_contact_has_one_window_a_lead_whoever_held_it(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    manager = Act(NOW + 20 * MINUTE, cast.mia)
    lifecycle.reassign(handoff.pk, manager, to=cast.jonas.email, reason="Ill")
    assert windows(handoff, "contact") == [(cast.jonas.pk, 0, None)]
    act = Act(NOW + 90 * MINUTE, cast.jonas)
    lifecycle.contact(handoff.pk, act, channel="phone", outcome="reached", at=NOW + 70 * MINUTE)
    assert windows(handoff, "contact") == [(cast.jonas.pk, 0, 70)]


def test_a_deferral_moves_the_clock_to_its_end(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    until = NOW + 300 * MINUTE
    lifecycle.defer(handoff.pk, Act(NOW + 5 * MINUTE, cast.femke), until=until, explanation="After lunch")
    lifecycle.fire(handoff.pk, until)
    assert windows(handoff, "contact") == [(cast.femke.pk, 300, None)]
    assert windows(handoff, "accept") == [(cast.femke.pk, 0, 5), (cast.femke.pk, 300, None)]
    assert windows(handoff, "no_activity") == [(cast.femke.pk, 0, 5), (cast.femke.pk, 300, None)]


def test_an_undone_answer_was_none(cast: Cast) -> None:
    handoff = answered(cast.femke, 40)
    lifecycle.undo(handoff.pk, Act(NOW + 40 * MINUTE + timedelta(seconds=5), cast.femke))
    assert windows(handoff, "accept") == [(cast.femke.pk, 0, None)]


def test_each_stay_in_completion_is_marketings(cast: Cast) -> None:
    route_to(cast.femke)
    handoff = open_handoff(make_lead(first_name="-"))
    lifecycle.waive(handoff.pk, Act(NOW + 60 * MINUTE, cast.otto), check="full_name", reason="Known")
    lifecycle.reject(handoff.pk, Act(NOW + 80 * MINUTE, cast.femke), reason="bad_data")
    assert windows(handoff, "completion") == [(None, 0, 60), (None, 80, None)]


def test_every_act_ends_a_stretch_without_activity(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.note(handoff.pk, Act(NOW + 30 * MINUTE, cast.femke), text="Out today")
    lifecycle.contact(handoff.pk, Act(NOW + 90 * MINUTE, cast.femke), channel="phone", outcome="reached")
    assert windows(handoff, "no_activity") == [(cast.femke.pk, 0, 30), (cast.femke.pk, 30, 90)]


@pytest.mark.parametrize(
    ("minutes", "business", "broken"),
    [(60, False, False), (59, False, True), (10, True, False), (9, True, True)],
)
def test_the_last_moment_is_in_time(minutes: int, business: bool, broken: bool) -> None:
    """From 16:50 to 17:50: an hour, of which the office is open for ten minutes."""
    start = NOW.replace(hour=16, minute=50)
    window = Window(1, "standard", 1, None, start, start + HOUR)
    assert is_broken(window, Target(minutes, business), OFFICE, start + 9 * HOUR) is broken


def test_counts_by_holder_and_type_add_up_and_only_so_many_are_kept() -> None:
    found = [
        Window(number, kind, person, None, NOW, NOW + number * MINUTE)
        for number in range(1, 11)
        for kind, person in (("standard", 1), ("demo", 2))
    ]
    answer = compare(found, Target(8, False), Target(4, False), lambda window: None, LATER, 5)
    assert (answer.total.windows, answer.total.before, answer.total.after) == (20, 4, 12)
    for tallies in (answer.by_holder, answer.by_type):
        assert [(t.windows, t.before, t.after, t.difference) for t in tallies.values()] == [(10, 2, 6, 4)] * 2
    assert len(answer.broken) == 5 and answer.is_cut


# The page


def test_it_shows_what_another_target_would_have_broken(as_: SignIn, cast: Cast) -> None:
    answered(cast.femke, 20), answered(cast.femke, 40), answered(cast.jonas, 150)
    page = html(as_(cast.mia).get(URL))
    assert "Of 3 windows, 1 broke the target in force; 2 would have broken the other." in page
    assert "30 min of any time in place of 2 h of working time" in page
    assert "until it is answered, taken away or closed" in page
    rows = as_(cast.mia).get(URL).context["by_holder"]
    assert [(name, t.windows, t.before, t.after) for name, t in rows] == [
        ("Jonas Keller", 1, 1, 1),
        ("Femke de Boer", 2, 0, 1),
    ]


def test_figures_cover_what_the_person_may_see(as_: SignIn, cast: Cast) -> None:
    answered(cast.femke, 40), answered(cast.rosa, 40)
    assert as_(cast.mia).get(URL).context["answer"].total.windows == 1
    assert as_(cast.otto).get(URL).context["answer"].total.windows == 2


def test_the_file_has_the_windows_behind(as_: SignIn, cast: Cast) -> None:
    handoff = answered(cast.femke, 40)
    answered(cast.femke, 20)
    text = as_(cast.otto).get(f"{URL}&format=csv").content.decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["handoff"], row["held by"]) == (str(handoff.pk), "Femke de Boer")
    assert (row["breached_now"], row["breached_then"]) == ("0", "1")


def test_before_anything_is_typed_the_form_has_the_target_in_force(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.mia).get("/whatif/"))
    assert 'name="minutes"' in page and "in place of" not in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("minutes", "0"),
        ("minutes", "ten"),
        ("minutes", "9999999"),
        ("minutes", "²"),
        ("clock", "lunch"),
        ("policy", "<script>"),
        ("time", "moon"),
    ],
)
def test_what_is_wrong_is_said_and_kept(as_: SignIn, cast: Cast, name: str, value: str) -> None:
    query = {"policy": "standard", "clock": "accept", "minutes": "30", "time": "business", name: value}
    response = as_(cast.mia).get("/whatif/", query)
    page = html(response, 422)
    assert name in response.context["asked"].errors and "<script>" not in page
    assert 'role="alert"' in page and (name != "minutes" or f'value="{value}"' in page)


def test_who_it_is_for(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, "/whatif/")
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=("/whatif/", URL))
    for user in (cast.mia, cast.otto, cast.ada):
        assert as_(user).get(URL).status_code == 200
    refuses(as_(cast.mia), 405, post=("/whatif/",))


def test_asking_twice_changes_nothing(as_: SignIn, cast: Cast) -> None:
    answered(cast.femke, 40)
    before = Event.objects.count()
    first, second = (html(as_(cast.otto).get(URL)) for _ in range(2))
    assert "Of 1 window, 0 broke" in first and "Of 1 window, 0 broke" in second
    assert Event.objects.count() == before


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.mia)
    answered(cast.femke, 40)
    one = queries(client, URL)
    answered(cast.femke, 50), answered(cast.jonas, 60)
    assert queries(client, URL) == one


def test_the_dashboard_leads_there_those_whose_page_it_is(as_: SignIn, cast: Cast) -> None:
    link = 'href="/whatif/"'
    assert link in html(as_(cast.mia).get("/dashboard/")) and link in html(as_(cast.ada).get("/dashboard/"))
    assert link not in html(as_(cast.femke).get("/dashboard/"))
