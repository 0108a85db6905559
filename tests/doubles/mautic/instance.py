"""Mautic's double itself: credentials, and which path does what.

OAuth2 client_credentials with a life of 60 minutes, basic auth by setting, the API switched off by setting;
the paths and their bodies [V, section 4]. Activity types and users' bodies are [R].
"""

from __future__ import annotations

import base64
from typing import Any

from tests.doubles.clock import Clock, iso_offset
from tests.doubles.emitting import Emitter
from tests.doubles.mautic import batches, contacts, listing, refusals
from tests.doubles.mautic import fields as field_list
from tests.doubles.mautic.events import Events
from tests.doubles.records import API, USER, Book, Record
from tests.doubles.system import System, bearer, locked
from tests.doubles.wire import Answer, Call, Refused

CLIENT_ID, CLIENT_SECRET = "mautic-client", "mautic-secret"
USERNAME, PASSWORD = "handoff", "mautic-password"
WEBHOOK_SECRET = "mautic-webhook-secret"
LIFE = 3600
STAGES = ("Lead", "MQL", "SAL", "SQL", "Nurture", "Recycled", "Customer")
OPERATORS = ("plus", "minus", "times", "divide", "set")


class Mautic(System):
    """An instance. `contacts` are its records; `events` its webhook."""

    name = "mautic"
    SETTINGS = {
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USERNAME, "password": PASSWORD,
        "basic_auth": True, "api_enabled": True, "empty_lists": False,
        "webhook_secret": WEBHOOK_SECRET, "mode": "immediate", "order": "ASC", "webhook_limit": 10,
    }  # fmt: skip
    REFUSALS = refusals.KINDS
    ITEM_KINDS = frozenset(refusals.ITEM_KINDS)
    client_id: str
    client_secret: str
    username: str
    password: str
    basic_auth: bool
    api_enabled: bool
    # An empty list of contacts is [] instead of {}.
    empty_lists: bool
    webhook_secret: str
    # "immediate" or "queue"; the order in which a queue is sent, "ASC" or "DESC".
    mode: str
    order: str
    webhook_limit: int

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        super().__init__(clock, emitter)
        self.events = Events(self)
        self.clear()

    def clear(self) -> None:
        self.contacts = Book(self.clock)
        self.contacts.index("email")
        self.fields = field_list.first()
        self.stages: dict[int, dict[str, Any]] = {
            number: {
                "id": number,
                "name": name,
                "weight": number * 10,
                "isPublished": True,
                "description": None,
            }
            for number, name in enumerate(STAGES, 1)
        }
        self.users: dict[int, dict[str, Any]] = {
            1: _user(1, "admin", "Admin", "User", "admin@mautic.example")
        }
        self.notes: list[dict[str, Any]] = []
        self.tags: dict[str, int] = {}
        self.events.clear()

    def next_id(self) -> str:
        """An id that is nobody's, also where contacts were seeded with theirs."""
        return next(key for number in self.counter if (key := str(number)) not in self.contacts.all)

    def tag_id(self, tag: str) -> int:
        return self.tags.setdefault(tag, len(self.tags) + 1)

    def note_activity(self, record: Record, event: str, label: str) -> None:
        """Put an entry into a contact's activity."""
        entries = record.extra.setdefault("activity", [])
        entries.append({"event": event, "label": label, "at": self.clock.now()})

    def handle(self, call: Call) -> Answer:
        parts = call.parts
        if parts == ["oauth", "v2", "token"]:
            return self._token(call)
        if parts[:1] != ["api"]:
            return refusals.page(404)()
        if not self.api_enabled:
            return refusals.disabled()
        self._authenticate(call)
        route = (call.method, parts[1] if len(parts) > 1 else "")
        rest = parts[2:]
        if route[1] == "contacts":
            return self._contacts(call, rest)
        if route[1] == "stages":
            return self._stages(call, rest)
        if route == ("GET", "fields") and rest == ["contact"]:
            listed = {str(field.id): field.as_json() for field in self.fields.values()}
            return refusals.reply(200, {"total": len(listed), "fields": listed})
        if route == ("GET", "users") and not rest:
            return refusals.reply(200, {"total": str(len(self.users)), "users": list(self.users.values())})
        if route == ("POST", "notes") and rest == ["new"]:
            return self._new_note(_object(call))
        return refusals.not_found()

    def _token(self, call: Call) -> Answer:
        form = call.form or call.query
        if call.headers.get("content-type", "").startswith("application/json"):
            form = {str(name): str(value) for name, value in _object(call).items()}
        if form.get("grant_type") not in ("client_credentials", "refresh_token"):
            words = "Invalid grant_type parameter or parameter missing"
            return refusals.reply(
                400, {"errors": [{"message": words, "code": 400, "type": "invalid_request"}]}
            )
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            words = "The client credentials are invalid"
            return refusals.reply(
                400, {"errors": [{"message": words, "code": 400, "type": "invalid_client"}]}
            )
        token = self.issue_token("m", LIFE)
        return refusals.reply(
            200, {"access_token": token, "expires_in": LIFE, "token_type": "bearer", "scope": None}
        )

    def _authenticate(self, call: Call) -> None:
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic" and self.basic_auth:
            wanted = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            if given != wanted:
                raise Refused(refusals.unauthenticated())
            return
        state = self.token_state(bearer(call))
        if state != "good":
            raise Refused(refusals.expired() if state == "expired" else refusals.unauthenticated())

    def _contacts(self, call: Call, rest: list[str]) -> Answer:
        method = call.method
        if not rest and method == "GET":
            return listing.listed(self, call)
        if rest == ["new"] and method == "POST":
            made, new = contacts.create(self, _object(call), API)
            return self._contact(made, 201 if new else 200)
        if rest == ["batch", "edit"] and method in ("PATCH", "PUT"):
            return batches.edit(self, call)
        if rest == ["batch", "new"] and method == "POST":
            return batches.create(self, call)
        if rest == ["activity"] and method == "GET":
            return self._activity(call, None)
        record = self.contacts.get(rest[0]) if rest else None
        if record is None:
            if len(rest) == 2 and rest[1] == "edit" and method == "PUT":
                return self._contact(contacts.create(self, _object(call), API)[0], 201)
            return refusals.not_found()
        return self._one(call, record, rest[1:])

    def _one(self, call: Call, record: Record, rest: list[str]) -> Answer:
        method = call.method
        if not rest and method == "GET":
            return self._contact(record)
        if rest == ["edit"] and method in ("PATCH", "PUT"):
            return self._contact(contacts.edit(self, record, _object(call), API, wipe=method == "PUT"))
        if rest == ["delete"] and method == "DELETE":
            shown = {**contacts.shown(self, record), "id": None}
            self.contacts.remove(record)
            self.events.deleted(record)
            return refusals.reply(200, {"contact": shown})
        if rest == ["activity"] and method == "GET":
            return self._activity(call, record)
        if rest == ["notes"] and method == "GET":
            found = [note for note in self.notes if note["contact"] == int(record.id)]
            return refusals.reply(200, {"total": str(len(found)), "notes": found})
        if len(rest) == 3 and rest[0] == "points" and rest[1] in OPERATORS and method == "POST":
            contacts.add_points(self, record, rest[1], int(float(rest[2])), API)
            self.note_activity(record, "point.gained", rest[2])
            return refusals.reply(200, {"success": 1})
        if len(rest) == 3 and rest[0] == "dnc" and rest[2] in ("add", "remove") and method == "POST":
            reason = int((_object(call) if call.body else {}).get("reason", contacts.MANUAL))
            had = contacts.set_dnc(self, record, rest[1], reason if rest[2] == "add" else None, API)
            lifted: dict[str, Any] = {} if rest[2] == "add" else {"recordFound": had}
            return refusals.reply(200, {**lifted, "contact": contacts.shown(self, record)})
        return refusals.not_found()

    def _contact(self, record: Record, status: int = 200) -> Answer:
        return refusals.reply(status, {"contact": contacts.shown(self, record)})

    def _activity(self, call: Call, record: Record | None) -> Answer:
        records = [record] if record else list(self.contacts)
        limit, page = int(call.query.get("limit", "25")), int(call.query.get("page", "1"))
        entries = [(entry, each) for each in records for entry in each.extra.get("activity", [])]
        entries.sort(key=lambda pair: pair[0]["at"], reverse=True)
        shown = [
            {
                "event": entry["event"], "eventId": f"{entry['event']}{number}", "eventLabel": entry["label"],
                "eventType": entry["event"].replace(".", " "), "timestamp": iso_offset(entry["at"]),
                "contactId": each.id, "details": entry.get("details", []),
            }
            for number, (entry, each) in enumerate(entries)
        ][(page - 1) * limit : page * limit]  # fmt: skip
        pages = -(-len(entries) // limit) if limit else 1
        return refusals.reply(
            200,
            {
                "events": shown,
                "filters": {"search": "", "includeEvents": [], "excludeEvents": []},
                "order": ["timestamp", "DESC"],
                "types": {entry["event"]: entry["event"] for entry, _ in entries} or [],
                "total": len(entries),
                "page": page,
                "limit": limit,
                "maxPages": pages,
            },
        )

    def _stages(self, call: Call, rest: list[str]) -> Answer:
        if not rest and call.method == "GET":
            listed = {str(number): stage for number, stage in self.stages.items()}
            return refusals.reply(200, {"total": str(len(listed)), "stages": listed})
        if len(rest) == 4 and rest[1] == "contact" and rest[3] in ("add", "remove") and call.method == "POST":
            record, stage = self.contacts.get(rest[2]), int(rest[0]) if rest[0].isdigit() else 0
            if record is None or stage not in self.stages:
                return refusals.not_found()
            contacts.set_stage(self, record, stage if rest[3] == "add" else None, API)
            return refusals.reply(200, {"success": 1})
        return refusals.not_found()

    def _new_note(self, given: dict[str, Any]) -> Answer:
        record = self.contacts.get(str(given.get("lead", "")))
        if record is None or not given.get("text"):
            return refusals.error(400, "lead: This value should not be blank.")
        note = {
            "id": len(self.notes) + 1, "text": given["text"], "type": given.get("type", "general"),
            "dateTime": given.get("dateTime"), "contact": int(record.id), "at": self.clock.now(),
        }  # fmt: skip
        self.notes.append(note)
        return refusals.reply(201, {"note": {**note, "lead": contacts.shown(self, record)}})

    @locked
    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"contacts": [{"id"?, "tags"?, "stage"?, "owner"?, **aliases}], "users": [{"username", "email",
        ...}], "fields": [{"alias", "type"?, "group"?}], "generate": n, "webhooks": URL, "settings": {...}}`;
        the ids."""
        self.configure(**what.get("settings", {}))
        for field in what.get("fields", []):
            number = len(self.fields) + 1
            kind, group = field.get("type", "text"), field.get("group", "professional")
            self.fields[field["alias"]] = field_list.Field(number, field["alias"], kind, group)
        for user in what.get("users", []):
            number = int(user.get("id") or len(self.users) + 1)
            names = user.get("firstName", ""), user.get("lastName", "")
            self.users[number] = _user(number, user.get("username", user["email"]), *names, user["email"])
        people = [
            {
                "email": f"person{n}@company{n % 997}.example",
                "firstname": f"Person{n}",
                "lastname": "Generated",
            }
            for n in range(what.get("generate", 0))
        ]
        self.events.url = what.get("webhooks", self.events.url)
        made = []
        for given in [*what.get("contacts", []), *people]:
            key = str(given.get("id") or self.next_id())
            values = {alias: value for alias, value in given.items() if alias in self.fields}
            record = self.contacts.add(key, {"points": 0, **values}, USER)
            record.values |= {name: given[name] for name in ("owner", "stage") if given.get(name)}
            record.extra["tags"] = list(given.get("tags", []))
            made.append(key)
        return {"contacts": made, "users": list(self.users)}

    @locked
    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"do": "edit"|"create"|"delete"|"merge"|"points"|"stage"|"dnc"|"activity", "id", "other",
        "values"}`."""
        do, values = what.get("do", "edit"), what.get("values", {})
        if do == "create":
            return contacts.create(self, values, USER)[0].as_json()
        record = self._living(what["id"])
        if do == "edit":
            record = contacts.edit(self, record, values, USER)
        elif do == "delete":
            self.contacts.remove(record)
            self.events.deleted(record)
        elif do == "merge":
            record = contacts.merged(self, record, self._living(what["other"]))
        elif do == "points":
            contacts.add_points(self, record, "plus", int(what["delta"]), USER)
        elif do == "stage":
            contacts.set_stage(self, record, what.get("stage"), USER)
        elif do == "dnc":
            contacts.set_dnc(self, record, what.get("channel", "email"), what.get("reason", 1), USER)
        elif do == "activity":
            self.note_activity(record, what["event"], what.get("label", ""))
        else:
            raise ValueError(f"do: {do!r} is not known")
        return record.as_json()

    @locked
    def emit(self, what: dict[str, Any]) -> int:
        """`{"type", "payload"}` queues one event of any type, `{"process": true}` sends the queue."""
        if "type" in what:
            self.events.put(what["type"], what.get("payload", {}))
        return self.events.process() if what.get("process") else int("type" in what)

    @locked
    def as_json(self) -> dict[str, Any]:
        return {
            "contacts": self.contacts.as_json(),
            "notes": self.notes,
            "stages": self.stages,
            "users": self.users,
            "webhook": self.events.as_json(),
        }

    def _living(self, key: Any) -> Record:
        record = self.contacts.get(str(key))
        if record is None:
            raise ValueError(f"id: there is no contact {key}")
        return record


def _user(number: int, username: str, first: str, last: str, email: str) -> dict[str, Any]:
    return {"id": number, "username": username, "firstName": first, "lastName": last, "email": email}


def _object(call: Call) -> dict[str, Any]:
    """The body, as JSON or as a form. Raises Refused."""
    if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(call.form)
    try:
        body = call.json() if call.body else {}
    except ValueError:
        raise Refused(refusals.error(400, "Could not decode request body.")) from None
    return body if isinstance(body, dict) else {}
