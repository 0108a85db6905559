"""Who gets in where: every address of the site, beside the table of permissions that it goes by.

An address that stands nowhere here is one that nobody has decided on. Who has what relation to Femke's lead
is said in a few sets; who may do what by their role is `leads.roles.MAY`, asked and not repeated.
"""

from __future__ import annotations

from dataclasses import dataclass

from leads.roles import EDITS, MAY, Can
from routing.people import ADMIN, MANAGER, MARKETING, REP, VIEWER
from tests.site.world import PEOPLE

People = frozenset[str]

ROLE = {
    "femke": REP, "rosa": REP, "mia": MANAGER, "nils": MANAGER, "otto": MARKETING, "vera": VIEWER,
    "ada": ADMIN, "nemo": "",
}  # fmt: skip
# What each is to the handoff, which Femke holds; the others do not see it.
RELATION = {
    "femke": ("holder", "sees"), "mia": ("manager", "sees"), "otto": ("marketing", "sees"),
    "ada": ("admin", "sees"), "vera": ("viewer",),
}  # fmt: skip

EVERYONE: People = frozenset(PEOPLE)
NOBODY: People = frozenset()
STAFF: People = frozenset({"otto", "ada"})
SEES: People = frozenset(RELATION)
OWN: People = frozenset({"femke"})


def may(what: Can) -> People:
    """Those whose role may do this."""
    return frozenset(who for who in PEOPLE if ROLE[who] in MAY[what])


WATCHES = frozenset({"mia"}) | may(Can.WATCH_ALL)


@dataclass(frozen=True)
class Door:
    """Who may read and who may write; None where there is no such method (405). For the others it is not
    there (404), but that `refused` are told so (403), and those who see what an act is about (`seen`, else
    the readers) are refused it."""

    read: People | None = None
    write: People | None = None
    seen: People | None = None
    refused: People = NOBODY
    has_head: bool = True
    # Reading it is itself written down.
    is_noted: bool = False


@dataclass(frozen=True)
class Keyed:
    """An operation of the API: its one method, and the scope that a key needs; "" takes any key."""

    method: str
    scope: str


@dataclass(frozen=True)
class Staffed:
    """A page of the admin."""

    read: People
    write: People


Answers = dict[str, tuple[int | str, ...]]


@dataclass(frozen=True)
class Odd:
    """Outside the wall, or Django's own: by method what is answered to the anonymous, and to others. Of the
    admin's own (`is_of_staff`) both are for its staff, and nobody else gets there."""

    anonymous: Answers
    others: Answers
    is_of_staff: bool = False
    is_noted: bool = False


def page(what: Can) -> Door:
    return Door(read=may(what))


def act(what: Can, seen: Can) -> Door:
    """An act on what is read by more: they are refused it, for others it is not there."""
    return Door(write=may(what), seen=may(seen))


def form(what: Can, seen: Can) -> Door:
    """A page for those who may do what it is for, and the act."""
    return Door(read=may(what), write=may(what), seen=may(seen))


def shown(what: Can, seen: Can) -> Door:
    """A page that more read than may save it."""
    return Door(read=may(seen), write=may(what))


def run(read: bool, write: bool) -> Door:
    """Integrations: a page, an act, or both."""
    who = may(Can.RUN_INTEGRATIONS)
    return Door(read=who if read else None, write=who if write else None)


_SIGN_IN: Answers = {"GET": ("sign in",), "POST": ("sign in",)}
_PUBLIC: Answers = {"GET": (200,), "HEAD": (200,)}

