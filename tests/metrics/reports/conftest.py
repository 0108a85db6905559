"""Weeks with something to report: the moment is a Tuesday of W11, so W10 is the last that is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine

from leads.models import Handoff
from metrics.periods import Week
from tests.conftest import NOW, Cast, with_the_cast
from tests.factories import make_handoff

WEEK = Week(2026, 10)
LONG_AGO = NOW - timedelta(days=21)
LAST_WEEK = NOW - timedelta(days=7)


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def some(cast: Cast) -> list[Handoff]:
    """W08: accepted, won, rejected, ignored, accepted by the other team. W10: accepted."""
    return with_the_cast(cast, _some)


def _some(cast: Cast) -> list[Handoff]:
    return [
        make_handoff("accepted", cast.femke, at=LONG_AGO),
        make_handoff("converted", cast.femke, at=LONG_AGO, kind="demo_request"),
        make_handoff("rejected", cast.jonas, at=LONG_AGO),
        make_handoff("assigned", cast.jonas, at=LONG_AGO),
        make_handoff("accepted", cast.rosa, at=LONG_AGO),
        make_handoff("accepted", cast.femke, at=LAST_WEEK),
    ]


def later(**span: float) -> datetime:
    return NOW + timedelta(**span)
