"""One handoff that the older code made, copied as often as wanted by plain SQL.

Each copy has a company, a lead, scores, activities and events of its own, its times moved by whole weeks, so
it is as consistent as the first: the log still folds into the row. What belongs to all (people, rules,
reasons) is shared. Owns what a copy is; knows only the tables, not today's models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

# Each with the column that leads to what it belongs to, parents before children.
TABLES = {
    "leads_company": "", "leads_lead": "company_id", "leads_externalid": "lead_id", "leads_score": "lead_id",
    "leads_activity": "lead_id", "leads_handoff": "lead_id", "leads_event": "handoff_id",
    "leads_rejection": "handoff_id",
}  # fmt: skip
# Which table a number in a column, or below a key of an event, names a row of.
NAMES = {
    "company_id": "leads_company", "lead_id": "leads_lead", "score_id": "leads_score",
    "trigger_activity_id": "leads_activity", "handoff_id": "leads_handoff", "rejection": "leads_rejection",
}  # fmt: skip
# The number of the one that is copied, in its addresses and in its ids elsewhere.
OWN = "9000001"
# So many copies share their times.
PART = 10_000
WEEKS = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


class Copier:
    """Reads the one handoff, then writes its copies in parts."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        made = connection.execute(
            "SELECT array_agg(column_name::text) FROM information_schema.columns"
            " WHERE is_generated = 'ALWAYS'"
        ).fetchone()
        # What the database makes of others is not written.
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for table in TABLES:
            found = connection.execute(
                sql.SQL("SELECT to_jsonb(t) - %s::text[] FROM {} t ORDER BY id").format(
                    sql.Identifier(table)
                ),
                made,
            )
            self.rows[table] = [row for (row,) in found.fetchall()]
        assert len(self.rows["leads_handoff"]) == 1
        self.first = {table: rows[-1]["id"] + 1 for table, rows in self.rows.items()}
        self.places = {
            (table, row["id"]): place for table, rows in self.rows.items() for place, row in enumerate(rows)
        }
        self.json = {
            tuple(row)
            for row in connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'jsonb'"
            )
        }

    def fill(self, count: int) -> None:
        """Write so many copies, each pair of neighbours told apart as two people, and ANALYZE."""
        with self._light():
            for start in range(0, count, PART):
                numbers = (start, min(start + PART, count) - 1)
                back = timedelta(weeks=1 + start // PART % WEEKS)
                for table, rows in self.rows.items():
                    for row in rows:
                        self._write(table, row, numbers, back)
                self._pairs(*numbers)
        for table in [*TABLES, "leads_duplicatepair"]:
            named = sql.Identifier(table)
            self.connection.execute(
                sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), (SELECT max(id) FROM {}))").format(
                    sql.Literal(table), named
                )
            )
        self.connection.execute("VACUUM ANALYZE")

    @contextmanager
    def _light(self) -> Iterator[None]:
        """Without the checks of foreign keys, which each copy has by its making, and with its indexes made
        afterwards, in one go each."""
        found = self.connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY(%s)"
            " AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)",
            [[*TABLES, "leads_duplicatepair"]],
        ).fetchall()
        self.connection.execute("SET session_replication_role = replica")
        for name, _ in found:
            self.connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        yield
        self.connection.execute("SET maintenance_work_mem = '256MB'")
        for _, made in found:
            self.connection.execute(made)
        self.connection.execute("SET session_replication_role = origin")

    def _write(self, table: str, row: dict[str, Any], numbers: tuple[int, int], back: timedelta) -> None:
        cells = [self._cell(table, row, column, back) for column in row]
        self.connection.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM generate_series({}, {}) n").format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(cells),
                *map(sql.Literal, numbers),
            )
        )

    def _cell(self, table: str, row: dict[str, Any], column: str, back: timedelta) -> sql.Composable:
        value = row[column]
        if column == "id":
            return self._number(table, value)
        if value is not None and (table, column) in self.json:
            return self._json(value, back)
        if column in NAMES and value is not None:
            return self._number(NAMES[column], value)
        if isinstance(value, str):
            return self._text(value, back)
        return sql.Literal(value)

    def _number(self, table: str, value: int) -> sql.Composable:
        """The id of the copy of this row."""
        size, place = len(self.rows[table]), self.places[table, value]
        return sql.SQL("({} + n * {})::bigint").format(
            sql.Literal(self.first[table] + place), sql.Literal(size)
        )

    def _text(self, value: str, back: timedelta) -> sql.Composable:
        if _TIME.fullmatch(value):
            return sql.SQL("{}::timestamptz").format(sql.Literal(_moved(value, back)))
        if OWN in value:
            return sql.SQL("replace({}, {}, 'c' || n)").format(sql.Literal(value), sql.Literal(OWN))
        return sql.SQL("{}::text").format(sql.Literal(value))

    def _json(self, value: Any, back: timedelta) -> sql.Composable:
        """The same with times moved and with the ids of the copy, wherever they stand in it."""
        marks: dict[str, sql.Composable] = {}

        def inside(item: Any, key: str) -> Any:
            if isinstance(item, dict):
                return {name: inside(below, name) for name, below in item.items()}
            if isinstance(item, list):
                return [inside(below, key) for below in item]
            if isinstance(item, str) and _TIME.fullmatch(item):
                return _moved(item, back)
            if isinstance(item, int) and key in NAMES and (NAMES[key], item) in self.places:
                marks[f"<{key}>"] = self._number(NAMES[key], item)
                return f"<{key}>"
            return item

        made: sql.Composable = sql.Literal(json.dumps(inside(value, "")))
        for mark, number in marks.items():
            made = sql.SQL("replace({}, {}, {}::text)").format(made, sql.Literal(f'"{mark}"'), number)
        return sql.SQL("({})::jsonb").format(made)

    def _pairs(self, low: int, high: int) -> None:
        """Neighbours looked alike once, and somebody decided that they are two; the one that is copied and
        its first copy are such a pair too."""
        self.connection.execute(
            "INSERT INTO leads_duplicatepair (evidence, status, found_at, decided_at, first_id, second_id)"
            " SELECT '{}', 'different', now() - n * interval '1 minute', now() - n * interval '1 minute',"
            " %s + n - 1, %s + n FROM generate_series(%s::int, %s::int) n",
            [self.first["leads_lead"], self.first["leads_lead"], low, high],
        )


def _moved(time: str, back: timedelta) -> str:
    return (datetime.fromisoformat(time) - back).isoformat()
