"""The operators of a condition, and the one way values are made comparable.

Owns the table of operators (which kinds of field take them, what value they need, what they make of a
missing fact) and normalising: text is composed (NFC), trimmed and case-folded, postal codes lose their
spaces too, numbers are decimals within bounds. It decides nothing; evaluation and validation read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from routing.facts import FIELDS, Field

Takes = Literal["nothing", "one", "some", "range", "territory", "list"]

CUSTOM = "custom."

# A document is written by people and stored for ever: everything in it has a bound.
MAX_LEAVES = 50
MAX_TEXT = 2_000
MAX_VALUES = 10_000
MAX_FIELD_NAME = 100
# A whole number longer than this is no measure of anything, and slow to print.
MAX_BITS = 256

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,6})?")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Operator:
    """One operator: its words in a form, the kinds of field and the value it takes, and what it makes of a
    fact that is not known (`when_missing`, shown beside the form)."""

    label: str
    kinds: tuple[str, ...]
    takes: Takes
    when_missing: str


_NEVER = "A lead whose value is not known does not match."

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "equals": Operator("is", ("text", "number", "choice", "list", "custom"), "one", _NEVER),
        "in": Operator("is one of", ("text", "number", "choice", "list", "custom"), "some", _NEVER),
        "range": Operator("is between", ("number", "custom"), "range", _NEVER),
        "starts_with": Operator("starts with", ("text", "custom"), "some", _NEVER),
        "contains_word": Operator("contains the word", ("text", "list", "custom"), "some", _NEVER),
        "present": Operator("is known", ("text", "number", "choice", "list", "custom"), "nothing", _NEVER),
        "absent": Operator(
            "is not known",
            ("text", "number", "choice", "list", "custom"),
            "nothing",
            "Matches exactly the leads whose value is not known.",
        ),
        "in_territory": Operator(
            "is in the territory",
            ("territory",),
            "territory",
            "A lead whose territory cannot be told does not match.",
        ),
        "in_list": Operator("is in the list", ("text", "choice", "list", "custom"), "list", _NEVER),
    }
)


def operators_for(name: str) -> tuple[str, ...]:
    """The operators a field takes, in the order of the table; () for a name that is no field."""
    field = field_of(name)
    if field is None:
        return ()
    kind = "custom" if name.startswith(CUSTOM) else field.kind
    return tuple(op for op, operator in OPERATORS.items() if kind in operator.kinds)


def field_of(name: Any) -> Field | None:
    """The field of that name; a custom field ("custom.plan") is text with its own name as label."""
    if not isinstance(name, str):
        return None
    if name.startswith(CUSTOM):
        own = name[len(CUSTOM) :]
        if own.strip() and len(own) <= MAX_FIELD_NAME and own.isprintable():
            return Field("text", f"custom field {own}")
        return None
    return FIELDS.get(name)


def text(value: Any) -> str:
    """Text as it is compared; "" for what is missing. Numbers and truth values become their plain words."""
    if value is None:
        return ""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return ""
    folded = str(value).strip()
    if not folded.isascii():
        # Case folding can leave a composed form, so the form is settled on both sides of it.
        folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", folded).casefold())
        return folded.strip()
    return folded.lower()


def postal(value: Any) -> str:
    """A postal code as it is compared: "SW1A 1AA" and "sw1a1aa" are the same."""
    return "".join(text(value).split())


def number(value: Any) -> Decimal | None:
    """A number as it is compared: at most 18 digits before the point and 6 after it; else None.

    Truth values, not-a-number and infinity are no numbers here.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if -(10**18) < value < 10**18 else None
    if isinstance(value, float):
        # The six decimals of a stored number; this also keeps 1e300 and nan out.
        value = f"{value:.6f}" if -1e15 < value < 1e15 else ""
    if isinstance(value, Decimal):
        value = f"{value:f}" if value.is_finite() and -30 < value.adjusted() < 18 else ""
    if isinstance(value, str):
        value = value.strip()
        if _NUMBER.fullmatch(value):
            return Decimal(value)
    return None


def words(value: Any) -> str:
    """The words of a text with one space before, between and after them, so that a whole word or phrase is
    found by a plain search: " vp of sales "; " " when there are none."""
    return " ".join(("", *_WORD.findall(text(value)), "")) or " "


def as_list(value: Any) -> list[Any]:
    """The value of an operator that takes one or several."""
    return list(value) if isinstance(value, list | tuple) else [value]
