"""The kinds of values that an event is made of: times, countries, amounts, bounded text.

Owns how each is read and the words for what is wrong with it, for intake and for the acting calls alike.
Knows no event: what they add up to is `leads.intake.schema`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from leads.choices import SIZE_BAND_NAMES

STRING_LIMIT = 2000
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_AMOUNT = r"\d{1,15}(\.\d{1,2}0*)?"
LARGEST_AMOUNT = 10**15
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _instant(value: Any) -> datetime:
    """RFC 3339 with its offset. Numbers and bare dates are refused: they mean different things to many."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("use RFC 3339 with an offset, such as 2026-03-10T10:00:00Z")
    # Beyond microseconds it is cut off.
    moment = datetime.fromisoformat(value.upper())
    # Asked first: at the ends of the calendar there may be no such moment in UTC.
    if not EARLIEST <= moment < LATEST:
        raise ValueError("this time is outside 1990 to 2200")
    return moment.astimezone(UTC)


def _country(value: Any) -> Any:
    if value is None or value == "":
        return value
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{2}", value.strip()):
        raise ValueError("use the two-letter ISO 3166 code, such as DE")
    return value.strip().upper()


def _currency(value: Any) -> Any:
    if value in (None, ""):
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{3}", value.strip()):
        raise ValueError("use the three-letter ISO 4217 code, such as EUR")
    return value.strip().upper()


def _amount(value: Any) -> Any:
    """Money as text, exact to the cent; a number is rounded to it."""
    if isinstance(value, float) and abs(value) < LARGEST_AMOUNT:
        return round(Decimal(repr(value)), 2)
    if isinstance(value, str):
        value = value.strip()
    if isinstance(value, bool) or (isinstance(value, str) and not re.fullmatch(_AMOUNT, value)):
        raise ValueError("use a decimal number as text, such as 12500.50")
    return value


def _scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError("use text, a number, true, false or null")
    return value.strip() if isinstance(value, str) else value


def _band(value: str) -> str:
    if value and value not in SIZE_BAND_NAMES:
        raise ValueError(f"use one of {', '.join(SIZE_BAND_NAMES)}")
    return value


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "description": "RFC 3339 with an offset, 1990 to 2199"}
    ),
]
Country = Annotated[
    str,
    BeforeValidator(_country),
    WithJsonSchema({"type": "string", "pattern": "^([A-Za-z]{2})?$", "description": "ISO 3166, two letters"}),
]
Currency = Annotated[
    str,
    BeforeValidator(_currency),
    WithJsonSchema(
        {"type": "string", "pattern": "^([A-Za-z]{3})?$", "description": "ISO 4217, three letters"}
    ),
]
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    Field(ge=0, lt=LARGEST_AMOUNT),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": f"^{_AMOUNT}$"},
                {"type": "number", "minimum": 0, "exclusiveMaximum": LARGEST_AMOUNT},
            ],
            "description": "best as text; a number is rounded to cents",
        }
    ),
]
# The pattern is for readers of the OpenAPI document; `_walk` holds it for every string of an event.
CLEAN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
Text = Annotated[str, Field(max_length=STRING_LIMIT, json_schema_extra={"pattern": CLEAN})]
Points = Annotated[int, Field(ge=-1_000_000, le=1_000_000)]
Scalar = Annotated[
    Any,
    AfterValidator(_scalar),
    WithJsonSchema(
        {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]},
    ),
]
SizeBand = Annotated[
    str,
    AfterValidator(_band),
    WithJsonSchema({"type": "string", "enum": ["", *SIZE_BAND_NAMES]}),
]
