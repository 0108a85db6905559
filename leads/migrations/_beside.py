"""An index that is built, and a check or foreign keys that are proved, beside those who write."""

from contextlib import nullcontext

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, transaction
from django.db.migrations.operations.base import Operation


def _whole_on_sqlite(schema_editor):
    is_sqlite = schema_editor.connection.vendor == "sqlite"
    return transaction.atomic(schema_editor.connection.alias) if is_sqlite else nullcontext()


class AddIndexBeside(AddIndexConcurrently):
    """Built without stopping writers on PostgreSQL; SQLite has one writer anyway. Its migration is not atomic.

    A run that was interrupted is simply begun again: what is left of it is not valid and not missing either.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {self.index.name}")
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
            with _whole_on_sqlite(schema_editor):
                migrations.AddConstraint.database_forwards(
                    self, app_label, schema_editor, from_state, to_state
                )
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        table, name = map(schema_editor.quote_name, (model._meta.db_table, self.constraint.name))
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


class AddCheckUnproved(AddConstraintNotValid):
    """Holds for what is written from now on; what is there is read by `ProveCheck` in a later migration, which
    no lock of this one's transaction outlasts. In one step on SQLite."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddConstraint.database_forwards(self, app_label, schema_editor, from_state, to_state)


class ProveCheck(ValidateConstraint):
    """Reads what was there before `AddCheckUnproved`, beside those who write. One that is proved stays so."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AlterFieldWhole(migrations.AlterField):
    """In a migration that is no transaction: SQLite makes the table anew, and must never be left without it."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        with _whole_on_sqlite(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class LeaveToWiderIndex(migrations.AlterField):
    """A foreign key without the index of its own, where another index begins with its column: each row that is
    written was entered in both. Dropped without stopping anybody on PostgreSQL, and so made again by the way
    back. Its migration is not atomic; a run that was interrupted is simply begun again.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        model = from_state.apps.get_model(app_label, self.model_name)
        column = model._meta.get_field(self.name).column
        beside = "CONCURRENTLY " if schema_editor.connection.vendor == "postgresql" else ""
        others = {index.name for index in model._meta.indexes}
        for name in schema_editor._constraint_names(model, [column], index=True, unique=False, exclude=others):
            schema_editor.execute(f"DROP INDEX {beside}IF EXISTS {schema_editor.quote_name(name)}")

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        model = to_state.apps.get_model(app_label, self.model_name)
        made = schema_editor._create_index_sql(model, fields=[model._meta.get_field(self.name)])
        beside = "CONCURRENTLY " if schema_editor.connection.vendor == "postgresql" else ""
        schema_editor.execute(f"DROP INDEX {beside}IF EXISTS {made.parts['name']}")
        if beside:
            made.template = schema_editor.sql_create_index_concurrently
        schema_editor.execute(made)


class ForeignKeysBeside(Operation):
    """Makes the foreign keys of tables that this migration made and then filled. Left to Django they come
    last, each in one statement that reads all rows while nobody may write what they refer to."""

    reversible = True

    def state_forwards(self, app_label, state):
        pass

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor != "postgresql":
            return
        keys = [
            statement
            for statement in schema_editor.deferred_sql
            if getattr(statement, "template", "") == schema_editor.sql_create_fk
        ]
        for statement in keys:
            schema_editor.deferred_sql.remove(statement)
            schema_editor.execute(f"{statement} NOT VALID")
            table, name = statement.parts["table"], statement.parts["name"]
            schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass

    def describe(self):
        return "Make the foreign keys beside those who write"
