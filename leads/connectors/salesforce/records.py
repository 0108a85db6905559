"""One Lead as Salesforce shows it: whose it is, whether it was converted, deleted or merged. Pure.

Owns the shape of a row, the fields that are asked for, and how a Lead is shown to audits. A converted Lead
can't be written any more, so that it was converted counts for its status. Knows no call and no row of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leads.connectors.base import Seen
from leads.connectors.mapping import Map
from leads.connectors.salesforce.usual import (
    EXTERNAL_ID,
    OBJECT,
    OWNER,
    STATUS,
    as_compared,
    converted,
    moment,
)
from leads.identity import normalise_email

STAMP = "SystemModstamp"
# Of every Lead that is read, beside what the mapping speaks of.
_ALWAYS = (
    "Id", EXTERNAL_ID, "Email", STATUS, OWNER, "IsConverted", "ConvertedDate", "ConvertedOpportunityId",
    "ConvertedContactId", "IsDeleted", "MasterRecordId", "HasOptedOutOfEmail", "CreatedDate",
    "LastModifiedById", STAMP,
)  # fmt: skip
_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of Lead; `values` as Salesforce gave them."""

    values: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.values.get("Id") or "")

    @property
    def linked(self) -> str:
        """The number of our lead that it bears, "" for none."""
        return str(self.values.get(EXTERNAL_ID) or "")

    @property
    def email(self) -> str:
        return normalise_email(str(self.values.get("Email") or ""))

    @property
    def is_converted(self) -> bool:
        return bool(self.values.get("IsConverted"))

    @property
    def opportunity(self) -> str:
        return str(self.values.get("ConvertedOpportunityId") or "")

    @property
    def is_deleted(self) -> bool:
        return bool(self.values.get("IsDeleted"))

    @property
    def master(self) -> str:
        """The Lead that it was merged into, "" for none."""
        return str(self.values.get("MasterRecordId") or "")

    @property
    def changed_at(self) -> datetime | None:
        return moment(self.values.get(STAMP))


def is_id(value: str) -> bool:
    """Whether this can be a record's id. Ours come from other senders too, and go into addresses."""
    return bool(_ID.fullmatch(value))


def same(one: str, other: str) -> bool:
    """Whether two ids name one record: the last three of eighteen characters only repeat the rest."""
    return bool(one) and one[:15] == other[:15]


def compared(mapping: Map) -> list[str]:
    """The fields that say where a handoff stands, and who has it."""
    names = {*mapping.fields.values(), *mapping.status_fields, STATUS}
    return sorted(name for name in names if _NAME.fullmatch(name))


def asked(mapping: Map, *, facts: bool = False) -> list[str]:
    """The fields that are read of a Lead. What is no field's name is never asked for."""
    names = [*_ALWAYS, *compared(mapping)]
    if facts:
        names += [name for name in mapping.facts.values() if _NAME.fullmatch(name)]
    return list(dict.fromkeys(names))


def values(row: Row, mapping: Map) -> dict[str, str]:
    """What it says of that, in the form in which it is compared."""
    found = {name: as_compared(name, row.values.get(name), mapping) for name in compared(mapping)}
    return found | dict(converted(mapping)) if row.is_converted else found


def seen(row: Row, mapping: Map, *, asked: str = "", frozen: Mapping[str, str] | None = None) -> Seen:
    """A Lead as audits compare it. `asked` is its id as it was asked for. `frozen` is what it would say
    if it could still be written: of a converted Lead whose handoff is an opportunity nothing is amiss."""
    opted_out = row.values.get("HasOptedOutOfEmail")
    return Seen(
        object=OBJECT,
        remote_id=asked or row.id,
        values={**values(row, mapping), **(frozen or {})},
        email=row.email,
        changed_at=row.changed_at,
        changed_by=str(row.values.get("LastModifiedById") or ""),
        is_deleted=row.is_deleted and not row.master,
        merged_into=row.master if row.is_deleted else "",
        opted_out=opted_out if isinstance(opted_out, bool) else None,
    )


def rows(given: Any) -> Sequence[Row]:
    """The rows of a list in which nothing stands for what is not there."""
    return [Row(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []
