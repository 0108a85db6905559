"""Who asks: the session that a request brings, and the person of that session with their roles.

Owns how the two are read, which every request begins with: by one query that is written once; and that
whoever signs in has just proved who they are. Whether a session is still that of this person stays Django's.
Never keeps an answer.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from handoff_site import witness
from leads import access_log
from leads.models import AccessEntry
from leads.views import proof
from routing import people
from routing.passing import is_passing
from routing.people import User
from routing.prepared import prepared
from routing.signed_in import Session


class SessionStore(db.SessionStore):
    """Django's sessions in the database, each with its person; what reads them is quicker. `row` is what was
    read for this request, with the person and their roles."""

    row: Session | None = None

    def save(self, must_create: bool = False) -> None:
        # Whoever signs in has just proved who they are.
        if SESSION_KEY in self and proof.PROVED not in self:
            self[proof.PROVED] = timezone.now().timestamp()
        try:
            super().save(must_create)
        except UpdateError as error:
            # Django takes whatever fails here for a session that was ended meanwhile (400).
            if is_passing(error.__context__):
                raise error.__context__ from error.__context__.__cause__  # type: ignore[misc,union-attr]
            raise

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        made = super().create_model_instance(data)
        return Session(
            session_key=made.session_key,
            session_data=made.session_data,
            expire_date=made.expire_date,
            user_id=data.get(SESSION_KEY),
        )

    def _get_session_from_db(self) -> Session | None:
        key = self.session_key or ""
        # PostgreSQL takes no text with a NUL, and no key of ours has other signs than letters and digits.
        rows: list[Any] = _alive(key, timezone.now()) if key.isalnum() else []
        if rows:
            self.row = rows[0]
            if rows[0].user is not None:
                people.know_roles(rows[0].user, [row.role for row in rows])
            return self.row
        # As Django says it: there is no such session, and none is made under a key that somebody chose.
        self._session_key = None
        return None


@prepared
def _alive(key: str, now: datetime) -> QuerySet[Any, Any]:
    """Once for each role of its person, and once for somebody who has none."""
    alive = Session.objects.filter(session_key=key, expire_date__gt=now).select_related("user")
    return alive.annotate(role=F("user__groups__name")).order_by()


# The session that is asked for its person, while it is.
_asked: ContextVar[SessionStore | None] = ContextVar("asked", default=None)


class Asking(AuthenticationMiddleware):
    """Django's, with the person themselves on the request. Every request is answered in somebody's time zone
    and so looks for them; one who is looked up only when needed takes longer at each of many looks."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        session: Any = request.session
        before = _asked.set(session)
        try:
            request.user = get_user(request)
        finally:
            _asked.reset(before)


class Backend(ModelBackend):
    """Signing in by e-mail and password; the person of a session comes with their roles. Who fails is in the
    access log: by whose address, if it is somebody's."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        user: User | None = super().authenticate(request, username, password, **kwargs)
        if user is None and username is not None and password is not None:
            who = witness.named(username)
            access_log.record(AccessEntry.Kind.SIGN_IN_FAILED, timezone.now(), about=witness.about(who))
        return user

    def get_user(self, user_id: int) -> User | None:
        session = _asked.get()
        at_hand = session.row.user if session is not None and session.row is not None else None
        is_theirs = at_hand is not None and at_hand.pk == user_id
        user = at_hand if is_theirs else people.with_roles(user_id)
        return user if self.user_can_authenticate(user) else None
