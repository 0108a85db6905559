"""Files that are whole or not there: written under another name, then given their own.

Owns that others may not read them (0600), that none is ever written over, and that what was broken off has
a name that no backup has. Knows nothing of what is in them.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from handoff_site.keeping.databases import Refused


@contextmanager
def unfinished(file: Path) -> Iterator[Path]:
    """An empty file beside `file`, to be filled and placed. It is gone at the end, whatever happens."""
    path = file.with_name(f".{file.name}.{secrets.token_hex(4)}.unfinished")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise Refused(f"cannot write beside {file}: {error.strerror}") from None
    try:
        yield path
    finally:
        for left in (path, Path(f"{path}-journal"), Path(f"{path}-wal"), Path(f"{path}-shm")):
            left.unlink(missing_ok=True)


def refuse_existing(*files: Path) -> None:
    for file in files:
        if os.path.lexists(file):
            raise Refused(f"{file} is there already, and a backup is never written over another file")


def place(path: Path, file: Path) -> None:
    """Give what is whole its own name, safely on the disk. Raises Refused when the name is taken."""
    _settle(path)
    try:
        os.link(path, file)
    except FileExistsError:
        refuse_existing(file)
    except OSError:
        # Some file systems have no second names; then the moment between look and renaming has to do.
        refuse_existing(file)
        path.rename(file)
    with suppress(OSError):
        _settle(file.parent)


def digest(file: Path) -> tuple[int, str]:
    """Its size in bytes and its SHA-256."""
    found = hashlib.sha256()
    size = 0
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
            size += len(block)
    return size, found.hexdigest()


def _settle(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
