"""HubSpot, played for the contract suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leads import sealing
from leads.connectors.hubspot.usual import as_compared, mapping_of
from leads.models import Connection, Lead
from tests.doubles.hubspot.portal import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from tests.doubles.records import Record
from tests.leads.connectors.conftest import make_connection
from tests.leads.connectors.contract.systems import System

ID_SYSTEM = "hubspot"
SECRETS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN}
# What the connector writes of a contact, by the usual mapping without owners.
WRITTEN = (
    "handoff_deferred_until", "handoff_first_contact_at", "handoff_id", "handoff_reason", "handoff_revision",
    "handoff_status", "handoff_updated_at", "hs_lead_status", "lifecyclestage",
)  # fmt: skip


class PlayedHubSpot(System):
    name = "hubspot"
    kind = "hubspot"
    writes = r"^POST .*/contacts/batch/update"
    tokens = "/oauth/"
    faults = {
        "wait": {"kind": "ten_secondly"},
        "refused": {"kind": "validation"},
        "held": {"kind": "locked"},
    }

    def connection(self, **fields: Any) -> Connection:
        # The rate headers are heard: a test makes more calls in its seconds than an account allows.
        self.outer.hubspot.configure(limit=1_000_000)
        values = {"role": "both", "id_system": ID_SYSTEM, "base_url": f"{self.outer.url}/hubspot"}
        return make_connection("hubspot", **({"secrets": SECRETS} | values | fields))

    def break_credentials(self, connection: Connection) -> None:
        connection.sealed = sealing.seal({**SECRETS, "client_secret": "another"})
        connection.save(update_fields=["sealed"])

    def make_record(self, lead: Lead, *, known: bool = True) -> str:
        facts = {"email": lead.email, "firstname": lead.first_name, "lastname": lead.last_name}
        [remote_id] = self.outer.hubspot.seed({"contacts": [facts]})["contacts"]
        if known:
            self.know(lead, ID_SYSTEM, remote_id)
        return str(remote_id)

    def book(self) -> Mapping[str, Record]:
        return self.outer.hubspot.contacts.all

    def read_record(self, remote_id: str) -> dict[str, str]:
        mapping = mapping_of(Connection.objects.get(kind="hubspot"))
        record = self.outer.hubspot.contacts[remote_id]
        return {name: as_compared(name, record.values.get(name), mapping) for name in WRITTEN}

    def notes(self, remote_id: str) -> list[str]:
        notes = self.outer.hubspot.books["notes"]
        linked = self.outer.hubspot.contacts[remote_id].extra.get("associations", {}).get("notes", [])
        return [notes[key].values["hs_note_body"] for key in linked]

    def match_record(self, remote_id: str) -> dict[str, Any]:
        return {"item_match": rf'"id":"?{re.escape(remote_id)}\b'}
