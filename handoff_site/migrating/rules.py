"""What a migration may not do while the site runs, as findings over its operations; pure.

Two things are held: the version that still runs goes on working once the migration is in (expand now,
contract in a later release), and nobody waits long for a lock on a table with many rows. The rules are read
off the operations, so no database is asked. What PostgreSQL locks and for how long: its documentation of
ALTER TABLE, "Notes", and of CREATE INDEX, "Building Indexes Concurrently".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from django.contrib.postgres import operations as concurrent
from django.db import models
from django.db.migrations import Migration
from django.db.migrations import operations as ops
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# What these hold grows with people and rules, not with leads: a lock on them is over at once.
SMALL = {
    f"{app}.{model}"
    for app, models_of_it in {
        "routing": "user team absence draft namedlist territory rule rulereview ruleset slapolicy slastep "
        "calendar calendarinterval closedday queue pool poolmember",
        "leads": "mqldefinition agreement proposal signature proposalcomment rejectionreason "
        "preflightsettings apikey connection syncrun savedview defaultview preference importpreset",
        "metrics": "report callentry reportschedule reportsubscription",
    }.items()
    for model in models_of_it.split()
}
NOT_IN_DATABASE = {*models.Field.non_db_attrs, "default", "auto_now", "auto_now_add"}
BESIDE = (concurrent.AddIndexConcurrently, concurrent.RemoveIndexConcurrently)
_TIMEOUT = re.compile(r"\b(lock_timeout|statement_timeout)\b", re.IGNORECASE)
_HEAVY = re.compile(
    r"\b(ALTER\s+TABLE|LOCK\s+TABLE|UPDATE\s+\w+\s+SET|DELETE\s+FROM|TRUNCATE|VACUUM\s+FULL|CLUSTER|REINDEX"
    r"|CREATE\s+(UNIQUE\s+)?INDEX)\b(?!\s+CONCURRENTLY)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: in which migration, by which rule, about what, and what to do instead."""

    app: str
    migration: str
    rule: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"{self.app}.{self.migration}: {self.what} ({self.rule}). {self.instead}"


@dataclass
class _Reading:
    """One migration as it is read: the state before each operation, and which tables it made itself."""

    migration: Migration
    state: ProjectState
    made: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)
    rows: bool = False
    one_transaction: bool = False

    def is_new(self, model: str) -> bool:
        return self.label(model) in self.made

    def is_large(self, model: str) -> bool:
        """Whether a lock on it would be felt."""
        return self.label(model) not in self.made | SMALL

    def label(self, model: str) -> str:
        return f"{self.migration.app_label}.{model.lower()}"

    def finding(self, rule: str, what: str, instead: str) -> Finding:
        return Finding(self.migration.app_label, self.migration.name, rule, what, instead)


def findings(migrations: Iterable[Migration], state: ProjectState, apps: set[str]) -> Iterator[Finding]:
    """What is wrong with those of these apps. `migrations` stand in an order in which they can be applied,
    others' among them, for they make the state; `state`, which is changed, is what was there before."""
    for migration in migrations:
        if migration.app_label not in apps or migration.initial or _is_first(migration):
            for operation in migration.operations:
                operation.state_forwards(migration.app_label, state)
            continue
        yield from _of_migration(_Reading(migration, state))


def _is_first(migration: Migration) -> bool:
    """An app's first migration finds no rows and no running version."""
    return migration.name.startswith("0001_")


def _of_migration(reading: _Reading) -> Iterator[Finding]:
    migration = reading.migration
    for operation in migration.operations:
        yield from _of_operation(reading, operation, in_state=True)
    if migration.atomic and len(reading.altered) > 1:
        yield reading.finding(
            "several-tables",
            f"one transaction locks {', '.join(sorted(reading.altered))}",
            "Whoever locks them in another order waits for ever: one migration each.",
        )
    if reading.rows and (migration.atomic or reading.one_transaction):
        yield reading.finding(
            "rows-in-one-transaction",
            "rows are changed in one transaction",
            "Set atomic = False and change them in batches, each in a transaction of its own.",
        )
    if reading.rows and reading.altered:
        yield reading.finding(
            "rows-with-schema",
            f"rows are changed together with {', '.join(sorted(reading.altered))}",
            "Two migrations: the columns first, then the rows.",
        )


