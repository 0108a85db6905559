"""A system that keeps states, for tests of what is common to all: in this process, without HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from leads.connectors.base import Connector, Pushed
from leads.connectors.kinds import CONNECTORS
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result, Wanted

Push = Callable[[Sequence[Wanted]], list[Pushed]]


def well(wanted: Sequence[Wanted]) -> list[Pushed]:
    """Everything is written; records are named after their lead."""
    return [
        Pushed(Outcome(Result.DONE, status=200), "contact", f"r{one.lead_id}", {"status": str(one.status)})
        for one in wanted
    ]


class Dummy(Connector):
    """What was asked of it stands in `pushed`, `posted` and `forgotten`; `push_as` says what came of it."""

    batch = 50
    calls = 0
    pushed: list[list[Wanted]] = []
    posted: list[Delivery] = []
    forgotten: list[Delivery] = []
    push_as: Push = staticmethod(well)
    post_as: Callable[[Sequence[Delivery]], Any] | None = None

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        self.pushed.append(list(wanted))
        return type(self).push_as(wanted)

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        self.posted.extend(deliveries)
        return [Outcome(Result.DONE) for _ in deliveries]

    def forget(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        self.forgotten.extend(deliveries)
        return [Outcome(Result.DONE) for _ in deliveries]


def install(patch: pytest.MonkeyPatch, kind: str = "mautic") -> type[Dummy]:
    """A fresh dummy in the place of this kind's connector."""
    made = type("Fresh", (Dummy,), {"pushed": [], "posted": [], "forgotten": []})
    patch.setitem(CONNECTORS, Connection.Kind(kind), made)  # type: ignore[arg-type]
    return made
