"""The frame around every page: navigation with live counts, the bell, toasts, the light and dark switch.

Owns what `base.html` needs beside the page itself, in a small constant number of queries that run only
when a template asks. Never decides what a page shows, and an item in the navigation is no permission:
each view checks its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from leads import drafts, permissions
from leads.choices import HOLDS_TURN, OPEN, Side, State
from leads.presenters.addresses import address
from leads.roles import MAY, Can, can, has
from leads.views import counts
from leads.views.counts import MOST_COUNTED
from routing.people import ADMIN, MANAGER, REP, ROLES, User

UNDO_SECONDS = 10

EVERYONE = frozenset(ROLES)
OPEN_STATES = [str(state) for state in OPEN]
ANSWERABLE = (str(State.ASSIGNED), str(State.ACCEPTED))


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation: for whom, and the paths on which it is the current one."""

    view: str
    label: str
    icon: str
    roles: frozenset[str]
    paths: tuple[str, ...]


PLACES = (
    Place("leads:inbox", "Inbox", "inbox", frozenset({REP, MANAGER}), ("/inbox/", "/handoffs/")),
    Place("leads:team", "Team", "team", MAY[Can.WATCH_TEAMS], ("/team/",)),
    Place("leads:leads", "Leads", "leads", EVERYONE, ("/leads/", "/search/")),
    Place(
        "leads:completion",
        "Completion",
        "complete",
        MAY[Can.READ_COMPLETION],
        ("/completion/", "/duplicates/"),
    ),
    Place("leads:triage", "Triage", "triage", MAY[Can.READ_COMPLETION], ("/triage/",)),
    Place("leads:routing", "Routing", "route", MAY[Can.READ_ROUTING], ("/routing/",)),
    Place("metrics:dashboard", "Dashboard", "dash", EVERYONE, ("/dashboard/",)),
    Place("metrics:reports", "Reports", "report", MAY[Can.READ_FIGURES], ("/reports/",)),
    Place("metrics:agreement", "Agreement", "agree", EVERYONE - {REP}, ("/agreement/",)),
    Place("leads:imports", "Imports", "import", MAY[Can.READ_IMPORTS], ("/imports/",)),
    Place("leads:integrations", "Integrations", "plug", MAY[Can.RUN_INTEGRATIONS], ("/integrations/",)),
    Place("status", "Status", "pulse", MAY[Can.KEEP_SITE], ("/status/", "/access/")),
)

# What is counted beside a place, and what the count is called.
_COUNTED = {
    "team": (counts.LATE, "past due"),
    "complete": (counts.INCOMPLETE, "waiting for data"),
    "triage": (counts.TO_DECIDE, "to decide"),
    "agree": (counts.TO_SIGN, "to sign"),
}

# The list of handoffs stands beside that of leads; one handoff is the inbox's.
LISTS = ("/handoffs/bulk/", "/views/")


@dataclass(frozen=True, slots=True)
class NavItem:
    """A link of the navigation. `counts` says in words what `count` counts."""

    label: str
    href: str
    icon: str
    is_current: bool
    count: str = ""
    late: str = ""
    counts: str = ""


@dataclass(frozen=True, slots=True)
class Toast:
    """What was just done. `seconds` is what is left of the undo; `tone` is "" or "late"."""

    text: str
    tone: str = ""
    href: str = ""
    link: str = ""
    undo_href: str = ""
    seconds: int = 0


