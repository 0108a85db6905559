"""Copies of a SQLite database while others write, by SQLite's own backup.

Owns copying from one file into another and the check that SQLite makes of a file. A copy is one moment of
the database, and what it is copied into changes as a whole or not at all. Never copies the file's bytes:
what was committed may still stand in the log beside it.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from handoff_site.keeping.databases import Refused, first_line

PATIENCE = 20.0  # seconds for which others may hold the database


def copy(source: Path, target: Path) -> None:
    """Make `target`, an empty file or a database, into what `source` is now. Raises Refused."""
    until = time.monotonic() + PATIENCE

    def wait(status: int, remaining: int, total: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > until:
            raise Refused(f"{target} is in use: stop web and worker first")

    try:
        with (
            closing(sqlite3.connect(f"file:{quote(str(source.absolute()))}?mode=rw", uri=True)) as read,
            closing(sqlite3.connect(target, timeout=PATIENCE)) as written,
        ):
            read.execute(f"PRAGMA busy_timeout = {int(PATIENCE * 1000)}")
            # All pages in one step: others go on writing into the log meanwhile, and the copy never sees it.
            read.backup(written, pages=-1, progress=wait)
    except sqlite3.Error as error:
        raise Refused(f"cannot copy {source} into {target}: {first_line(error)}") from None


def be_one_file(path: Path) -> None:
    """Without a log beside it, which a copy inherits from a database that has one."""
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA journal_mode = DELETE")


def check(path: Path) -> None:
    """What SQLite itself finds wrong, pages and references. Raises Refused."""
    try:
        with closing(sqlite3.connect(path)) as opened:
            found = opened.execute("PRAGMA integrity_check(1)").fetchone()[0]
            broken = opened.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as error:
        raise Refused(f"{path} is no sound SQLite database: {first_line(error)}") from None
    if found != "ok":
        raise Refused(f"{path} is no sound SQLite database: {found}")
    if broken:
        raise Refused(f"a row of {broken[0]} refers to one of {broken[2]} that is not there")
