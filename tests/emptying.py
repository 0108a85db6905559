"""How the tables are emptied after a test that committed what it wrote.

Owns that one deed, for both databases. What migrations wrote stays, so the numbers of permissions do too and
the moulds fit (tests.mould). Never truncates: that takes locks which a late reader could meet in another
order, and costs many times what the few rows of a test do.
"""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction

from leads.models import RedactionDoor

DOOR = RedactionDoor._meta.db_table
FROM_MIGRATIONS = (ContentType, Permission)


def empty() -> None:
    """Delete every row but the migrations', through the door that the log's triggers leave."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in _tables()
            )
        )
        filled = [table for (table,) in cursor.fetchall()]
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL handoff.redaction = 'on'")
        else:
            cursor.execute(f"DELETE FROM {DOOR}")
            cursor.execute(f"INSERT INTO {DOOR} (id, reason) VALUES (1, 'a test is over')")
        for table in filled:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute(f"DELETE FROM {DOOR}")


def _tables() -> list[str]:
    models = apps.get_models(include_auto_created=True)
    return [
        connection.ops.quote_name(model._meta.db_table)
        for model in models
        if model._meta.managed and not model._meta.proxy and model not in (*FROM_MIGRATIONS, RedactionDoor)
    ]
