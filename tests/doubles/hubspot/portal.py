"""HubSpot's double itself: credentials, rate limits, and which path does what.

Date-based paths, v1 to v4 unsupported [V]; service keys and OAuth tokens of 30 minutes [V+2]; rate headers
and the `policyName` of a 429 [V]; 100 or 190 requests in 10 seconds, 5 searches a second [V, 2], enforced
when `enforce_limits` is on; owners under `/crm/owners/{v}` [V, 2026-09 OpenAPI]; pipelines [R]. Settings are
the attributes named in SETTINGS.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from tests.doubles.clock import Clock, iso_millis
from tests.doubles.emitting import Emitter
from tests.doubles.hubspot import batches, objects, refusals, schema, searching
from tests.doubles.hubspot.events import Events
from tests.doubles.records import API, USER, Book, Record
from tests.doubles.system import System, bearer, locked
from tests.doubles.wire import Answer, Call, Refused, answer

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "hubspot-client", "hubspot-secret", "hubspot-refresh"
SERVICE_KEY = "pat-eu1-double"
KINDS = {
    "0-1": "contacts",
    "0-2": "companies",
    "0-3": "deals",
    "0-136": "leads",
    "contact": "contacts",
    "lead": "leads",
}
VERSION = re.compile(r"\d{4}-\d{2}(-beta)?")
LIFE = 1800


class HubSpot(System):
    """A portal. `books` are its records by object type (contacts, companies, leads, deals)."""

    name = "hubspot"
    SETTINGS = {
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
        "service_keys": [SERVICE_KEY], "portal_id": 33,
        "search_lag": 0.0, "backward": "ignore", "validation_rules": [], "shuffle_results": False,
        "merge_makes_new_id": True, "enforce_limits": False, "limit": 190, "daily_limit": 650_000,
        "signature": "v3", "signed_uri": "", "retries": [0.05, 0.2], "hold_webhooks": False,
        "generic_events": False, "subscribed_properties": [],
    }  # fmt: skip
    REFUSALS = refusals.KINDS
    ITEM_KINDS = frozenset(refusals.ITEM_KINDS)
    client_id: str
    client_secret: str
    refresh_token: str
    service_keys: list[str]
    portal_id: int
    search_lag: float
    # "ignore" or "reject": what becomes of a lifecycle stage that steps back.
    backward: str
    # {"property", "value" (any if missing), "message"}: what the account's admins forbid.
    validation_rules: list[dict[str, Any]]
    shuffle_results: bool
    merge_makes_new_id: bool
    enforce_limits: bool
    limit: int
    daily_limit: int
    signature: str
    signed_uri: str
    retries: list[float]
    hold_webhooks: bool
    generic_events: bool
    subscribed_properties: list[str]

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        super().__init__(clock, emitter)
        self.events = Events(self)
        self.clear()

    @property
    def contacts(self) -> Book:
        return self.books["contacts"]

    def clear(self) -> None:
        self.books = {kind: Book(self.clock) for kind in schema.first()}
        self.contacts.index("email", "handoff_external_id")
        self.properties = schema.first()
        self.owners: dict[str, dict[str, Any]] = {}
        self.recent: deque[float] = deque()
        self.searches: deque[float] = deque()
        self.today = 0
        self.events.clear()

    def next_id(self) -> str:
        """An id that is nobody's, also where records were seeded with theirs."""
        ids = (str(100 + number) for number in self.counter)
        return next(key for key in ids if all(key not in book.all for book in self.books.values()))

    def handle(self, call: Call) -> Answer:
        parts = call.parts
        if parts[:1] == ["oauth"] and parts[2:] == ["token"] and call.method == "POST":
            return self._token(call)
        self._authenticate(call)
        self._count(parts)
        if len(parts) < 3 or parts[0] != "crm" or not VERSION.fullmatch(parts[2]):
            return refusals.error(404, "NOT_FOUND", "This path or version of the API is not supported.")
        area, rest = parts[1], parts[3:]
        if area == "owners" and call.method == "GET":
            return self._owners(call, rest)
        kind = KINDS.get(rest[0], rest[0]) if rest else ""
        if kind not in self.books:
            return refusals.invalid(f"Unable to infer object type from: {kind}")
        if area == "properties":
            return self._properties(call, kind, rest[1:])
        if area == "pipelines" and call.method == "GET":
            stages = [
                {"id": stage, "label": stage.removesuffix("-stage-id").title()}
                for stage in schema.LEAD_STAGES
            ]
            return answer(
                200, {"results": [{"id": "lead-pipeline-id", "label": "Lead pipeline", "stages": stages}]}
            )
        if area == "objects":
            return self._objects(call, kind, rest[1:])
        return refusals.not_found()

    def finish(self, call: Call, given: Answer) -> None:
        # A search has no rate headers.
        if not call.path.endswith("/search") and not call.path.startswith("/oauth"):
            given.headers |= {
                "X-HubSpot-RateLimit-Max": str(self.limit),
                "X-HubSpot-RateLimit-Remaining": str(max(0, self.limit - len(self.recent))),
                "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
                "X-HubSpot-RateLimit-Daily": str(self.daily_limit),
                "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily_limit - self.today)),
            }

    def _token(self, call: Call) -> Answer:
        form = call.form
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            return answer(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id"})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            return answer(400, {"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"})
        token = self.issue_token("CJ", LIFE)
        body = {"token_type": "bearer", "refresh_token": self.refresh_token, "access_token": token}
        return answer(200, {**body, "expires_in": LIFE, "hub_id": self.portal_id})

    def _authenticate(self, call: Call) -> None:
        token = bearer(call)
        if token not in self.service_keys:
            state = self.token_state(token)
            if state != "good":
                raise Refused(refusals.expired() if state == "expired" else refusals.unauthenticated())

    def _count(self, parts: list[str]) -> None:
        """Count a call in its window. Raises Refused with 429 when limits are enforced."""
        now = self.clock.now()
        searching_now = parts[-1:] == ["search"]
        window, span = (self.searches, 1.0) if searching_now else (self.recent, 10.0)
        while window and window[0] <= now - span:
            window.popleft()
        self.today += 1
        if self.enforce_limits:
            if self.today > self.daily_limit:
                raise Refused(refusals.daily())
            if len(window) >= (5 if searching_now else self.limit):
                raise Refused(refusals.secondly() if searching_now else refusals.ten_secondly())
        window.append(now)

    def _owners(self, call: Call, rest: list[str]) -> Answer:
        if rest:
            owner = self.owners.get(rest[0])
            return answer(200, owner) if owner else refusals.not_found()
        email = call.query.get("email", "").lower()
        archived = call.query.get("archived", "false") == "true"
        found = [
            owner
            for owner in self.owners.values()
            if owner["archived"] == archived and email in ("", owner["email"].lower())
        ]
        return answer(200, _page(call, found, 100))

    def _properties(self, call: Call, kind: str, rest: list[str]) -> Answer:
        known = self.properties[kind]
        if call.method == "POST" and not rest:
            body = _object(call)
            if body.get("name") in known:
                return refusals.error(
                    409, "OBJECT_ALREADY_EXISTS", f'A property named "{body["name"]}" exists already.'
                )
            prop = schema.Property(
                str(body["name"]),
                str(body.get("label", "")),
                str(body.get("type", "string")),
                [str(option["value"]) for option in body.get("options", [])],
                bool(body.get("hasUniqueValue")),
            )
            known[prop.name] = prop
            return answer(201, prop.as_json())
        if call.method != "GET" or len(rest) > 1:
            return refusals.error(405, "METHOD_NOT_ALLOWED", "Method not allowed")
        if not rest:
            return answer(200, {"results": [prop.as_json() for prop in known.values()]})
        return answer(200, known[rest[0]].as_json()) if rest[0] in known else refusals.not_found()

    def _objects(self, call: Call, kind: str, rest: list[str]) -> Answer:
        if call.method == "POST" and rest[:1] == ["batch"] and len(rest) == 2:
            return batches.batch(self, kind, rest[1], call, _object(call))
        if call.method == "POST" and rest == ["search"]:
            return searching.search(self, kind, _object(call))
        if call.method == "POST" and rest == ["merge"]:
            return self._merge(kind, _object(call))
        if call.method == "POST" and rest == ["gdpr-delete"] and kind == "contacts":
            return self._forget(_object(call))
        if not rest and call.method == "POST":
            body = _object(call)
            record = objects.create(self, kind, body, API)
            return answer(201, objects.shown(kind, record, list(record.values)))
        if not rest and call.method == "GET":
            wanted = _names(call, "properties")
            return answer(
                200, _page(call, [objects.shown(kind, record, wanted) for record in self.books[kind]], 10)
            )
        if len(rest) == 1:
            return self._object(call, kind, rest[0])
        return refusals.not_found()

    def _object(self, call: Call, kind: str, key: str) -> Answer:
        record = objects.find(self, kind, key, call.query.get("idProperty", ""))
        if call.method == "DELETE":
            if record:
                objects.remove(self, kind, record, API)
            return Answer(204)
        if record is None:
            return refusals.not_found()
        if call.method == "PATCH":
            properties = _object(call).get("properties")
            objects.change(self, kind, record, properties, API)
            return answer(200, objects.shown(kind, record, list(properties or {})))
        if call.method != "GET":
            return refusals.error(405, "METHOD_NOT_ALLOWED", "Method not allowed")
        shown = objects.shown(kind, record, _names(call, "properties"))
        history = _names(call, "propertiesWithHistory")
        if history:
            shown["propertiesWithHistory"] = objects.with_history(record, history)
        asked = set(_names(call, "associations"))
        found = {to: ids for to, ids in record.extra.get("associations", {}).items() if to in asked}
        if found:
            shown["associations"] = {
                to: {"results": [{"id": key, "type": f"{kind}_to_{to}"} for key in ids]}
                for to, ids in found.items()
            }
        return answer(200, shown)

    def _merge(self, kind: str, body: dict[str, Any]) -> Answer:
        primary = self.books[kind].get(str(body.get("primaryObjectId")))
        other = self.books[kind].get(str(body.get("objectIdToMerge")))
        if primary is None or other is None or primary is other:
            return refusals.invalid("Both records must exist and differ")
        return answer(200, objects.shown(kind, objects.merge(self, kind, primary, other, API), []))

    def _forget(self, body: dict[str, Any]) -> Answer:
        """Delete for good [V: the legacy reference; the same path with a date, 2]."""
        record = objects.find(self, "contacts", str(body.get("objectId")), body.get("idProperty", ""))
        if record is None:
            return refusals.not_found()
        objects.remove(self, "contacts", record, API, privacy=True)
        return Answer(204)

    @locked
    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"contacts": [{"id"?, **properties}], "companies", "leads", "deals", "owners": [{"id"?, "email",
        ...}], "generate": n, "webhooks": URL, "settings": {...}}`; the ids made, by type."""
        self.configure(**what.get("settings", {}))
        self.events.url = what.get("webhooks", self.events.url)
        made: dict[str, Any] = {}
        for owner in what.get("owners", []):
            key = str(owner.get("id") or self.next_id())
            stamp = iso_millis(self.clock.now())
            self.owners[key] = {
                "firstName": "", "lastName": "", "archived": False, "createdAt": stamp, "updatedAt": stamp,
                "type": "PERSON", "userId": int(key), "userIdIncludingInactive": int(key), **owner, "id": key,
            }  # fmt: skip
            made.setdefault("owners", []).append(key)
        people = [
            {
                "email": f"person{n}@company{n % 997}.example",
                "firstname": f"Person{n}",
                "lastname": "Generated",
            }
            for n in range(what.get("generate", 0))
        ]
        for kind, book in self.books.items():
            for values in [*what.get(kind, []), *(people if kind == "contacts" else [])]:
                key = str(values.get("id") or self.next_id())
                given = {name: str(value) for name, value in values.items() if name != "id"}
                book.add(key, given, USER)
                made.setdefault(kind, []).append(key)
        return made

    @locked
    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"do": "edit"|"create"|"delete"|"privacy_delete"|"merge", "object": "contacts", "id", "other",
        "values", "associations"}`."""
        kind, do = what.get("object", "contacts"), what.get("do", "edit")
        if do == "create":
            body = {"properties": what["values"], "associations": what.get("associations")}
            record = objects.create(self, kind, body, USER)
            return record.as_json()
        record = self._living(kind, what["id"])
        if do == "edit":
            # A person can set the stage back, and validation rules are the form's business.
            values = {name: "" if value is None else str(value) for name, value in what["values"].items()}
            objects.write(self, kind, record, values, USER)
        elif do in ("delete", "privacy_delete"):
            objects.remove(self, kind, record, USER, privacy=do == "privacy_delete")
        elif do == "merge":
            record = objects.merge(self, kind, record, self._living(kind, what["other"]), USER)
        else:
            raise ValueError(f"do: {do!r} is not known")
        return record.as_json()

    @locked
    def emit(self, what: dict[str, Any]) -> int:
        """Send `{"events": [...]}` as they are, then what is held; how many events were held."""
        self.events.raw(what.get("events", []))
        return self.events.flush()

    @locked
    def as_json(self) -> dict[str, Any]:
        return {**{kind: book.as_json() for kind, book in self.books.items()}, "owners": self.owners}

    def _living(self, kind: str, key: Any) -> Record:
        record = self.books[kind].get(str(key))
        if record is None:
            raise ValueError(f"id: there is no {kind} {key}")
        return record


def _object(call: Call) -> dict[str, Any]:
    """The body as an object. Raises Refused."""
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused(refusals.invalid("Invalid input JSON on line 1, column 1"))
    return body


def _names(call: Call, name: str) -> list[str]:
    """A list parameter, given with commas or repeatedly."""
    return [part for key, value in call.pairs if key == name for part in value.split(",") if part]


def _page(call: Call, found: list[Any], usual: int) -> dict[str, Any]:
    start, limit = int(call.query.get("after") or 0), min(int(call.query.get("limit") or usual), 500)
    page: dict[str, Any] = {"results": found[start : start + limit]}
    if start + limit < len(found):
        page["paging"] = {"next": {"after": str(start + limit), "link": f"?after={start + limit}"}}
    return page
