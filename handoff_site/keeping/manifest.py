"""What a backup says about itself, as JSON in a file beside it.

Owns its form: which database and version made it, its migrations, the size and SHA-256 of the file, and of
each table the columns, rows and checksum, so that a later version can still count them as they were. Holds
no row of anybody. Believes nothing that it reads: what is not of this form is refused with words.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handoff_site.keeping import counting, databases
from handoff_site.keeping.counting import Counted, Table
from handoff_site.keeping.databases import Refused

FORMAT = 1


@dataclass(frozen=True)
class Manifest:
    """`database` is the vendor, `made_at` a moment in ISO 8601, `size` bytes."""

    database: str
    server: str
    made_at: str
    migrations: list[str]
    size: int
    sha256: str
    tables: dict[str, Counted]

    @property
    def rows(self) -> int:
        return sum(counted.rows for counted in self.tables.values())


def beside(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def write(manifest: Manifest) -> str:
    tables = {
        name: {
            "rows": counted.rows,
            "checksum": counted.checksum,
            "key": counted.table.key,
            "columns": counted.table.columns,
        }
        for name, counted in manifest.tables.items()
    }
    said = {
        "format": FORMAT,
        "database": manifest.database,
        "server": manifest.server,
        "made_at": manifest.made_at,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "migrations": manifest.migrations,
        "tables": tables,
    }
    return json.dumps(said, indent=1) + "\n"


def read(file: Path) -> Manifest:
    """The manifest beside a backup. Raises Refused where there is none that this version can use."""
    path = beside(file)
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"cannot read {path}, which says what {file} has to hold: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Refused(f"{path} is not the manifest of a backup: it is no JSON") from None
    number = said.get("format") if isinstance(said, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise Refused(f"{path} was written by a newer version of Handoff (format {number}, known: {FORMAT})")
    if number != FORMAT:
        raise Refused(f"{path} is not the manifest of a backup: it names no format")
    try:
        manifest = _understood(said)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise Refused(f"{path} is not a whole manifest: something is missing in it") from None
    if unknown := sorted(set(manifest.migrations) - databases.known()):
        raise Refused(
            f"{file} was made by a newer or another version of Handoff: {', '.join(unknown[:3])} is not "
            "known here. Install that version and restore with it"
        )
    return manifest


def _understood(said: dict[str, Any]) -> Manifest:
    tables = {}
    for name, one in said["tables"].items():
        columns = {str(column): counting.checked_kind(str(kind)) for column, kind in one["columns"].items()}
        # They become part of a statement, which has no other place for names.
        if one["key"] not in columns or not all(map(str.isidentifier, (name, *columns))):
            raise ValueError(name)
        tables[name] = Counted(Table(name, one["key"], columns), int(one["rows"]), str(one["checksum"]))
    if said["database"] not in databases.SAID:
        raise ValueError(said["database"])
    return Manifest(
        said["database"],
        str(said["server"]),
        str(said["made_at"]),
        [str(name) for name in said["migrations"]],
        int(said["size"]),
        str(said["sha256"]),
        tables,
    )
