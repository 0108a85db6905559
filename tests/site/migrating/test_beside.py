"""What `leads.migrations._beside` makes beside those who write: the same as Django makes, in more steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, OperationalError, connection, migrations, models
from django.db.migrations.state import ProjectState
from django.db.models import Q

from leads.migrations._beside import (
    AddCheckUnproved,
    AddIndexBeside,
    AlterFieldWhole,
    ForeignKeysBeside,
    LeaveToWiderIndex,
    ProveCheck,
)

pytestmark = pytest.mark.django_db(transaction=True)
on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite makes each in one step")
NAMED = models.CheckConstraint(condition=~Q(name=""), name="thing_has_name")
THING = migrations.CreateModel(
    "Thing", [("id", models.BigAutoField(primary_key=True)), ("name", models.CharField(max_length=20))]
)
PART = migrations.CreateModel(
    "Part",
    [
        ("id", models.BigAutoField(primary_key=True)),
        ("thing", models.ForeignKey("leads.thing", models.CASCADE, db_index=False)),
    ],
)


def state(*operations: Any) -> ProjectState:
    made = ProjectState()
    for operation in operations:
        operation.state_forwards("leads", made)
    return made


@pytest.fixture
def thing() -> Iterator[Any]:
    model = state(THING).apps.get_model("leads", "Thing")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    yield model
    with connection.schema_editor() as editor:
        editor.delete_model(model)


def valid(table: str, kind: str) -> list[bool]:
    """Whether the database vouches for each check ("c") or foreign key ("f") of the table."""
    with connection.cursor() as cursor:
        asked = "SELECT convalidated FROM pg_constraint WHERE conrelid = %s::regclass AND contype = %s"
        cursor.execute(asked, [table, kind])
        return [row[0] for row in cursor.fetchall()]


def test_an_index_is_made_again_by_a_run_that_was_interrupted_after_it(thing: Any) -> None:
    old, new = state(THING), state(THING)
    made = AddIndexBeside("thing", models.Index(fields=["name"], name="thing_by_name"))
    made.state_forwards("leads", new)
    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            made.database_forwards("leads", editor, old, new)
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "leads_thing")
    assert found["thing_by_name"]["columns"] == ["name"]


def test_a_foreign_key_leaves_its_index_and_gets_it_back(thing: Any) -> None:
    key = models.ForeignKey("leads.thing", models.CASCADE)
    whole = migrations.CreateModel("Part", [("id", models.BigAutoField(primary_key=True)), ("thing", key)])
    leave = LeaveToWiderIndex(
        "part", "thing", models.ForeignKey("leads.thing", models.CASCADE, db_index=False)
    )
    old, new = state(THING, whole), state(THING, whole)
    leave.state_forwards("leads", new)
    model = old.apps.get_model("leads", "Part")
    with connection.schema_editor() as editor:
        editor.create_model(model)
    try:
        made = _indexed("leads_part")
        # Twice each: a run that was interrupted after it is begun again.
        for _ in range(2):
            with connection.schema_editor(atomic=False) as editor:
                leave.database_forwards("leads", editor, old, new)
        left = _indexed("leads_part")
        for _ in range(2):
            with connection.schema_editor(atomic=False) as editor:
                leave.database_backwards("leads", editor, new, old)
        assert ["thing_id"] in made.values()
        assert left == {name: columns for name, columns in made.items() if columns != ["thing_id"]}
        assert _indexed("leads_part") == made
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(model)


def _indexed(table: str) -> dict[str, list[str]]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    return {name: one["columns"] for name, one in found.items() if one["index"]}


def test_a_foreign_key_without_an_index_of_its_own_begins_another() -> None:
    left = []
    for model in apps.get_models():
        unique = [one for one in model._meta.constraints if isinstance(one, models.UniqueConstraint)]
        wide = [one for one in (*model._meta.indexes, *unique) if one.fields]
        firsts = [(one.fields[0], one.condition) for one in wide]
        # Rows that refer to nothing need not be found by it.
        begins = {first for first, only in firsts if only in (None, Q(**{f"{first}__isnull": False}))}
        for field in model._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and not (field.db_index or field.unique):
                left.append((f"{model.__name__}.{field.name}", field.name in begins))
    assert len(left) >= 7
    assert [name for name, has_index in left if not has_index] == []


@on_postgres
def test_a_check_holds_for_what_comes_before_it_is_proved_of_what_is_there(thing: Any) -> None:
    old, new = state(THING), state(THING)
    check, proof = AddCheckUnproved("thing", NAMED), ProveCheck("thing", NAMED.name)
    check.state_forwards("leads", new)
    blank = thing.objects.create(name="")
    with connection.schema_editor() as editor:
        check.database_forwards("leads", editor, old, new)
    with pytest.raises(IntegrityError):
        thing.objects.create(name="")
    assert valid("leads_thing", "c") == [False]
    with pytest.raises(IntegrityError), connection.schema_editor(atomic=False) as editor:
        proof.database_forwards("leads", editor, new, new)
    blank.delete()
    for _ in range(2):
        with connection.schema_editor(atomic=False) as editor:
            proof.database_forwards("leads", editor, new, new)
    assert valid("leads_thing", "c") == [True]
    with connection.schema_editor() as editor:
        check.database_backwards("leads", editor, new, old)
    assert thing.objects.create(name="").pk


@on_postgres
def test_foreign_keys_are_made_unproved_and_then_proved(thing: Any) -> None:
    new = state(THING, PART)
    part = new.apps.get_model("leads", "Part")
    said: list[str] = []

    def listen(execute: Any, sql: Any, *rest: Any) -> Any:
        said.append(str(sql))
        return execute(sql, *rest)

    with connection.schema_editor(atomic=False) as editor:
        editor.create_model(part)
        part.objects.create(thing_id=thing.objects.create(name="a").pk)
        with connection.execute_wrapper(listen):
            ForeignKeysBeside().database_forwards("leads", editor, new, new)
        assert editor.deferred_sql == []
    made, proved = said
    assert made.startswith("ALTER TABLE") and made.endswith("DEFERRABLE INITIALLY DEFERRED NOT VALID")
    assert "VALIDATE CONSTRAINT" in proved
    assert valid("leads_part", "f") == [True]
    with connection.schema_editor() as editor:
        editor.delete_model(part)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL makes no table anew")
def test_a_table_that_is_made_anew_is_there_when_that_was_broken_off(thing: Any) -> None:
    change = AlterFieldWhole("thing", "name", models.CharField(max_length=20, default="a", db_default="a"))
    old, new = state(THING), state(THING)
    change.state_forwards("leads", new)
    thing.objects.create(name="kept")

    def breaks(execute: Any, sql: Any, *rest: Any) -> Any:
        if "RENAME TO" in str(sql):
            raise OperationalError("disk I/O error")
        return execute(sql, *rest)

    for wrapper in (breaks, lambda execute, *rest: execute(*rest)):
        with connection.execute_wrapper(wrapper):
            try:
                with connection.schema_editor(atomic=False) as editor:
                    change.database_forwards("leads", editor, old, new)
            except OperationalError:
                assert wrapper is breaks
            else:
                assert wrapper is not breaks
        assert thing.objects.get().name == "kept"
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO leads_thing DEFAULT VALUES")
    assert set(thing.objects.values_list("name", flat=True)) == {"kept", "a"}
