"""The start page of each role.

Owns where `/` leads. Never shows anything itself, and a redirect is no permission: the page it leads to
checks its own.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from routing.people import ADMIN, MANAGER, MARKETING, REP, User

# The first role that a person has decides: whoever sells, sells.
HOMES = (
    (REP, "leads:inbox"),
    (MANAGER, "leads:team"),
    (MARKETING, "leads:completion"),
    (ADMIN, "leads:team"),
)
OTHERWISE = "metrics:dashboard"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Send the person who signed in to the page their role starts on."""
    return redirect(place(request.user) if isinstance(request.user, User) else reverse(OTHERWISE))


def place(user: User) -> str:
    """The path of the page this person starts on; the dashboard where the site has no such page."""
    for role, view in HOMES:
        if role in user.roles:
            try:
                return reverse(view)
            except NoReverseMatch:
                break
    return reverse(OTHERWISE)
