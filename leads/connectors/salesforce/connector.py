"""Salesforce as the rest of the project sees it: one org's Leads, their conversion, Tasks and choices.

Owns the options and secrets, and which room does what. It sends us nothing: what changes there is polled.
Tried against a double that was made from Salesforce's documentation (68.0); never run against a live org.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from leads.connectors.base import Changes, Offered, Pushed, Seen, Values
from leads.connectors.client import Http
from leads.connectors.keeping import Keeper
from leads.connectors.options import Option
from leads.connectors.salesforce import following, noting, opportunities, people, sessions
from leads.connectors.salesforce.calling import USUAL_SPARE, Calls
from leads.connectors.salesforce.finding import Place, dead, find, read
from leads.connectors.salesforce.records import Row, asked, compared, rows, same, seen
from leads.connectors.salesforce.usual import EXTERNAL_ID, OBJECT, STATUS, USUAL, as_compared
from leads.connectors.salesforce.writing import MOST, Writing
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result, Wanted
from leads.outbox.wanted import Status


class Salesforce(Keeper):
    """One Salesforce org.

    Secrets: `client_id` of an External Client App with `client_secret` (client credentials; the base address
    is then the org's My Domain), or with `username` and `private_key` (JWT bearer). Options: see OPTIONS.
    Leads need the custom fields Handoff_Id__c (text, external id, unique), Handoff_Status__c and
    Handoff_Reason__c (text), Handoff_Number__c and Handoff_Revision__c (number),
    Handoff_Deferred_Until__c and Handoff_First_Contact_At__c (date and time).
    """

    USUAL = USUAL
    batch = MOST
    # A batch is looked up and written in two calls, up to six where Leads are found for the first time.
    calls = 0
    OPTIONS = (
        Option(
            "creates",
            "Make Leads",
            "A lead without a Lead there gets one when its handoff changes.",
            kind="flag",
            default=True,
        ),
        Option(
            "audience",
            "Where it signs in",
            "A sandbox has an address of its own.",
            kind="choice",
            default=sessions.LOGIN,
            choices={sessions.LOGIN: "Production", sessions.SANDBOX: "Sandbox"},
        ),
        Option(
            "spare",
            "Calls left to others, in percent",
            "Of the calls that the org may make in 24 hours. When only these are left, Handoff waits.",
            kind="number",
            default=USUAL_SPARE,
        ),
        Option(
            "opportunities",
            "Take opportunities",
            "Of Leads that were converted there and whose lead is known here.",
            kind="flag",
            default=True,
        ),
        Option(
            "currency",
            "Currency of the org",
            "Such as EUR. Empty: each opportunity's own, which orgs with several currencies have.",
        ),
        Option(
            "activities", "Log contacts and notes there", "As completed Tasks.", kind="flag", default=False
        ),
        Option(
            "forget",
            "When a person is erased",
            "What is done with the Lead. A deleted one stays in the recycle bin for 15 days.",
            kind="choice",
            default="delete",
            choices={"delete": "Delete the Lead", "anonymise": "Empty its personal fields"},
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
        Option("client_id", "Consumer key", "Of an External Client App."),
        Option("client_secret", "Consumer secret", "For the client credentials flow."),
        Option("username", "User", "For the JWT bearer flow: whom the integration acts as."),
        Option("private_key", "Private key", "For the JWT bearer flow: RSA, as PEM, without a passphrase."),
    )

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self.api = Calls(connection, http, self.options, self.secrets)

    @cached_property
    def reader(self) -> people.Reader:
        return people.Reader(
            mapping=self.mapping,
            source=f"/connections/{self.connection.slug}",
            id_system=self.connection.id_system,
            name=self.connection.name,
            currency=str(self.options.get("currency") or "").strip().upper(),
            takes_new=self.connection.role in (Connection.Role.MAP, Connection.Role.BOTH),
        )

    @cached_property
    def _writing(self) -> Writing:
        return Writing(self.api, self.mapping, self.options, self.connection.id_system, self.expected)

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        return self._writing.push(wanted)

    def expected(self, wanted: Wanted) -> Values:
        found = super().expected(wanted)
        return {name: as_compared(name, value, self.mapping) for name, value in found.items()}

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        places = find(self.api, wanted, self.connection.id_system, self.mapping, all_of_them=True)
        lost = {place.known for place in places if place.known and not _is_shown(place.known, place)}
        gone = {row.id[:15]: row for row in dead(self.api, lost)} if lost else {}
        return {place.want.lead_id: self._seen(place, gone) for place in places}

    def _seen(self, place: Place, gone: Mapping[str, Row]) -> list[Seen]:
        found: list[Seen] = []
        for row in [*([place.row] if place.row else []), *place.others]:
            frozen = row.is_converted and place.want.status == Status.OPPORTUNITY
            said = self.expected(place.want) if frozen else None
            asked_by = place.known if same(place.known, row.id) else ""
            found.append(seen(row, self.mapping, asked=asked_by, frozen=said))
        if place.known and not _is_shown(place.known, place):
            lost = gone.get(place.known[:15])
            master = lost.master if lost else ""
            found.insert(0, Seen(OBJECT, place.known, {}, is_deleted=not master, merged_into=master))
        return found

    def changes(self, cursor: Mapping[str, Any], now: datetime) -> Changes:
        tables = [OBJECT, *([opportunities.TABLE] if self.options.get("opportunities", True) else [])]
        table = next((one for one in tables if one == cursor.get("table")), OBJECT)
        days = int(self.options.get("poll_days") or 1)
        names = asked(self.mapping, facts=True)
        if table == opportunities.TABLE:
            names = opportunities.fields(self.api, self.reader)
        page = following.page(self.api, table, names, cursor.get(table, {}), now, days)
        left = tables[tables.index(table) + page.is_last :]
        after = {**cursor, table: page.cursor, "table": (left or tables)[0]}
        if table == opportunities.TABLE:
            events = opportunities.changed(self.api, self.reader, self.mapping, page.rows)
            return Changes(events, [], after, bool(left))
        events, shown = self._leads(rows(list(page.rows)), has_opportunities=len(tables) > 1)
        return Changes(events, shown, after, bool(left))

    def _leads(
        self, found: Sequence[Row], *, has_opportunities: bool
    ) -> tuple[list[people.Event], list[Seen]]:
        """What these Leads say, and how they stand; those of a CRM alone only where they are known here."""
        if not self.reader.takes_new:
            ours = opportunities.known({row.id for row in found}, self.connection.id_system)
            found = [row for row in found if row.id in ours]
        living = [row for row in found if not row.is_deleted]
        events = [event for row in living for event in self.reader.events(row)]
        merged = read(self.api, [row.id for row in found if row.master], self.mapping)
        for row in found:
            if row.is_deleted:
                kept = merged.get(row.id[:15])
                events += self.reader.gone(row, kept.id if kept else "")
        converted = [row for row in living if row.is_converted]
        if converted and has_opportunities:
            events += opportunities.of_leads(self.api, self.reader, converted)
        events.sort(key=lambda event: str(event["time"]))
        return events, [seen(row, self.mapping) for row in living]

    def offered(self) -> Offered:
        fields = self._fields()
        query = "SELECT ApiName, MasterLabel, IsConverted FROM LeadStatus"
        statuses = {
            name: {str(one.get("value")): str(one.get("label")) for one in fields[name]["picklistValues"]}
            for name in self.mapping.status_fields
            if name in fields and fields[name].get("picklistValues")
        }
        # The converted ones can be set by nobody but by converting.
        statuses[STATUS] = {
            str(one.get("ApiName")): str(one.get("MasterLabel"))
            for one in self.api.query(query)
            if not one.get("IsConverted")
        }
        users = "SELECT Id, Email FROM User WHERE IsActive = true AND UserType = 'Standard'"
        owners = {
            str(one["Email"]).lower(): str(one["Id"]) for one in self.api.query(users) if one.get("Email")
        }
        labels = {name: str(one.get("label") or name) for name, one in fields.items()}
        return Offered(labels, statuses, owners)

    def _fields(self) -> dict[str, dict[str, Any]]:
        described = self.api.get(f"/sobjects/{OBJECT}/describe")
        return {str(one["name"]): one for one in described.get("fields") or ()}

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [
            noting.post(self.api, one, self.connection, self.mapping)
            if self.has_time
            else Outcome(Result.LEFT)
            for one in deliveries
        ]

    def forget(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        empties = self.options.get("forget") == "anonymise"
        return [
            noting.forget(self.api, one, self.mapping, empties=empties)
            if self.has_time
            else Outcome(Result.LEFT)
            for one in deliveries
        ]

    def check(self) -> str:
        """Reads what a Lead has: what is missing there shows before anything is written."""
        fields = self._fields()
        wanted = [EXTERNAL_ID, *compared(self.mapping)]
        missing = [name for name in wanted if name not in fields]
        used, most = self.api.usage
        words = (
            f"It answers; {used} of {most} calls of the last 24 hours are used." if most else "It answers."
        )
        if missing:
            return f"{words} Leads lack these fields: {', '.join(missing)}."
        if not fields[EXTERNAL_ID].get("externalId"):
            return f"{words} {EXTERNAL_ID} must be an external id."
        return f"{words} Leads have all {len(wanted)} fields that are written."


def _is_shown(known: str, place: Place) -> bool:
    """Whether the Lead that we know of is among those that were found."""
    there = [*([place.row] if place.row else []), *place.others]
    return any(same(known, row.id) for row in there)
