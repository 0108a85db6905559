"""What makes the driver of PostgreSQL quicker; without it all works, more slowly.

Django sends the rows of a bulk insert as one array a column, and psycopg escapes the elements of an array
with a regular expression that calls Python for each quote. JSON is full of quotes: a fifth of the time
that a batch of events takes went there. And psycopg keeps a hundred plans a connection: fewer than our pages
and intake have statements, which would push each other out. Owns these two, nothing of what is asked.
"""

from typing import Any

import psycopg
from django.db.backends.signals import connection_created
from psycopg.types.array import ListDumper

# A statement a length of its lists; what is not asked takes no room.
PLANS = 500


class _Escape:
    """Stands in for the pattern: a backslash before each backslash and quote."""

    def sub(self, template: bytes, text: Any) -> bytes:
        return bytes(text).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


class QuickListDumper(ListDumper):
    """psycopg's own, with the escaping done by two replacements."""

    _re_esc = _Escape()  # type: ignore[assignment]


def quicken() -> None:
    """Use both for every connection that is opened from now on."""
    psycopg.adapters.register_dumper(list, QuickListDumper)
    connection_created.connect(_keep_plans, dispatch_uid="handoff_site.plans")


def _keep_plans(connection: Any, **_: Any) -> None:
    if connection.vendor == "postgresql":
        connection.connection.prepared_max = PLANS
