"""Text that comes from a page or an address without a form to clean it.

Owns what is taken out of it: the null character, which PostgreSQL keeps in no text, and what is longer than
anybody types. Forms and schemas refuse such text with a message instead; nothing here judges meaning.
"""

from __future__ import annotations

LONGEST = 2000


def plain(text: str | None, most: int = LONGEST) -> str:
    """The text without null characters, at most so long; "" for none."""
    return (text or "").replace("\x00", "")[:most]
