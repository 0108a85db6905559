"""Polling Mautic: nothing is passed over, whatever changes while one reads and however many in one second."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads.connectors import opened
from leads.connectors.client import Unreachable
from leads.connectors.mautic import contacts, streams
from leads.connectors.mautic.connector import Mautic
from tests.conftest import NOW
from tests.leads.connectors.mautic.conftest import Hooked


class Poller:
    """Reads page by page with a small page, and remembers what it saw: id to the latest title."""

    def __init__(self, hooked: Hooked, size: int = 3) -> None:
        self.hooked, self.size, self.cursor = hooked, size, {}
        self.saw: dict[str, str] = {}
        self.pages = 0

    def page(self) -> bool:
        with opened(self.hooked.connection) as connector:
            assert isinstance(connector, Mautic)
            page = streams.page(connector.caller, self.cursor, self.hooked.now, self.size, 1)
        self.cursor, self.pages = page.cursor, self.pages + 1
        for contact in page.contacts:
            self.saw[contacts.id_of(contact)] = contacts.flat(contact)["position"] or ""
        return page.is_more

    def all(self) -> None:
        for _ in range(200):
            if not self.page():
                return
        raise AssertionError("it never came to an end")


def there(hooked: Hooked) -> dict[str, str]:
    return {record.id: record.values.get("position") or "" for record in hooked.outer.mautic.contacts}


@pytest.fixture
def silent(hooked: Hooked) -> Hooked:
    """No webhook tells anything: all of it is found by polling."""
    hooked.outer.mautic.events.url = ""
    return hooked


def test_made_and_changed_contacts_are_found_once_each_poll(silent: Hooked) -> None:
    ids = [silent.contact(email=f"p{number}@x.example") for number in range(7)]
    poller = Poller(silent)
    poller.all()
    assert poller.saw == dict.fromkeys(ids, "")

    poller.saw.clear()
    silent.outer.clock.advance(3600)
    poller.all()
    assert set(poller.saw) == set(ids), "what is as recent as the overlap is read again"

    silent.act("edit", ids[2], values={"position": "CTO"})
    poller.all()
    assert poller.saw[ids[2]] == "CTO"


def test_the_first_poll_looks_back_as_far_as_it_is_told(silent: Hooked) -> None:
    old = silent.contact(email="old@x.example")
    silent.outer.clock.advance(2 * 86400)
    new = silent.contact(email="new@x.example")
    poller = Poller(silent)
    poller.all()
    assert (set(poller.saw), old in poller.saw) == ({new}, False)


@pytest.mark.parametrize("number", [3, 6, 7, 20])
def test_more_changes_in_one_second_than_a_page_has(silent: Hooked, number: int) -> None:
    ids = silent.outer.mautic.seed({"contacts": [{"email": f"p{n}@x.example"} for n in range(number)]})
    silent.outer.clock.advance(60)
    at = int(silent.outer.clock.now())
    for record in silent.outer.mautic.contacts:
        record.modified = float(at)
        record.values["position"] = "Same second"
    poller = Poller(silent)
    poller.all()
    assert poller.saw == dict.fromkeys(ids["contacts"], "Same second")


def test_a_list_without_contacts_is_no_end(silent: Hooked) -> None:
    silent.outer.fault(system="mautic", match="GET .*contacts", status=200, body={"total": 0})
    with pytest.raises(Unreachable):
        Poller(silent).page()


def test_an_empty_list_may_be_an_array(silent: Hooked) -> None:
    silent.outer.mautic.configure(empty_lists=True)
    poller = Poller(silent)
    poller.all()
    assert (poller.saw, poller.pages) == ({}, 2)


# What happens between two pages: a change, a new contact, or time that passes.
deeds = st.lists(
    st.tuples(st.sampled_from(("edit", "edit", "create", "page", "poll", "tick")), st.integers(0, 11)),
    max_size=20,
)


@given(deeds, st.integers(1, 4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_that_move_while_one_reads_are_seen(
    silent: Hooked, done: list[tuple[str, int]], size: int
) -> None:
    silent.outer.mautic.clear()
    silent.outer.clock.offset = NOW.timestamp() - silent.outer.clock.now() + silent.outer.clock.offset
    known = silent.outer.mautic.seed({"contacts": [{"email": f"s{n}@x.example"} for n in range(6)]})[
        "contacts"
    ]
    poller = Poller(silent, size)
    for values, (what, number) in enumerate(done):
        if what == "edit":
            silent.act("edit", known[number % len(known)], values={"position": f"v{values}"})
        elif what == "create":
            known.append(silent.contact(email=f"c{values}@x.example", position=f"v{values}"))
        elif what == "tick":
            silent.outer.clock.advance(number)
        elif what == "poll":
            poller.all()
        else:
            poller.page()
    # The poll that is under way ends, and the next one knows all that is there.
    poller.all()
    poller.all()
    assert poller.saw == there(silent)


def test_the_cursor_is_plain_json(silent: Hooked) -> None:
    silent.contact(email="a@x.example")
    poller = Poller(silent)
    poller.all()
    cursor: dict[str, Any] = poller.cursor
    assert cursor["stream"] == ""
    assert set(cursor) == {"dateModified", "dateAdded", "stream"}
    assert contacts.moment(cursor["dateAdded"]["since"]) <= silent.now + timedelta(seconds=1)  # type: ignore[operator]
