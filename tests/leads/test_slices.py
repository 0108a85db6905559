"""Slices end in time: before a step that would take as long as the longest did."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads import slices
from tests.conftest import NOW


@pytest.mark.parametrize(
    ("steps", "taken"),
    [
        ((1.0,) * 40, 20),
        ((3.0,) * 40, 6),
        # A slow one among quick ones: after it there is room for none like it.
        ((1.0, 1.0, 12.0, 1.0), 3),
        ((25.0, 1.0), 1),
    ],
)
def test_a_slice_is_over_before_it_is_too_long(
    monkeypatch: pytest.MonkeyPatch, steps: tuple[float, ...], taken: int
) -> None:
    clock = [100.0]
    monkeypatch.setattr(slices.time, "monotonic", lambda: clock[0])
    pace, done = slices.Pace(NOW, 20), 0
    for seconds in steps:
        clock[0] += seconds
        done += 1
        assert pace.at == NOW + timedelta(seconds=clock[0] - 100)
        if pace.is_over():
            break
    assert done == taken
    assert clock[0] - 100 <= max(20, steps[0])


def test_a_slice_of_no_length_is_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices.time, "monotonic", lambda: 1.0)
    assert not slices.Pace(NOW, 0).is_over()
    clock = iter([1.0, 1.5, 2.0])
    monkeypatch.setattr(slices.time, "monotonic", lambda: next(clock))
    assert slices.Pace(NOW, 0).is_over()
