"""Writing SOQL safely: text, times and lists of values as literals. Pure.

Owns quoting, so that no value of ours or theirs can end a literal, and cutting long lists, so that no query
is longer than an address may be. Source: Salesforce's "Quoted String Escape Sequences"; the length of an
address is bounded at 16 kB there (recalled).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

# Of one list, once it is encoded for an address.
MOST_CHARACTERS = 6000
_ESCAPED = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
}  # fmt: skip
_SPECIAL = re.compile("[\\\\'\"\n\r\t\b\f]")
_OTHER_CONTROLS = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def text(value: str) -> str:
    """A text as a literal. What can stand in no literal is left out."""
    escaped = _SPECIAL.sub(lambda found: _ESCAPED[found[0]], value)
    return f"'{_OTHER_CONTROLS.sub('', escaped)}'"


def containing(value: str) -> str:
    """A literal for LIKE: whatever has this text in it, whose % and _ stand for themselves."""
    inner = re.sub(r"([%_])", r"\\\1", text(value)[1:-1])
    return f"'%{inner}%'"


def moment(at: datetime) -> str:
    """A time as a literal, in UTC to the millisecond; never with a plus sign, which addresses lose."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def within(name: str, values: Sequence[str]) -> Iterator[str]:
    """Conditions `name IN (...)`, each short enough for one query; none for no values."""
    part: list[str] = []
    length = 0
    for value in dict.fromkeys(values):
        literal = text(value)
        # Each byte may become three characters, and a comma does.
        cost = sum(1 if sign.isascii() and sign.isalnum() else 3 * len(sign.encode()) for sign in literal) + 3
        if part and length + cost > MOST_CHARACTERS:
            yield f"{name} IN ({','.join(part)})"
            part, length = [], 0
        part.append(literal)
        length += cost
    if part:
        yield f"{name} IN ({','.join(part)})"