class Shell:
    """What the frame shows to one person at one moment. Each part is worked out when it is asked for."""

    def __init__(self, user: User, path: str, now: datetime) -> None:
        self.user = user
        self.path = path
        self.now = now

    @property
    def by_state(self) -> dict[str, int]:
        """Counts of this person's open work by state."""
        return {state: self._count(state)[0] for state in OPEN_STATES}

    @cached_property
    def mine(self) -> dict[str, Any]:
        """Those counts, with `all`, `late` and `held` (what holds a turn)."""
        found: dict[str, Any] = self.by_state
        found["all"] = sum(found.values())
        found["held"] = sum(found[str(state)] for state in HOLDS_TURN)
        found["late"] = sum(self._count(state)[1] for state in ANSWERABLE)
        return found

    @property
    def answer(self) -> str:
        """How many wait for an answer, as the page's title and icon show it; "" for none."""
        return capped(self.mine[State.ASSIGNED])

    @property
    def unread(self) -> str:
        """How many messages are unread, capped; "" for none."""
        return capped(self.unread_count)

    @property
    def unread_count(self) -> int:
        """How many messages are unread, counted to one past MOST_COUNTED."""
        return self._count(counts.UNREAD)[0]

    @property
    def has_queues(self) -> bool:
        """Whether this person belongs to a sales queue."""
        return bool(self._count(counts.QUEUES)[0])

    @property
    def is_called(self) -> bool:
        """Whether this person's browsers call for new demo leads."""
        return bool(self._count(counts.CALLS)[0])

    @cached_property
    def draft(self) -> drafts.State:
        """What is in force and how the draft differs, for the tabs of the routing pages."""
        return drafts.State()

    @property
    def nav(self) -> tuple[NavItem, ...]:
        """The places this person's roles are for. A place that this site does not have gets no link."""
        items = []
        is_list = self.path == "/handoffs/" or self.path.startswith(LISTS)
        for place in PLACES:
            if not (has(self.user, place.roles) or (place.icon == "inbox" and self.mine["all"])):
                continue
            href = address(place.view)
            if not href:
                continue
            count, late, words = self._counts(place.icon)
            items.append(
                NavItem(
                    label=place.label,
                    href=href,
                    icon=place.icon,
                    is_current=place.view == "leads:leads" if is_list else self.path.startswith(place.paths),
                    count=capped(count),
                    late=capped(late),
                    counts=words,
                )
            )
        return tuple(items)

    @property
    def finds_by(self) -> str:
        """By what this person finds a lead in a list: whoever is not shown addresses finds none by them."""
        return "Name, address, company" if permissions.sees_personal_data(self.user) else "Name, company"

    @property
    def foot(self) -> str:
        held = self.mine["held"] if REP in self.user.roles else 0
        return f"You hold {held} lead{'' if held == 1 else 's'}." if held else ""

    @property
    def roles(self) -> str:
        """The person's roles in words, in the fixed order."""
        names = [role for role in ROLES if role in self.user.roles]
        if self.user.is_superuser and ADMIN not in names:
            names.append(ADMIN)
        return ", ".join(names)

    @property
    def clock(self) -> str:
        """The viewer's own time, such as "Tue 14 Oct, 10:44"."""
        local = timezone.localtime(self.now)
        return f"{local:%a} {local.day} {local:%b, %H:%M}"

    @property
    def zone(self) -> str:
        return self.user.time_zone or settings.ORG_TIME_ZONE

    @property
    def city(self) -> str:
        """The place that the zone is named after: "Amsterdam"."""
        return self.zone.rsplit("/", 1)[-1].replace("_", " ")

    @property
    def search_href(self) -> str:
        return address("leads:search")

    @property
    def bell_href(self) -> str:
        return address("leads:notifications")

    @property
    def profile_href(self) -> str:
        return address("leads:profile")

    def _counts(self, icon: str) -> tuple[int, int, str]:
        """How many, how many of them late, and what is counted, beside a place of the navigation."""
        if icon == "inbox":
            return self.mine[State.ASSIGNED], self.mine["late"], "to answer"
        if icon == "plug":
            return self._count(counts.GIVEN_UP)[0] + self._count(counts.STANDING)[0], 0, "given up or paused"
        if icon not in _COUNTED:
            return 0, 0, ""
        kind, words = _COUNTED[icon]
        return *self._count(kind), words

    def _count(self, kind: str) -> tuple[int, int]:
        return self._found.get(kind, (0, 0))

    @cached_property
    def _found(self) -> Mapping[str, tuple[int, int]]:
        """All that the frame counts; one query."""
        sides = permissions.sides(self.user)
        is_for_all, leads = can(self.user, Can.WATCH_ALL), can(self.user, Can.SEE_TEAMS)
        wanted = counts.Wanted(is_for_all, leads, Side.MARKETING in sides, Side.SALES in sides)
        return counts.of(self.user, self.now, wanted)


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` and `toasts` for `base.html`; nothing of these for the anonymous. What few
    views give is there too: a template looks long for what is not."""
    unsaid = {"oob": False, "is_alone": False, "search_words": ""}
    if getattr(request, "user", None) is None or not request.user.is_authenticated:
        return unsaid
    return unsaid | {"shell": shell_of(request), "toasts": lambda: _told(request)}


def shell_of(request: HttpRequest) -> Shell:
    """The request's one Shell, so that a view and the frame share its queries."""
    kept: Shell | None = getattr(request, "_shell", None)
    if kept is None:
        kept = Shell(person(request), request.path, timezone.localtime())
        request._shell = kept  # type: ignore[attr-defined]
    return kept


def person(request: HttpRequest) -> User:
    """Who is signed in. The login wall stands before every view; without it this refuses."""
    if not isinstance(request.user, User):
        raise PermissionDenied("nobody is signed in")
    return request.user


def capped(count: int) -> str:
    """A count for a badge: "" for none, "99+" past 99."""
    if count > MOST_COUNTED:
        return f"{MOST_COUNTED}+"
    return str(count) if count else ""


def tell(
    request: HttpRequest,
    text: str,
    *,
    undo: int | None = None,
    now: datetime | None = None,
    link: tuple[str, str] | None = None,
    is_late: bool = False,
) -> None:
    """Says on the next page what was done; `undo` is the handoff whose last act can be undone, `link` an
    address of our own and what it is called. `is_late` marks what went wrong."""
    tags = f"undo-{undo}-{int(now.timestamp()) + UNDO_SECONDS}" if undo and now else ""
    if link is not None:
        tags = f"link-{link[0]} {link[1]}"
    messages.add_message(request, messages.WARNING if is_late else messages.SUCCESS, text, extra_tags=tags)


def _told(request: HttpRequest) -> Iterable[Toast]:
    now = timezone.now().timestamp()
    toasts = []
    for message in messages.get_messages(request):
        undo_href, seconds, href, link = "", 0, "", ""
        if message.extra_tags and message.extra_tags.startswith("link-"):
            href, _, link = message.extra_tags.removeprefix("link-").partition(" ")
        elif message.extra_tags and message.extra_tags.startswith("undo-"):
            handoff_id, until = message.extra_tags.removeprefix("undo-").split("-")
            seconds = max(0, int(until) - int(now))
            undo_href = reverse("leads:act", args=[int(handoff_id), "undo"]) if seconds else ""
        tone = "late" if message.level >= messages.WARNING else ""
        toasts.append(Toast(str(message.message), tone, href, link, undo_href, seconds))
    return toasts


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keeps light, dark or as the system, and goes back to the page."""
    wanted = request.POST.get("theme", "")
    user = person(request)
    if wanted in {"", "light", "dark"} and wanted != user.theme:
        user.theme = wanted
        user.save(update_fields=["theme"])
    back = request.POST.get("next", "")
    # What is no path Django would take for the name of a page.
    if back[:1] != "/" or not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    return redirect(back)
