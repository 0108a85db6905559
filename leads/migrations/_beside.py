"""An index that is built, and a check that is proved, beside those who write."""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently
from django.db import migrations, transaction


class AddIndexBeside(AddIndexConcurrently):
    """Built without stopping writers on PostgreSQL; SQLite has one writer anyway. Its migration is not atomic.

    A run that was interrupted is simply begun again: what is left of it is not valid and not missing either.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            migrations.AddIndex.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.index.name}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            migrations.AddIndex.database_backwards(self, app_label, schema_editor, from_state, to_state)
            return
        super().database_backwards(app_label, schema_editor, from_state, to_state)


class AddCheckBeside(AddConstraintNotValid):
    """Holds for what is written from now on at once, then for what is there, read without stopping writers; in
    one step on SQLite, which has one writer anyway. Its migration is not atomic, or the lock would be kept.

    A run that was interrupted is simply begun again.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            with transaction.atomic(schema_editor.connection.alias):
                migrations.AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = map(schema_editor.quote_name, (model._meta.db_table, self.constraint.name))
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
