"""Connections to systems that are played on this machine, so that a newcomer sees sync live.

Owns which systems are connected how, and that a second run finds what the first one made. What plays them is
a process of its own and is only talked to by its address; it forgets when it ends, so the records that we
know of are put there again under their ids. For debug runs: what it needs to sign in is no secret.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import OuterRef, Subquery

from leads import outbox, sealing
from leads.connecting import changing, first_sync, keeping, kinds, mapping
from leads.connecting.changing import Edit
from leads.connectors import signatures
from leads.connectors.addresses import Forbidden, checked_url
from leads.connectors.client import Http, Unreachable
from leads.connectors.salesforce.usual import NOT_GIVEN
from leads.models import Connection, ExternalId, Handoff, Score
from leads.outbox import waking
from routing.people import ADMIN, MARKETING, User

# Where the demo's connections would lead; they are taken over, those of anybody's own are not.
DEMO_HOSTS = "handoff.example.com"
WAITS, PAUSE = 20.0, 0.2
Kind, Role = Connection.Kind, Connection.Role
USUAL: Mapping[str, Any] = {"creates": True, "activities": True, "poll_minutes": 1}


class NotConnected(Exception):
    """It can't be done; the message says what to do."""


@dataclass(frozen=True)
class Account:
    """One system: what its connection is made of. `path` is where it is played; `book` what it calls its
    records of people, `key` their ids, "" and "" where it keeps none; `needed` what each has to say; `calls`
    whether it calls us."""

    kind: Connection.Kind
    name: str
    path: str
    role: Connection.Role = Role.OTHER
    secrets: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    book: str = ""
    key: str = ""
    needed: Sequence[str] = ()
    calls: bool = False


ACCOUNTS: Sequence[Account] = (
    Account(
        Kind.MAUTIC,
        "Mautic",
        "/mautic",
        Role.MAP,
        {
            "client_id": "mautic-client",
            "client_secret": "mautic-secret",
            "webhook_secret": "mautic-webhook-secret",
        },
        USUAL,
        "contacts",
        "id",
        calls=True,
    ),
    Account(
        Kind.SALESFORCE,
        "Salesforce",
        "/salesforce",
        Role.CRM,
        {"client_id": "salesforce-key", "client_secret": "salesforce-secret"},
        {**USUAL, "owns": ["lead.phone", "company.employee_count"]},
        "leads",
        "Id",
        needed=("LastName", "Company"),
    ),
    Account(
        Kind.HUBSPOT,
        "HubSpot",
        "/hubspot",
        Role.BOTH,
        {
            "client_id": "hubspot-client",
            "client_secret": "hubspot-secret",
            "refresh_token": "hubspot-refresh",
        },
        USUAL,
        "contacts",
        "id",
        calls=True,
    ),
    Account(Kind.WEBHOOK, "Data warehouse", "/hooks/warehouse"),
    Account(Kind.SLACK, "Slack", "/slack/hook"),
    Account(Kind.TEAMS, "Teams", "/teams/hook"),
)
# Their address is a secret, for whoever knows it can write there.
CHANNELS = frozenset({Kind.SLACK, Kind.TEAMS})


def connect(url: str, user: User, now: datetime) -> list[str]:
    """Connect everything that is played at this address, and owe it what stands now; what was done, in words.
    Raises NotConnected."""
    url = url.rstrip("/")
    try:
        checked_url(url)
    except Forbidden as error:
        raise NotConnected(f"{url} may not be called (CONNECTOR_PRIVATE_HOSTS): {error}") from None
    with Http(url) as http:
        counts = _counts(http)
        known = [one for one in ACCOUNTS if one.kind in kinds.offered()]
        done = [_connect(one, url, http, not counts.get(one.kind, 0), Edit(user, now)) for one in known]
    waking.ask(waking.DELIVER)
    return done


def keeper() -> User:
    """In whose name it is done: an admin, or whoever runs integrations. Raises NotConnected."""
    for role in (ADMIN, MARKETING):
        found = User.objects.filter(is_active=True, groups__name=role).order_by("pk").first()
        if found is not None:
            return found
    raise NotConnected("There is nobody to whom integrations belong. Run seed_demo, or import people.")


def _counts(http: Http) -> Mapping[str, int]:
    """How many records each system has; waited for, since it may have been started just now."""
    ends = time.monotonic() + WAITS
    while True:
        try:
            answer = http.call("GET", "/__counts")
        except Unreachable as error:
            if time.monotonic() > ends:
                raise NotConnected(f"Nobody answers there: {error}") from None
            time.sleep(PAUSE)
            continue
        if answer.status != 200:
            raise NotConnected(f"Somebody else answers there: {answer.status} to /__counts.")
        found: Mapping[str, int] = answer.json()
        return found


