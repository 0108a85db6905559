"""The statements of a migration that is one transaction run together, when all of them are known.

Between two operations Django renders models anew, which takes longer than most statements; a lock that one of
them took would be held meanwhile. So what changes tables is put off until the migration asks the database for
something, or ends. The order stays. Owns that putting off, on PostgreSQL alone; knows no migration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class _PutOff:
    """Statements that wait, as calls."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def run(self) -> None:
        waiting, self.waiting = self.waiting, []
        for statement in waiting:
            statement()

    def around(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        """What is asked past the schema editor finds done what came before it."""
        self.run()
        return execute(sql, params, many, context)


@contextmanager
def together(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Migrations that run inside keep their locks for no longer than their statements take."""
    if connection.vendor != "postgresql":
        yield
        return
    put_off = _PutOff()
    plain = connection.SchemaEditorClass
    connection.SchemaEditorClass = _editor(plain, put_off)
    try:
        with connection.execute_wrapper(put_off.around):
            yield
    finally:
        connection.SchemaEditorClass = plain


def _editor(plain: Any, put_off: _PutOff) -> type[BaseDatabaseSchemaEditor]:
    class Editor(plain):
        deferred_sql: list[Any]

        def execute(self, sql: Any, params: Any = ()) -> None:
            if self.collect_sql or not self.atomic_migration:
                super().execute(sql, params)
            else:
                # As it is now: what is renamed later renames it in a statement that is not yet text.
                text = str(sql)
                put_off.waiting.append(lambda: super(Editor, self).execute(text, params))

        def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
            try:
                if kind is None and self.atomic_migration:
                    for sql in self.deferred_sql:
                        self.execute(sql, None)
                    self.deferred_sql.clear()
                    put_off.run()
            except BaseException as broken:
                put_off.waiting = []
                super().__exit__(type(broken), broken, broken.__traceback__)
                raise
            put_off.waiting = []
            super().__exit__(kind, error, traceback)

    return Editor
