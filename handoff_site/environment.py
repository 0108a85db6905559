"""Reading the environment: each kind of value, and the one line that is said where it is nonsense.

Owns the kinds and their complaints, which name the variable and, where it may hold a key, do not repeat its
value. What is read and what it means is `handoff_site.settings`.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def integer(name: str, default: int, low: int, high: int) -> int:
    """An integer setting within bounds, or a start-up error naming the variable."""
    raw = env.str(name, default=str(default))
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name} must be between {low} and {high}, not {value}")
    return value


def boolean(name: str, default: bool) -> bool:
    raw = env.str(name, default="1" if default else "0").strip().lower()
    if raw not in {"1", "0", "true", "false", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}")
    return raw in {"1", "true", "yes", "on"}


def zone(name: str, default: str) -> str:
    value = env.str(name, default=default)
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ImproperlyConfigured(
            f"{name} must be an IANA time zone such as Europe/Berlin, not {value!r}"
        ) from None
    return value


def web_address(name: str) -> str:
    """An http or https address, or "" for none. Complaints do not repeat it: it may hold a key."""
    raw = env.str(name, default="").strip()
    try:
        parts = urlsplit(raw)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_sound = False
    if raw and not (is_sound and raw.isprintable() and " " not in raw):
        raise ImproperlyConfigured(f"{name} must be an address such as https://heartbeat.example.com/key")
    return raw


def understood(name: str, read: Callable[[], Any], wanted: str) -> Any:
    """What `read` makes of a setting; its own complaints do not say which setting it is."""
    try:
        return read()
    except (ImproperlyConfigured, ValueError, KeyError):
        raise ImproperlyConfigured(f"{name} must be {wanted}") from None
