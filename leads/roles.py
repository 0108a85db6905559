"""Who may what: THE table, of roles and of relations to a handoff, which pages, API, admin and tests read.

`MAY` says what a role may do beside single handoffs, `ALLOWED` which verbs a relation to one handoff allows,
`EDITS` what a role edits in the admin. What stands nowhere here nobody may. Who is asked, and of which
handoff, is `leads.permissions`; which rows somebody sees `leads.querysets`. Reads no database.
"""

from __future__ import annotations

from enum import StrEnum

from routing.people import ADMIN, MANAGER, MARKETING, REP, ROLES, VIEWER, User


class Can(StrEnum):
    """What can be done beside the verbs of one handoff."""

    # Leads and handoffs
    ACT = "act at all, not only read"
    SEE_ALL = "see every handoff and every lead"
    SEE_TEAMS = "see the handoffs of the teams one leads"
    SEE_PERSONAL_DATA = "see personal phone numbers and e-mail addresses"
    HANDLE_PERSONAL_DATA = "erase people and hand out what is held about them"
    WATCH_TEAMS = "watch work of others, reassign it and enter absences"
    WATCH_ALL = "watch everybody's work and give it to anybody in sales"
    SHARE_VIEWS = "share views of lists"
    # Data
    READ_COMPLETION = "read what waits for data, duplicates and triage"
    COMPLETE = "complete data, settle duplicates, triage"
    READ_IMPORTS = "read imports of leads"
    IMPORT = "import leads"
    # Routing
    READ_ROUTING = "read rules, pools, policies and versions"
    EDIT_ROUTING = "edit the draft of routing, its policies and accounts, and publish"
    EDIT_CALENDARS = "edit calendars and move deadlines by them"
    # Integrations
    RUN_INTEGRATIONS = "set up and run connections, settle what the sync audit finds"
    READ_SYNC_AUDIT = "read the sync audit"
    KEEP_KEYS = "make and revoke API keys"
    # Figures and the agreement
    READ_FIGURES = "read the pages beside the dashboard, and reports"
    WRITE_REPORTS = "make reports and write on their calls"
    SCHEDULE_REPORTS = "set when reports are made and mailed"
    TAKE_LOOP = "take the closed loop as a file"
    ASK_WHAT_IF = "try another target on the past"
    READ_AGREEMENT = "read the agreement and its proposals"
    SIGN_FOR_MARKETING = "propose and sign for marketing"
    SIGN_FOR_SALES = "propose and sign for sales"
    # The installation
    KEEP_SITE = "see how the installation is, and its first steps"
    READ_ACCESS = "read the access log"
    KEEP_PEOPLE = "see where people are signed in, sign them out, take a lost second step away"


_EVERYBODY = frozenset(ROLES)
_ADMIN = frozenset({ADMIN})
_MARKETING = frozenset({MARKETING})
_OPS = frozenset({MARKETING, ADMIN})
_LEADING = frozenset({MANAGER, MARKETING, ADMIN})

MAY: dict[Can, frozenset[str]] = {
    Can.ACT: _EVERYBODY - {VIEWER},
    Can.SEE_ALL: frozenset({MARKETING, VIEWER, ADMIN}),
    Can.SEE_TEAMS: frozenset({MANAGER}),
    Can.SEE_PERSONAL_DATA: _EVERYBODY - {VIEWER},
    Can.HANDLE_PERSONAL_DATA: _OPS,
    Can.WATCH_TEAMS: _LEADING,
    Can.WATCH_ALL: _OPS,
    Can.SHARE_VIEWS: _LEADING,
    Can.READ_COMPLETION: _OPS,
    Can.COMPLETE: _MARKETING,
    Can.READ_IMPORTS: _OPS,
    Can.IMPORT: _MARKETING,
    Can.READ_ROUTING: _LEADING,
    Can.EDIT_ROUTING: _MARKETING,
    Can.EDIT_CALENDARS: _OPS,
    Can.RUN_INTEGRATIONS: _OPS,
    Can.READ_SYNC_AUDIT: _LEADING,
    Can.KEEP_KEYS: _ADMIN,
    Can.READ_FIGURES: _EVERYBODY - {REP},
    Can.WRITE_REPORTS: _LEADING,
    Can.SCHEDULE_REPORTS: _OPS,
    Can.TAKE_LOOP: _OPS,
    Can.ASK_WHAT_IF: _LEADING,
    Can.READ_AGREEMENT: _EVERYBODY,
    Can.SIGN_FOR_MARKETING: _MARKETING,
    Can.SIGN_FOR_SALES: frozenset({MANAGER}),
    Can.KEEP_SITE: _ADMIN,
    Can.READ_ACCESS: _ADMIN,
    Can.KEEP_PEOPLE: _ADMIN,
}

ANSWERING = ("accept", "reject", "defer", "contact", "opportunity", "disqualify")
COMPLETING = ("waive", "recheck", "discard", "merge", "triage")
ALL_VERBS = (*ANSWERING, "claim", "resume", "reassign", "note", "report", "undo", *COMPLETING)

ALLOWED: dict[str, frozenset[str]] = {
    "holder": frozenset({*ANSWERING, "resume"}),
    "queue_member": frozenset({"claim", "accept"}),
    "queue_owner": frozenset({"reassign"}),
    "manager": frozenset({"reassign", "resume"}),
    "marketing": frozenset({"reassign", *COMPLETING}),
    "admin": frozenset({"reassign"}),
    # Whoever sees it writes notes, says what is wrong with it, and takes back what they did themselves.
    "sees": frozenset({"note", "report", "undo"}),
    "viewer": frozenset(),
}

# What a role edits in the admin, by the model's name; admins everything that the admin edits at all.
EDITS: dict[str, tuple[str, ...]] = {
    MARKETING: (
        "absence", "calendar", "calendarinterval", "closedday", "draft", "namedlist",
        "pool", "poolmember", "queue", "rule", "rulereview", "territory",
    ),
}  # fmt: skip


def can(user: User, what: Can) -> bool:
    """Whether one of this person's roles may do this; a superuser counts as an admin."""
    return has(user, MAY[what])


def has(user: User, roles: frozenset[str]) -> bool:
    """Whether this person has one of these roles."""
    return not user.roles.isdisjoint(roles) or (user.is_superuser and ADMIN in roles)
