"""Salesforce, played for the contract suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leads import sealing
from leads.connectors.salesforce.usual import USUAL, as_compared
from leads.models import Connection, ExternalId, Lead
from tests.doubles.records import Record
from tests.doubles.salesforce.org import CONSUMER_KEY, CONSUMER_SECRET
from tests.leads.connectors.conftest import make_connection
from tests.leads.connectors.contract.systems import System

ID_SYSTEM = "salesforce"
SECRETS = {"client_id": CONSUMER_KEY, "client_secret": CONSUMER_SECRET}
# What the connector writes of a Lead, by the usual mapping without owners.
WRITTEN = (
    "Handoff_Number__c", "Handoff_Revision__c", "Handoff_Status__c", "Handoff_Reason__c",
    "Handoff_Deferred_Until__c", "Handoff_First_Contact_At__c",
)  # fmt: skip


class PlayedSalesforce(System):
    name = "salesforce"
    kind = "salesforce"
    object = "Lead"
    handoff = "Handoff_Number__c"
    revision = "Handoff_Revision__c"
    writes = r"^PATCH .*/composite/sobjects"
    tokens = "/oauth2/token"
    some = r'"Handoff_Id__c":"\d*[37]"'
    faults = {
        # It has no 429, and never says how long.
        "wait": {"kind": "request_limit"},
        "refused": {"kind": "validation"},
        "held": {"kind": "lock_row"},
    }

    def connection(self, **fields: Any) -> Connection:
        values = {"role": "crm", "id_system": ID_SYSTEM, "base_url": f"{self.outer.url}/salesforce"}
        options = {"creates": False, **fields.pop("options", {})}
        return make_connection("salesforce", options=options, **({"secrets": SECRETS} | values | fields))

    def break_credentials(self, connection: Connection) -> None:
        connection.sealed = sealing.seal({**SECRETS, "client_secret": "another"})
        connection.save(update_fields=["sealed"])

    def make_record(self, lead: Lead, *, known: bool = True) -> str:
        company = lead.company.name if lead.company else "Acme"
        facts = {"Email": lead.email, "LastName": lead.last_name or "Doe", "Company": company}
        [remote_id] = self.outer.salesforce.seed({"leads": [facts]})["leads"]
        if known:
            self.know(lead, ID_SYSTEM, remote_id)
        return str(remote_id)

    def book(self) -> Mapping[str, Record]:
        return self.outer.salesforce.leads.all

    def read_record(self, remote_id: str) -> dict[str, str]:
        values = self.outer.salesforce.leads[remote_id].values
        # At an opportunity the status is nobody's but the org's.
        is_written = values.get("Handoff_Status__c") != "Opportunity"
        names = (*WRITTEN, "Status") if is_written else WRITTEN
        return {name: as_compared(name, values.get(name), USUAL) for name in names}

    def notes(self, remote_id: str) -> list[str]:
        tasks = [task.values for task in self.outer.salesforce.tasks]
        return [str(task["Description"]) for task in tasks if task["WhoId"] == remote_id]

    def match_record(self, remote_id: str) -> dict[str, Any]:
        """A Lead is linked by its id, and upserted by our number from then on."""
        linked = self.outer.salesforce.leads[remote_id].values.get("Handoff_Id__c")
        ours = ExternalId.objects.filter(system=ID_SYSTEM, value=remote_id).values_list("lead", flat=True)
        numbers = [str(number) for number in (linked, *ours) if number]
        return {"item_match": rf'"(Id":"{re.escape(remote_id)}|Handoff_Id__c":"({"|".join(numbers)}))"'}
