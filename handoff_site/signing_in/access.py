"""One's own ways in: where one is signed in, the password, and ending what one does not know.

And the same of somebody else for admins, who end it but change nothing. Owns these pages; the sessions are
`routing.signed_in`. A session is named by a digest, for its key would be the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from handoff_site import lockout
from handoff_site.signing_in import devices, second
from leads import access_log
from leads.models import AccessEntry
from leads.presenters import times
from leads.roles import Can
from leads.views import access, proof
from leads.views.shell import shell_of, tell
from routing import signed_in
from routing.models import Session
from routing.people import User

MOST_SHOWN = 50
Kind = AccessEntry.Kind


@dataclass(frozen=True, slots=True)
class Line:
    """A session in words."""

    name: str
    device: str
    since: str
    seen: str
    is_this: bool


@never_cache
@require_safe
def own(request: HttpRequest) -> HttpResponse:
    """Where whoever asks is signed in, and how they sign in."""
    return _own(request)


def _own(request: HttpRequest, form: PasswordChangeForm | None = None, status: int = 200) -> HttpResponse:
    frame = shell_of(request)
    values = {
        "sessions": lines(frame.user, frame.now, request.session.session_key),
        "takes_password": takes_password(frame.user),
        "form": form or PasswordChangeForm(frame.user),
        "oidc": settings.OIDC,
        "length": settings.PASSWORD_LENGTH,
        "has_second": settings.HAS_LIBRARY and takes_password(frame.user),
        "must": second.MUST in request.session,
        **_second(frame.user, frame.now),
    }
    return render(request, "registration/access.html", values, status=status)


def _second(user: User, now: datetime) -> dict[str, Any]:
    """What somebody has for a second step: the app, passkeys, how many codes on paper are left."""
    found: dict[str, Any] = {"app": None, "passkeys": [], "paper": None}
    for row in second.rows(user) if settings.HAS_LIBRARY else ():
        if row.type == "recovery_codes":
            found["paper"] = len(row.wrap().get_unused_codes())
            continue
        used = times.day(row.last_used_at, now) if row.last_used_at else "never"
        line = {"pk": row.pk, "name": str(row), "used": used}
        if row.type == "totp":
            found["app"] = line
        else:
            found["passkeys"].append(line)
    return found


def takes_password(user: User) -> bool:
    """Whether this person has a password that is taken."""
    return user.has_usable_password() and not (settings.OIDC is not None and settings.OIDC.only)


def lines(user: User, now: datetime, this: str | None) -> list[Line]:
    """Somebody's sessions, this one first."""
    rows = list(signed_in.of(user, now)[:MOST_SHOWN])
    rows.sort(key=lambda row: row.session_key != this)
    return [
        Line(
            row.name,
            devices.words(row.agent),
            times.day(row.since, now),
            times.day(row.seen_at, now),
            row.session_key == this,
        )
        for row in rows
    ]


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """End one session of one's own, or all but this one."""
    frame = shell_of(request)
    this = request.session.session_key
    if "others" in request.POST:
        with transaction.atomic():
            ended = signed_in.end(frame.user, but=this)
            _noted(request, Kind.SIGNED_OUT_ELSEWHERE, frame.user, count=ended)
        tell(request, f"Signed out in {_places(ended)} elsewhere." if ended else NO_OTHER)
        return redirect("access")
    wanted = request.POST.get("name", "")
    found = next((row for row in signed_in.of(frame.user, frame.now) if row.name == wanted), None)
    if found is None or found.session_key == this:
        raise Http404("no other session of that name")
    with transaction.atomic():
        Session.objects.filter(session_key=found.session_key).delete()
        _noted(request, Kind.SIGNED_OUT_ELSEWHERE, frame.user, count=1)
    tell(request, f"{devices.words(found.agent)} is signed out.")
    return redirect("access")


NO_OTHER = "You were signed in nowhere else."


def _places(count: int) -> str:
    return f"{count} place{'' if count == 1 else 's'}"


