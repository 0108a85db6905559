"""The frame around every page: navigation with live counts, the bell, toasts, the light and dark switch.

Owns what `base.html` needs beside the page itself, in a small constant number of queries that run only
when a template asks. Never decides what a page shows, and an item in the navigation is no permission:
each view checks its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, IntegerField, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from leads import agreeing, drafts, permissions, triaging
from leads.choices import HOLDS_TURN, OPEN, State
from leads.connecting import health
from leads.models import Handoff, Notification, Preference
from leads.querysets import overdue, team_member_ids
from routing.people import ADMIN, MANAGER, MARKETING, REP, ROLES, User
from routing.prepared import prepared

UNDO_SECONDS = 10
MOST_COUNTED = 99

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
    Place("leads:team", "Team", "team", frozenset({MANAGER, MARKETING, ADMIN}), ("/team/",)),
    Place("leads:leads", "Leads", "leads", EVERYONE, ("/leads/", "/search/")),
    Place(
        "leads:completion",
        "Completion",
        "complete",
        frozenset({MARKETING, ADMIN}),
        ("/completion/", "/duplicates/"),
    ),
    Place("leads:triage", "Triage", "triage", frozenset({MARKETING, ADMIN}), ("/triage/",)),
    Place("leads:routing", "Routing", "route", frozenset({MANAGER, MARKETING, ADMIN}), ("/routing/",)),
    Place("metrics:dashboard", "Dashboard", "dash", EVERYONE, ("/dashboard/",)),
    Place("metrics:reports", "Reports", "report", EVERYONE - {REP}, ("/reports/",)),
    Place("metrics:agreement", "Agreement", "agree", EVERYONE - {REP}, ("/agreement/",)),
    Place("leads:imports", "Imports", "import", frozenset({MARKETING, ADMIN}), ("/imports/",)),
    Place("leads:integrations", "Integrations", "plug", frozenset({MARKETING, ADMIN}), ("/integrations/",)),
)

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

    @cached_property
    def mine(self) -> dict[str, Any]:
        """Counts of this person's open work by state, with `all`, `late` and `held` (what holds a turn)."""
        by_state = {state: (count, late) for state, count, late in _held(self.user.pk, self.now)}
        found: dict[str, Any] = {state: by_state.get(state, (0,))[0] for state in OPEN_STATES}
        found["all"] = sum(found.values())
        found["held"] = sum(found[str(state)] for state in HOLDS_TURN)
        found["late"] = sum(by_state[state][1] for state in ANSWERABLE if state in by_state)
        return found

    @property
    def answer(self) -> str:
        """How many wait for an answer, as the page's title and icon show it; "" for none."""
        return capped(self.mine[State.ASSIGNED])

    @cached_property
    def unread(self) -> str:
        """How many messages are unread, capped; "" for none."""
        return capped(len(_unread(self.user.pk)))

    @cached_property
    def is_called(self) -> bool:
        """Whether this person's browsers call for new demo leads."""
        return bool(_calls(self.user.pk))

    @cached_property
    def draft(self) -> drafts.State:
        """What is in force and how the draft differs, for the tabs of the routing pages."""
        return drafts.State()

    @property
    def nav(self) -> list[NavItem]:
        """The places this person's roles are for. A place that this site does not have gets no link."""
        items = []
        is_list = self.path == "/handoffs/" or self.path.startswith(LISTS)
        for place in PLACES:
            if not (self._is_for(place.roles) or (place.icon == "inbox" and self.mine["all"])):
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
        return items

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

    def _is_for(self, roles: frozenset[str]) -> bool:
        return bool(self.user.roles & roles) or (self.user.is_superuser and ADMIN in roles)

    def _counts(self, icon: str) -> tuple[int, int, str]:
        if icon == "inbox":
            return self.mine[State.ASSIGNED], self.mine["late"], "to answer"
        if icon == "team":
            return self._breached(), 0, "past due"
        if icon == "complete":
            return self._of_all[1], self._of_all[2], "waiting for data"
        if icon == "triage":
            return self._of_all[3], 0, "to decide"
        if icon == "plug":
            return health.stuck(self.user), 0, "given up or paused"
        if icon == "agree":
            return agreeing.waiting_for(self.user), 0, "to sign"
        return 0, 0, ""

    @cached_property
    def _of_all(self) -> tuple[int, ...]:
        """For who works on what everybody has: see the query."""
        return _of_all(self.user.pk, self.now)[0]

    def _breached(self) -> int:
        if self._is_for(frozenset({MARKETING, ADMIN})):
            return self._of_all[0]
        return len(_breached_of(team_member_ids(self.user), self.now))


# Capped, what is counted is read: that is less than Django's way around a count with a limit.


@prepared
def _held(user: int, now: datetime) -> QuerySet[Handoff, tuple[str, int, int]]:
    rows = Handoff.objects.open().filter(assignee=user).order_by().values_list("state")
    return rows.annotate(count=Count("pk"), late=Count("pk", filter=overdue(now)))


@prepared
def _unread(user: int) -> QuerySet[Notification, int]:
    unread = Notification.objects.filter(user=user, read_at__isnull=True).order_by()
    return unread.values_list("pk", flat=True)[: MOST_COUNTED + 1]


@prepared
def _calls(user: int) -> QuerySet[Preference, int]:
    return Preference.objects.filter(user=user, browser=True).values_list("pk", flat=True)


class _Many(Subquery):
    """How many rows there are."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


@prepared
def _of_all(user: int, now: datetime) -> QuerySet[User, tuple[int, ...]]:
    """One row: how many are past due, wait for data, are late with that, and wait for a decision."""
    breached, incomplete = Handoff.objects.breached(now).order_by(), Handoff.objects.incomplete().order_by()
    return User.objects.filter(pk=user).values_list(
        _Many(breached.values("pk")[: MOST_COUNTED + 1]),
        _Many(incomplete.values("pk")),
        _Many(incomplete.filter(overdue(now)).values("pk")),
        _Many(triaging.waiting()),
    )


@prepared
def _breached_of(people: Collection[int], now: datetime) -> QuerySet[Handoff, int]:
    late = Handoff.objects.breached(now).filter(assignee__in=people).order_by()
    return late.values_list("pk", flat=True)[: MOST_COUNTED + 1]


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


def address(view: str) -> str:
    """The path of a page, or "" when this site does not have it."""
    try:
        return reverse(view)
    except NoReverseMatch:
        return ""


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
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    return redirect(back)