DOORS: list[tuple[Door | Keyed | Odd, str]] = [
    (Door(read=EVERYONE), "/ inbox/ handoffs/ handoffs/handoffs.csv help/ leads/ leads/leads.csv search/"),
    (Door(read=EVERYONE), "notifications/ profile/ dashboard/ dashboard/figures.csv dashboard/handoffs/"),
    (Door(read=EVERYONE), "dashboard/figures/<slug:name>/"),
    (Door(write=EVERYONE), "theme/ notifications/read/ profile/save/ profile/told/ profile/absences/"),
    (Door(read=EVERYONE, write=EVERYONE), "handoffs/bulk/ views/<slug:page>/new/"),
    (Door(write=OWN), "notifications/<int:pk>/read/ profile/absences/<int:pk>/delete/"),
    (Door(write=OWN), "views/<int:pk>/default/ views/<int:pk>/delete/"),
    (Door(read=OWN, write=OWN), "views/<int:pk>/"),
    # Her run of an act that she may no longer start.
    (Door(read=OWN, write=NOBODY), "handoffs/bulk/<int:pk>/"),
    # An act is done with the seal of the page that asks for it, not without.
    (Door(read=OWN, write=NOBODY, refused=EVERYONE), "go/<str:token>/"),
    (Door(read=SEES), "handoffs/<int:pk>/ handoffs/<int:pk>/trace/ leads/<int:pk>/"),
    (Door(write=SEES), "handoffs/<int:pk>/viewed/"),
    (Door(write=SEES - {"vera"}, seen=SEES), "handoffs/<int:pk>/<slug:verb>/"),
    (Door(write=may(Can.COMPLETE), seen=SEES), "leads/<int:pk>/edit/"),
    (Door(read=may(Can.HANDLE_PERSONAL_DATA), write=may(Can.HANDLE_PERSONAL_DATA)), "leads/<int:pk>/erase/"),
    (
        Door(read=may(Can.HANDLE_PERSONAL_DATA), has_head=False, is_noted=True),
        "leads/<int:pk>/held/ leads/<int:pk>/held.json",
    ),
    (page(Can.KEEP_SITE), "first-steps/ status/"),
    (page(Can.READ_ACCESS), "access/ access/access.csv"),
    (page(Can.KEEP_PEOPLE), "people/<int:pk>/sign-in/"),
    (
        Door(write=may(Can.KEEP_PEOPLE)),
        "people/<int:pk>/sign-in/end/ people/<int:pk>/sign-in/second/reset/ people/<int:pk>/sign-in/untie/",
    ),
    (Door(read=EVERYONE), "profile/sign-in/"),
    (Door(read=EVERYONE, write=EVERYONE), "login/again/"),
    # What is asked stands in the session.
    (Door(read=EVERYONE, write=EVERYONE, is_noted=True), "login/again/second/"),
    (Door(write=EVERYONE), "profile/sign-in/end/"),
    # Nemo has no password, and so nothing beside one.
    (
        Door(read=EVERYONE - {"nemo"}, write=EVERYONE - {"nemo"}, is_noted=True),
        "profile/sign-in/app/ profile/sign-in/passkey/",
    ),
    (Door(write=EVERYONE - {"nemo"}), "profile/sign-in/password/"),
    # Who has a second step has codes on paper, and something to take away.
    (Door(write=OWN), "profile/sign-in/paper/ profile/sign-in/<int:pk>/take-away/"),
    (page(Can.WATCH_TEAMS), "team/"),
    (
        Door(write=WATCHES),
        "team/<int:pk>/reassign/ team/<int:pk>/absences/ team/<int:pk>/absences/<int:absence>/delete/",
    ),
    (page(Can.READ_COMPLETION), "completion/ completion/completion.csv duplicates/ triage/"),
    (page(Can.READ_COMPLETION), "duplicates/<int:pk>/ duplicates/duplicates.csv"),
    (
        act(Can.COMPLETE, Can.READ_COMPLETION),
        "completion/<int:pk>/ completion/<int:pk>/enrich/ completion/<int:pk>/different/<int:pair>/ "
        "completion/reports/<int:pk>/clear/ duplicates/<int:pk>/merge/ duplicates/<int:pk>/different/ "
        "duplicates/<int:pk>/reopen/ merges/<int:pk>/undo/ handoffs/<int:pk>/waive/ "
        "handoffs/<int:pk>/recheck/ handoffs/<int:pk>/discard/ triage/handoffs/<int:pk>/settle/ "
        "triage/handoffs/<int:pk>/recycle/ triage/handoffs/<int:pk>/suppress/ "
        "triage/handoffs/<int:pk>/send-back/ triage/handoffs/<int:pk>/same-person/ "
        "triage/handoffs/<int:pk>/hand-on/ triage/items/<int:pk>/lift/ triage/items/<int:pk>/settle/",
    ),
    (page(Can.READ_IMPORTS), "imports/imports.csv imports/<int:pk>/failed.csv"),
    (shown(Can.IMPORT, Can.READ_IMPORTS), "imports/ imports/<int:pk>/"),
    (act(Can.IMPORT, Can.READ_IMPORTS), "imports/<int:pk>/stop/ imports/<int:pk>/discard/"),
    (
        page(Can.READ_ROUTING),
        "routing/ routing/territories/ routing/pools/ routing/queues/ routing/calendars/ routing/policies/ "
        "routing/lists/ routing/versions/ routing/versions/<int:number>/ routing/accounts/ "
        "routing/accounts/accounts.csv routing/try/ routing/backtests/<int:pk>/ "
        "routing/backtests/<int:pk>/moved.csv routing/health/",
    ),
    (
        shown(Can.EDIT_ROUTING, Can.READ_ROUTING),
        "routing/rules/<int:pk>/ routing/territories/<int:pk>/ routing/pools/<int:pk>/ "
        "routing/queues/<int:pk>/ routing/policies/<slug:slug>/ routing/lists/<int:pk>/ "
        "routing/accounts/<int:pk>/ routing/backtests/",
    ),
    (
        form(Can.EDIT_ROUTING, Can.READ_ROUTING),
        "routing/rules/new/ routing/territories/new/ routing/pools/new/ routing/queues/new/ "
        "routing/policies/new/ routing/lists/new/ routing/accounts/new/ routing/accounts/file/ "
        "routing/publish/ routing/discard/",
    ),
    (
        act(Can.EDIT_ROUTING, Can.READ_ROUTING),
        "routing/rules/<int:pk>/move/ routing/policies/<slug:slug>/retire/ routing/settings/ "
        "routing/versions/<int:number>/restore/ routing/reviews/<int:pk>/done/",
    ),
    (
        shown(Can.EDIT_CALENDARS, Can.READ_ROUTING),
        "routing/calendars/<int:pk>/ routing/calendars/<int:pk>/days/",
    ),
    (
        form(Can.EDIT_CALENDARS, Can.READ_ROUTING),
        "routing/calendars/new/ routing/calendars/<int:pk>/import/ routing/calendars/<int:pk>/deadlines/",
    ),
    (
        act(Can.EDIT_CALENDARS, Can.READ_ROUTING),
        "routing/calendars/<int:pk>/days/<int:day>/open/ routing/calendars/<int:pk>/holidays/",
    ),
    (
        run(read=True, write=False),
        "integrations/ integrations/<slug:slug>/ integrations/deliveries/ integrations/deliveries/<int:pk>/ "
        "integrations/deliveries/deliveries.csv integrations/calls/ integrations/calls/<int:pk>/ "
        "integrations/calls/calls.csv integrations/conflicts/ integrations/events/ "
        "integrations/<slug:slug>/mapping/mapping.json",
    ),
    (
        run(read=False, write=True),
        "integrations/deliveries/<int:pk>/replay/ integrations/deliveries/<int:pk>/discard/ "
        "integrations/calls/<int:pk>/retry/ integrations/<slug:slug>/switch/ integrations/<slug:slug>/pause/ "
        "integrations/<slug:slug>/check/ integrations/<slug:slug>/test/ integrations/<slug:slug>/sync/ "
        "integrations/<slug:slug>/rotate/ integrations/<slug:slug>/former/end/ "
        "integrations/<slug:slug>/address/ integrations/<slug:slug>/replay/ "
        "integrations/<slug:slug>/mapping/restore/",
    ),
    (
        run(read=True, write=True),
        "integrations/new/<slug:kind>/ integrations/<slug:slug>/edit/ integrations/<slug:slug>/mapping/ "
        "integrations/<slug:slug>/delete/",
    ),
    (Door(read=may(Can.KEEP_KEYS), write=may(Can.KEEP_KEYS)), "integrations/keys/"),
    (Door(write=may(Can.KEEP_KEYS)), "integrations/keys/<int:pk>/revoke/"),
    (
        Door(read=may(Can.READ_SYNC_AUDIT), refused=EVERYONE),
        "integrations/audit/ integrations/audit/findings.csv",
    ),
    # About a handoff: to managers only of their teams.
    (Door(read=WATCHES, refused=EVERYONE - may(Can.READ_SYNC_AUDIT)), "integrations/audit/<int:pk>/"),
    (
        Door(write=may(Can.RUN_INTEGRATIONS), refused=EVERYONE),
        "integrations/audit/<int:pk>/<slug:choice>/ integrations/audit/run/ integrations/audit/settle/",
    ),
    (page(Can.READ_FIGURES), "dashboard/diagnosis/ dashboard/time/ dashboard/loop/ dashboard/gaming/"),
    (
        page(Can.READ_FIGURES),
        "reports/ reports/<str:week>/ reports/<str:week>/handoffs/ reports/<str:week>/compare/ "
        "reports/<str:week>/report.csv reports/<str:week>/report.xlsx",
    ),
    (Door(write=may(Can.READ_FIGURES)), "reports/subscription/"),
    (act(Can.SCHEDULE_REPORTS, Can.READ_FIGURES), "reports/schedule/"),
    (
        act(Can.WRITE_REPORTS, Can.READ_FIGURES),
        "reports/make/ reports/<str:week>/call/ reports/<str:week>/call/<int:pk>/turn/",
    ),
    (
        Door(may(Can.WRITE_REPORTS), may(Can.WRITE_REPORTS), refused=may(Can.READ_FIGURES)),
        "reports/<str:week>/call/<int:pk>/",
    ),
    (Door(read=may(Can.TAKE_LOOP), refused=EVERYONE), "dashboard/loop.csv"),
    (page(Can.ASK_WHAT_IF), "whatif/"),
    (page(Can.READ_AGREEMENT), "agreement/ agreement/versions/<int:number>/ agreement/proposals/<int:pk>/"),
    (act(Can.ACT, Can.READ_AGREEMENT), "agreement/proposals/<int:pk>/<slug:verb>/"),
    (
        Door(
            may(Can.SIGN_FOR_MARKETING) | may(Can.SIGN_FOR_SALES),
            may(Can.SIGN_FOR_MARKETING) | may(Can.SIGN_FOR_SALES),
            may(Can.READ_AGREEMENT),
        ),
        "agreement/propose/",
    ),
    (Keyed("POST", "intake"), "api/v1/intake"),
    (Keyed("GET", "read"), "api/v1/handoffs api/v1/handoffs/<handoff_id> api/v1/metrics"),
    (Keyed("GET", ""), "api/v1/events api/v1/events/<type_name>.json"),
    (
        Keyed("POST", "act"),
        " ".join(
            f"api/v1/handoffs/<handoff_id>/{verb}"
            for verb in (
                "accept", "claim", "reject", "defer", "contact", "opportunity", "disqualify", "note",
                "reassign", "resume", "waive", "recheck", "discard",
            )
        ),
    ),
    (Odd(_PUBLIC, _PUBLIC), "healthz readyz api/v1/docs api/v1/openapi.json"),
    # Without a token there is no such page; the demo's cards are for a debug run.
    (Odd({"GET": (404,), "POST": (405,)}, {"GET": (404,), "POST": (405,)}), "metrics"),
    (Odd({"GET": (404,), "POST": (404,)}, {"GET": (404,), "POST": (404,)}), "api/v1/"),
    (Odd({"GET": (405,), "POST": (404,)}, {"GET": (405,), "POST": (404,)}), "login/demo/"),
    (Odd({"GET": (405,), "POST": (404,)}, {"GET": (405,), "POST": (404,)}), "hooks/<str:secret>/"),
    (Odd({"GET": (405,), "POST": (401,)}, {"GET": (405,), "POST": (401,)}), "collect/v1/<slug:kind>"),
    (Odd({"GET": (200,), "POST": (200,)}, {"GET": (302,), "POST": (302,)}), "login/"),
    # For whoever is on the way in. Without a provider there is no single sign-on.
    (Odd({"GET": (302,), "POST": (302,)}, {"GET": (302,), "POST": (302,)}), "login/second/"),
    (Odd({"GET": (200,), "POST": (403,)}, {"GET": (200,), "POST": (403,)}, is_noted=True), "login/passkey/"),
    (Odd({"GET": (403,), "POST": (403,)}, {"GET": (403,), "POST": (403,)}), "login/once/<str:token>/"),
    (Odd({"GET": (405,), "POST": (404,)}, {"GET": (405,), "POST": (404,)}), "login/sso/"),
    (Odd({"GET": (404,), "POST": (405,)}, {"GET": (404,), "POST": (405,)}), "login/sso/callback/"),
    (Odd(_SIGN_IN, {"GET": (405,), "POST": (302,)}), "logout/"),
    # The former address of the back-tests, which goes to the page that is guarded.
    (Odd(_SIGN_IN, {"GET": (302,), "POST": (302,)}), "routing/backtest/"),
]  # fmt: skip