@sensitive_post_parameters()
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    """Another password; whoever is signed in elsewhere as this person is out. To guess the present one is to
    guess a password, whoever sits there."""
    frame = shell_of(request)
    user = frame.user
    if not takes_password(user):
        raise Http404("this person has no password here")
    if lockout.is_shut(request, user.email):
        return render(request, "registration/locked.html", status=429)
    form = PasswordChangeForm(user, request.POST)
    if not form.is_valid():
        if form.has_error("old_password", "password_incorrect"):
            lockout.failed(request, user, "present password", frame.now)
        return _own(request, form, 422)
    with transaction.atomic():
        form.save()
        ended = signed_in.end(user, but=request.session.session_key)
        _noted(request, Kind.PASSWORD_SET, user)
    update_session_auth_hash(request, user)
    elsewhere = f" Signed out in {_places(ended)} elsewhere." if ended else ""
    tell(request, f"The password is changed.{elsewhere}")
    return redirect("access")


@never_cache
@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Where somebody is signed in, for admins."""
    access.page(request, Can.KEEP_PEOPLE)
    whose = _find(request, pk)
    shown = lines(whose, shell_of(request).now, request.session.session_key)
    values = {
        "person": whose,
        "sessions": shown,
        "has_second": second.has(whose),
        "is_tied": settings.HAS_LIBRARY and _ties(whose).exists(),
    }
    return render(request, "registration/person_access.html", values)


@require_POST
def reset_second(request: HttpRequest, pk: int) -> HttpResponse:
    """Take somebody's second step away, who has lost it; they are signed out, and set up another one."""
    access.page(request, Can.KEEP_PEOPLE)
    whose = _find(request, pk)
    if not second.has(whose):
        tell(request, f"{whose} has no second step.")
        return redirect("person_access", pk)
    proof.for_secrets(request)
    with transaction.atomic():
        second.rows(whose).delete()
        signed_in.end(whose, but=request.session.session_key)
        _noted(request, Kind.SECOND_TAKEN, whose)
    tell(request, f"The second step of {whose} is taken away. Their password alone signs them in.")
    return redirect("person_access", pk)


@require_POST
def end_all(request: HttpRequest, pk: int) -> HttpResponse:
    """Sign somebody out everywhere; oneself, everywhere else."""
    access.page(request, Can.KEEP_PEOPLE)
    whose = _find(request, pk)
    with transaction.atomic():
        ended = signed_in.end(whose, but=request.session.session_key)
        _noted(request, Kind.SIGNED_OUT_ELSEWHERE, whose, count=ended)
    tell(request, f"{whose} is signed out in {_places(ended)}.")
    return redirect("person_access", pk)


@require_POST
def untie(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget who somebody is at the provider, where they were made anew there; their address counts again."""
    access.page(request, Can.KEEP_PEOPLE)
    whose = _find(request, pk)
    if not settings.HAS_LIBRARY or not _ties(whose).exists():
        tell(request, f"{whose} is tied to nobody at a provider.")
        return redirect("person_access", pk)
    proof.for_secrets(request)
    with transaction.atomic():
        _ties(whose).delete()
        _noted(request, Kind.UNTIED, whose)
    tell(request, f"The next single sign-on with the address {whose.email} is {whose}'s.")
    return redirect("person_access", pk)


def _ties(whose: User) -> QuerySet[Any]:
    found: QuerySet[Any] = apps.get_model("socialaccount", "SocialAccount").objects.filter(user=whose)
    return found


def _noted(request: HttpRequest, kind: AccessEntry.Kind, whose: User, **detail: Any) -> None:
    frame = shell_of(request)
    access_log.record(kind, frame.now, frame.user, about=("person", whose.pk), **detail)


def _find(request: HttpRequest, pk: int) -> User:
    found = User.objects.filter(pk=pk).first()
    # As in the admin: who could act for a superuser would be one.
    if found is None or (found.is_superuser and not shell_of(request).user.is_superuser):
        raise Http404("no such person")
    return found
