"""Which database is read: the copy for figures while it is fit, the primary for what must be as of now."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import OperationalError, ProgrammingError, transaction
from django.http import HttpRequest, HttpResponse

from leads.models import Event, Handoff
from metrics.models import Ledger, Snapshot
from routing import replica
from routing.models import Team, User
from routing.reading import Router, from_copy, from_primary, of_figures
from routing.replica import Verdict

router = Router()


def read() -> list[str]:
    return [router.db_for_read(model) for model in (Event, Handoff, Ledger, Snapshot, Team)]


def test_figures_are_read_from_the_copy_and_people_and_sessions_never() -> None:
    assert read() == ["default"] * 5
    with from_copy():
        assert read() == ["replica"] * 5
        assert [router.db_for_read(model) for model in (User, Group, Session)] == ["default"] * 3
        with from_primary():
            assert read() == ["default"] * 5
        assert read() == ["replica"] * 5
    assert read() == ["default"] * 5


def test_an_object_of_the_copy_leads_to_nothing_that_is_read_there_later() -> None:
    handoff = Handoff()
    handoff._state.db = "replica"
    assert router.db_for_read(Event, instance=handoff) == "default"
    assert router.db_for_write(Handoff, instance=handoff) == "default"
    assert router.allow_relation(handoff, User()) is True


@pytest.mark.django_db(transaction=True)
def test_within_a_transaction_the_primary_is_read() -> None:
    with from_copy(), transaction.atomic():
        assert read() == ["default"] * 5


def test_the_copy_is_never_migrated() -> None:
    assert router.allow_migrate("replica", "leads") is False
    assert router.allow_migrate("default", "leads") is None


class Seen:
    """A view that says where it reads, and fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.read = list(errors), list[str]()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.read.append(router.db_for_read(Handoff))
        if self.errors:
            raise self.errors.pop(0)
        return HttpResponse("figures")


def asked(view: Seen) -> HttpResponse:
    view.__name__ = "view"  # type: ignore[attr-defined]
    return of_figures(view)(HttpRequest())


@pytest.fixture
def doubts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the copy was doubted; it is fit."""
    found: list[int] = []
    monkeypatch.setattr(replica, "verdict", lambda: Verdict(0.5))
    monkeypatch.setattr(replica, "doubt", lambda: found.append(1))
    return found


def test_a_page_of_figures_reads_the_copy_while_it_is_fit(doubts: list[int], monkeypatch: Any) -> None:
    view = Seen()
    asked(view)
    for other in (None, Verdict(11.0, "It is too far behind.")):
        monkeypatch.setattr(replica, "verdict", lambda said=other: said)
        asked(view)
    assert view.read == ["replica", "default", "default"]
    assert doubts == []


@pytest.mark.parametrize("error", [OperationalError("closed"), ProgrammingError("no such column")])
def test_a_page_that_the_copy_fails_is_made_anew(doubts: list[int], error: Exception) -> None:
    view = Seen(error)
    assert asked(view).content == b"figures"
    assert view.read == ["replica", "default"]
    assert doubts == [1]


def test_what_takes_too_long_is_not_done_twice(doubts: list[int]) -> None:
    error = OperationalError("canceling statement due to statement timeout")
    error.__cause__ = psycopg.errors.QueryCanceled()
    view = Seen(error)
    with pytest.raises(OperationalError):
        asked(view)
    assert view.read == ["replica"]


def test_an_error_of_the_page_itself_is_not_the_copys(doubts: list[int]) -> None:
    view = Seen(ValueError("a fault"))
    with pytest.raises(ValueError, match="a fault"):
        asked(view)
    assert view.read == ["replica"]
    assert doubts == []
