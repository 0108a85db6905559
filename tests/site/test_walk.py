"""The permission walk: every address of the site, by every method, as everybody; and a hole that it finds."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import override_settings

from leads.roles import ALLOWED
from tests.conftest import NOW, Cast
from tests.site import reach, walking, world
from tests.site.world import ANONYMOUS, PEOPLE, World

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """At the same moment throughout, and without a line for each of thousands of answers."""
    logging.disable(logging.CRITICAL)
    with time_machine.travel(LATER, tick=False):
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def site(cast: Cast) -> World:
    return world.build(cast)


def test_every_address_is_decided_on() -> None:
    assert walking.unknown() == []


@pytest.mark.parametrize("who", (ANONYMOUS, *PEOPLE))
def test_everybody_gets_where_the_table_says_and_nowhere_else(site: World, who: str) -> None:
    found = walking.surprises(site, who)
    assert not found, "\n".join(found)


# What a person may do with one handoff, on its page and by a key that acts for them

UNTIL = "2026-03-20T09:00:00Z"
BODIES: dict[str, dict[str, str]] = {
    "accept": {},
    "claim": {},
    "resume": {},
    "reject": {"reason": "not_icp"},
    "defer": {"until": UNTIL, "explanation": "After the fair"},
    "contact": {"channel": "phone", "outcome": "no_answer"},
    "opportunity": {},
    "disqualify": {"reason": "not_icp"},
    "note": {"text": "Met at the fair"},
    "reassign": {"to": "jonas@handoff.example.com", "reason": "In turn"},
}
ON_PAGES = BODIES | {"undo": {}, "report": {"field": "phone", "text": "Nobody answers"}}
BY_KEYS = BODIES | {
    "waive": {"check": "company_name", "reason": "A freelancer"},
    "recheck": {},
    "discard": {"reason": "Spam"},
}
# What an assigned handoff allows at all.
MOVES = {"accept", "reject", "defer", "contact", "opportunity", "note", "report", "reassign"}


def doers(offered: dict[str, dict[str, str]]) -> set[tuple[str, str]]:
    """Who may do what of it, by the table of permissions."""
    return {
        (who, verb)
        for who, relations in reach.RELATION.items()
        for verb in offered
        if verb in MOVES and any(verb in ALLOWED[relation] for relation in relations)
    }


def test_a_handoff_is_moved_by_those_whom_the_table_allows(site: World) -> None:
    route, moved, hidden = "handoffs/<int:pk>/<slug:verb>/", set(), {}
    for who in PEOPLE:
        for verb, body in ON_PAGES.items():
            asked = walking.ask(site, route, "POST", who, {"verb": verb}, body)
            if asked.wrote:
                moved.add((who, verb))
            if who not in reach.SEES:
                hidden[who, verb] = asked.answer
    assert moved == doers(ON_PAGES)
    assert set(hidden.values()) == {404}


def test_a_key_acts_as_the_person_it_acts_for(site: World) -> None:
    moved, hidden, refused = set(), set(), set()
    for who in PEOPLE:
        for verb, body in BY_KEYS.items():
            route = f"api/v1/handoffs/<handoff_id>/{verb}"
            given = body | {"on_behalf_of": site.people[who].email}
            asked = walking.ask(site, route, "POST", "a key", None, given, bearer(site.scopes["act"]))
            if set(asked.wrote) - {"leads_apikey"}:
                moved.add((who, verb))
            elif who not in reach.SEES:
                hidden.add(asked.answer)
            elif who == "vera":
                refused.add(asked.answer)
    assert moved == doers(BY_KEYS)
    assert (hidden, refused) == ({404}, {403})


def test_a_key_opens_what_its_scope_is_for(site: World) -> None:
    keys = {**site.scopes, "nobody's": "hk_nobody"}
    found = []
    for route, door in reach.table().items():
        if not isinstance(door, reach.Keyed):
            continue
        for scope, key in keys.items():
            asked = walking.ask(site, route, door.method, f"a key to {scope}", None, None, bearer(key))
            if scope == "nobody's":
                is_right = asked.answer == 401
            elif door.scope in ("", scope):
                is_right = asked.answer in (200, 400, 422)
            else:
                is_right = asked.answer == 403
            if not is_right or set(asked.wrote) - {"leads_apikey"}:
                found.append(str(asked))
    assert not found, "\n".join(found)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# What is hidden of a person whose page is shown


def test_no_answer_shows_a_viewer_how_to_reach_a_person(site: World) -> None:
    shows: dict[str, list[str]] = {who: [] for who in ("vera", "nemo", "otto")}
    for route, door in reach.table().items():
        if not isinstance(door, reach.Door) or door.read is None:
            continue
        for who, found in shows.items():
            if who in door.read and world.is_told(walking.ask(site, route, "GET", who).text):
                found.append(route)
    assert (shows["vera"], shows["nemo"]) == ([], [])
    # Marketing is shown it, so these words would be found.
    assert {"leads/<int:pk>/", "leads/leads.csv", "handoffs/handoffs.csv"} <= set(shows["otto"])


# A hole is found


def test_a_planted_hole_is_found(site: World) -> None:
    with override_settings(ROOT_URLCONF="tests.site.planted"):
        assert walking.unknown() == ["nobody decided on team/salaries/"]
        only = {"status/", "team/<int:pk>/absences/"}
        found = {who: walking.surprises(site, who, only) for who in ("rosa", "vera", "ada", ANONYMOUS)}
    assert found == {
        # A page that was left unguarded, and an act that says no and does it all the same.
        who: [
            f"GET status/ by {who}: 200; expected ['404']",
            f"HEAD status/ by {who}: 200; expected ['404']",
            f"POST team/<int:pk>/absences/ by {who}: 404, wrote routing_absence; expected ['404']",
        ]
        for who in ("rosa", "vera")
    } | {"ada": [], ANONYMOUS: []}