# What the admin does with a model's rows, beside showing them. Marketing ops get in where `EDITS` says so.
ADMIN_MODELS = {
    "django_q/failure": "change delete", "django_q/ormq": "change delete",
    "django_q/success": "change delete", "django_q/schedule": "add change delete",
    "leads/agreement": "", "leads/connection": "", "leads/delivery": "", "leads/event": "",
    "leads/handoff": "", "leads/inboundcall": "", "leads/lead": "", "leads/mqldefinition": "",
    "leads/privacyact": "", "leads/receipt": "", "leads/routingdecision": "", "routing/rulereview": "",
    "routing/ruleset": "", "routing/slapolicy": "",
    "leads/apikey": "add change", "leads/company": "change", "leads/preflightsettings": "change",
    "leads/rejectionreason": "add change",
    "routing/absence": "add change delete", "routing/calendar": "add change delete",
    "routing/draft": "change",
    "routing/namedlist": "add change", "routing/pool": "add change", "routing/queue": "add change",
    "routing/rule": "add change", "routing/team": "add change delete", "routing/territory": "add change",
    "routing/user": "add change",
}  # fmt: skip

# Django's own pages of the admin: for its staff.
ADMIN_PAGES: dict[str, Answers] = {
    "": {"GET": (200,), "POST": (200,)},
    "password_change/done/": {"GET": (200,), "POST": (405,)},
    "jsi18n/": {"GET": (200,), "POST": (405,)},
    "autocomplete/": {"GET": (403,), "POST": (405,)},
    "r/<path:content_type_id>/<path:object_id>/": {"GET": (404,), "POST": (404,)},
    "(?P<url>.*)$": {"GET": (404,), "POST": (404,)},
    "^(?P<app_label>django_q|leads|routing)/$": {"GET": (200, 404), "POST": (200, 404)},
}