def _tell(http: Http, system: str, **what: Any) -> None:
    answer = http.call("POST", "/__seed", data={"system": system, **what})
    if answer.status != 200:
        raise NotConnected(f"{system} could not be filled: {answer.text()[:200]}")


def _connect(account: Account, url: str, http: Http, is_empty: bool, edit: Edit) -> str:
    row = _row(account, url, edit)
    opened = _secrets(row)
    wanted = dict(account.secrets)
    if account.kind in CHANNELS:
        wanted["url"] = f"{url}{account.path}"
    if account.kind == Kind.WEBHOOK:
        wanted = {"secret": opened.get("secret") or signatures.new_secret()}
        name = account.path.rpartition("/")[2]
        _tell(http, "hooks", settings={"secrets": {name: wanted["secret"]}})
    if opened != wanted:
        keeping.put(row.pk, edit, wanted)
    if account.calls:
        # Of an address that it was given before only the digest is known.
        hook = keeping.renew_hook(row.pk, Edit(edit.user, edit.now, changing.newest(row)))
        _tell(http, account.kind, webhooks=hook)
    row = changing.switch_on(row.pk, edit)
    if account.kind in CHANNELS:
        return f"{account.name} is told of escalations and new demo leads"
    if not account.book:
        return f"{account.name} is called at each event"
    records = _records(row, account) if is_empty else []
    if records:
        _tell(http, account.kind, **{account.book: records})
    owed, after = 0, 0
    while last := first_sync.work(row.pk, after, edit.now):
        owed, after = owed + first_sync.SLICE, last
    again = f"{len(records)} records put there again, " if records else ""
    return f"{account.name}: {again}the state of {first_sync.waiting()} leads is owed to it"


def _secrets(row: Connection) -> Mapping[str, str]:
    return sealing.open_sealed(row.sealed) if row.sealed else {}


def _row(account: Account, url: str, edit: Edit) -> Connection:
    """The account's connection, made or set anew. Raises NotConnected for one that is somebody's own."""
    values: dict[str, Any] = {
        "role": account.role,
        "base_url": "" if account.kind in CHANNELS else f"{url}{account.path}",
        "id_system": account.kind if account.book else "",
        # A channel takes about one message a second.
        "rate": 1.0 if account.kind in CHANNELS else 50.0,
        "burst": 1 if account.kind in CHANNELS else 100,
    }
    row = Connection.objects.filter(name=account.name).first()
    if row is None:
        made = {**values, "name": account.name, "options": dict(account.options)}
        return changing.make(account.kind, edit, made)
    host = urlsplit(row.base_url or _secrets(row).get("url", "")).hostname or ""
    is_ours = host in settings.CONNECTOR_PRIVATE_HOSTS or host.endswith(DEMO_HOSTS)
    if row.kind != account.kind or not is_ours:
        raise NotConnected(f"There is a connection “{row.name}” of your own, which is left alone. Rename it.")
    if row.base_url != values["base_url"]:
        values["options"] = {**row.options, **account.options}
    return changing.change(row.pk, edit, values, "Connected to the doubles")


def _records(row: Connection, account: Account) -> list[dict[str, Any]]:
    """The records that we know of there, as far as we know what they say."""
    newest = Score.objects.filter(lead=OuterRef("lead")).order_by("-scored_at", "-pk").values("total")[:1]
    known = ExternalId.objects.filter(
        system=row.id_system,
        lead__in=Handoff.objects.live().order_by().values("lead"),
        lead__merged_into__isnull=True,
        lead__erased_at__isnull=True,
    )
    ids = list(known.annotate(total=Subquery(newest)).order_by("pk").values_list("lead", "value", "total"))
    wants = outbox.wanted([lead for lead, _, _ in ids])
    names = {ours: theirs for ours, theirs in mapping.whole(row).facts.items() if theirs}
    found = []
    for lead, value, total in ids:
        facts = {**wants[lead].facts, "score.total": total} if lead in wants else {}
        # Countries go by each system's own names.
        facts.pop("lead.country_code", None)
        said = {theirs: facts[ours] for ours, theirs in names.items() if facts.get(ours)}
        found.append({account.key: value, **dict.fromkeys(account.needed, NOT_GIVEN), **said})
    return found
