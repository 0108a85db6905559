"""A database that is cut off in the middle of a request: told as passing, whichever query it was."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import time_machine
from django.db import InternalError, OperationalError, connection, transaction
from django.http import HttpResponse

from routing.passing import RETRY_SECONDS
from tests.conftest import NOW, PASSWORD, Cast, forget_kept
from tests.factories import event
from tests.site import world
from tests.site.world import ANONYMOUS, World

LATER = NOW + timedelta(minutes=10)
FOR_FEMKE = {"on_behalf_of": "femke@handoff.example.com"}
LOGIN = {"username": "femke@handoff.example.com", "password": PASSWORD}
# Who asks, an address and what is sent there; HANDOFF stands for the number of Femke's handoff.
READ = [
    ("femke", "/inbox/"),
    ("femke", "/handoffs/HANDOFF/"),
    ("femke", "/handoffs/"),
    ("femke", "/leads/"),
    ("mia", "/team/"),
    ("mia", "/dashboard/"),
    ("otto", "/completion/"),
    ("otto", "/triage/"),
    ("ada", "/status/"),
]
WRITTEN: list[tuple[str, str, dict[str, Any]]] = [
    ("femke", "/handoffs/HANDOFF/accept/", {}),
    ("femke", "/handoffs/HANDOFF/reject/", {"reason": "not_icp"}),
    ("femke", "/handoffs/HANDOFF/contact/", {"channel": "phone", "outcome": "no_answer"}),
    (ANONYMOUS, "/login/", LOGIN),
    ("act", "/api/v1/handoffs/HANDOFF/accept", FOR_FEMKE),
    ("intake", "/api/v1/intake", event(1)),
]
GONE = [(who, at, data, True) for who, at, data in [*((who, at, None) for who, at in READ), *WRITTEN]]
BACK = [(who, at, data, False) for who, at, data in WRITTEN]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with time_machine.travel(LATER, tick=False):
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def site(cast: Cast) -> World:
    return world.build(cast)


def send(site: World, who: str, at: str, data: dict[str, Any] | None) -> HttpResponse:
    client = site.client(who)
    at = at.replace("HANDOFF", str(site.values["handoffs/"]["pk"]))
    if who in site.scopes:
        headers = {"Authorization": f"Bearer {site.scopes[who]}"}
        return client.generic("POST", at, json.dumps(data), "application/json", headers=headers)
    return client.get(at) if data is None else client.post(at, data)


class Cut:
    """Lets `most` queries through and none of those that follow; or only not the next one."""

    def __init__(self, most: int, *, is_gone: bool) -> None:
        self.most, self.is_gone, self.asked = most, is_gone, 0

    def __call__(self, execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        self.asked += 1
        if self.asked == self.most + 1 or (self.is_gone and self.asked > self.most):
            raise OperationalError("cut") from psycopg.OperationalError("the connection is lost")
        return execute(sql, *args)


@pytest.mark.parametrize(
    ("who", "at", "data", "is_gone"),
    [*GONE, *BACK],
    ids=[f"{who} {at} {'gone' if is_gone else 'back at once'}" for who, at, _, is_gone in [*GONE, *BACK]],
)
def test_whichever_query_is_cut_it_passes(site: World, who: str, at: str, data: Any, is_gone: bool) -> None:
    told: list[tuple[int, Any]] = []
    most = 0
    while True:
        cut = Cut(most, is_gone=is_gone)
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic())
            with connection.execute_wrapper(cut):
                response = send(site, who, at, data)
            transaction.set_rollback(True)
        forget_kept()
        if cut.asked <= most:
            break
        told.append((response.status_code, response.headers.get("Retry-After")))
        most += 1
    assert most > 3
    assert response.status_code in (200, 302), response.content
    assert told == [(503, str(RETRY_SECONDS))] * most


@pytest.mark.django_db(transaction=True)
def test_a_commit_that_is_cut_passes(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit() -> None:
        raise InternalError("cut") from psycopg.InternalError("received 2 results from command 'COMMIT'")

    for who, at, data in WRITTEN:
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_commit", commit)
            response = send(site, who, at, data)
        forget_kept()
        assert (response.status_code, response.headers.get("Retry-After")) == (503, str(RETRY_SECONDS)), at
