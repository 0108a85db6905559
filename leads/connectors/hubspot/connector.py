"""HubSpot as the rest of the project sees it, as marketing platform, as CRM, or as both.

Owns the options and secrets, and which room does what. Tried against a double that was made from HubSpot's
documentation and specifications (2026-09); never run against a live account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from leads.connectors import signatures
from leads.connectors.base import Arrived, Changes, Offered, Pushed, Seen, Values
from leads.connectors.client import Http
from leads.connectors.hubspot import deals, following, hooks, noting, people, sales_leads, writing
from leads.connectors.hubspot.calling import Calls, crm
from leads.connectors.hubspot.finding import KIND, OBJECT, OPTED_OUT, Place, compared, find, seen
from leads.connectors.hubspot.records import Record, read
from leads.connectors.hubspot.usual import LEAD_STAGE, LEADS, OWNER, STAGE, STAGES, expected, mapping_of
from leads.connectors.keeping import Keeper
from leads.connectors.mapping import Map
from leads.connectors.options import Option
from leads.models import Connection, Delivery
from leads.outbox import Outcome, Result, Wanted
from leads.outbox.wanted import Status

MOST_OWNERS = 10_000
LEFT = Outcome(Result.LEFT)


class HubSpot(Keeper):
    """One HubSpot account.

    Secrets: `service_key`, or `client_id`, `client_secret` and `refresh_token` of an app; the app's
    `client_secret` also signs what HubSpot sends. Options: see OPTIONS. Names of score properties go into the
    mapping's facts. Contacts need the custom properties handoff_external_id (text, unique), handoff_id and
    handoff_revision (number), handoff_status and handoff_reason (text), handoff_deferred_until,
    handoff_first_contact_at and handoff_updated_at (date and time); Lead objects, where they are used,
    handoff_external_id (text, unique).
    """

    batch = 100
    # A batch is looked up and written in two calls, three where a stage goes back.
    calls = 0
    OPTIONS = (
        Option(
            "creates",
            "Make contacts",
            "A lead without a contact there gets one when its handoff changes.",
            kind="flag",
            default=False,
        ),
        Option(
            "lead_object",
            "Keep Lead objects",
            "Needs Sales Hub Professional: one for each handoff, from when somebody has it.",
            kind="flag",
            default=False,
        ),
        Option("lead_pipeline", "Pipeline of Lead objects", "Its id; the account's usual one where empty."),
        Option(
            "kept_stages",
            "Lifecycle stages that are kept",
            "A contact at one of these keeps it whatever its handoff does.",
            kind="list",
            default=writing.KEPT_STAGES,
            choices={stage: stage for stage in STAGES},
        ),
        Option(
            "mql_flag",
            "Take marketing-qualified as a flag",
            "Somebody there who sets the lifecycle stage marketingqualifiedlead flags the lead here.",
            kind="flag",
            default=False,
        ),
        Option(
            "forms",
            "High-intent forms",
            "One a line: a form's name = demo_request or pricing_inquiry. Other forms are activities.",
            kind="list",
            default=(),
        ),
        Option(
            "deals",
            "Take deals as opportunities",
            "Of contacts whose lead is known here.",
            kind="flag",
            default=True,
        ),
        Option("activities", "Log contacts and notes there", kind="flag", default=False),
        Option(
            "portal_id",
            "Account id",
            "What HubSpot sends of other accounts is passed over. Any account where empty.",
        ),
        Option(
            "takes_v1",
            "Take signatures of version 1",
            "They have no time, so a call can be replayed. Only for subscriptions that are signed no better.",
            kind="flag",
            default=False,
        ),
        Option(
            "time_zone",
            "Time zone of the account",
            "Such as Europe/Berlin: the daily limit of calls ends at its midnight.",
            default="UTC",
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
        Option("service_key", "Service key", "Begins with pat-. Or the three of an app:"),
        Option("client_id", "Client id"),
        Option("client_secret", "Client secret", "Also checks the signatures of what HubSpot sends."),
        Option("refresh_token", "Refresh token"),
    )

    def __init__(self, connection: Connection, http: Http) -> None:
        super().__init__(connection, http)
        self.api = Calls(connection, http, self.options, self.secrets)

    @cached_property
    def mapping(self) -> Map:
        return mapping_of(self.connection)

    @cached_property
    def reader(self) -> people.Reader:
        return people.Reader(
            mapping=self.mapping,
            source=f"/connections/{self.connection.slug}",
            id_system=self.connection.id_system,
            forms=people.high_intent(self.options.get("forms")),
            takes_flags=bool(self.options.get("mql_flag")),
        )

    @property
    def _takes_new(self) -> bool:
        """Whether a contact that nobody here knows becomes a lead: those of a CRM alone do not."""
        return self.connection.role != Connection.Role.CRM

    @property
    def _has_deals(self) -> bool:
        return bool(self.options.get("deals", True))

    def push(self, wanted: Sequence[Wanted], now: datetime) -> list[Pushed]:
        return writing.push(self.api, wanted, self.mapping, self.connection.id_system, self.options)

    def expected(self, wanted: Wanted) -> Values:
        values = expected(wanted, self.mapping)
        if sales_leads.begins(wanted) or wanted.status in (Status.REJECTED, Status.DISQUALIFIED):
            return values
        # Nobody had it, so there is no Lead object.
        return {name: value for name, value in values.items() if not name.startswith(LEADS)}

    def keeps(self, seen: Seen) -> Collection[str]:
        """A customer stays one: such a stage is not set back by a push."""
        return (STAGE,) if writing.keeps_stage(seen.values.get(STAGE, ""), self.options) else ()

    def fetch(self, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        names = ["email", OPTED_OUT, *compared(self.mapping)]
        told = [name for name in (*self.mapping.status_fields, OWNER) if not name.startswith(LEADS)]
        places = find(self.api, wanted, self.connection.id_system, names, told=told)
        # Of somebody whose contact is known there may be another one with their address.
        emails = {place.want.email for place in places if place.known and place.want.email}
        others = read(self.api, KIND, emails, names, by="email", told=told)
        leads = self._leads([place.want for place in places])
        return {place.want.lead_id: self._seen(place, others, leads) for place in places}

    def _leads(self, wanted: Sequence[Wanted]) -> Mapping[int, Record]:
        if not self.options.get("lead_object"):
            return {}
        names = sales_leads.names_of(self.mapping)
        return sales_leads.of_handoffs(self.api, [want.handoff_id for want in wanted], names)

    def _seen(self, place: Place, others: Mapping[str, Record], leads: Mapping[int, Record]) -> list[Seen]:
        want = place.want
        lead = leads.get(want.handoff_id)
        also = sales_leads.values(lead, self.mapping) if lead else {}
        found: list[Seen] = []
        by_id = place.record
        if by_id is not None and place.known not in ("", by_id.id, *by_id.merged):
            # It was found by address: the one that was known is gone.
            found.append(Seen(OBJECT, place.known, {}, is_deleted=True))
            found.append(seen(by_id, self.mapping, lead=also))
        elif by_id is not None:
            found.append(seen(by_id, self.mapping, asked=place.known, lead=also))
        elif place.known:
            found.append(Seen(OBJECT, place.known, {}, is_deleted=True))
        other = others.get(want.email)
        if other is not None and (by_id is None or other.id != by_id.id):
            found.append(seen(other, self.mapping))
        return found

    def changes(self, cursor: Mapping[str, Any], now: datetime) -> Changes:
        kinds = [KIND, *([deals.KIND] if self._has_deals else [])]
        kind = next((one for one in kinds if one == cursor.get("kind")), KIND)
        days = int(self.options.get("poll_days") or 1)
        page = following.page(self.api, kind, cursor.get(kind, {}), now, days)
        left = kinds[kinds.index(kind) + page.is_last :]
        after = {**cursor, kind: page.cursor, "kind": (left or kinds)[0]}
        is_more = bool(left)
        ids = {record.id for record in page.records}
        if kind == deals.KIND:
            return Changes(deals.events(self.api, self.reader, ids), [], after, is_more)
        merges = following.merges(page.records, self.connection.id_system)
        if not self._takes_new:
            ids = deals.known(ids, self.connection.id_system) | {kept for kept, _, _ in merges}
        names = sorted({*self.reader.names, *compared(self.mapping)})
        records = read(self.api, KIND, ids, names, told=names)
        contacts = list({record.id: record for record in records.values()}.values())
        # Merges before facts: what the kept contact says is said of one lead then.
        told = [
            hooks.merged(self.reader, kept, gone, at, records.get(kept))
            for kept, gone, at in merges
            if kept in records
        ]
        return Changes(
            events=[*told, *(event for contact in contacts for event in self.reader.events(contact))],
            records=[seen(contact, self.mapping) for contact in contacts],
            cursor=after,
            is_more=is_more,
        )

    def offered(self) -> Offered:
        properties = self._properties(KIND)
        fields = {name: str(one.get("label") or name) for name, one in properties.items()}
        statuses = {
            name: _options(properties[name])
            for name in {STAGE, *self.mapping.status_fields} & properties.keys()
            if _options(properties[name])
        }
        stages: dict[str, str] = {}
        if self.options.get("lead_object"):
            for pipeline in self.api.get(crm("pipelines", sales_leads.KIND)).get("results") or ():
                stages |= {str(one["id"]): str(one["label"]) for one in pipeline.get("stages") or ()}
            statuses[LEAD_STAGE] = stages
        return Offered(fields, statuses, self._owners(), stages)

    def _properties(self, kind: str) -> dict[str, dict[str, Any]]:
        found = self.api.get(crm("properties", kind)).get("results") or ()
        return {str(one["name"]): one for one in found}

    def _owners(self) -> dict[str, str]:
        """Owners by address; archived ones own nothing any more."""
        found: dict[str, str] = {}
        after = ""
        while len(found) < MOST_OWNERS:
            params = {"limit": "100", **({"after": after} if after else {})}
            answer = self.api.get(crm("owners"), params)
            found |= {
                str(one["email"]).lower(): str(one["id"])
                for one in answer.get("results") or ()
                if one.get("email")
            }
            after = str(((answer.get("paging") or {}).get("next") or {}).get("after") or "")
            if not after:
                break
        return found

    def identify(self, arrived: Arrived, now: datetime) -> str:
        secret = self.secrets.get("client_secret", "")
        if not secret:
            raise signatures.Refused("no client secret is set for what it sends")
        signatures.verify_hubspot(
            secret,
            arrived.headers,
            arrived.method,
            arrived.url,
            arrived.body,
            now,
            takes_v1=bool(self.options.get("takes_v1")),
        )
        return hooks.identity(arrived.body)

    def translate(self, body: bytes, identity: str, received_at: datetime) -> list[dict[str, Any]]:
        return hooks.translate(
            self.api,
            self.reader,
            body,
            str(self.options.get("portal_id") or ""),
            takes_new=self._takes_new,
            has_deals=self._has_deals,
        )

    def post(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        return [noting.post(self.api, one, self.connection) if self.has_time else LEFT for one in deliveries]

    def forget(self, deliveries: Sequence[Delivery], now: datetime) -> list[Outcome]:
        has_leads = bool(self.options.get("lead_object"))
        return [
            noting.forget(self.api, one, has_leads=has_leads) if self.has_time else LEFT for one in deliveries
        ]

    def check(self) -> str:
        """Reads the properties: what is missing there shows before anything is written."""
        there = self._properties(KIND)
        missing = sorted(name for name in {*compared(self.mapping), writing.EXTERNAL_ID} if name not in there)
        if missing:
            return f"It answers. Contacts lack these properties: {', '.join(missing)}."
        return f"It answers. Contacts have all {len(compared(self.mapping)) + 1} properties that are written."


def _options(one: Mapping[str, Any]) -> dict[str, str]:
    return {str(option["value"]): str(option["label"]) for option in one.get("options") or ()}
