"""The heads of a list's columns: each the link by which the list goes in its order.

Owns the link and what a screen reader hears of it. Which orders there are is the list's own affair; it never
orders anything itself.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any
from urllib.parse import urlencode


def head(
    label: str, sort: str, own: Sequence[tuple[str, str]], orders: Container[str], first: str, *, usual: str
) -> dict[str, Any]:
    """`own` is the address without its page, `first` the order without one in it, `usual` the way round
    (`sort` or its reverse) that the first press gives; the next turns it round."""
    now = dict(own).get("sort", "")
    now = now if now in orders else first
    other = usual.removeprefix("-") if usual.startswith("-") else f"-{usual}"
    rest = [(name, value) for name, value in own if name != "sort"]
    aria = "" if now.removeprefix("-") != sort else "descending" if now.startswith("-") else "ascending"
    return {
        "label": label,
        "href": f"?{urlencode([*rest, ('sort', other if now == usual else usual)])}",
        "aria": aria,
    }
