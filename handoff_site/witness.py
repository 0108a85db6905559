"""What the access log hears of every request: who signed in or out, was locked out, or took a file.

Owns seeing it, at the one place that all ways of signing in and all files pass: the person of the session
before and after, and an answer that is saved as a file. No way to sign in and no list has to remember it. A
file is written down when it has left, whole or broken off, with how many rows it had.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from leads import access_log
from leads.access_log import Origin
from leads.models import AccessEntry
from routing.people import User

Kind = AccessEntry.Kind
_NAME = re.compile(r'attachment; filename="([^"]{1,100})"')


class Witness:
    """Stands inside the sessions and outside the lockout, so that it sees what both decide."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = _person(request) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
        response = self.get_response(request)
        # A session that nobody asked for has not changed.
        after = _person(request) if request.session.accessed else before
        if after != before:
            _turned(request, before, after, timezone.now())
        if getattr(request, "axes_locked_out", False):
            # Whom it shut out, which at a second step nobody types, and which a field could say otherwise.
            tried: Any = getattr(request, "axes_credentials", None) or {}
            _locked(about(named(str(tried.get("username") or ""))), timezone.now())
        found = _NAME.fullmatch(response.get("Content-Disposition", ""))
        if found and response.status_code == 200 and request.method != "HEAD":
            _taken(response, found[1], request.user if after is not None else None, timezone.now())
        return response


def named(address: str) -> User | None:
    """Who has this address; None for nobody. What was typed is not kept: it may be a password."""
    typed = address.strip().lower()[:254].replace("\x00", "")
    return User.objects.filter(email=typed).first() if typed else None


def about(who: User | None) -> tuple[str, str | int]:
    return ("person", who.pk) if who is not None else ("", "")


def _person(request: HttpRequest) -> int | None:
    key = request.session.get(SESSION_KEY)
    return int(key) if key is not None else None


def _locked(whom: tuple[str, str | int], now: datetime) -> None:
    """Once while the door stays shut, however often somebody knocks."""
    since = now - timedelta(hours=settings.AXES_COOLOFF_TIME)
    before = AccessEntry.objects.filter(kind=Kind.LOCKED_OUT, at__gt=since, about_id=str(whom[1]))
    if not before.filter(address=access_log.origin().address).exists():
        access_log.record(Kind.LOCKED_OUT, now, about=whom)


def _turned(request: HttpRequest, before: int | None, after: int | None, now: datetime) -> None:
    """The session has become another one's, or nobody's."""
    people = User.objects.in_bulk([pk for pk in (before, after) if pk is not None])
    if before is not None and before in people:
        access_log.record(Kind.SIGNED_OUT, now, people[before])
    if after is not None:
        # Whoever came in otherwise than by a password alone was let in by one that said how.
        by = getattr(request, "signed_in_by", "password")
        access_log.record(Kind.SIGNED_IN, now, people[after], proof=by)


def _taken(response: HttpResponse, name: str, user: Any, now: datetime) -> None:
    """Write the file down: one that is made while it leaves when its last row has left."""
    came = access_log.origin()
    if isinstance(response, StreamingHttpResponse):
        response.streaming_content = _counted(response.streaming_content, name, user, now, came)
        return
    is_table = response.get("Content-Type", "").startswith("text/csv")
    rows = _rows(response.content) if is_table else None
    access_log.record(Kind.EXPORTED, now, user, about=("file", name), came=came, rows=rows, whole=True)


def _counted(lines: Any, name: str, user: Any, now: datetime, came: Origin) -> Iterator[bytes]:
    """The lines as they come; each is a row, but the first, which names the columns."""
    count, is_whole = 0, False
    try:
        for line in lines:
            yield line
            count += 1
        is_whole = True
    finally:
        rows = max(count - 1, 0)
        access_log.record(
            Kind.EXPORTED, now, user, about=("file", name), came=came, rows=rows, whole=is_whole
        )


def _rows(content: bytes) -> int:
    return max(sum(1 for line in io.BytesIO(content) if line.strip()) - 1, 0)
