"""Companies from a CSV: firmographics and account facts of many at once, each row on its own.

Owns reading the file, the errors of its rows and the upsert by domain. What a value must be is
`leads.firmographics` and, for owner, stage and named account, `leads.owning`. Never touches a handoff.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, TextIO

from django.db import transaction

from leads import identity
from leads.choices import CompanyStage
from leads.firmographics import COMPANY_FIELDS, put
from leads.models import Company
from leads.owning import COLUMN, Owners, clean
from leads.search import indexing

COLUMNS = (
    "domain", "name", "industry", "employee_count", "size_band", "annual_revenue", "currency",
    "country_code", "technologies", "owner", "stage", "named_account",
)  # fmt: skip
# The columns of the file that are called otherwise on a company.
_FIELD = {"annual_revenue": "revenue_amount", "currency": "revenue_currency", **COLUMN}
_ACCOUNT = frozenset(COLUMN.values())
_LABELS = {"owner_id": "owner", "is_named_account": "named account"}
_WRITTEN = (
    *COMPANY_FIELDS, "name_key", "account_key", "owner", "stage", "is_named_account", "field_times",
    "updated_at",
)  # fmt: skip
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Line:
    """What one row of the file did, in words; `kind` is made, changed, same or failed."""

    number: int
    domain: str
    name: str
    kind: str
    words: str


@dataclass
class Imported:
    """What a file did: companies made, changed and left as they were; failed rows as (row, message).

    `domains` are those that were made or changed. `lines` has each row, if they were asked for.
    """

    made: int = 0
    changed: int = 0
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    domains: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    domain: str
    values: dict[str, Any]


def import_companies(
    file: TextIO,
    now: datetime,
    *,
    dry_run: bool = False,
    tell: bool = False,
    defaults: Mapping[str, Any] | None = None,
) -> Imported:
    """Upsert companies by registrable domain from a CSV with a header of COLUMNS (only `domain` is required).

    The file's facts are as of `now`. An empty cell leaves the field as it is, "none" takes an owner away. A
    row that cannot be read fails alone; rows are numbered as in the file, the header being 1. Cells are
    parted by commas, semicolons or tabs. `tell` keeps a line for each row; `defaults` are columns of a
    company that hold where a row says nothing. Raises ValueError for a file without a usable header.
    """
    first = file.readline()
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(chain([first], file), delimiter=delimiter)
    names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    if "domain" not in names:
        raise ValueError("The file needs a header with a column named domain.")
    if unknown := sorted(set(names) - set(COLUMNS) - {""}):
        raise ValueError(f"Unknown column {', '.join(unknown)}; known are {', '.join(COLUMNS)}.")
    if len(set(names)) != len(names):
        raise ValueError("A column appears twice in the header.")
    reader.fieldnames = names
    result, owners = Imported(), Owners()
    rows = _rows(reader, owners, result, tell)
    while chunk := list(islice(rows, CHUNK)):
        with transaction.atomic():
            _upsert(chunk, now, owners, result, tell, defaults or {})
            if dry_run:
                transaction.set_rollback(True)
    result.lines.sort(key=lambda line: line.number)
    return result


def _rows(reader: csv.DictReader[str], owners: Owners, result: Imported, tell: bool) -> Iterator[_Row]:
    number = 1
    while True:
        number += 1
        raw: Mapping[str, str | None] = {}
        try:
            raw = next(reader)
            if not any(isinstance(value, str) and value.strip() for value in raw.values()):
                continue
            if None in raw:
                raise ValueError("the row has more cells than the header")
            yield _row(number, raw, owners)
        except StopIteration:
            return
        except (csv.Error, ValueError) as error:
            result.errors.append((number, str(error)))
            if tell:
                domain, name = ((raw.get(column) or "")[:60] for column in ("domain", "name"))
                result.lines.append(Line(number, domain, name, "failed", str(error)))


def _row(number: int, raw: Mapping[str, str | None], owners: Owners) -> _Row:
    domain = identity.registrable_domain((raw.get("domain") or "").strip())
    if domain is None:
        raise ValueError(f"domain {(raw.get('domain') or '')[:60]!r} is not a registrable domain")
    if identity.is_free_mail(domain):
        raise ValueError(f"{domain} is a free-mail provider's, never a company's")
    values: dict[str, Any] = {}
    for column in COLUMNS[1:]:
        cell = (raw.get(column) or "").strip()
        if not cell:
            continue
        name = _FIELD.get(column, column)
        try:
            values[name] = clean(column, cell, owners) if column in COLUMN else COMPANY_FIELDS[name](cell)
        except ValueError as error:
            raise ValueError(f"{column} {cell[:40]!r} {error}") from None
    return _Row(number, domain, values)


def _upsert(
    rows: Iterable[_Row],
    now: datetime,
    owners: Owners,
    result: Imported,
    tell: bool,
    defaults: Mapping[str, Any],
) -> None:
    rows = list(rows)
    # Two importers at once, or one and an event, would both find a new domain missing.
    identity.lock(f"company:{row.domain}" for row in rows)
    stored = Company.objects.select_for_update().order_by("pk")
    known = {company.domain: company for company in stored.filter(domain__in=[row.domain for row in rows])}
    new: dict[str, Company] = {}
    changed: dict[str, Company] = {}
    for row in rows:
        company = known.get(row.domain)
        is_new = company is None
        if company is None:
            company = Company(domain=row.domain, created_at=now, updated_at=now)
            known[row.domain] = new[row.domain] = company
        told = _write(company, {**row.values, **_missing(row, defaults)}, now, owners)
        if told and row.domain not in new:
            company.updated_at = now
            changed[row.domain] = company
        if tell:
            kind = "made" if is_new else "changed" if told else "same"
            words = "; ".join(told) or (
                "a company with nothing but its domain" if is_new else "nothing changes"
            )
            result.lines.append(Line(row.number, row.domain, str(company), kind, words))
    Company.objects.bulk_create(new.values())
    Company.objects.bulk_update(changed.values(), _WRITTEN, batch_size=100)
    indexing.keep(changed.values(), new.values())
    result.made += len(new)
    result.changed += len(changed)
    result.same += len({row.domain for row in rows}) - len(new) - len(changed)
    result.domains |= new.keys() | changed.keys()


def _missing(row: _Row, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if name not in row.values}


def _write(company: Company, values: Mapping[str, Any], now: datetime, owners: Owners) -> list[str]:
    """Set what the row says; what changed, in words."""
    told = []
    for name, value in values.items():
        before = getattr(company, name)
        if name in _ACCOUNT:
            if before == value:
                continue
            setattr(company, name, value)
        elif not put(company, name, value, now):
            continue
        label = _LABELS.get(name, name.replace("_", " "))
        was = _shown(name, before, owners) if company.pk is not None else ""
        is_now = _shown(name, value, owners)
        told.append(f"{label}: {was} to {is_now}" if was else f"{label}: {is_now}")
    return told


def _shown(name: str, value: Any, owners: Owners) -> str:
    if name == "owner_id":
        return owners.name(value)
    if name == "stage":
        return str(CompanyStage(value).label).lower()
    if name == "is_named_account":
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)[:80]
    return "" if value is None else str(value)[:80]
