"""A database beside the one of the settings: opened, looked at, closed.

Owns the connections of backups, restores and moves, which are their own and never those of requests, and the
words with which a database is refused. Names a database without its password. Changes none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.utils import ConnectionHandler

Config = dict[str, Any]
ENGINES = {"django.db.backends.sqlite3": "sqlite", "django.db.backends.postgresql": "postgresql"}
SAID = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


class Refused(Exception):
    """What was asked cannot be done or must not be; the message says why, for whoever asked."""


def configured() -> Config:
    """The database of the settings."""
    return dict(connection.settings_dict)


def at(url: str) -> Config:
    """The database at a sqlite:/// or postgres:// address. Raises Refused, without repeating the address."""
    try:
        config: Config = dict(environ.Env.db_url_config(url))
    except (ImproperlyConfigured, ValueError, KeyError):
        config = {}
    if config.get("ENGINE") not in ENGINES or not config.get("NAME"):
        raise Refused("the address of a database begins with sqlite:/// or postgres:// and names one")
    if ENGINES[config["ENGINE"]] == "sqlite":
        config["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    return config


def in_file(path: Path) -> Config:
    """The SQLite database in a file."""
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": {"timeout": 20}}


def vendor(config: Config) -> str:
    """`sqlite` or `postgresql`."""
    return ENGINES[config["ENGINE"]]


def named(config: Config) -> str:
    """How messages call it: PostgreSQL b on 127.0.0.1, or SQLite and its path."""
    host = config.get("HOST")
    return f"{SAID[vendor(config)]} {config['NAME']}" + (f" on {host}" if host else "")


@contextmanager
def opened(config: Config) -> Iterator[BaseDatabaseWrapper]:
    """A connection of its own, closed at the end and whatever it had begun with it. Raises Refused when
    there is no such database."""
    handler = ConnectionHandler({"default": {**config, "CONN_MAX_AGE": 0, "TEST": {}}})
    wrapper: BaseDatabaseWrapper = handler["default"]
    try:
        wrapper.ensure_connection()
    except DatabaseError as error:
        raise Refused(f"cannot open {named(config)}: {first_line(error)}") from None
    try:
        yield wrapper
    finally:
        wrapper.close()


def first_line(error: BaseException) -> str:
    """What went wrong, without the details that follow: those may hold a row."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def table_names(wrapper: BaseDatabaseWrapper) -> set[str]:
    """Raises Refused for a file that is no database."""
    try:
        with wrapper.cursor() as cursor:
            return set(wrapper.introspection.table_names(cursor))
    except DatabaseError as error:
        raise Refused(f"cannot read {named(wrapper.settings_dict)}: {first_line(error)}") from None


def applied(wrapper: BaseDatabaseWrapper) -> list[str]:
    """Its migrations as `app.name`, in the order of their names; none in a database that has no tables."""
    if "django_migrations" not in table_names(wrapper):
        return []
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        return sorted({f"{app}.{name}" for app, name in cursor.fetchall()})


def known() -> set[str]:
    """The migrations that this version has."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    return {f"{app}.{name}" for app, name in loader.disk_migrations}
