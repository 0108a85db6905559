"""The way in when every other is shut: a link that works once, made at the shell of the server.

Owns the link: signed, for a quarter of an hour, for one person, void after their next sign-in. Whoever can
make one could read the database as well. The link opens a page; the press on it signs in.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from handoff_site.signing_in.onward import let_in
from routing.people import User

SALT = "handoff.glass"
HOLDS = timedelta(minutes=15)
SPENT = "This link works no more. Make another one at the shell."


def link(user: User) -> str:
    """The address that signs this person in, once."""
    token = signing.dumps({"user": user.pk, "seen": _seen(user)}, salt=SALT)
    return f"{settings.PUBLIC_URL}{reverse('sign_in_once', args=[token])}"


def _seen(user: User) -> str:
    return user.last_login.isoformat() if user.last_login else ""


@never_cache
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def once(request: HttpRequest, token: str) -> HttpResponse:
    """The page of a link, and the press on it."""
    is_pressed = request.method == "POST"
    with transaction.atomic():
        # Of two presses at once the second finds the sign-in of the first.
        user = _whose(token, User.objects.select_for_update() if is_pressed else User.objects.all())
        if user is not None and is_pressed:
            let_in(request, user, "link made at the server", timezone.now().timestamp())
    if user is None:
        return render(request, "registration/turned_away.html", {"words": SPENT}, status=403)
    if not is_pressed:
        return render(request, "registration/once.html", {"email": user.email})
    return redirect("home")


def _whose(token: str, people: QuerySet[User]) -> User | None:
    try:
        said = signing.loads(token, salt=SALT, max_age=HOLDS)
    except signing.BadSignature:
        return None
    user = people.filter(pk=said["user"], is_active=True).first()
    return user if user is not None and _seen(user) == said["seen"] else None
