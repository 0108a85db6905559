"""What is kept of a condition and of a value seen: a bounded part, in one order.

Owns the cuts. The whole stands in the version and in the facts; nothing is decided here.
"""

from __future__ import annotations

from typing import Any

from routing.conditions.operators import CUSTOM, MAX_BITS
from routing.facts import FIELDS, Facts

_VALUES = 6
_TEXT = 80


def kept(value: Any) -> tuple[Any, int]:
    """The part of a leaf's value that is shown with a decision, and how many values were cut."""
    if isinstance(value, dict):
        # A stored document may come back with its keys in another order.
        return {key: value[key] for key in ("min", "max") if value.get(key) is not None}, 0
    if isinstance(value, list | tuple):
        return [_clipped(item) for item in value[:_VALUES]], max(0, len(value) - _VALUES)
    return _clipped(value), 0


def seen(facts: Facts, field: str) -> Any:
    """The value of a field as it stood in the facts, clipped; None for what is missing."""
    if field.startswith(CUSTOM):
        raw = facts.custom.get(field[len(CUSTOM) :])
    elif field in FIELDS:
        raw = getattr(facts, field)
    else:
        return None
    if isinstance(raw, tuple):
        return [_clipped(item) for item in raw[:_VALUES]] or None
    if isinstance(raw, str) and not raw.strip():
        return None
    if isinstance(raw, int) and raw.bit_length() > MAX_BITS:
        return "a very long number"
    if isinstance(raw, float) and not -1e300 < raw < 1e300:
        # Not a number and infinity have no form in JSON.
        return str(raw)
    return _clipped(raw)


def _clipped(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _TEXT:
        return value[: _TEXT - 1] + "\u2026"
    return value