def _of_operation(reading: _Reading, operation: Operation, *, in_state: bool) -> Iterator[Finding]:
    """What is wrong with one operation; afterwards the state has it, unless it is the database's alone."""
    if isinstance(operation, ops.SeparateDatabaseAndState):
        for part in operation.database_operations:
            yield from _of_operation(reading, part, in_state=False)
        if in_state:
            operation.state_forwards(reading.migration.app_label, reading.state)
        return
    match operation:
        case ops.CreateModel():
            reading.made.add(reading.label(operation.name))
        case ops.AddField():
            yield from _added_field(reading, operation)
        case ops.AlterField():
            yield from _altered_field(reading, operation)
        case ops.RemoveField() | ops.DeleteModel():
            yield from _contracted(reading, operation)
        case ops.RenameField() | ops.RenameModel() | ops.AlterModelTable():
            yield reading.finding(
                "rename",
                operation.describe(),
                "What still runs asks for the old name: add the new one, fill it, remove the old one later.",
            )
        case ops.AddIndex():
            yield from _added_index(reading, operation)
        case concurrent.RemoveIndexConcurrently() if reading.migration.atomic:
            yield _in_transaction(reading, operation)
        case ops.AddConstraint():
            yield from _added_constraint(reading, operation)
        case concurrent.ValidateConstraint() if reading.migration.atomic and reading.altered:
            yield reading.finding(
                "validated-under-lock",
                f"{operation.describe()} in the transaction that holds the table",
                "Validate in a later migration, or set atomic = False.",
            )
        case ops.RunPython():
            yield from _ran(reading, operation)
        case ops.RunSQL():
            yield from _ran_sql(reading, operation)
        case _:
            pass
    if in_state:
        operation.state_forwards(reading.migration.app_label, reading.state)


def _added_field(reading: _Reading, operation: ops.AddField) -> Iterator[Finding]:
    added: Any = operation.field
    name = f"{operation.model_name}.{operation.name}"
    if reading.is_new(operation.model_name) or isinstance(added, models.ManyToManyField):
        return
    is_generated = isinstance(added, models.GeneratedField)
    if not added.null and not added.has_db_default() and not is_generated:
        yield reading.finding(
            "column-without-default",
            f"{name} may not be null and the database has no default for it",
            "What still runs cannot insert a row any more: null=True, or a db_default.",
        )
    if not reading.is_large(operation.model_name):
        return
    reading.altered.add(reading.label(operation.model_name))
    if is_generated:
        yield reading.finding(
            "rewrite",
            f"{name} is generated, which writes every row anew under a lock",
            "A column that is filled in batches and kept by the code or a trigger.",
        )
    if added.unique or added.db_index or getattr(added, "db_constraint", False):
        yield reading.finding(
            "column-with-index",
            f"{name} comes with an index or a foreign key, made under a lock",
            "db_index=False and db_constraint=False, then the index by AddIndexBeside.",
        )


def _altered_field(reading: _Reading, operation: ops.AlterField) -> Iterator[Finding]:
    if reading.is_new(operation.model_name):
        return
    name = f"{operation.model_name}.{operation.name}"
    key = (reading.migration.app_label, operation.model_name.lower())
    old, new = reading.state.models[key].fields[operation.name], operation.field
    if _type_changes(old, new):
        yield reading.finding(
            "type",
            f"{name} becomes another type",
            "A new column beside it, filled in batches; the old one goes in a later release.",
        )
    if old.null and not new.null:
        yield reading.finding(
            "not-null",
            f"{name} may no longer be null",
            "A check that is not valid yet, filled and validated; NOT NULL follows it without a scan.",
        )
    makes_index = any(
        getattr(new, mark, False) and not getattr(old, mark, False)
        for mark in ("unique", "db_index", "primary_key")
    )
    if makes_index and reading.is_large(operation.model_name):
        yield reading.finding(
            "index", f"{name} gets an index under a lock", "AddIndexBeside, atomic = False."
        )
    if reading.is_large(operation.model_name) and _in_database(old) != _in_database(new):
        reading.altered.add(reading.label(operation.model_name))


