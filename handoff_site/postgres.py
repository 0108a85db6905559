"""Lists on their way to PostgreSQL, quicker.

Django sends the rows of a bulk insert as one array a column, and psycopg escapes the elements of an array
with a regular expression that calls Python for each quote. JSON is full of quotes: a fifth of the time
that a batch of events takes went there. Owns that one replacement; without it all works, more slowly.
"""

from typing import Any

import psycopg
from psycopg.types.array import ListDumper


class _Escape:
    """Stands in for the pattern: a backslash before each backslash and quote."""

    def sub(self, template: bytes, text: Any) -> bytes:
        return bytes(text).replace(b"\\", b"\\\\").replace(b'"', b'\\"')


class QuickListDumper(ListDumper):
    """psycopg's own, with the escaping done by two replacements."""

    _re_esc = _Escape()  # type: ignore[assignment]


def quicken() -> None:
    """Use it for every connection that is opened from now on."""
    psycopg.adapters.register_dumper(list, QuickListDumper)
