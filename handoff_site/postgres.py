"""What makes the driver of PostgreSQL quicker; without it all works, more slowly.

Django sends the rows of a bulk insert as one array a column, and psycopg escapes the elements of an array
with a regular expression that calls Python for each quote. JSON is full of quotes: a fifth of the time
that a batch of events takes went there. Each moment that is read goes through a regular expression too, at
fifteen times what Python's own reading of it takes, and a row of ours has a dozen. And psycopg keeps a
hundred plans a connection: fewer than our pages and intake have statements, which would push each other out.
Owns these three, nothing of what is asked.
"""

from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
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


class QuickMomentLoader(BaseTzLoader):
    """Django's own for connections in UTC, with the reading left to Python."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            found = datetime.fromisoformat(str(data, "ascii"))
        except ValueError:
            # What is before our era or without an end: psycopg's own says what it makes of it.
            return super().load(data)
        return found if found.tzinfo is UTC else super().load(data)


def quicken() -> None:
    """Use all three for every connection that is opened from now on."""
    psycopg.adapters.register_dumper(list, QuickListDumper)
    connection_created.connect(_at_first, dispatch_uid="handoff_site.postgres")


def _at_first(connection: Any, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    connection.connection.prepared_max = PLANS
    if connection.timezone is UTC:
        connection.connection.adapters.register_loader("timestamptz", QuickMomentLoader)
