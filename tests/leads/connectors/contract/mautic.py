"""Mautic, played for the contract suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leads import sealing
from leads.models import Connection, Lead
from tests.doubles.mautic.instance import CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET
from tests.doubles.records import Record
from tests.leads.connectors.conftest import make_connection
from tests.leads.connectors.contract.systems import System

ID_SYSTEM = "mautic"
SECRETS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "webhook_secret": WEBHOOK_SECRET}

FIELDS = (
    "handoff_id", "handoff_revision", "handoff_status", "handoff_reason", "handoff_updated_at",
    "handoff_deferred_until",
)  # fmt: skip
TIMES = ("handoff_updated_at", "handoff_deferred_until")
TAGS = frozenset({"mql", "sal", "sql", "nurture", "rejected", "disqualified"})


class PlayedMautic(System):
    name = "mautic"
    kind = "mautic"
    writes = r"^PATCH .*/api/contacts/batch/edit"
    tokens = "/oauth/v2/token"
    faults = {
        "wait": {"kind": "rate_limited", "headers": {"Retry-After": "7"}},
        "refused": {"kind": "validation"},
        "held": {"kind": "locked"},
    }

    def connection(self, **fields: Any) -> Connection:
        values = {"role": "map", "id_system": ID_SYSTEM, "base_url": f"{self.outer.url}/mautic"}
        return make_connection("mautic", **({"secrets": SECRETS} | values | fields))

    def break_credentials(self, connection: Connection) -> None:
        connection.sealed = sealing.seal({**SECRETS, "client_secret": "another"})
        connection.save(update_fields=["sealed"])

    def make_record(self, lead: Lead, *, known: bool = True) -> str:
        facts = {"email": lead.email, "firstname": lead.first_name, "lastname": lead.last_name}
        [remote_id] = self.outer.mautic.seed({"contacts": [facts]})["contacts"]
        if known:
            self.know(lead, ID_SYSTEM, remote_id)
        return str(remote_id)

    def book(self) -> Mapping[str, Record]:
        return self.outer.mautic.contacts.all

    def read_record(self, remote_id: str) -> dict[str, str]:
        record = self.outer.mautic.contacts[remote_id]
        values = {name: record.values.get(name) for name in FIELDS}
        found = {name: "" if value is None else str(value) for name, value in values.items()}
        for name in TIMES:
            found[name] = found[name] and f"{found[name].replace(' ', 'T')}Z"
        stage = self.outer.mautic.stages.get(record.values.get("stage") or 0)
        tags = [tag for tag in record.extra.get("tags", []) if tag in TAGS]
        return {**found, "stage": stage["name"] if stage else "", "tags": ",".join(sorted(tags))}

    def notes(self, remote_id: str) -> list[str]:
        return [note["text"] for note in self.outer.mautic.notes if note["contact"] == int(remote_id)]

    def match_record(self, remote_id: str) -> dict[str, Any]:
        return {"item_match": rf'"id":"?{re.escape(remote_id)}"?[,}}]'}
