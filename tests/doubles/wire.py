"""What goes over the wire, as values: a call that came in, an answer that goes out, and bodies in two
spellings.

PHP's json_encode writes `/` as `\\/` and everything outside ASCII as `\\uXXXX` [V Mautic]; the others write
plain UTF-8. A list with gaps is an object in PHP, an empty object a list: `php_array` does the same. Nothing
here knows a system.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

JSON = "application/json;charset=utf-8"


class Refused(Exception):
    """Carries the answer that ends a call; nothing of that call is kept."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(slots=True)
class Answer:
    """Status, raw body and extra headers of a response; a `cut` one ends half-way through its body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(slots=True)
class Call:
    """One request. `path` has no query and no system prefix; header names are lower-case.

    `spoil` gives the kind of refusal that a fault wants for a batch's item, by index and value.
    """

    method: str
    path: str
    query_text: str
    headers: Mapping[str, str]
    body: bytes
    spoil: Any = None
    fault: str = ""

    @property
    def parts(self) -> list[str]:
        """The path's segments, decoded."""
        return [unquote(part) for part in self.path.split("/") if part]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return parse_qsl(self.query_text, keep_blank_values=True)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    @property
    def host(self) -> str:
        return self.headers.get("host", "127.0.0.1")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError, also for bytes that are no UTF-8."""
        return json.loads(self.body)

    def spoils(self, index: int, item: Any) -> str:
        """The kind of refusal a fault wants for this item of a batch, or ""."""
        return self.spoil(index, item) if self.spoil else ""


def plain(value: Any) -> bytes:
    """JSON as most services write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def php(value: Any) -> bytes:
    """JSON as PHP's json_encode writes it without flags."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/").encode()


def php_array(values: Mapping[int, Any]) -> Any:
    """What PHP makes of an array with these keys: a list while they run 0, 1, 2..., else an object."""
    keys = list(values)
    return list(values.values()) if keys == list(range(len(keys))) else {str(k): values[k] for k in keys}


def answer(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    """A plain JSON answer."""
    return Answer(status, plain(value), {"Content-Type": JSON, **(headers or {})})


def text(status: int, words: str, headers: dict[str, str] | None = None) -> Answer:
    """A plain-text answer."""
    return Answer(status, words.encode(), {"Content-Type": "text/plain; charset=utf-8", **(headers or {})})
