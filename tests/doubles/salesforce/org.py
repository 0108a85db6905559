"""Salesforce's double itself: tokens, limits, and which path does what.

JWT bearer (RS256, checked when `public_key` is set) and client_credentials, an answer without `expires_in`
and with `instance_url` [V]; upsert 201, 200, 300, and 404 for a value that ends in `.inc` [V]; PATCH by id
204 [V]; `nextRecordsUrl` paging [V]; `Sforce-Limit-Info` on every answer, 403 REQUEST_LIMIT_EXCEEDED without
Retry-After [V]; `convertLead` is no resource [2]. A session lives two hours, as most orgs have it [R].
"""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.doubles import rs256
from tests.doubles.clock import Clock
from tests.doubles.emitting import Emitter
from tests.doubles.records import API, SYSTEM, USER, Book, Record
from tests.doubles.salesforce import collections, leads, queries, refusals
from tests.doubles.salesforce.refusals import BAD_SESSION, DELETED, LIMIT, NOT_FOUND, Trouble
from tests.doubles.system import System, bearer, locked
from tests.doubles.wire import Answer, Call, answer

CONSUMER_KEY, CONSUMER_SECRET = "salesforce-key", "salesforce-secret"
USERNAME = "handoff@salesforce.example"
AUDIENCE = "https://login.salesforce.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFE = 7200
VERSION = re.compile(r"v\d\d\.0")


