"""Migrations: none is missing, all can be taken back and applied again, and the tables come out the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor

from handoff_site import reference
from leads.models import Agreement, MqlDefinition
from tests.conftest import forget_cast
from tests.rendering import spare

OURS = ("handoff_site", "metrics", "leads", "routing")


@pytest.fixture(autouse=True)
def _cast_anew() -> Iterator[None]:
    yield
    forget_cast()


def test_no_migration_is_missing(db: None) -> None:
    out = StringIO()
    call_command("makemigrations", "--check", "--dry-run", stdout=out)
    assert "No changes detected" in out.getvalue()


def tables() -> dict[str, list[tuple[object, ...]]]:
    """Our tables with all that is said of their columns, constraints and indexes."""
    names = {model._meta.db_table for app in OURS for model in apps.get_app_config(app).get_models()}
    with connection.cursor() as cursor:
        present = names & set(connection.introspection.table_names(cursor))
        return {
            name: [
                sorted(connection.introspection.get_table_description(cursor, name), key=str),
                sorted(connection.introspection.get_constraints(cursor, name).items(), key=str),
            ]
            for name in sorted(present)
        }


BEFORE_AGREEMENTS = ("leads", "0007_search_words")


@pytest.mark.django_db(transaction=True)
def test_ours_go_back_to_nothing_and_forth_again_and_keep_what_stood_on_the_way() -> None:
    """On the way forth there are definitions of before there were agreements: they stay and are marked."""
    before = tables()
    assert "leads_handoff" in before and "handoff_site_heartbeat" in before
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] in OURS]
    made = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2)]
    try:
        # Others' tables refer to people, so everything that rests on routing goes with it. The states on the
        # way back are those of the way forth, which puts each together whole.
        with pytest.MonkeyPatch.context() as patch:
            spare(patch)
            executor.migrate([(app, None) for app in OURS if app in {key[0] for key in targets}])
        assert tables() == {}
        executor = MigrationExecutor(connection)
        old = executor.migrate([BEFORE_AGREEMENTS]).apps
        for version, at in enumerate(made, start=1):
            old.get_model("leads", "MqlDefinition").objects.create(
                version=version, threshold=60 + version, in_force_from=at
            )
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    assert tables() == before
    rows = MqlDefinition.objects.order_by("version").values_list("threshold", "predates_agreement")
    assert list(rows) == [(61, True), (62, True)]
    # None that comes can say so of itself.
    with pytest.raises(IntegrityError):
        MqlDefinition.objects.create(
            version=3, threshold=70, in_force_from=datetime(2026, 3, 1, tzinfo=UTC), predates_agreement=True
        )
    assert "agreement 1, as shipped" in reference.setup(datetime(2026, 4, 1, tzinfo=UTC))
    first = Agreement.objects.get()
    assert (first.version, first.definition.version, first.in_force_from) == (1, 2, made[1])
