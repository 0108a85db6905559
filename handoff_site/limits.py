"""How long PostgreSQL lets one of our processes run a statement, wait for a lock, or stand still.

Owns what is set for a connection, by what the process is: a web process answers people, the worker's tasks
end within a minute, and a command is watched by whoever started it. Set when a connection is made; behind a
pooler in transaction mode the pooler sets them, and `check --database default` says where it does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from handoff_site.environment import boolean, env, integer

# Compiling a query takes longer than any of ours runs; an estimate that is far too high starts it. And what
# is read is in memory or on a disk without moving parts, so an index is not dear.
PLANNING = {"jit": "off", "random_page_cost": "1.1"}
# Where plans are kept: one that fits any value. Else what PostgreSQL thinks it gains by knowing the values is
# planned anew each time, which takes such a statement of ours longer than to run it.
KEPT: dict[str, str] = {"plan_cache_mode": "force_generic_plan"}
WEB, WORKER, COMMAND = "web", "worker", "command"


def pooler(*, is_postgres: bool) -> str:
    """What stands between us and PostgreSQL: "" for nothing, or "transaction" for a pooler that gives each
    transaction whatever connection is free. Raises ImproperlyConfigured."""
    named = env.str("POOLER", default="").strip().lower()
    if named not in {"", "transaction"}:
        raise ImproperlyConfigured(f"POOLER must be transaction, or not be set, not {named!r}")
    if named and not is_postgres:
        raise ImproperlyConfigured("POOLER is for PostgreSQL, and DATABASE_URL is no postgres:// address")
    if named and boolean("KEEP_PLANS", False):
        raise ImproperlyConfigured("KEEP_PLANS=1 needs a connection of its own, which POOLER does not give")
    return named


def read(is_worker: bool) -> dict[str, str]:
    """`wanted` for this process, from the environment. Raises ImproperlyConfigured."""
    seconds = {
        WEB: integer("STATEMENT_TIMEOUT", 30, 0, 3600),
        WORKER: integer("WORKER_STATEMENT_TIMEOUT", 60, 0, 3600),
        "lock": integer("LOCK_TIMEOUT", 10, 0, 3600),
        "idle": integer("IDLE_TRANSACTION_TIMEOUT", 60, 0, 3600),
    }
    return wanted(WORKER if is_worker else WEB if boolean("HANDOFF_WEB", False) else COMMAND, seconds)


def wanted(role: str, seconds: Mapping[str, int]) -> dict[str, str]:
    """PostgreSQL's settings for a process of this role, times in milliseconds. `seconds` has `web` and
    `worker` (a statement), `lock` and `idle` (a transaction that asks nothing); 0 is no limit."""
    if role == COMMAND:
        return dict(PLANNING)
    return PLANNING | {
        "statement_timeout": str(seconds[role] * 1000),
        "lock_timeout": str(seconds["lock"] * 1000),
        "idle_in_transaction_session_timeout": str(seconds["idle"] * 1000),
    }


def options(names: Mapping[str, str], given: str = "") -> str:
    """As libpq's `options`; what an operator gave comes last and so holds."""
    ours = " ".join(f"-c {name}={value}" for name, value in names.items())
    return f"{ours} {given}".strip()


def in_force(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """A line for each that the database does not have as the settings want it."""
    connection = connections["default"]
    if "default" not in (databases or ()) or connection.vendor != "postgresql":
        return []
    names = settings.DATABASE_LIMITS
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        found = dict(cursor.fetchall())
    return [
        Warning(
            f"PostgreSQL has {name} = {found.get(name)}, not {value}.",
            hint="Behind a pooler its connect_query sets it: see handoff_site/deploy/pgbouncer.ini.",
            id="handoff.W010",
        )
        for name, value in names.items()
        if found.get(name) != value
    ]