class Salesforce(System):
    """An org. `leads`, `users`, `opportunities`, `tasks` are its records, by 18-character id."""

    name = "salesforce"
    SETTINGS: dict[str, Any] = {
        "consumer_key": CONSUMER_KEY, "consumer_secret": CONSUMER_SECRET, "username": USERNAME,
        "public_key": "", "audiences": [AUDIENCE, "https://test.salesforce.com"],
        "enforce_limits": False, "daily_limit": 100_000,
        "page_size": 2000, "duplicate_rule": False, "validation_rules": [], "custom_fields": [],
    }  # fmt: skip
    REFUSALS = refusals.KINDS
    ITEM_KINDS = refusals.ITEM_KINDS
    consumer_key: str
    consumer_secret: str
    username: str
    # A PEM; empty accepts any signature.
    public_key: str
    audiences: list[str]
    enforce_limits: bool
    daily_limit: int
    page_size: int
    duplicate_rule: bool
    # {"field", "value" (any if missing), "message"}: what the org's admins forbid.
    validation_rules: list[dict[str, Any]]
    custom_fields: list[str]

    def __init__(self, clock: Clock, emitter: Emitter) -> None:
        super().__init__(clock, emitter)
        self.clear()

    def clear(self) -> None:
        self.leads, self.users, self.opportunities, self.tasks = (Book(self.clock) for _ in range(4))
        self.external_ids = [leads.EXTERNAL_ID]
        self.leads.index(leads.EXTERNAL_ID, "Email")
        self.statuses = list(leads.STATUSES)
        self.usage = 0
        self.cursors: dict[str, tuple[list[dict[str, Any]], int]] = {}
        self.owner_id = self.next_id("005")
        values = {"Name": "Integration", "Email": "integration@salesforce.example", "Username": self.username}
        self.users.add(self.owner_id, {**values, "IsActive": True, "UserType": "Standard"}, SYSTEM)

    @property
    def writable(self) -> set[str]:
        return leads.WRITABLE | set(self.custom_fields)

    def next_id(self, prefix: str) -> str:
        """An id that is nobody's, also where Leads were seeded with theirs."""
        ids = (f"{prefix}5e{number:010d}AAA" for number in self.counter)
        return next(key for key in ids if key not in self.leads.all)

    def long_id(self, key: str) -> str:
        """An id of 15 characters with the rest that makes it one of 18."""
        return key + "AAA" if len(key) == 15 else key

    def living(self, key: str) -> Record:
        """The lead of an id. Raises Trouble: NOT_FOUND, or ENTITY_IS_DELETED for one that was there."""
        record = self.leads.all.get(self.long_id(key))
        if record is None:
            raise NOT_FOUND()
        if record.deleted:
            raise DELETED()
        return record

    def handle(self, call: Call) -> Answer:
        parts = call.parts
        if parts == ["services", "oauth2", "token"]:
            return self._token(call)
        try:
            if self.token_state(bearer(call)) != "good":
                raise BAD_SESSION()
            self.usage += 1
            if self.enforce_limits and self.usage > self.daily_limit:
                raise LIMIT()
            if parts[:2] != ["services", "data"] or len(parts) < 4 or not VERSION.fullmatch(parts[2]):
                raise NOT_FOUND()
            return self._data(call, parts[2], parts[3:])
        except Trouble as trouble:
            return trouble.answer()

    def finish(self, call: Call, given: Answer) -> None:
        if not call.path.startswith("/services/oauth2"):
            given.headers["Sforce-Limit-Info"] = f"api-usage={self.usage}/{self.daily_limit}"

    def _token(self, call: Call) -> Answer:
        form = call.form
        grant = form.get("grant_type")
        if grant == JWT_BEARER:
            wrong = self._wrong_assertion(form.get("assertion", ""))
            if wrong:
                return refusals.oauth("invalid_grant", wrong)
        elif grant == "client_credentials":
            given = form.get("client_id", ""), form.get("client_secret", "")
            scheme, _, basic = call.headers.get("authorization", "").partition(" ")
            if scheme.lower() == "basic":
                key, _, secret = base64.b64decode(basic).decode(errors="replace").partition(":")
                given = key, secret
            if given != (self.consumer_key, self.consumer_secret):
                return refusals.oauth("invalid_client", "invalid client credentials")
        else:
            return refusals.oauth("unsupported_grant_type", "grant type not supported")
        base = f"http://{call.host}/{self.name}"
        token = self.issue_token("00D5e000000EXAM!AQ", LIFE)
        return answer(
            200,
            {
                "access_token": token, "instance_url": base, "token_type": "Bearer", "scope": "api",
                "id": f"{base}/id/00D5e000000EXAMEA2/{self.owner_id}",
            },
        )  # fmt: skip

    def _wrong_assertion(self, assertion: str) -> str:
        """Why a JWT is refused, or ""."""
        try:
            claims = rs256.read(assertion, rs256.public_key(self.public_key) if self.public_key else None)
        except ValueError:
            return "invalid assertion"
        if claims.get("iss") != self.consumer_key:
            return "invalid client credentials"
        if claims.get("aud") not in self.audiences:
            return "audience is invalid"
        if claims.get("sub") != self.username:
            return "user hasn't approved this consumer"
        expires = claims.get("exp")
        if not isinstance(expires, int | float) or not -5 < expires - self.clock.now() <= 305:
            return "expired authorization code"
        return ""

    def _data(self, call: Call, version: str, rest: list[str]) -> Answer:
        if rest[0] == "sobjects" and rest[1:2] == ["Lead"]:
            return self._lead(call, version, rest[2:])
        if rest == ["sobjects", "Task"] and call.method == "POST":
            return self._task(_object(call))
        if rest[:2] == ["composite", "sobjects"]:
            return self._collection(call, version, rest[2:])
        if rest[0] in ("query", "queryAll") and call.method == "GET":
            if len(rest) == 2:
                return answer(200, queries.next_page(self, rest[0], version, rest[1]))
            return answer(200, queries.query(self, call, version, deleted=rest[0] == "queryAll"))
        if rest == ["limits"] and call.method == "GET":
            remaining = max(0, self.daily_limit - self.usage)
            return answer(200, {"DailyApiRequests": {"Max": self.daily_limit, "Remaining": remaining}})
        # Also /actions/standard/convertLead, which much sample code calls.
        raise NOT_FOUND()

    def _lead(self, call: Call, version: str, rest: list[str]) -> Answer:
        method = call.method
        if not rest and method == "POST":
            values = leads.checked(self, None, _object(call), call, by_external_id=False)
            record = self.leads.add(self.next_id("00Q"), values, API)
            return answer(201, {"id": record.id, "success": True, "errors": []})
        if rest == ["describe"] and method == "GET":
            return answer(200, queries.described(self))
        if len(rest) == 2:
            return self._by_external_id(call, version, *rest)
        if len(rest) != 1:
            raise NOT_FOUND()
        record = self.living(rest[0])
        if method == "GET":
            return answer(200, leads.shown(record, self._wanted(call), version=version))
        if method == "DELETE":
            self.leads.remove(record)
            return Answer(204)
        if method == "PATCH":
            self.leads.write(
                record, leads.checked(self, record, _object(call), call, by_external_id=False), API
            )
            return Answer(204)
        raise Trouble(
            405,
            "METHOD_NOT_ALLOWED",
            f"HTTP Method '{method}' not allowed. Allowed are HEAD,GET,PATCH,DELETE",
        )

    def _task(self, values: dict[str, Any]) -> Answer:
        """A Task on a lead that lives and was not converted, or on the contact that one became [R]."""
        unknown = [name for name in values if name not in queries.TASK_FIELDS]
        if unknown:
            raise Trouble(400, "INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type Task")
        who = str(values.get("WhoId") or "")
        if len(str(values.get("Subject") or "")) > 255:
            raise Trouble(400, "STRING_TOO_LONG", "Subject: data value too large (max length=255)")
        if not who.startswith("003") and self.living(who).values.get("IsConverted"):
            raise refusals.CONVERTED()
        made = self.tasks.add(self.next_id("00T"), values, API)
        return answer(201, {"id": made.id, "success": True, "errors": []})

    def _by_external_id(self, call: Call, version: str, external: str, key: str) -> Answer:
        # The end of the path is taken for a file's extension.
        if key.lower().endswith(".inc"):
            raise NOT_FOUND()
        found = collections.matched(self, external, key)
        if len(found) > 1:
            return answer(300, [f"/services/data/{version}/sobjects/Lead/{record.id}" for record in found])
        if call.method == "GET" and found:
            return answer(200, leads.shown(found[0], self._wanted(call), version=version))
        if call.method != "PATCH":
            raise NOT_FOUND()
        record = found[0] if found else None
        if record is None and call.query.get("updateOnly") == "true":
            raise NOT_FOUND()
        values = leads.checked(self, record, _object(call), call, by_external_id=True)
        if record is None:
            record = self.leads.add(self.next_id("00Q"), {external: key, **values}, API)
            return answer(201, {"id": record.id, "success": True, "errors": [], "created": True})
        self.leads.write(record, values, API)
        return answer(200, {"id": record.id, "success": True, "errors": [], "created": False})

    def _collection(self, call: Call, version: str, rest: list[str]) -> Answer:
        if rest == ["Lead"] and call.method in ("GET", "POST"):
            if call.method == "GET":
                ids, names = (call.query.get(name, "").split(",") for name in ("ids", "fields"))
            else:
                body = _object(call)
                ids, names = body.get("ids", []), body.get("fields", [])
            return collections.read(self, ids, names, version)
        if rest and rest[0] == "Lead" and len(rest) == 2 and call.method == "PATCH":
            if rest[1] not in self.external_ids:
                raise refusals.NO_MATCH()
            return collections.write(self, call, _object(call), rest[1])
        if not rest and call.method in ("PATCH", "POST"):
            return collections.write(self, call, _object(call), "", insert=call.method == "POST")
        raise NOT_FOUND()

    def _wanted(self, call: Call) -> list[str]:
        asked = call.query.get("fields", "")
        names = asked.split(",") if asked else sorted(self.writable | leads.READ_ONLY)
        queries.check_names(self, "Lead", names)
        return names

    @locked
    def convert(self, lead_id: str, opportunity: dict[str, Any] | None = None) -> dict[str, Any]:
        """Convert a lead as a user does: with an opportunity of these fields, or without one for None."""
        record = self.living(lead_id)
        made = None
        if opportunity is not None:
            made = str(opportunity.get("Id") or self.next_id("006"))
            name = str(record.values.get("Company"))
            values = {"Name": name, "StageName": "Prospecting", "IsWon": False, "IsClosed": False}
            given = {field: value for field, value in opportunity.items() if field != "Id"}
            self.opportunities.add(made, {**values, **given}, USER)
        self.leads.write(
            record,
            {
                "IsConverted": True,
                "Status": next(name for name, converted, _ in self.statuses if converted),
                "ConvertedDate": self.clock.moment().date().isoformat(),
                "ConvertedOpportunityId": made,
                "ConvertedAccountId": self.next_id("001"),
                "ConvertedContactId": self.next_id("003"),
            },
            USER,
        )
        return record.as_json()

    @locked
    def seed(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"leads": [{"Id"?, **fields}], "users": [{"Id"?, "Email", ...}], "statuses": [[name, converted,
        default]], "generate": n, "settings": {...}}`; the ids made. Two leads may have one external id, as in
        a real mess."""
        self.configure(**what.get("settings", {}))
        if "statuses" in what:
            self.statuses = [
                (str(name), bool(converted), bool(first)) for name, converted, first in what["statuses"]
            ]
        people = [
            {
                "LastName": f"Generated{n}",
                "Company": f"Company {n % 997}",
                "Email": f"person{n}@company{n % 997}.example",
            }
            for n in range(what.get("generate", 0))
        ]
        first = {
            "Status": next(name for name, _, default in self.statuses if default),
            "OwnerId": self.owner_id,
        }
        made: dict[str, list[str]] = {"leads": [], "users": []}
        for given in [*what.get("leads", []), *people]:
            key = str(given.get("Id") or self.next_id("00Q"))
            self.leads.add(
                key, {**first, **{name: value for name, value in given.items() if name != "Id"}}, USER
            )
            made["leads"].append(key)
        for given in what.get("users", []):
            key = str(given.get("Id") or self.next_id("005"))
            values = {name: value for name, value in given.items() if name != "Id"}
            self.users.add(key, {"IsActive": True, "UserType": "Standard", **values}, USER)
            made["users"].append(key)
        return made

    @locked
    def act(self, what: dict[str, Any]) -> dict[str, Any]:
        """`{"do": "edit"|"create"|"delete"|"undelete"|"merge"|"convert"|"opportunity", "id", "other",
        "values"}`."""
        do, values = what.get("do", "edit"), what.get("values", {})
        if do == "create":
            return self.leads[self.seed({"leads": [values]})["leads"][0]].as_json()
        if do == "convert":
            return self.convert(what["id"], what.get("opportunity"))
        if do == "opportunity":
            record = self.opportunities[what["id"]]
            self.opportunities.write(record, values, USER)
            return record.as_json()
        record = self.leads[self.long_id(what["id"])]
        if do == "edit":
            self.leads.write(record, values, USER)
        elif do == "delete":
            self.leads.remove(record)
        elif do == "undelete":
            record.deleted, record.modified = False, self.clock.now()
        elif do == "merge":
            other = self.leads[self.long_id(what["other"])]
            given = {
                name: value for name, value in other.values.items() if record.values.get(name) in (None, "")
            }
            self.leads.write(record, given, USER)
            self.leads.remove(other, merged_into=record.id)
        else:
            raise ValueError(f"do: {do!r} is not known")
        return record.as_json()

    @locked
    def as_json(self) -> dict[str, Any]:
        return {
            "leads": self.leads.as_json(), "users": self.users.as_json(),
            "opportunities": self.opportunities.as_json(), "tasks": self.tasks.as_json(),
            "usage": self.usage,
        }  # fmt: skip


def _object(call: Call) -> dict[str, Any]:
    """The body as an object. Raises Trouble."""
    try:
        body = call.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Trouble(400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]")
    return body
