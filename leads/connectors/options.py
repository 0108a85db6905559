"""What can be set of a connection, as data: pages ask for it, connectors read it.

Owns one entry's shape. Which there are stands with each connector (`OPTIONS`, `SECRETS`); checking what was
typed is the form's. Secrets are never given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Option:
    """`kind` is "text", "number", "choice", "flag" or "list" (one a line); `choices` are value to label."""

    name: str
    label: str
    help: str = ""
    kind: str = "text"
    default: str | int | bool | tuple[str, ...] = ""
    choices: Mapping[str, str] = field(default_factory=dict)
