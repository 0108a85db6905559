"""Setting up a second step: an app that makes codes, passkeys, and codes on paper for the day both are lost.

Owns these pages of whoever is signed in; each wants a fresh proof of who that is. A secret is in the page
that makes it and nowhere else. Admins only take away, on `handoff_site.signing_in.access`'s page of a person.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.webauthn.internal import auth as passkeys
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from fido2.webauthn import RegistrationResponse

from handoff_site.signing_in import access, proving, second
from leads import access_log
from leads.models import AccessEntry
from leads.views import proof
from leads.views.shell import shell_of, tell
from routing.people import User

SECRET = "code_secret"  # noqa: S105 - the name of it in the session
MOST_PASSKEYS, LONGEST_NAME = 10, 60
Kind = AccessEntry.Kind
NOT_RIGHT = "That is not the code that the app shows now. Look at its clock, and try the next one."
NOT_TAKEN = "The passkey was not taken. Please try again."


def _whoever(request: HttpRequest) -> User:
    """Who is signed in by password and has proved it lately. Raises Http404, Unproved. Whoever has none would
    make themselves a way in that their provider cannot shut."""
    user = shell_of(request).user
    if not access.takes_password(user):
        raise Http404("the provider asks for second steps here")
    proof.for_secrets(request)
    return user


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def app(request: HttpRequest) -> HttpResponse:
    """The secret for an app, as a picture and as text, and the first code of it."""
    user = _whoever(request)
    if second.rows(user).filter(type=Authenticator.Type.TOTP).exists():
        return redirect("access")
    secret = request.session.get(SECRET) if request.method == "POST" else None
    if not secret:
        secret = request.session[SECRET] = totp.generate_totp_secret()
        return _app(request, user, secret)
    if not totp.validate_totp_code(secret, request.POST.get("code", "")[:20]):
        return _app(request, user, secret, NOT_RIGHT, 422)
    try:
        with transaction.atomic():
            totp.TOTP.activate(user, secret)
            _written(request, user)
    except IntegrityError:
        return redirect("access")
    del request.session[SECRET]
    return _done(request, user, "The app is set up.")


def _app(request: HttpRequest, user: User, secret: str, problem: str = "", status: int = 200) -> HttpResponse:
    adapter = get_adapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(user, secret)).encode()
    values = {
        "picture": f"data:image/svg+xml;base64,{base64.b64encode(picture).decode()}",
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "problem": problem,
    }
    return render(request, "registration/app.html", values, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def passkey(request: HttpRequest) -> HttpResponse:
    """The browser's question to a new passkey, and what it answered."""
    user = _whoever(request)
    held = second.rows(user).filter(type=Authenticator.Type.WEBAUTHN).count()
    if held >= MOST_PASSKEYS:
        tell(request, f"{MOST_PASSKEYS} passkeys are the most. Take one away first.")
        return redirect("access")
    if request.method != "POST":
        return _passkey(request, user)
    name = " ".join(request.POST.get("name", "").split())[:LONGEST_NAME]
    try:
        credential = json.loads(request.POST.get("credential", "")[: proving.LONGEST_ANSWER])
        kept = _kept(passkeys.parse_registration_response(credential))
        made = passkeys.complete_registration(credential)
    except proving.UNREADABLE:
        return _passkey(request, user, NOT_TAKEN, 422)
    if not made.is_user_verified():
        return _passkey(request, user, NOT_TAKEN, 422)
    with transaction.atomic():
        called = name if name.isprintable() and name else f"Passkey {held + 1}"
        passkeys.WebAuthn.add(user, called, kept)
        _written(request, user)
    return _done(request, user, "The passkey is set up.")


def _kept(answer: RegistrationResponse) -> dict[str, Any]:
    """What is read of it again. Beside that a browser may send anything, such as what is no JSON to a
    database."""
    response = {name: answer.response[name] for name in ("clientDataJSON", "attestationObject")}
    return {"rawId": answer["rawId"], "response": response}


def _passkey(request: HttpRequest, user: User, problem: str = "", status: int = 200) -> HttpResponse:
    values: dict[str, Any] = {
        "challenge": {"creation_options": passkeys.begin_registration(user, True)},
        "problem": problem,
        "given": request.POST.get("name", "")[:LONGEST_NAME],
    }
    return render(request, "registration/passkey.html", values, status=status)


@require_POST
def take_away(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a passkey or the app away; with the last of them go the codes on paper."""
    user = _whoever(request)
    row = second.rows(user).exclude(type=Authenticator.Type.RECOVERY_CODES).filter(pk=pk).first()
    if row is None:
        raise Http404("nothing of yours")
    with transaction.atomic():
        row.delete()
        about = ("person", user.pk)
        access_log.record(Kind.SECOND_TAKEN, shell_of(request).now, user, about=about, what=row.type)
        if not second.has(user):
            second.rows(user).delete()
    if second.is_wanted(user) and not second.has(user):
        request.session[second.MUST] = True
    tell(request, "It is taken away, and signs nobody in any more.")
    return redirect("access")


@never_cache
@require_POST
def paper(request: HttpRequest) -> HttpResponse:
    """New codes on paper; the former ones count no more."""
    user = _whoever(request)
    if not second.has(user):
        raise Http404("codes on paper come with a second step")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        second.rows(user).filter(type=Authenticator.Type.RECOVERY_CODES).delete()
        return _shown_once(request, user)


def _written(request: HttpRequest, user: User) -> None:
    access_log.record(Kind.SECOND_SET, shell_of(request).now, user, about=("person", user.pk))


def _done(request: HttpRequest, user: User, words: str) -> HttpResponse:
    request.session.pop(second.MUST, None)
    tell(request, words)
    if second.rows(user).filter(type=Authenticator.Type.RECOVERY_CODES).exists():
        return redirect("access")
    return _shown_once(request, user)


def _shown_once(request: HttpRequest, user: User) -> HttpResponse:
    codes = RecoveryCodes.activate(user).get_unused_codes()
    shown = [f"{code[:4]}-{code[4:]}" for code in codes]
    return render(request, "registration/paper.html", {"codes": shown})