def table() -> dict[str, Door | Keyed | Staffed | Odd]:
    """By route."""
    found: dict[str, Door | Keyed | Staffed | Odd] = {}
    for door, routes in DOORS:
        for route in routes.split():
            name = "" if route == "/" else route
            assert name not in found, f"{name} stands there twice"
            found[name] = door
    for model, verbs in ADMIN_MODELS.items():
        found |= _of_model(model, verbs.split())
    for route, answers in ADMIN_PAGES.items():
        found[f"admin/{route}"] = Odd(answers, answers, is_of_staff=True)
    found["admin/logout/"] = Odd({}, {"GET": (302, 405), "POST": (302,)})
    # One door for all: ours.
    found["admin/login/"] = Odd({"GET": (302,), "POST": (302,)}, {"GET": (302,), "POST": (302,)})
    found["admin/password_change/"] = Odd(_SIGN_IN, {"GET": (302,), "POST": (302,)})
    return found


def _of_model(model: str, verbs: list[str]) -> dict[str, Staffed]:
    is_theirs = model.startswith("routing/") and model.partition("/")[2] in EDITS[MARKETING]
    who = STAFF if is_theirs else frozenset({"ada"})
    does = {verb: who if verb in verbs else NOBODY for verb in ("add", "change", "delete")}
    front, one = f"admin/{model}/", f"admin/{model}/<path:object_id>/"
    found = {
        front: Staffed(who, who),
        f"{front}add/": Staffed(does["add"], does["add"]),
        one: Staffed(STAFF, STAFF),
        f"{one}change/": Staffed(who, does["change"]),
        f"{one}delete/": Staffed(does["delete"], does["delete"]),
        f"{one}history/": Staffed(who, who),
    }
    if model in ("leads/rejectionreason", "leads/preflightsettings") or (
        model.startswith("routing/") and verbs
    ):
        found[f"{front}^([^/]+)/history/([^/]+)/$"] = Staffed(who, who)
    if model == "routing/user":
        found[f"{front}<id>/password/"] = Staffed(who, who)
    return found
