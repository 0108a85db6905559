"""Backups of a running database, and putting one back: the order of the steps on both databases.

A backup is one moment, made beside those who write, and is there as a whole with its manifest or not at
all. What is restored is checked before (the file's bytes, its version, the database it goes into) and
counted after. Never writes over a file, nor into a database that holds something unless that is said.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from handoff_site.keeping import counting, databases, files, postgresql, sqlite
from handoff_site.keeping import manifest as manifests
from handoff_site.keeping.counting import Counted
from handoff_site.keeping.databases import Config, Refused
from handoff_site.keeping.manifest import Manifest


def backup(config: Config, file: Path, now: datetime) -> Manifest:
    """Back up into `file`, and its manifest into `file`.json. Raises Refused, leaving nothing."""
    beside = manifests.beside(file)
    files.refuse_existing(file, beside)
    if databases.vendor(config) == "sqlite" and not Path(config["NAME"]).exists():
        raise Refused(f"there is no database {config['NAME']}")
    with files.unfinished(file) as made, files.unfinished(beside) as described:
        if databases.vendor(config) == "sqlite":
            server, migrations, tables = _copy_sqlite(config, made)
        else:
            server, migrations, tables = _dump_postgresql(config, made)
        if not migrations:
            raise Refused(f"{databases.named(config)} is no database of Handoff: it has no migrations")
        size, sha256 = files.digest(made)
        said = Manifest(databases.vendor(config), server, now.isoformat(), migrations, size, sha256, tables)
        described.write_text(manifests.write(said), encoding="utf-8")
        # A manifest alone is no backup, so it comes first.
        files.place(described, beside)
        try:
            files.place(made, file)
        except BaseException:
            beside.unlink()
            raise
    return said


def restore(config: Config, file: Path, *, replace: bool = False) -> Manifest:
    """Put a backup into a database that is empty, or in place of what it holds. Raises Refused; then the
    database is as it was, unless the message says otherwise."""
    said = manifests.read(file)
    _check_file(file, said)
    vendor = databases.vendor(config)
    if said.database != vendor:
        raise Refused(
            f"{file} is a backup of {databases.SAID[said.database]}, and {databases.named(config)} is not. "
            "`manage.py move` goes from SQLite to PostgreSQL"
        )
    if vendor == "sqlite":
        _restore_sqlite(config, file, said, replace=replace)
    else:
        _restore_postgresql(config, file, said, replace=replace)
    return said


def _check_file(file: Path, said: Manifest) -> None:
    try:
        size, sha256 = files.digest(file)
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}") from None
    if size != said.size:
        raise Refused(f"{file} has {size} bytes, and its manifest says {said.size}: it is not whole")
    if sha256 != said.sha256:
        raise Refused(f"{file} is not what was backed up: its bytes have changed")


def _copy_sqlite(config: Config, made: Path) -> tuple[str, list[str], dict[str, Counted]]:
    sqlite.copy(Path(config["NAME"]), made)
    sqlite.be_one_file(made)
    sqlite.check(made)
    # What is counted is the copy itself, so both are of one moment.
    with databases.opened(databases.in_file(made)) as copied:
        tables = counting.count(copied, counting.present(copied))
        return sqlite3.sqlite_version, databases.applied(copied), tables


def _dump_postgresql(config: Config, made: Path) -> tuple[str, list[str], dict[str, Counted]]:
    with databases.opened(config) as wrapper:
        server = postgresql.server(wrapper)
        with postgresql.snapshot(wrapper) as name:
            postgresql.dump(config, name, server, made)
            tables = counting.count(wrapper, counting.present(wrapper))
            return server, databases.applied(wrapper), tables


def _restore_sqlite(config: Config, file: Path, said: Manifest, *, replace: bool) -> None:
    target = Path(config["NAME"])
    if target.exists():
        with databases.opened(databases.in_file(target)) as wrapper:
            _refuse_full(config, databases.table_names(wrapper), replace=replace)
        sqlite.copy(file, target)
        sqlite.check(target)
        _compare(databases.in_file(target), said)
        return
    with files.unfinished(target) as made:
        sqlite.copy(file, made)
        sqlite.check(made)
        _compare(databases.in_file(made), said)
        files.place(made, target)


def _restore_postgresql(config: Config, file: Path, said: Manifest, *, replace: bool) -> None:
    with databases.opened(config) as wrapper:
        names = databases.table_names(wrapper)
        _refuse_full(config, names, replace=replace)
        if more := sorted(names - said.tables.keys() - {"django_migrations"}):
            raise Refused(
                f"{databases.named(config)} has tables that the backup lacks ({', '.join(more[:3])}), "
                "and they would stay: restore into a new database"
            )
    postgresql.load(config, file, said.server, replace=bool(names))
    _compare(config, said)
    with databases.opened(config) as wrapper:
        postgresql.analyze(wrapper)


def _refuse_full(config: Config, names: set[str], *, replace: bool) -> None:
    if names and not replace:
        raise Refused(
            f"{databases.named(config)} is not empty: it has {len(names)} tables. Restore into an empty "
            "database, or say --replace to lose what it holds"
        )


def _compare(config: Config, said: Manifest) -> None:
    """Raise Refused unless the database now holds what the manifest says."""
    with databases.opened(config) as wrapper:
        found = counting.count(wrapper, (counted.table for counted in said.tables.values()))
        if databases.applied(wrapper) != said.migrations:
            raise Refused(f"{databases.named(config)} was written and has other migrations: do not use it")
    if wrong := counting.differences(said.tables, found):
        raise Refused(
            f"{databases.named(config)} was written and is not what was backed up: {'; '.join(wrong[:5])}. "
            "Do not use it"
        )
