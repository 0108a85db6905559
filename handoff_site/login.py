"""Signing in by the page and by the demo logins on it, the way back to a form, and signing out.

Where single sign-on is the only way, the page has no password and takes none. Owns when the demo cards are
shown and when they work: in a debug run with demo data, asked for at a loopback address by a browser on the
same machine. Elsewhere the page has no cards, and their address is not there.
"""

from __future__ import annotations

import ipaddress
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from handoff_site import kept, lockout
from handoff_site.demo.people import LOGINS, PASSWORD
from handoff_site.signing_in import ending, second
from handoff_site.signing_in.onward import go_on, is_door, let_in
from routing.people import User

ONLY_SSO = "Passwords are not taken here. Use the single sign-on of your organisation."
# A proxy on this machine speaks for somebody who may be anywhere.
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP")


class SignIn(LoginView):
    """Sign in by e-mail and password; with demo data on one's own machine, by a card."""

    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if is_only_sso():
            return render(request, "registration/turned_away.html", {"words": ONLY_SSO}, status=403)
        lockout.prepare(request)
        if lockout.is_flooded(request, timezone.now()):
            return render(request, "registration/locked.html", status=429)
        return super().post(request, *args, **kwargs)

    def get_redirect_url(self) -> str:  # type: ignore[override]
        wanted = super().get_redirect_url()
        user: Any = self.request.user
        # The administration sends whoever is none of its staff here, to be sent on to it again.
        is_shut = user.is_authenticated and not user.is_staff and wanted.startswith("/admin/")
        return "" if is_door(wanted) or is_shut else wanted

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["oidc"] = settings.OIDC
        context["is_only_sso"] = is_only_sso()
        context["has_passkeys"] = settings.HAS_LIBRARY and not is_only_sso()
        if is_open(self.request):
            there = set(
                User.objects.filter(
                    email__in=[person.email for person in LOGINS], is_active=True
                ).values_list("email", flat=True)
            )
            href = reverse("demo_login")
            context["demo_people"] = [
                asdict(person) | {"href": href} for person in LOGINS if person.email in there
            ]
        context["kept"] = self.request.POST.get(kept.FIELD, "")
        return context

    def form_valid(self, form: Any) -> HttpResponse:
        user, now = form.get_user(), timezone.now()
        if second.has(user):
            sent = self.request.POST.get(kept.FIELD, "")
            second.begin(self.request, user, self.get_success_url(), sent, now)
            return redirect("second_step")
        let_in(self.request, user, "password", now.timestamp())
        response = go_on(self.request, self.get_success_url(), self.request.POST.get(kept.FIELD, ""))
        if second.is_wanted(user):
            self.request.session[second.MUST] = True
            response = redirect("access")
        lockout.remember(self.request, response, user.email)
        return response


class SignOut(LogoutView):
    """Ends the session here and, where it came from a provider that can, there as well."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # It is gone with the session.
        there = ending.there(request.session)
        answer = super().post(request, *args, **kwargs)
        return HttpResponseRedirect(there) if there else answer


def is_only_sso() -> bool:
    """Whether nobody signs in by password."""
    return settings.OIDC is not None and settings.OIDC.only


def ask_again(request: HttpRequest, sent: str) -> HttpResponse:
    """The sign-in page in the place of an answer to a form; `sent` brings the form back afterwards."""
    page = SignIn()
    page.setup(request)
    context = page.get_context_data(form=page.form_class(request)) | {"kept": sent, "next": ""}
    return render(request, "registration/login.html", context, status=401)


@login_not_required
@require_POST
def demo_login(request: HttpRequest) -> HttpResponse:
    """Become one of the demo people, as their password would; 404 where the cards are not shown."""
    email = request.POST.get("email", "")
    if not is_open(request) or email not in {person.email for person in LOGINS}:
        raise Http404("no such page")
    # The demo password, not a way around it: an account that was given another one stays shut.
    user = authenticate(request, username=email, password=PASSWORD)
    if user is None or second.has(user):
        return redirect("login")
    let_in(request, user, "password", timezone.now().timestamp())
    return go_on(request, "", request.POST.get(kept.FIELD, ""))


def is_open(request: HttpRequest) -> bool:
    """Whether whoever asks sits at this machine, in a debug run."""
    if not settings.DEBUG or is_only_sso() or any(name in request.META for name in FORWARDED):
        return False
    host, _ = split_domain_port(request.get_host())
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and _is_loopback(host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
