"""PostgreSQL's own pg_dump and pg_restore, called so that nothing secret can be seen.

Owns the snapshot that a dump and its manifest share, the calls, and the words for tools that are missing,
too old or fail. Where to connect goes through the environment of the tool, never through its arguments; of
what it complains only the line with the error is repeated, for the others may hold a row.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.client import DatabaseClient

from handoff_site.keeping.databases import Config, Refused


def server(wrapper: BaseDatabaseWrapper) -> str:
    with wrapper.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0]).split()[0]


@contextmanager
def snapshot(wrapper: BaseDatabaseWrapper) -> Iterator[str]:
    """One moment for all that is read inside, and the name by which a dump reads the same."""
    wrapper.set_autocommit(False)
    with wrapper.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        name = str(cursor.fetchone()[0])
    try:
        yield name
    finally:
        wrapper.rollback()


def dump(config: Config, snapshot_name: str, server_version: str, path: Path) -> None:
    """The database as of the snapshot into `path`, in the custom format. Raises Refused."""
    tool = _tool("pg_dump", server_version)
    _run([tool, "--format=custom", f"--snapshot={snapshot_name}", "--no-password", f"--file={path}"], config)


def load(config: Config, path: Path, dumped_from: str, *, replace: bool) -> None:
    """What was dumped into the database, in one transaction: all of it or nothing. Raises Refused."""
    tool = _tool("pg_restore", dumped_from)
    command = [tool, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    if replace:
        command += ["--clean", "--if-exists"]
    _run([*command, "--no-password", f"--dbname={config['NAME']}", str(path)], config)


def analyze(wrapper: BaseDatabaseWrapper) -> None:
    """Have the planner look at what has come in; otherwise the first hours would be slow."""
    with wrapper.cursor() as cursor:
        cursor.execute("ANALYZE")


def _tool(name: str, at_least: str) -> str:
    """Where the tool is. Raises Refused when it is missing, or older than what it has to understand."""
    path = shutil.which(name)
    if path is None:
        raise Refused(f"{name} is not installed here; it comes with PostgreSQL's client tools")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"(\d+)(\.\d+)*", said)
    wanted = int(at_least.split(".")[0])
    if found is None or int(found[1]) < wanted:
        raise Refused(
            f"{name} is of version {found[0] if found else 'unknown'}, PostgreSQL is of version {at_least}: "
            f"install client tools of version {wanted} or newer"
        )
    return path


def _run(command: list[str], config: Config) -> None:
    done = subprocess.run(  # noqa: S603 - a tool that was looked up, and arguments that are our own
        command, capture_output=True, text=True, errors="replace", check=False, env=_environment(config)
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error:" in line or "FATAL" in line]
        said = (lines or done.stderr.splitlines() or ["it says nothing"])[0]
        raise Refused(f"{Path(command[0]).name} failed: {said[:300]}")


def _environment(config: Config) -> dict[str, str]:
    """Where and as whom: what libpq reads from the environment, on top of ours."""
    _, given = DatabaseClient.settings_to_cmd_args_env(config, [])
    options = config.get("OPTIONS") or {}
    where = {
        "PGHOST": config.get("HOST"),
        "PGPORT": config.get("PORT"),
        "PGUSER": config.get("USER"),
        "PGDATABASE": config.get("NAME"),
        "PGOPTIONS": options.get("options"),
    }
    return {**os.environ, **(given or {}), **{name: str(value) for name, value in where.items() if value}}
