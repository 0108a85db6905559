"""Addresses that came from outside, made safe to click or shown as plain text.

Owns which addresses may become a link: http and https with a host, nothing else. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_PLAIN = re.compile(r"https?://[^\s<>\"'`\\^{}|\x00-\x1f\x7f]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Link:
    """`href` is "" when the text is not to be clicked."""

    text: str
    href: str = ""


def outside(url: str, text: str = "") -> Link | None:
    """A link to a page of somebody else's, shown as `text` or its address; None for no address.

    Without href when the address is not plain http(s).
    """
    url = url.strip()
    if not url:
        return None
    shown = text or _short(url)
    if _PLAIN.fullmatch(url):
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            host = None
        # A user name before the host is only ever there to deceive.
        if host and "@" not in parts.netloc:
            return Link(shown, url)
    return Link(shown)


def mail(address: str, *, is_refused: bool = False) -> Link | None:
    """A mailto link that cannot carry more than the address; none for whoever opted out of mail."""
    if not address:
        return None
    if is_refused:
        return Link(address)
    is_address = address.count("@") == 1 and not re.search(r"[\s<>\"?&,;:]", address)
    return Link(address, f"mailto:{quote(address, safe='@+.-_')}" if is_address else "")


def phone(number: str, *, is_refused: bool = False) -> Link | None:
    """A tel link of digits only; none for whoever asked not to be called."""
    if not number:
        return None
    if is_refused:
        return Link(number)
    digits = re.sub(r"[^\d+]", "", number)
    return Link(number, f"tel:{digits}" if re.fullmatch(r"\+?\d{4,18}", digits) else "")


def _short(url: str) -> str:
    shown = re.sub(r"^https?://(www\.)?", "", url, flags=re.IGNORECASE).rstrip("/") or url
    return shown if len(shown) <= 60 else f"{shown[:59]}…"
