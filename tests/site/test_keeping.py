"""The drill: a backup made beside those who write, restored elsewhere, counted, and held to the invariants.

What is harmed, too new or in the way is refused with words, and leaves everything as it was. On PostgreSQL
also the move from SQLite.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from pytest_django import DjangoDbBlocker

from handoff_site.demo import making
from handoff_site.keeping import copying, counting, databases, manifest, moving, postgresql, sqlite
from leads.models import Company, Event, Handoff, Lead
from tests.conftest import NOW, forget_kept
from tests.emptying import empty
from tests.factories import make_company, make_lead

pytestmark = pytest.mark.django_db
IS_POSTGRESQL = connection.vendor == "postgresql"
MIGRATED = "migrated"


@pytest.fixture(scope="module", autouse=True)
def _demo(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A small demo that is committed, so that others see it: threads, pg_dump, another connection."""
    with django_db_blocker.unblock():
        if IS_POSTGRESQL:
            # The tables alone, to move into.
            connection.close()
            _make(MIGRATED, f" TEMPLATE {connection.ops.quote_name(connection.settings_dict['NAME'])}")
        making.make(NOW, leads=20, weeks=2, with_password=False)
        yield
        empty()
        if IS_POSTGRESQL:
            _drop(MIGRATED)
        forget_kept()


@pytest.fixture
def _django_db_helper() -> None:
    """Instead of a transaction around each test: others could not see what stands in one."""


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[databases.Config]:
    """An empty database beside the tests' own."""
    if not IS_POSTGRESQL:
        yield databases.in_file(tmp_path / "elsewhere.sqlite3")
        return
    _make("elsewhere")
    yield _beside("elsewhere")
    _drop("elsewhere")


def _beside(suffix: str) -> databases.Config:
    return {**databases.configured(), "NAME": f"{connection.settings_dict['NAME']}_{suffix}"}


def _make(suffix: str, more: str = "") -> None:
    _drop(suffix)
    with connection._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {connection.ops.quote_name(_beside(suffix)['NAME'])}{more}")


def _drop(suffix: str) -> None:
    with connection._nodb_cursor() as cursor:
        cursor.execute(
            f"DROP DATABASE IF EXISTS {connection.ops.quote_name(_beside(suffix)['NAME'])} WITH (FORCE)"
        )


@contextmanager
def standing_in(config: databases.Config) -> Iterator[None]:
    """Everything inside asks that database instead of the tests' own."""
    own = connections["default"]
    with databases.opened(config) as wrapper:
        connections["default"] = wrapper
        forget_kept()
        try:
            yield
        finally:
            connections["default"] = own
            forget_kept()


def counted(config: databases.Config) -> dict[str, counting.Counted]:
    with databases.opened(config) as wrapper:
        return counting.count(wrapper, counting.present(wrapper))


def assert_sound_in(config: databases.Config) -> None:
    out = StringIO()
    with standing_in(config):
        call_command("check_invariants", stdout=out)
        call_command("rebuild_projection", "--check", stdout=out)
    assert out.getvalue() == "No violation.\nNo difference.\n"


def harmless(file: Path) -> None:
    copying.backup(databases.configured(), file, NOW)


