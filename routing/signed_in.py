"""Who is signed in where: the sessions, each with its person and the browser it is in.

Owns the rows and their end. How a session is read is `handoff_site.sessions`; whether it still opens
anything is Django's, which asks the person as well. What is in it is never shown.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils import timezone

from routing.lean import Lean
from routing.people import User

# How old a last sight may be before it is written down anew: not with each of a page's requests.
SEEN_EVERY = timedelta(minutes=5)
LONGEST_AGENT = 300


class Session(Lean, AbstractBaseSession):
    """A session. `since` is when somebody signed in or proved anew who they are, `seen_at` about when it was
    last used, `agent` what the browser called itself then."""

    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    since = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    agent = models.CharField(max_length=LONGEST_AGENT, blank=True)

    class Meta:
        verbose_name = "session"

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
        return store

    def save(self, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("force_update"):
            # The engine makes a row anew each time; what it does not know stays as it is.
            kwargs["update_fields"] = ["session_data", "expire_date", "user"]
        super().save(*args, **kwargs)

    @property
    def name(self) -> str:
        """What a page calls it by: the key itself would be the session."""
        return hashlib.sha256(self.session_key.encode()).hexdigest()[:32]


def of(user: User, now: datetime) -> models.QuerySet[Session]:
    """The sessions of this person that have not run out, the last used first."""
    return Session.objects.filter(user=user, expire_date__gt=now).order_by("-seen_at", "session_key")


def see(row: Session, user: User, agent: str, now: datetime) -> None:
    """Write down that a session is used, if that was last done a while ago."""
    if now - row.seen_at >= SEEN_EVERY or row.user_id != user.pk:
        note(row.session_key, user, agent, now)


def note(key: str, user: User, agent: str, now: datetime) -> None:
    """Write down whose session it is, and in which browser."""
    agent = "".join(sign for sign in agent if sign.isprintable())[:LONGEST_AGENT]
    Session.objects.filter(session_key=key).update(user=user, seen_at=now, agent=agent)


def end(user: User, *, but: str | None = None) -> int:
    """End all sessions of this person, or all but the one with that key; how many."""
    ended, _ = Session.objects.filter(user=user).exclude(session_key=but or "").delete()
    return ended
