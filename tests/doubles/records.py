"""Records of a system, and every write that ever reached them.

A `Book` is one table: ids to records. A write is kept with its time and its author even when it changes
nothing, so that a test can say "one effect" and "no superseded state was ever written". Which writes are
allowed is the system's business, not the book's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.clock import Clock

API, USER, SYSTEM = "api", "user", "system"


@dataclass(slots=True)
class Write:
    """What one write gave: `values` as they were written, `was` what stood there before, `at` Unix
    seconds."""

    at: float
    by: str
    values: dict[str, Any]
    was: dict[str, Any]

    @property
    def changed(self) -> dict[str, Any]:
        """Of the values, those that were not there already."""
        return {name: value for name, value in self.values.items() if self.was.get(name) != value}


@dataclass(slots=True)
class Record:
    """One record. `modified` is None until the first write after its creation, which some systems show."""

    id: str
    created: float
    values: dict[str, Any] = field(default_factory=dict)
    modified: float | None = None
    deleted: bool = False
    merged_into: str = ""
    history: list[Write] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def touched(self) -> float:
        """When it was last written, its creation included."""
        return self.created if self.modified is None else self.modified

    def written(self, name: str, by: str = API) -> list[Any]:
        """Every value that was written into a field by that author, oldest first."""
        return [write.values[name] for write in self.history if name in write.values and write.by == by]

    def as_of(self, at: float) -> dict[str, Any] | None:
        """The values at a moment, folded from the history; None when it did not exist yet."""
        if self.created > at:
            return None
        values: dict[str, Any] = {}
        for write in self.history:
            if write.at <= at:
                values.update(write.values)
        return values

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "values": self.values,
            "created": self.created,
            "modified": self.modified,
            "deleted": self.deleted,
            "merged_into": self.merged_into,
            "extra": self.extra,
            "history": [{"at": w.at, "by": w.by, "values": w.values} for w in self.history],
        }


class Book:
    """The records of one object type, by id. Iterates over the living; `all` has the dead too."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.all: dict[str, Record] = {}
        self._indexes: dict[str, dict[Any, set[str]]] = {}

    def __getitem__(self, key: str | int) -> Record:
        return self.all[str(key)]

    def __len__(self) -> int:
        return len(self.all)

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self.all.values() if not record.deleted)

    def get(self, key: str) -> Record | None:
        """The living record of an id, following merges; None when there is none."""
        record = self.all.get(key)
        while record is not None and record.merged_into:
            record = self.all.get(record.merged_into)
        return None if record is None or record.deleted else record

    @property
    def indexed(self) -> frozenset[str]:
        """The names of the indexed fields."""
        return frozenset(self._indexes)

    def index(self, *names: str) -> None:
        """Keep the records of each value of these fields at hand; before the first record."""
        self._indexes = {name: {} for name in names}

    def having(self, name: str, value: Any) -> list[Record]:
        """The living records with that value in an indexed field; text is compared without case."""
        ids = self._indexes[name].get(_key(value), set())
        return [self.all[key] for key in sorted(ids, key=_order) if not self.all[key].deleted]

    def add(self, key: str, values: dict[str, Any], by: str) -> Record:
        record = Record(key, self.clock.now())
        self.all[key] = record
        self._put(record, dict(values), by, record.created)
        return record

    def write(self, record: Record, values: dict[str, Any], by: str) -> Write:
        """Write values into a record, as they are."""
        record.modified = max(self.clock.now(), record.touched)
        return self._put(record, dict(values), by, record.modified)

    def remove(self, record: Record, merged_into: str = "") -> None:
        record.deleted, record.merged_into = True, merged_into
        record.modified = self.clock.now()

    def clear(self) -> None:
        self.all.clear()
        for index in self._indexes.values():
            index.clear()

    def as_json(self) -> dict[str, Any]:
        return {key: record.as_json() for key, record in self.all.items()}

    def _put(self, record: Record, values: dict[str, Any], by: str, at: float) -> Write:
        write = Write(at, by, values, {name: record.values.get(name) for name in values})
        for name, index in self._indexes.items():
            if name in values:
                index.get(_key(record.values.get(name)), set()).discard(record.id)
                index.setdefault(_key(values[name]), set()).add(record.id)
        record.values.update(values)
        record.history.append(write)
        return write


def _key(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _order(key: str) -> tuple[int, str]:
    return (len(key), key)
