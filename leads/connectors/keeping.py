"""Connectors of systems that keep a handoff's state: what all of them have beside the common interface.

Owns that a connection's mapping is the system's usual one with what was chosen otherwise. Calls nobody.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import ClassVar

from leads.connectors.base import Connector, Seen, Values
from leads.connectors.mapping import Map, merged, values
from leads.outbox import Wanted


class Keeper(Connector):
    """A connector with a mapping. `usual` may look at the connection's role."""

    USUAL: ClassVar[Map] = Map()

    def usual(self) -> Map:
        """What is usual in this system."""
        return self.USUAL

    @cached_property
    def mapping(self) -> Map:
        """The usual mapping with what this connection has chosen otherwise."""
        return merged(self.usual(), self.connection.mapping)

    def expected(self, wanted: Wanted) -> Values:
        return values(wanted, self.mapping)

    def keeps(self, seen: Seen) -> Collection[str]:
        """The fields that this record keeps as they are, whatever its handoff does: we never write them, and
        what they say is no drift."""
        return ()
