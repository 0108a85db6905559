"""What every test may use: a fixed cast of people, reference data, a fixed now, empty tables.

Nothing here is random. Caches of immutable rows are dropped between tests, because tests roll rows back.
"""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.handlers.base import BaseHandler
from django.core.signals import setting_changed
from django.db import connection
from django.test import Client, TransactionTestCase
from django.test.client import ClientHandler
from hypothesis import HealthCheck, settings

from handoff_site import reference
from leads.lifecycle import known, placing
from routing.models import Team, User
from routing.models.calendars import forget_compiled
from routing.people import ADMIN, MANAGER, MARKETING, REP, VIEWER
from tests import mould, rendering
from tests.emptying import empty
from tests.processes import ROOT

# Examples are bounded in number, never by the clock: a busy machine is no failure of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A Tuesday, in office hours.
NOW = datetime(2026, 3, 10, 10, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
Made = TypeVar("Made")


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(autouse=True)
def _fresh_caches() -> Iterator[None]:
    forget_kept()
    yield
    forget_kept()


def forget_kept() -> None:
    """Drop what a process keeps of rows; for whoever rolls rows back."""
    cache.clear()
    forget_compiled()
    known.forget_policies()
    placing.forget_rulesets()


@dataclass
class Cast:
    """Two teams: DACH (Femke and Jonas, led by Mia) and Nordics (Rosa, led by Nils); and the others."""

    femke: User
    jonas: User
    rosa: User
    mia: User
    nils: User
    otto: User
    vera: User
    ada: User

    def __iter__(self) -> Iterator[User]:
        return (getattr(self, field.name) for field in fields(self))


def _person(name: str, email: str, role: str, team: Team | None = None) -> User:
    user = User.objects.create_user(
        email, PASSWORD, name=name, team=team, is_staff=role in (ADMIN, MARKETING), is_superuser=role == ADMIN
    )
    user.groups.add(Group.objects.get(name=role))
    return user


def pytest_collection_finish() -> None:
    """What collecting made stays until the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker is left alone with minutes of work at the end. Each begins with
    an equal share of the list: the first with what drives a browser, the last with what waits for servers
    and for times to pass, so that there is something to do for the processors meanwhile."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    quick = []
    for item in items:
        if item.get_closest_marker("browser"):
            shares[0].append(item)
        elif item.get_closest_marker("storm") or item.path.is_relative_to(ROOT / "tests" / "site"):
            shares[-1].append(item)
        else:
            quick.append(item)
    shares[-1].sort(key=lambda item: item.get_closest_marker("storm") is None)
    each = len(items) // workers
    for share in shares:
        missing = max(0, each - len(share))
        share += quick[:missing]
        del quick[:missing]
    items[:] = [item for share in shares for item in share] + quick


@pytest.fixture
def cast(db: None) -> Cast:
    """The people, and the reference data with Ada as owner of the queues."""
    return _cast_mould().pour()


@lru_cache
def _cast_mould() -> mould.Mould[Cast]:
    assert not User.objects.exists(), "who asks for the cast asks for it first"
    # Whichever test comes first: the cast joins at the same moment.
    with time_machine.travel(NOW, tick=False):
        made = mould.take(_make_cast)
    forget_kept()
    return made


_moulds: dict[Callable[[Cast], Any], mould.Mould[Any]] = {}


def with_the_cast(cast: Cast, make: Callable[[Cast], Made]) -> Made:
    """What `make` makes where only the cast is, at a fixed moment: made for the first test that asks."""
    if make not in _moulds:
        _moulds[make] = mould.take(lambda: make(cast))
        forget_kept()
    made: Made = _moulds[make].pour()
    return made


def forget_cast() -> None:
    """For whoever makes the tables anew: keys and permissions begin at other numbers then."""
    _cast_mould.cache_clear()
    _moulds.clear()


def _make_cast() -> Cast:
    reference.setup(NOW)
    dach, nordics = Team.objects.create(name="DACH"), Team.objects.create(name="Nordics")
    people = Cast(
        femke=_person("Femke de Boer", "femke@handoff.example.com", REP, dach),
        jonas=_person("Jonas Keller", "jonas@handoff.example.com", REP, dach),
        rosa=_person("Rosa Lindqvist", "rosa@handoff.example.com", REP, nordics),
        mia=_person("Mia Brandt", "mia@handoff.example.com", MANAGER, dach),
        nils=_person("Nils Holm", "nils@handoff.example.com", MANAGER, nordics),
        otto=_person("Otto Maier", "otto@handoff.example.com", MARKETING),
        vera=_person("Vera Costa", "vera@handoff.example.com", VIEWER),
        ada=_person("Ada Admin", "ada@handoff.example.com", ADMIN),
    )
    dach.manager, nordics.manager = people.mia, people.nils
    dach.save()
    nordics.save()
    reference.setup(NOW, owner=people.ada)
    return people


@pytest.fixture
def as_(client: Client) -> object:
    """as_(user) is a client signed in as that person."""

    def sign_in(user: User) -> Client:
        signed_in = Client()
        signed_in.force_login(user, backend="handoff_site.sessions.Backend")
        return signed_in

    return sign_in


@pytest.fixture(scope="session")
def _spared() -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    rendering.spare(patch)
    return patch


@pytest.fixture(scope="session")
def django_db_setup(_spared: pytest.MonkeyPatch, django_db_setup: None) -> None:
    """The tests' own database, made sparingly; whatever migrates afterwards does it as everywhere."""
    _spared.undo()


@pytest.fixture(scope="session")
def migrated(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with every table and no row of ours, for sites of their own to begin with a copy of:
    migrating takes a while, and the tests' own database has been through it already."""
    file = tmp_path_factory.mktemp("migrated") / "site.sqlite3"
    if connection.vendor != "sqlite":
        subprocess.run(
            [sys.executable, "-m", "tests.rendering"],
            env={**os.environ, "DATABASE_URL": f"sqlite:///{file}"}, cwd=ROOT, check=True,
        )  # fmt: skip
        return file
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"])) as own,
        closing(sqlite3.connect(file)) as new,
    ):
        own.backup(new)
        assert new.execute("SELECT count(*) FROM routing_user").fetchone() == (0,), "another test's rows"
    return file


@pytest.fixture(autouse=True, scope="session")
def _emptied_through_the_door() -> Iterator[None]:
    """For the whole session, because the tables are emptied after a test's own fixtures are gone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty())
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_chain_of_middleware() -> Iterator[None]:
    """As in a process of the site: put together once for thousands of clients, and anew after a setting is
    another one."""
    chains: list[object] = []

    def load(self: ClientHandler, is_async: bool = False) -> None:
        if not chains:
            BaseHandler.load_middleware(self)
            chains.append(self._middleware_chain)
        self._middleware_chain = chains[0]

    def forget(**said: object) -> None:
        chains.clear()

    setting_changed.connect(forget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClientHandler, "load_middleware", load, raising=False)
        yield
    setting_changed.disconnect(forget)


@pytest.fixture(autouse=True, scope="session")
def _nobody_is_woken() -> Iterator[None]:
    """A worker that is asked for some seconds later would come into another test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("leads.outbox.waking.later", lambda task, wait: None)
        yield
