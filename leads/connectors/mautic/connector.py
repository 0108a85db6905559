"""Mautic as the rest of the project sees it: one connection's reading, writing, notes, erasure and choices.

Owns the usual mapping, the options and secrets, and which room does what. Sources: Mautic's developer
documentation and source (5.1); points marked [R] in the notes on integrations were never seen live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from leads.connectors import noting, signatures
from leads.connectors.base import (
    Arrived,
    Changes,
    Denied,
    Offered,
    Pushed,
    Seen,
    Values,
    failed,
    forgotten_ids,
)
from leads.connectors.client import Http, Unreachable
from leads.connectors.keeping import Keeper
from leads.connectors.mapping import Map
from leads.connectors.mautic import contacts, hooks, streams, writing
from leads.connectors.mautic.calls import Caller, entries
from leads.connectors.mautic.contacts import OBJECT
from leads.connectors.options import Option
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result, Wanted


def _status(name: str, stage: str, tag: str = "") -> dict[str, str]:
    return {"handoff_status": name, "stage": stage, "tags": tag}


USUAL = Map(
    fields={
        "handoff_id": "handoff_id",
        "revision": "handoff_revision",
        "reason": "handoff_reason",
        "deferred_until": "handoff_deferred_until",
        "changed_at": "handoff_updated_at",
    },
    statuses={
        "pending": _status("pending", "MQL", "mql"),
        "accepted": _status("accepted", "SAL", "sal"),
        "contacted": _status("contacted", "SAL", "sal"),
        "deferred": _status("deferred", "Nurture", "nurture"),
        "rejected": _status("rejected", "Recycled", "rejected"),
        "opportunity": _status("opportunity", "SQL", "sql"),
        "disqualified": _status("disqualified", "Recycled", "disqualified"),
        "closed": _status("closed", "Recycled"),
    },
    facts={
        "lead.email": "email",
        "lead.first_name": "firstname",
        "lead.last_name": "lastname",
        "lead.job_title": "position",
        "lead.phone": "phone",
        "lead.country_code": "country",
        "company.name": "company",
        "company.industry": "companyindustry",
        "company.employee_count": "companynumber_of_employees",
        "score.total": "points",
    },
)
# What an anonymised contact no longer says, beside the mapped facts.
PERSONAL = (
    "title", "firstname", "lastname", "company", "position", "email", "mobile", "phone", "fax", "address1",
    "address2", "city", "zipcode", "website", "facebook", "linkedin", "twitter", "instagram", "foursquare",
)  # fmt: skip
FETCHED_AT_ONCE = 50
PAGE = 100


class Mautic(Keeper):
    """One Mautic instance.

    Secrets: `client_id` and `client_secret` (OAuth2 client credentials), or `username` and `password` (basic
    auth, which then is what is used); `webhook_secret` signs what it sends. Options: see OPTIONS.
    The mapping's status fields are custom fields, `stage` (by name) and `tags` (commas between).
    """

    batch = 50
    USUAL = USUAL
    OPTIONS = (
        Option(
            "creates",
            "Make contacts",
            "A lead without a contact there gets one when its handoff changes.",
            kind="flag",
            default=False,
        ),
        Option(
            "forms",
            "High-intent forms",
            "One a line: a form's id or alias = demo_request or pricing_inquiry. Other forms are activities.",
            kind="list",
            default=(),
        ),
        Option(
            "pricing_pages",
            "Pricing pages",
            "One a line: a part of the address, such as /pricing. A hit there is a pricing view.",
            kind="list",
            default=("/pricing",),
        ),
        Option("activities", "Log contacts and notes there", kind="flag", default=False),
        Option(
            "forget",
            "When a person is erased",
            "What is done with the contact.",
            kind="choice",
            default="delete",
            choices={"delete": "Delete the contact", "anonymise": "Empty its personal fields"},
        ),
        Option(
            "owns",
            "Owner of",
            "One a line: facts, such as lead.phone, that others do not overwrite once they were said here.",
            kind="list",
            default=(),
        ),
        Option("poll_minutes", "Minutes between polls", "0 polls never.", kind="number", default=5),
        Option("poll_days", "Days that the first poll looks back", kind="number", default=1),
    )
    SECRETS = (
        Option("client_id", "Client id", "Of API credentials with the grant client_credentials."),
        Option("client_secret", "Client secret"),
        Option("username", "User", "For basic auth instead, where it is enabled."),
        Option("password", "Password"),
        Option("webhook_secret", "Webhook secret", "As set at the webhook in Mautic."),
    )

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self.caller = Caller(connection, http, self.secrets)
        # A batch is one call, and one more for each contact whose stage changes.
        self.calls = int(any(values.get(contacts.STAGE) for values in self.mapping.statuses.values()))

    @cached_property
    def _writing(self) -> writing.Writing:
        return writing.Writing(
            self.caller, self.mapping, self.options, self.connection.id_system, lambda: self.has_time
        )

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        return self._writing.push(wanted)

    def expected(self, wanted: Wanted) -> Values:
        return writing.expected(wanted, self.mapping)

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        known = {want.lead_id: want.ids.get((self.connection.id_system, OBJECT), "") for want in wanted}
        ids = list(dict.fromkeys(value for value in known.values() if value))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(ids), FETCHED_AT_ONCE):
            some = ids[start : start + FETCHED_AT_ONCE]
            params = {"search": f"ids:{','.join(some)}", "limit": str(FETCHED_AT_ONCE)}
            for contact in entries(self.caller.get("/contacts", params).get("contacts")):
                found[contacts.id_of(contact)] = contact
        records: dict[int, list[Seen]] = {}
        for want in wanted:
            remote_id = known[want.lead_id]
            if not remote_id:
                by_address = self._writing.search(want.email)
                if isinstance(by_address, Outcome):
                    raise Unreachable(by_address.error)
                records[want.lead_id] = [contacts.seen(one, self.mapping) for one in by_address]
            elif remote_id in found:
                records[want.lead_id] = [contacts.seen(found[remote_id], self.mapping)]
            else:
                records[want.lead_id] = [self.missing(remote_id)]
        return records

    def missing(self, remote_id: str) -> Seen:
        """What became of a contact that no list has: merged into another, or deleted."""
        answer = self.caller.call("GET", f"/contacts/{remote_id}")
        if answer.status == 404:
            return Seen(OBJECT, remote_id, {}, is_deleted=True)
        if answer.status != 200:
            raise Unreachable(f"/contacts answered {answer.status}.")
        there = contacts.seen(answer.json()["contact"], self.mapping)
        if there.remote_id == remote_id:
            return there
        return Seen(
            OBJECT, remote_id, there.values, there.email, there.changed_at, there.changed_by,
            merged_into=there.remote_id,
        )  # fmt: skip

    def changes(self, cursor: Mapping[str, Any], now: datetime) -> Changes:
        page = streams.page(self.caller, cursor, now, PAGE, int(self.options.get("poll_days") or 1))
        reader = hooks.Reader(self.connection, self.mapping, self.options)
        return Changes(
            events=[event for contact in page.contacts for event in reader.restated(contact)],
            records=[contacts.seen(contact, self.mapping) for contact in page.contacts],
            cursor=page.cursor,
            is_more=page.is_more,
        )

    def identify(self, arrived: Arrived, now: datetime) -> str:
        secret = self.secrets.get("webhook_secret", "")
        if not secret:
            raise signatures.Refused("no secret is set for what it sends")
        signatures.verify_mautic(secret, arrived.headers.get("webhook-signature", ""), arrived.body)
        return hooks.identity(arrived.body)

    def translate(self, body: bytes, identity: str, received_at: datetime) -> list[dict[str, Any]]:
        return hooks.Reader(self.connection, self.mapping, self.options, self.missing).events(
            body, received_at
        )

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [self._note(delivery) for delivery in deliveries]

    def _note(self, delivery: Delivery) -> Outcome:
        """One note, unless it stands there already."""
        if not self.has_time:
            return Outcome(Result.LEFT)
        said = noting.said(delivery, self.connection)
        if said is None:
            return Outcome(Result.DONE, request="Nothing: what it told of was taken back or erased.")
        if not said.remote_id:
            return Outcome(Result.PERMANENT, error="There is no record of this lead to note it on.")
        request = f"POST notes/new for contact {said.remote_id}, {said.marker}"
        there = self.caller.call(
            "GET",
            f"/contacts/{said.remote_id}/notes",
            params={"search": said.marker, "limit": "100", "orderBy": "id", "orderByDir": "desc"},
        )
        if there.status != 200:
            return writing.told(there, request)
        if any(said.marker in str(note.get("text")) for note in entries(there.json().get("notes"))):
            return Outcome(Result.DONE, status=there.status, request=f"{request}: it stands there already.")
        data = {"lead": int(said.remote_id), "text": said.text, "type": said.kind, "dateTime": said.at}
        return writing.told(self.caller.call("POST", "/notes/new", data=data), request)

    def forget(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [self._forget(delivery) for delivery in deliveries]

    def _forget(self, delivery: Delivery) -> Outcome:
        outcome = Outcome(Result.DONE, request="Nothing: no contact of this person is known.")
        for kind, remote_id in forgotten_ids(delivery):
            if kind not in (OBJECT, ""):
                continue
            if not self.has_time:
                return Outcome(Result.LEFT)
            try:
                outcome = self._forget_one(remote_id)
            except Denied:
                raise
            except Unreachable as error:
                outcome = failed(error, f"forget contact {remote_id}")
            if outcome.result != Result.DONE:
                return outcome
        return outcome

    def _forget_one(self, remote_id: str) -> Outcome:
        if self.options.get("forget") == "anonymise":
            names = dict.fromkeys([*PERSONAL, *self._personal_facts()], "")
            request = f"PATCH contact {remote_id}, personal fields emptied"
            answer = self.caller.call(
                "PATCH", f"/contacts/{remote_id}/edit", data={**names, "overwriteWithBlank": True}
            )
        else:
            request = f"DELETE contact {remote_id}"
            answer = self.caller.call("DELETE", f"/contacts/{remote_id}/delete")
        if answer.status == 404:
            return Outcome(Result.DONE, status=404, request=f"{request}: it is gone already.")
        outcome = writing.told(answer, request)
        # The answer to a deletion has the whole contact in it.
        return Outcome(
            outcome.result,
            outcome.status,
            outcome.error,
            outcome.retry_after,
            request,
            "",
            answer.milliseconds,
        )

    def _personal_facts(self) -> list[str]:
        return [alias for name, alias in self.mapping.facts.items() if name.startswith("lead.") and alias]

    def offered(self) -> Offered:
        fields, statuses = {}, {}
        for field in self.caller.listed("/fields/contact", "fields"):
            alias = contacts.clean(field.get("alias"))
            fields[alias] = contacts.clean(field.get("label"))
            choices = field.get("properties")
            listed = entries(choices.get("list")) if isinstance(choices, dict) else []
            if listed:
                statuses[alias] = {str(one.get("value")): str(one.get("label")) for one in listed}
        fields |= {contacts.STAGE: "Stage", contacts.TAGS: "Tags", contacts.OWNER: "Owner"}
        stages = {
            str(one["id"]): contacts.clean(one.get("name")) for one in self.caller.listed("/stages", "stages")
        }
        statuses[contacts.STAGE] = {name: name for name in stages.values()}
        return Offered(fields, statuses, self._owners(), stages)

    def _owners(self) -> dict[str, str]:
        """Users by address; none where the credentials may not read them."""
        try:
            users = list(self.caller.listed("/users", "users"))
        except Denied:
            raise
        except Unreachable:
            return {}
        return {str(user.get("email")).lower(): str(user["id"]) for user in users if user.get("email")}

    def check(self) -> str:
        answer = self.caller.call("GET", "/contacts", params={"limit": "1"})
        if answer.status != 200:
            raise Unreachable(writing.told(answer, "").error)
        version = answer.headers.get("mautic-version", "")
        total = contacts.clean(answer.json().get("total"), 20) or "0"
        return (
            f"Mautic {version} answered: {total} contacts." if version else f"It answered: {total} contacts."
        )
