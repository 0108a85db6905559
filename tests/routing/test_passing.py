"""What passes is told by the database's own codes, and nothing of our own making is taken for it."""

from __future__ import annotations

import sqlite3

import psycopg
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from psycopg import errors

from routing.passing import is_away, is_blocked, is_passing


def raised(kind: type[Exception], cause: BaseException | None) -> Exception:
    error = kind("said")
    error.__cause__ = cause
    return error


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = code
    return error


def test_each_failure_is_told() -> None:
    away = [
        raised(OperationalError, errors.QueryCanceled()),
        raised(OperationalError, errors.LockNotAvailable()),
        raised(InternalError, errors.IdleInTransactionSessionTimeout()),
        raised(OperationalError, errors.AdminShutdown()),
        raised(OperationalError, errors.CannotConnectNow()),
        raised(OperationalError, errors.TooManyConnections()),
        raised(OperationalError, errors.DiskFull()),
        raised(OperationalError, errors.ConnectionFailure()),
        raised(InternalError, errors.ReadOnlySqlTransaction()),
        raised(OperationalError, psycopg.OperationalError("the server closed the connection")),
        raised(OperationalError, errors.IoError()),
        raised(InternalError, psycopg.InternalError("received 2 results from command 'COMMIT'")),
        raised(DatabaseError, psycopg.DatabaseError("server closed the connection unexpectedly")),
        raised(InterfaceError, None),
        raised(OperationalError, sqlite_error(sqlite3.SQLITE_BUSY)),
        raised(OperationalError, sqlite_error(sqlite3.SQLITE_FULL)),
        raised(OperationalError, sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT)),
    ]
    chosen = [
        raised(OperationalError, errors.DeadlockDetected()),
        raised(OperationalError, errors.SerializationFailure()),
    ]
    ours = [
        raised(IntegrityError, errors.UniqueViolation()),
        raised(DataError, errors.NumericValueOutOfRange()),
        raised(InternalError, errors.InFailedSqlTransaction()),
        raised(InternalError, errors.InternalError_()),
        raised(DatabaseError, None),
        raised(ProgrammingError, psycopg.ProgrammingError("the cursor doesn't have a result")),
        raised(OperationalError, sqlite_error(sqlite3.SQLITE_ERROR)),
        raised(OperationalError, sqlite3.OperationalError("no such table")),
        raised(ValueError, errors.QueryCanceled()),
        errors.QueryCanceled(),
        None,
    ]
    assert [(is_away(one), is_passing(one)) for one in away] == [(True, True)] * len(away)
    assert [one for one in [*away, *chosen, *ours] if is_blocked(one)] == [away[1]]
    assert [(is_away(one), is_passing(one)) for one in chosen] == [(False, True)] * len(chosen)
    assert [(is_away(one), is_passing(one)) for one in ours] == [(False, False)] * len(ours)
