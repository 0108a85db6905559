"""What a database refuses for a moment: too long a wait, a lost connection, a full disk.

Owns the telling of such failures from those of our own making, by the codes that PostgreSQL and SQLite give
them. The same again may succeed; nothing of it was kept, or all of it where only the word of a commit was
lost. Never tries again by itself. Codes: PostgreSQL's documentation, appendix A; sqlite.org/rescode.html.
"""

from __future__ import annotations

from django.db import DatabaseError, Error, InterfaceError, InternalError, OperationalError

RETRY_SECONDS = 5
# Connections; resources; shut down, crashed, starting, or a statement that took too long; a disk that fails.
_AWAY = ("08", "53", "57", "58")
_BLOCKED = "55P03"
# A lock waited for too long, a transaction that stood still for too long, a standby that was promoted.
_WAITED = {_BLOCKED, "25P03", "25006"}
# Two that waited for each other, and one of them was chosen to go.
_ROLLED_BACK = "40"
# Busy, locked, not readable or writable, full.
_SQLITE = {5, 6, 10, 13}


def is_away(error: BaseException | None) -> bool:
    """Whether the database is away or overtaxed, so that to ask it once more at once is of no use."""
    if not isinstance(error, Error):
        return False
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None)
    if code is not None:
        return code[:2] in _AWAY or code in _WAITED
    number = getattr(cause, "sqlite_errorcode", None)
    if number is not None:
        return number & 0xFF in _SQLITE
    # Without a code: the connection was never made, was closed, or Django found it closed; or it was cut
    # while psycopg read an answer, which has then two ends (InternalError) or is of no kind at all. Without
    # a cause either, it is Django that says so, such as of a row that is no longer there to be saved.
    cut = isinstance(error, (InterfaceError, OperationalError, InternalError))
    cut = cut or (type(error) is DatabaseError and cause is not None)
    return cut and type(cause).__module__ != "sqlite3"


def is_blocked(error: BaseException | None) -> bool:
    """Whether others held a row for too long that was to be locked: of other rows that says nothing."""
    return isinstance(error, Error) and getattr(error.__cause__, "sqlstate", None) == _BLOCKED


def is_passing(error: BaseException | None) -> bool:
    """Whether the same may succeed when it is sent again."""
    rolled_back = getattr(getattr(error, "__cause__", None), "sqlstate", None) or ""
    return is_away(error) or (isinstance(error, Error) and rolled_back.startswith(_ROLLED_BACK))
