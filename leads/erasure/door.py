"""The one door through which what is append-only may be redacted, on both databases.

Owns opening and shutting it, in one transaction: PostgreSQL by a setting of the transaction, SQLite by a
marker row. Whoever opens it leaves an entry in the privacy log. Redacts nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from leads.models import RedactionDoor


@contextmanager
def door(reason: str) -> Iterator[None]:
    """While it is open, events may be changed by this transaction. A failure inside leaves it shut and
    everything as it was."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            _set("on")
            yield
            _set("off")
            return
        row = RedactionDoor.objects.create(reason=reason)
        yield
        row.delete()


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('handoff.redaction', %s, true)", [value])