def _type_changes(old: models.Field[Any, Any], new: models.Field[Any, Any]) -> bool:
    """Whether rows have to be written or read again; not for a longer or a boundless text."""
    before, after = _in_database(old), _in_database(new)
    if isinstance(old, models.CharField) and isinstance(new, models.TextField):
        return False
    if isinstance(old, models.CharField) and isinstance(new, models.CharField):
        return (new.max_length or 1 << 30) < (old.max_length or 1 << 30)
    shape = ("max_digits", "decimal_places", "to", "to_field", "expression", "output_field", "size")
    return before[0] != after[0] or any(before[1].get(name) != after[1].get(name) for name in shape)


def _in_database(column: models.Field[Any, Any]) -> tuple[str, dict[str, Any]]:
    _, path, _, kwargs = column.deconstruct()
    return path, {name: value for name, value in kwargs.items() if name not in NOT_IN_DATABASE}


def _contracted(reading: _Reading, operation: ops.RemoveField | ops.DeleteModel) -> Iterator[Finding]:
    model = operation.model_name if isinstance(operation, ops.RemoveField) else operation.name
    if not reading.is_new(model) and not getattr(reading.migration, "contracts", ""):
        yield reading.finding(
            "contract",
            operation.describe(),
            "What still runs reads it. In a later release, with contracts = 'since when nothing does'.",
        )


def _added_index(reading: _Reading, operation: ops.AddIndex) -> Iterator[Finding]:
    if isinstance(operation, BESIDE):
        if reading.migration.atomic:
            yield _in_transaction(reading, operation)
    elif reading.is_large(operation.model_name):
        reading.altered.add(reading.label(operation.model_name))
        yield reading.finding(
            "index",
            f"index {operation.index.name} stops who writes {operation.model_name} while it is built",
            "AddIndexBeside, and atomic = False.",
        )


def _in_transaction(reading: _Reading, operation: Operation) -> Finding:
    return reading.finding(
        "beside-in-transaction", f"{operation.describe()} in one transaction", "Set atomic = False."
    )


def _added_constraint(reading: _Reading, operation: ops.AddConstraint) -> Iterator[Finding]:
    if not reading.is_large(operation.model_name):
        return
    reading.altered.add(reading.label(operation.model_name))
    if isinstance(operation, concurrent.AddConstraintNotValid):
        return
    is_check = isinstance(operation.constraint, models.CheckConstraint)
    yield reading.finding(
        "constraint",
        f"constraint {operation.constraint.name} reads all of {operation.model_name} under a lock",
        "AddCheckBeside, and atomic = False."
        if is_check
        else "RunSQL with CREATE UNIQUE INDEX CONCURRENTLY, and the constraint as its state_operations.",
    )


def _ran(reading: _Reading, operation: ops.RunPython) -> Iterator[Finding]:
    code: Any = operation.code
    if operation.reverse_code is None:
        yield _no_way_back(reading, code.__name__)
    if "get_model" in set(_names(code.__code__)):
        reading.rows = True
        reading.one_transaction |= bool(operation.atomic)


def _names(code: CodeType) -> Iterator[str]:
    """Every name that a function's code speaks of, and that of the functions in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _ran_sql(reading: _Reading, operation: ops.RunSQL) -> Iterator[Finding]:
    if operation.reverse_sql is None:
        yield _no_way_back(reading, "SQL")
    for said in _statements(operation.sql):
        if _TIMEOUT.search(said):
            yield reading.finding(
                "own-timeout",
                f"{_short(said)!r} sets a timeout",
                "`manage.py migrate` does, and tries again.",
            )
        if _HEAVY.search(said):
            yield reading.finding(
                "heavy-sql",
                f"{_short(said)!r} locks a table or many rows",
                "An operation that these rules can read; CONCURRENTLY; rows in batches by RunPython.",
            )


def _no_way_back(reading: _Reading, what: str) -> Finding:
    return reading.finding("no-way-back", f"{what} cannot be taken back", "Give its reverse, or noop.")


def _statements(sql: Any) -> list[str]:
    parts = [sql] if isinstance(sql, str) else list(sql)
    return [part if isinstance(part, str) else part[0] for part in parts]


def _short(statement: str) -> str:
    return " ".join(statement.split())[:60]
