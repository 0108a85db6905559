"""A flag: a word beside a name, of what is hot, doubtful, late or forbidden.

Owns its shape, which rows of every list and the heads of pages share. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flag:
    """tone: "accent", "line", "soon", "late" or "" (a note). `icon` is a symbol of the sprite, or ""."""

    label: str
    tone: str = ""
    icon: str = ""
