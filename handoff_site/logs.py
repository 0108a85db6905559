"""What a line of the log may hold: ids, codes, places in the source; nothing of a person.

Owns how an exception is written down and what is struck out of every line. An exception's own words may hold
a lead's data: PostgreSQL quotes the row that it refused, Python the value that it could not read. So only
their first line stays, without what is quoted in it, and e-mail addresses go wherever they stand.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import structlog
from django.http import HttpRequest

# A word that may be an address is taken whole and looked at then: to look for an address from each of its
# letters on takes the square of its length, and whoever asks for a page chooses the words of its address.
_WORD = re.compile(r"[^\s<>\"'=,;:()\[\]{}]+")
STRUCK = "(address)"
LONGEST = 300
# What would begin a line, turn one around or be obeyed by a terminal; the renderer sees to plain line breaks.
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# Of the database, and of the driver under it, by the same names: what they quote is a table or a rule.
_NAMES_THINGS = {"IntegrityError", "OperationalError", "ProgrammingError"}

Raised = tuple[type[BaseException], BaseException, TracebackType | None]


def configured(level: str) -> dict[str, Any]:
    """The logging settings: one line a message, through the standard library, with the request's id and
    without anybody's data. Configures structlog besides."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(told),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [
                    by_route,
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    without_addresses,
                    structlog.processors.LogfmtRenderer(
                        key_order=["timestamp", "level", "logger", "event"],
                        drop_missing=True,
                        bool_as_flag=False,
                    ),
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            "django-q": {"level": "WARNING"},
            # At INFO it writes down every address that is called: some are secrets, some name people.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }


def told(exc_info: Raised) -> str:
    """An exception and what led to it, the first cause first: places in the source, types, few words."""
    return "\nwhich led to\n".join(reversed(list(_chain(exc_info[1]))))


def said(error: BaseException) -> str:
    """The type, and of its words what holds no data."""
    words = bare(str(error), *(kind.__name__ for kind in type(error).__mro__))
    return f"{type(error).__qualname__}: {words}"


def bare(text: str, *kinds: str) -> str:
    """Of an error's words what holds no data; `kinds` are the names of its types."""
    words = (text.splitlines() or [""])[0][:LONGEST]
    if not _NAMES_THINGS & set(kinds):
        words = _QUOTED.sub("'...'", words)
    return without(words)


def without(words: str) -> str:
    """The words without e-mail addresses."""
    return _WORD.sub(_struck, words) if "@" in words else words


def by_route(logger: Any, method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Put the route in the place of an address that Django writes down: some addresses are secrets. The first
    of structlog's processors, for it needs the record."""
    request = getattr(line.get("_record"), "request", None)
    if isinstance(request, HttpRequest) and str(line["event"]).endswith(request.path):
        match = request.resolver_match
        route = match.route if match is not None else "no page of ours"
        line["event"] = str(line["event"]).removesuffix(request.path) + route
    return line


def without_addresses(logger: Any, method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Strike e-mail addresses out of all that a line says, as the last of structlog's processors."""
    return {
        name: value if isinstance(value, int | float) else _CONTROL.sub(_shown, without(str(value)))
        for name, value in line.items()
        if value is not None
    }


def _shown(sign: re.Match[str]) -> str:
    return ascii(sign[0])[1:-1]


def _struck(word: re.Match[str]) -> str:
    name, at, domain = word[0].partition("@")
    if not (name and at and "." in domain.strip(".")):
        return word[0]
    return STRUCK + word[0][len(word[0].rstrip(".!?")) :]


def _chain(error: BaseException | None) -> Iterator[str]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield "".join(traceback.format_tb(error.__traceback__)) + said(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
