"""As if the PostgreSQL server were a test's alone, for whoever waits until others' transactions have ended.

Owns which of the server's running transactions count: those in the test's database. A test beside it runs in
a database of its own, as one transaction for as long as it takes, of which nothing is ever seen here. Never
leaves one of this database out. On SQLite there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

_OLDEST = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
# The snapshot names the transactions that run, its own apart, and not where; that is said of the processes.
_OLDEST_HERE = """
SELECT least(pg_current_xact_id()::text::bigint, min(runs::text::bigint))
FROM pg_snapshot_xip(pg_current_snapshot()) AS runs
JOIN pg_stat_activity ON backend_xid = runs::xid AND datname = current_database()
"""


@contextmanager
def alone() -> Iterator[None]:
    """Inside, the oldest running transaction is the oldest one of this database. It has to be asked for."""
    asked = []

    def ask(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql == _OLDEST:
            asked.append(sql)
            sql = _OLDEST_HERE
        return execute(sql, params, many, context)

    with connection.execute_wrapper(ask):
        yield
    assert asked or connection.vendor != "postgresql", "it is asked for in other words now"
