"""The index by week also holds the type and the first contact: times to first contact are read from it alone.

Not one transaction: it is built beside those who write, before the one that it replaces goes.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class AddIndexBeside(AddIndexConcurrently):
    """Built without stopping writers on PostgreSQL; SQLite has one writer anyway."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            migrations.AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        # What is left of an interrupted run is not valid and not missing either.
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.index.name}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            migrations.AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
            return
        super().database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0008_deadlines_met"),
    ]

    operations = [
        AddIndexBeside(
            model_name="handoff",
            index=models.Index(fields=["mql_at", "lead_type", "first_contact_at"], name="handoff_by_week"),
        ),
        migrations.RemoveIndex(model_name="handoff", name="handoff_by_mql"),
    ]
