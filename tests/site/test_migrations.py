"""Migrations: none is missing, all can be taken back and applied again, and the tables come out the same."""

from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

OURS = ("handoff_site", "metrics", "leads", "routing")


def test_no_migration_is_missing(db: None) -> None:
    out = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes detected" in out.getvalue()


def tables() -> dict[str, list[tuple[object, ...]]]:
    """Our tables with their columns, constraints and indexes."""
    names = {model._meta.db_table for app in OURS for model in apps.get_app_config(app).get_models()}
    with connection.cursor() as cursor:
        present = names & set(connection.introspection.table_names(cursor))
        return {
            name: [
                sorted(
                    column.name for column in connection.introspection.get_table_description(cursor, name)
                ),
                sorted(connection.introspection.get_constraints(cursor, name)),
            ]
            for name in sorted(present)
        }


@pytest.mark.django_db(transaction=True)
def test_ours_go_back_to_nothing_and_forth_again() -> None:
    before = tables()
    assert "leads_handoff" in before and "handoff_site_heartbeat" in before
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] in OURS]
    try:
        # Others' tables refer to people, so everything that rests on routing goes with it.
        executor.migrate([(app, None) for app in OURS if app in {key[0] for key in targets}])
        assert tables() == {}
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    assert tables() == before
