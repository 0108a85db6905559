"""Each rule finds its planted migration and leaves the sound way alone; our own migrations pass."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.postgres import operations as concurrent
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.state import ProjectState
from django.db.models import Q
from django.utils import timezone

from handoff_site.management.commands import lint_migrations
from handoff_site.migrating.rules import findings
from leads.migrations._beside import AddCheckBeside, AddCheckUnproved, AddIndexBeside, ProveCheck


def moves(apps: Any, schema_editor: Any) -> None:
    def rows() -> Any:
        return apps.get_model("leads", "Thing").objects.all()

    rows().update(name="")


def triggers(apps: Any, schema_editor: Any) -> None:
    schema_editor.execute("CREATE TRIGGER x")


def before() -> ProjectState:
    """A large table, another, and a small one, as the first migrations made them."""
    state = ProjectState()
    for name in ("Thing", "Other", "ApiKey"):
        fields = [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20)),
            ("at", models.DateTimeField(null=True)),
        ]
        migrations.CreateModel(name, fields).state_forwards("leads", state)
    return state


def found(*operations: Any, atomic: bool = True, contracts: str = "") -> list[str]:
    migration = Migration("0042_planted", "leads")
    migration.operations, migration.atomic = list(operations), atomic
    if contracts:
        migration.contracts = contracts  # type: ignore[attr-defined]
    return [one.rule for one in findings([migration], before(), {"leads"})]


def add(name: str, column: models.Field, model: str = "thing") -> migrations.AddField:
    return migrations.AddField(model, name, column)


def alter(name: str, column: models.Field) -> migrations.AlterField:
    return migrations.AlterField("thing", name, column)


INDEX = models.Index(fields=["name"], name="thing_by_name")
NAMED = models.CheckConstraint(condition=~Q(name=""), name="thing_has_name")
ONCE = models.UniqueConstraint(fields=["name"], name="thing_once")
TO_OTHER = {"to": "leads.other", "on_delete": models.PROTECT, "null": True}
NEW = migrations.CreateModel("New", [("id", models.BigAutoField(primary_key=True))])
NOOP = migrations.RunPython.noop
UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY thing_once ON leads_thing (name)"

PLANTED: list[tuple[list[Any], dict[str, Any], list[str]]] = [
    ([migrations.AddIndex("thing", INDEX)], {}, ["index"]),
    ([AddIndexBeside("thing", INDEX)], {}, ["beside-in-transaction"]),
    ([AddIndexBeside("thing", INDEX)], {"atomic": False}, []),
    ([migrations.AddIndex("apikey", INDEX)], {}, []),
    ([NEW, migrations.AddIndex("new", models.Index(fields=["id"], name="new_by_id"))], {}, []),
    ([add("seen", models.BooleanField(default=False))], {}, ["column-without-default"]),
    ([add("seen", models.BooleanField(default=False), "apikey")], {}, ["column-without-default"]),
    ([add("seen", models.BooleanField(db_default=False))], {}, []),
    ([add("seen", models.BooleanField(null=True))], {}, []),
    ([NEW, add("seen", models.BooleanField(default=False), "new")], {}, []),
    ([add("code", models.CharField(max_length=9, null=True, unique=True))], {}, ["column-with-index"]),
    ([add("other", models.ForeignKey(**TO_OTHER))], {}, ["column-with-index"]),
    ([add("other", models.ForeignKey(**TO_OTHER, db_index=False, db_constraint=False))], {}, []),
    (
        [
            add(
                "big",
                models.GeneratedField(
                    expression=models.F("id"), output_field=models.BigIntegerField(), db_persist=True
                ),
            )
        ],
        {},
        ["rewrite"],
    ),
    ([alter("name", models.IntegerField())], {}, ["type"]),
    ([alter("name", models.CharField(max_length=10))], {}, ["type"]),
    ([alter("name", models.CharField(max_length=40, help_text="longer"))], {}, []),
    ([alter("name", models.TextField())], {}, []),
    ([alter("at", models.DateTimeField(default=timezone.now))], {}, ["not-null"]),
    ([alter("name", models.CharField(max_length=20, db_index=True))], {}, ["index"]),
    ([alter("name", models.CharField(max_length=20, null=True, choices=[("a", "A")]))], {}, []),
    ([migrations.RemoveField("thing", "at")], {}, ["contract"]),
    ([migrations.DeleteModel("Thing")], {}, ["contract"]),
    ([migrations.RemoveField("thing", "at")], {"contracts": "nothing reads it since 0.2"}, []),
    ([migrations.RenameField("thing", "at", "seen_at")], {"contracts": "no"}, ["rename"]),
    ([migrations.RenameModel("Thing", "Item")], {}, ["rename"]),
    ([migrations.AlterModelTable("thing", "things")], {}, ["rename"]),
    ([migrations.AddConstraint("thing", NAMED)], {}, ["constraint"]),
    ([migrations.AddConstraint("thing", ONCE)], {}, ["constraint"]),
    ([migrations.AddConstraint("apikey", NAMED)], {}, []),
    ([concurrent.AddConstraintNotValid("thing", NAMED)], {}, []),
    (
        [
            concurrent.AddConstraintNotValid("thing", NAMED),
            concurrent.ValidateConstraint("thing", NAMED.name),
        ],
        {},
        ["validated-under-lock"],
    ),
    ([AddCheckBeside("thing", NAMED)], {"atomic": False}, []),
    ([AddCheckUnproved("thing", NAMED)], {}, []),
    ([AddCheckUnproved("thing", NAMED), ProveCheck("thing", NAMED.name)], {}, ["validated-under-lock"]),
    ([ProveCheck("thing", NAMED.name)], {"atomic": False}, []),
    (
        [
            migrations.SeparateDatabaseAndState(
                [migrations.RunSQL(UNIQUE, NOOP)], [migrations.AddConstraint("thing", ONCE)]
            )
        ],
        {"atomic": False},
        [],
    ),
    (
        [migrations.SeparateDatabaseAndState([migrations.AddIndex("thing", INDEX)], [])],
        {"atomic": False},
        ["index"],
    ),
    ([migrations.RunPython(triggers)], {}, ["no-way-back"]),
    ([migrations.RunPython(triggers, NOOP)], {}, []),
    ([migrations.RunPython(moves, NOOP)], {}, ["rows-in-one-transaction"]),
    ([migrations.RunPython(moves, NOOP, atomic=True)], {"atomic": False}, ["rows-in-one-transaction"]),
    ([migrations.RunPython(moves, NOOP)], {"atomic": False}, []),
    (
        [add("seen", models.BooleanField(null=True)), migrations.RunPython(moves, NOOP)],
        {"atomic": False},
        ["rows-with-schema"],
    ),
    (
        [add("seen", models.BooleanField(null=True)), add("seen", models.BooleanField(null=True), "other")],
        {},
        ["several-tables"],
    ),
    ([migrations.RunSQL("DROP VIEW IF EXISTS x")], {}, ["no-way-back"]),
    ([migrations.RunSQL("SET lock_timeout = 0", "")], {}, ["own-timeout"]),
    ([migrations.RunSQL([("UPDATE leads_thing SET name = %s", ["a"])], "")], {}, ["heavy-sql"]),
    ([migrations.RunSQL("ALTER TABLE leads_thing SET (fillfactor = 90)", "")], {}, ["heavy-sql"]),
    ([migrations.RunSQL("CREATE INDEX a ON leads_thing (name)", "")], {}, ["heavy-sql"]),
]


def test_each_planted_fault_is_found_and_each_sound_way_is_left_alone() -> None:
    wrong = [
        (operations, said, expected)
        for operations, how, expected in PLANTED
        if (said := found(*operations, **how)) != expected
    ]
    assert wrong == []


def test_an_apps_first_migration_and_others_apps_may_do_anything() -> None:
    first = Migration("0001_initial", "leads")
    first.operations = [migrations.AddIndex("thing", INDEX)]
    theirs = Migration("0007_theirs", "others")
    theirs.operations = [NEW, migrations.RenameModel("New", "Old")]
    assert list(findings([first, theirs], before(), {"leads"})) == []


def test_a_finding_names_the_migration_the_rule_and_the_way_out() -> None:
    migration = Migration("0042_planted", "leads")
    migration.operations = [migrations.RemoveField("thing", "at")]
    (one,) = findings([migration], before(), {"leads"})
    assert str(one) == (
        "leads.0042_planted: Remove field at from thing (contract). What still runs reads it. In a later "
        "release, with contracts = 'since when nothing does'."
    )


def test_ours_pass_and_the_list_of_what_may_stay_is_no_longer_than_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = StringIO()
    call_command("lint_migrations", stdout=out)
    assert out.getvalue() == "Migrations are safe beside a running site.\n"
    key = ("leads", "0019_finding_sides", "index")
    monkeypatch.delitem(lint_migrations.STANDING, key)
    monkeypatch.setitem(lint_migrations.STANDING, ("leads", "0008_deadlines_met", "type"), "not needed")
    said = StringIO()
    with pytest.raises(CommandError, match="2 faults in migrations"):
        call_command("lint_migrations", stderr=said)
    first, second = said.getvalue().splitlines()
    assert first.startswith("leads.0019_finding_sides: index finding_settled stops who writes")
    assert second == "leads.0008_deadlines_met.type stands on the list and is not needed"


@pytest.mark.django_db(transaction=True)
def test_a_check_beside_holds_for_what_comes_and_for_what_is_there_and_may_be_begun_again() -> None:
    old, new = before(), before()
    check = AddCheckBeside("thing", NAMED)
    check.state_forwards("leads", new)
    thing = old.apps.get_model("leads", "Thing")
    with connection.schema_editor() as editor:
        editor.create_model(thing)
    try:
        blank = thing.objects.create(name="")
        with pytest.raises(IntegrityError), connection.schema_editor(atomic=False) as editor:
            check.database_forwards("leads", editor, old, new)
        blank.delete()
        with connection.schema_editor(atomic=False) as editor:
            check.database_forwards("leads", editor, old, new)
        with pytest.raises(IntegrityError):
            thing.objects.create(name="")
        with connection.schema_editor(atomic=False) as editor:
            check.database_backwards("leads", editor, new, old)
        assert thing.objects.create(name="").pk
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(thing)
