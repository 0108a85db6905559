"""What the contract suite asks of a system: its double, filled and looked into, and what can go wrong there.

Each connector that keeps state has one subclass of `System` in a room of its own beside this one and a line
in `conftest.SYSTEMS`; every case of the suite then holds for it. All times of the doubles begin at NOW.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from leads.models import Connection, ExternalId, Lead
from tests import doubles
from tests.doubles.records import Record

# By name, what `System.fault` sets: each strikes the calls that write states, once unless told otherwise.
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "ended": {"expire_tokens": True},
    "wait": {"status": 429, "headers": {"Retry-After": "7"}},
    "broken": {"status": 503},
    "slow": {"delay_ms": 30},
    "lost before": {"drop": "before"},
    "lost after": {"drop": "after"},
    "answer lost": {"status": 502, "apply": True},
}


class System:
    """One system, played. `name` is the double's, `kind` the connection's, `object` what the connector calls
    the record, `handoff` and `revision` their fields with ours, `writes` matches the calls that write states,
    `tokens` the path at which a token is fetched ("" for none), `some` matches a part of the written records.

    `faults` replaces entries of FAULTS where the vendor's way is another, and has two more: "refused" (one
    record's write is refused for good) and "held" (one record's write can't be made now). Both are narrowed
    to a record with `only`.
    """

    name: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    object: ClassVar[str] = "contact"
    handoff: ClassVar[str] = "handoff_id"
    revision: ClassVar[str] = "handoff_revision"
    writes: ClassVar[str] = ""
    tokens: ClassVar[str] = ""
    some: ClassVar[str] = r'"id":"?\d*[37]"?[,}]'
    faults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, outer: doubles.Doubles) -> None:
        self.outer = outer

    def connection(self, **fields: Any) -> Connection:
        """An active connection to the double, with the usual mapping; `options` adds to its options."""
        raise NotImplementedError

    def break_credentials(self, connection: Connection) -> None:
        """Put secrets into the connection that the double does not know."""
        raise NotImplementedError

    def make_record(self, lead: Lead, *, known: bool = True) -> str:
        """A record there with the lead's address; its id, which the lead has here as well unless it is not
        `known`."""
        raise NotImplementedError

    def book(self) -> Mapping[str, Record]:
        """The double's records of that object, the dead ones too, by id."""
        raise NotImplementedError

    def read_record(self, remote_id: str) -> dict[str, str]:
        """What stands there now, by the names and in the form of the connector's `expected`."""
        raise NotImplementedError

    def notes(self, remote_id: str) -> list[str]:
        """The texts of the notes on a record, oldest first."""
        raise NotImplementedError

    def match_record(self, remote_id: str) -> dict[str, Any]:
        """How a fault is narrowed to the writes of one record (`item_match`, `match` or `body_match`)."""
        raise NotImplementedError

    def fault(self, name: str, *, only: str = "", **more: Any) -> None:
        """Set a fault by its name, for calls that write states; `only` is a record's id, `more` is of the
        double's (times, probability, skip)."""
        what = {"match": self.writes, **{**FAULTS, **self.faults}[name]}
        if only:
            what |= self.match_record(only)
        self.outer.fault(system=self.name, **{**what, **more})

    def effects(self, remote_id: str) -> list[int]:
        """The revisions that our writes put there, oldest first; the same again counts once."""
        writes = [write for write in self.book()[remote_id].history if write.by == "api"]
        found = [write.values[self.revision] for write in writes if self.revision in write.changed]
        return [int(float(value)) for value in found if value not in (None, "")]

    def states(self, remote_id: str) -> list[tuple[int, int]]:
        """(handoff, revision) as our writes left them there, oldest first; the same again counts once."""
        found: list[tuple[int, int]] = []
        values: dict[str, Any] = {}
        for write in self.book()[remote_id].history:
            values.update(write.values)
            handoff, revision = values.get(self.handoff), values.get(self.revision)
            if write.by == "api" and handoff and revision:
                pair = (int(float(handoff)), int(float(revision)))
                if not found or found[-1] != pair:
                    found.append(pair)
        return found

    def know(self, lead: Lead, connection_system: str, remote_id: str) -> None:
        """Let the lead have this id here."""
        ExternalId.objects.create(lead=lead, system=connection_system, object=self.object, value=remote_id)