class Writer(threading.Thread):
    """Writes a company and its lead in each transaction until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped, self.written, self.wrote = threading.Event(), 0, threading.Condition()

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                with transaction.atomic():
                    company = make_company(name=f"Written {self.written}")
                    make_lead(company=company)
                with self.wrote:
                    self.written += 1
                    self.wrote.notify_all()
                self.stopped.wait(0.01)
        finally:
            connections.close_all()

    def reach(self, number: int) -> None:
        with self.wrote:
            assert self.wrote.wait_for(lambda: self.written >= number, 60)


def test_the_drill(tmp_path: Path, elsewhere: databases.Config) -> None:
    file = tmp_path / "backup"
    out, writer = StringIO(), Writer()
    writer.start()
    try:
        writer.reach(3)
        call_command("backup", str(file), stdout=out)
        writer.reach(writer.written + 1)
    finally:
        writer.stopped.set()
        writer.join()
    assert "keep that apart" in out.getvalue()
    for made in (file, manifest.beside(file)):
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == [file, manifest.beside(file)]

    said = copying.restore(elsewhere, file)
    there, here = counted(elsewhere), counted(databases.configured())
    assert there == said.tables
    # What nobody wrote meanwhile is the same here and there.
    meanwhile = ("leads_company", "leads_lead", "leads_searchword")
    assert [name for name in here if here[name] != there[name]] == [
        name for name in meanwhile if here[name] != there[name]
    ]
    assert there["leads_event"].rows > 100 and here["leads_lead"] != there["leads_lead"]
    with standing_in(elsewhere):
        companies = Company.objects.filter(name__startswith="Written").count()
        leads = Lead.objects.filter(company__name__startswith="Written").count()
        # What guards the log came along.
        with pytest.raises(DatabaseError, match="append-only"):
            Event.objects.filter(pk=Event.objects.earliest("pk").pk).update(number=99)
    assert 3 <= companies == leads < writer.written
    assert_sound_in(elsewhere)

    # Full now: refused, and put back when that is said.
    with standing_in(elsewhere):
        make_company(name="Lost when replaced")
    changed = counted(elsewhere)
    with pytest.raises(databases.Refused, match=r"is not empty: it has \d+ tables"):
        copying.restore(elsewhere, file)
    assert counted(elsewhere) == changed != there
    copying.restore(elsewhere, file, replace=True)
    assert counted(elsewhere) == there
    Lead.objects.filter(company__name__startswith="Written").delete()
    Company.objects.filter(name__startswith="Written").delete()


def change(file: Path, **said: Any) -> None:
    path = manifest.beside(file)
    path.write_text(json.dumps({**json.loads(path.read_text()), **said}))


def change_a_byte(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-100, os.SEEK_END)
        byte = opened.read(1)
        opened.seek(-100, os.SEEK_END)
        opened.write(bytes([byte[0] ^ 1]))


def count_another_row(file: Path) -> None:
    """As if a row had been lost between the database and the file."""
    tables = json.loads(manifest.beside(file).read_text())["tables"]
    tables["leads_handoff"]["rows"] += 1
    change(file, tables=tables)


def name_a_statement(file: Path) -> None:
    tables = json.loads(manifest.beside(file).read_text())["tables"]
    tables['leads_lead"; DROP TABLE leads_lead; --'] = tables["leads_lead"]
    change(file, tables=tables)


HARMS: list[tuple[Callable[[Path], Any], str]] = [
    (lambda file: os.truncate(file, file.stat().st_size // 2), "it is not whole"),
    (change_a_byte, "its bytes have changed"),
    (lambda file: change(file, format=2), r"by a newer version of Handoff \(format 2, known: 1\)"),
    (lambda file: change(file, migrations=["leads.0999_later"]), "leads.0999_later is not known here"),
    (lambda file: change(file, database="oracle"), "something is missing in it"),
    (name_a_statement, "something is missing in it"),
    (lambda file: manifest.beside(file).write_text("{"), "it is no JSON"),
    (lambda file: manifest.beside(file).write_text("[" * 100_000), "it is no JSON"),
    (lambda file: change(file, size=float("inf")), "something is missing in it"),
    (lambda file: manifest.beside(file).unlink(), "cannot read .*backup.json, which says what"),
    (lambda file: file.unlink(), "cannot read .*backup: No such file"),
    (
        lambda file: change(file, database="sqlite" if IS_POSTGRESQL else "postgresql"),
        "is a backup of (SQLite|PostgreSQL), and .* is not",
    ),
]


def test_what_is_harmed_or_too_new_is_refused_and_touches_nothing(
    tmp_path: Path, elsewhere: databases.Config
) -> None:
    whole = tmp_path / "backup"
    harmless(whole)
    kept = [(path, path.read_bytes()) for path in (whole, manifest.beside(whole))]
    for harm, words in HARMS:
        for path, content in kept:
            path.write_bytes(content)
        harm(whole)
        with pytest.raises(databases.Refused, match=words):
            copying.restore(elsewhere, whole)
        if IS_POSTGRESQL:
            with databases.opened(elsewhere) as wrapper:
                assert databases.table_names(wrapper) == set()
        else:
            assert not Path(elsewhere["NAME"]).exists()
    # What passes every check before is still counted after.
    for path, content in kept:
        path.write_bytes(content)
    count_another_row(whole)
    with pytest.raises(databases.Refused, match=r"leads_handoff has \d+ rows instead of \d+"):
        copying.restore(elsewhere, whole)


def test_a_backup_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "backup"

    def broken_off(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(counting, "count", broken_off)
        with pytest.raises(KeyboardInterrupt):
            harmless(file)
    assert list(tmp_path.iterdir()) == []
    for taken in (file, manifest.beside(file)):
        taken.write_text("somebody's")
        with pytest.raises(CommandError, match=f"no backup was made: {taken} is there already"):
            call_command("backup", str(file))
        assert [path.read_text() for path in tmp_path.iterdir()] == ["somebody's"]
        taken.unlink()
    with pytest.raises(CommandError, match="no backup was made: cannot write beside"):
        call_command("backup", str(tmp_path / "nowhere" / "backup"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://a:hunter2@b/c", "begins with sqlite:/// or postgres://"),
        ("postgres://nobody:hunter2@127.0.0.1:1/none", "cannot open PostgreSQL none on 127.0.0.1"),
    ],
)
def test_another_database_is_named_without_its_password(tmp_path: Path, url: str, words: str) -> None:
    file = tmp_path / "backup"
    harmless(file)
    if not IS_POSTGRESQL:
        change(file, database="postgresql")
    with pytest.raises(CommandError, match=words) as refused:
        call_command("restore", str(file), "--database", url)
    assert "hunter2" not in str(refused.value)


def test_tools_get_the_password_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "handoff",
        "HOST": "db",
        "PORT": 5433,
        "USER": "app",
        "PASSWORD": "hunter2",
        "OPTIONS": {"sslmode": "require"},
    }
    asked: list[tuple[list[str], dict[str, str] | None]] = []
    answer = {"--version": (0, "pg_dump (PostgreSQL) 16.2 (Debian)", "")}

    def run(command: list[str], env: dict[str, str] | None = None, **more: Any) -> Any:
        asked.append((command, env))
        return subprocess.CompletedProcess(command, *answer.get(command[1], (1, "", COMPLAINT)))

    monkeypatch.setattr(postgresql.subprocess, "run", run)
    monkeypatch.setattr(postgresql.shutil, "which", lambda name: f"/bin/{name}")
    with pytest.raises(databases.Refused) as refused:
        postgresql.load(config, tmp_path / "file", "15.4", replace=False)
    assert str(refused.value) == "pg_restore failed: pg_restore: error: COPY failed for table"
    command, environment = asked[-1]
    assert command[-2:] == ["--dbname=handoff", str(tmp_path / "file")] and environment is not None
    assert not any("hunter2" in part for part in command)
    names = ("PGPASSWORD", "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE")
    assert [environment[name] for name in names] == ["hunter2", "db", "5433", "app", "handoff", "require"]

    with pytest.raises(databases.Refused, match=r"is of version 16\.2, PostgreSQL is of version 17\.1"):
        postgresql.dump(config, "snapshot", "17.1", tmp_path / "file")
    monkeypatch.setattr(postgresql.shutil, "which", lambda name: None)
    with pytest.raises(databases.Refused, match="pg_dump is not installed here"):
        postgresql.dump(config, "snapshot", "15.4", tmp_path / "file")


COMPLAINT = "pg_restore: error: COPY failed for table\nCONTEXT: COPY leads_lead, line 1: ada@example.com\n"


def test_a_value_is_the_same_text_whichever_database_has_it() -> None:
    one, other = '{"a": 1e2, "b": [0.10, -0.0]}', '{"b": [0.1, 0], "a": 100}'
    assert counting._json(one) == counting._json(other)
    assert counting._json('["100"]') != counting._json("[100]")
    assert counting._json("[1e400]") != counting._json("[1e401]")
    assert counting._decimal(2)(0.1) == counting._decimal(2)("0.10") == Decimal("0.10")
    naive = counting._moment(datetime(2026, 3, 10, 10))
    assert naive == counting._moment(NOW) == NOW
    # Each table of the project is read, each column of a kind that can be.
    managed = {model._meta.db_table for model in apps.get_models() if model._meta.managed}
    assert managed <= {table.name for table in counting.known()}


def test_a_changed_word_is_found_and_named(tmp_path: Path) -> None:
    before = counted(databases.configured())
    lead = Lead.objects.earliest("pk")
    try:
        Lead.objects.filter(pk=lead.pk).update(first_name="Otherwise")
        found = counting.differences(before, counted(databases.configured()))
    finally:
        Lead.objects.filter(pk=lead.pk).update(first_name=lead.first_name)
    assert found == ["leads_lead has as many rows, but they say something else"]


@pytest.mark.skipif(IS_POSTGRESQL, reason="PostgreSQL waits for its own locks")
def test_a_database_in_use_is_left_as_it_is(
    tmp_path: Path, elsewhere: databases.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup"
    harmless(file)
    copying.restore(elsewhere, file)
    monkeypatch.setattr(sqlite, "PATIENCE", 0.1)
    with databases.opened(elsewhere) as wrapper, wrapper.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("DELETE FROM leads_searchword")
        with pytest.raises(databases.Refused, match="is in use: stop web and worker first"):
            copying.restore(elsewhere, file, replace=True)
        cursor.execute("COMMIT")
    assert counted(elsewhere)["leads_searchword"].rows == 0


@pytest.mark.skipif(not IS_POSTGRESQL, reason="a move goes into PostgreSQL: DATABASE_URL names none")
def test_the_move_from_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite3"
    pour(path)
    source, target = databases.in_file(path), _beside(MIGRATED)
    before = counted(target)
    assert counted(source) == counted(databases.configured())

    # A value that PostgreSQL has no room for, in one of the last tables: nothing is kept.
    for wrong, right in (("Ü" * 300, "slug"), ("a\0b", "slug")):
        with databases.opened(source) as old, old.cursor() as cursor:
            cursor.execute("SELECT id, slug FROM routing_pool ORDER BY id LIMIT 1")
            pool, right = cursor.fetchone()
            cursor.execute("UPDATE routing_pool SET slug = %s WHERE id = %s", [wrong, pool])
        with pytest.raises(databases.Refused, match="nothing was kept: routing_pool: "):
            moving.move(source, target)
        assert counted(target) == before
        with databases.opened(source) as old, old.cursor() as cursor:
            cursor.execute("UPDATE routing_pool SET slug = %s WHERE id = %s", [right, pool])

    # Numbers that were given and are gone are not given again.
    with databases.opened(source) as old, old.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = 5000 WHERE name = 'leads_company'")
    moved = moving.move(source, target)
    assert counted(target) == moved == counted(databases.configured())
    assert_sound_in(target)
    with standing_in(target):
        assert make_company(name="The first of the new house").pk == 5001
        newest = Handoff.objects.latest("pk").pk
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT nextval(pg_get_serial_sequence('leads_handoff', 'id'))")
            assert cursor.fetchone() == (newest + 1,)
            cursor.execute("SELECT count(*), count(*) FILTER (WHERE tgenabled = 'O') FROM pg_trigger")
            triggers, enabled = cursor.fetchone()
        assert triggers == enabled
        with pytest.raises(DatabaseError, match="append-only"):
            Event.objects.filter(pk=Event.objects.earliest("pk").pk).update(number=99)
    with pytest.raises(databases.Refused, match="is not empty: auth_group has rows"):
        moving.move(source, target)
    with pytest.raises(CommandError, match="not moved: there is no database"):
        call_command("move", f"sqlite:///{tmp_path}/none.sqlite3")


def pour(path: Path) -> None:
    """The tests' database as a SQLite file, made of the models: the migrations take ten times as long."""
    with databases.opened(databases.configured()) as own, standing_in(databases.in_file(path)):
        new = connections["default"]
        with new.cursor() as cursor:
            cursor.execute("CREATE TABLE django_migrations (app text, name text)")
            for name in databases.applied(own):
                cursor.execute("INSERT INTO django_migrations VALUES (%s, %s)", name.split(".", 1))
        with new.schema_editor() as editor:
            for model in apps.get_models():
                if model._meta.managed and not model._meta.proxy:
                    editor.create_model(model)
        with transaction.atomic(), new.cursor() as cursor:
            cursor.execute("PRAGMA defer_foreign_keys = ON")
            for table in counting.known():
                columns = [name for name in table.columns if name not in table.generated]
                statement = (
                    f"INSERT INTO {table.name} ({', '.join(map(new.ops.quote_name, columns))}) "
                    f"VALUES ({', '.join(['%s'] * len(columns))})"
                )
                for row in counting.rows(own, table, columns):
                    cursor.execute(statement, [plain(value) for value in row])


def plain(value: Any) -> Any:
    """As Django gives it to SQLite."""
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    return str(value) if isinstance(value, Decimal) else value
