"""What is known of organisations: the values it takes, which fact wins, and the CSV that brings it in bulk.

Owns the cleaning of each field that another system or a file gives (all of it hostile), the law of the
newer fact for one field, and the upsert of a file of companies. Never opens, checks or moves a handoff.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, TextIO

from django.db import transaction

from leads import identity
from leads.choices import SIZE_BAND_NAMES, size_band
from leads.models import Company, Lead
from leads.preflight import DEFAULT_PLACEHOLDERS, is_placeholder

COLUMNS = (
    "domain", "name", "industry", "employee_count", "size_band", "annual_revenue", "currency",
    "country_code", "technologies",
)  # fmt: skip
# The columns of the file that are called otherwise on a company.
_FIELD = {"annual_revenue": "revenue_amount", "currency": "revenue_currency"}
CHUNK = 500
MOST_EMPLOYEES = 50_000_000
MOST_TECHNOLOGIES = 100
_MOST_REVENUE = Decimal(10) ** 16
_PLACEHOLDERS = frozenset(DEFAULT_PLACEHOLDERS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def _text(longest: int) -> Callable[[Any], str]:
    def clean_text(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise ValueError("is not text")
        line = " ".join(_CONTROL.sub(" ", str(value)).split())
        if len(line) > longest:
            raise ValueError(f"has more than {longest} characters")
        return line

    return clean_text


def _letters(count: int, what: str) -> Callable[[Any], str]:
    def clean_code(value: Any) -> str:
        code = str(value).strip().upper() if isinstance(value, str) else ""
        if len(code) != count or not (code.isascii() and code.isalpha()):
            raise ValueError(f"is not {what}")
        return code

    return clean_code


def _employees(value: Any) -> int:
    number = _decimal(value)
    if number != number.to_integral_value() or not 1 <= number <= MOST_EMPLOYEES:
        raise ValueError("is not a number of people")
    return int(number)


def _amount(value: Any) -> Decimal:
    number = _decimal(value)
    if not 0 <= number < _MOST_REVENUE:
        raise ValueError("is not an amount of money")
    return number.quantize(Decimal("0.01"))


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal) or len(str(value)) > 40:
        raise ValueError("is not a number")
    try:
        number = Decimal(str(value).replace(",", "").replace("_", "").strip())
    except InvalidOperation:
        raise ValueError("is not a number") from None
    if not number.is_finite():
        raise ValueError("is not a number")
    return number


def _band(value: Any) -> str:
    plain = re.sub(r"[\s,.]", "", str(value)).replace("\u2013", "-").replace("\u2014", "-")
    if plain not in SIZE_BAND_NAMES:
        raise ValueError(f"is not one of {', '.join(SIZE_BAND_NAMES)}")
    return plain


def _address(value: Any) -> str:
    url = _text(500)(value)
    # What becomes a link on a page is a web address and nothing else.
    if url and not re.match(r"https?://[^\s/]", url, re.IGNORECASE):
        if ":" in url.split("/")[0] or "." not in url or " " in url:
            raise ValueError("is not a web address")
        url = f"https://{url}"
    return url


def _names(value: Any) -> list[str]:
    parts = re.split(r"[;,|]", value) if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) > MOST_TECHNOLOGIES:
        raise ValueError(f"is not a list of at most {MOST_TECHNOLOGIES} names")
    cleaned = [_text(100)(part) for part in parts]
    return list(dict.fromkeys(name for name in cleaned if name))


COMPANY_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "name": _text(300),
    "website": _address,
    "industry": _text(200),
    "employee_count": _employees,
    "size_band": _band,
    "revenue_amount": _amount,
    "revenue_currency": _letters(3, "a currency code of three letters"),
    "country_code": _letters(2, "a country code of two letters"),
    "technologies": _names,
}
LEAD_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "job_title": _text(300),
    "phone": _text(60),
    "country_code": _letters(2, "a country code of two letters"),
    "region": _text(200),
    "postal_code": _text(30),
    "language": _text(35),
    "linkedin_url": _address,
}


def put(row: Lead | Company, name: str, value: Any, at: datetime) -> bool:
    """Set a field to the fact of a moment, unless it holds a newer one; whether the value changed.

    A tie goes to the later received, which is this one. A placeholder never replaces a name.
    """
    moment = at.astimezone(UTC).isoformat()
    held, age = getattr(row, name), row.field_times.get(name)
    if age is not None and age > moment:
        return False
    if held and name == "name" and is_placeholder(value, _PLACEHOLDERS) and value != held:
        return False
    row.field_times[name] = moment
    if held == value:
        return False
    setattr(row, name, value)
    _follow(row, name, at, put)
    return True


def fill(row: Lead | Company, name: str, value: Any, at: datetime) -> bool:
    """Set a field only where nothing, or a placeholder for a name, stands; whether the value changed."""
    held = getattr(row, name)
    pretends = name == "name" and is_placeholder(held, _PLACEHOLDERS)
    if (held and not pretends) or not value:
        return False
    setattr(row, name, value)
    row.field_times[name] = at.astimezone(UTC).isoformat()
    _follow(row, name, at, fill)
    return True


def _follow(row: Lead | Company, name: str, at: datetime, write: Callable[..., bool]) -> None:
    """The match keys, and the size band, that follow from a field."""
    if isinstance(row, Lead):
        if name in ("phone", "country_code"):
            row.phone_key = identity.phone_key(row.phone, row.country_code)
    elif name == "name":
        row.name_key = identity.text_key(row.name)[:300]
        row.account_key = identity.account_key(row.name)
    elif name == "employee_count" and row.employee_count:
        write(row, "size_band", size_band(row.employee_count), at)


@dataclass
class Imported:
    """What a file did: companies made, changed and left as they were; failed rows as (row, message).

    `domains` are those that were made or changed.
    """

    made: int = 0
    changed: int = 0
    same: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    domains: set[str] = field(default_factory=set)


def import_companies(file: TextIO, now: datetime, *, dry_run: bool = False) -> Imported:
    """Upsert companies by registrable domain from a CSV with a header of COLUMNS (only `domain` is required).

    The file's facts are as of `now`. An empty cell leaves the field as it is. A row that cannot be read
    fails alone; rows are numbered as in the file, the header being 1. Raises ValueError for a file
    without a usable header.
    """
    reader = csv.DictReader(file)
    names = [(name or "").strip().lower() for name in reader.fieldnames or ()]
    if "domain" not in names:
        raise ValueError("The file needs a header with a column named domain.")
    if unknown := sorted(set(names) - set(COLUMNS) - {""}):
        raise ValueError(f"Unknown column {', '.join(unknown)}; known are {', '.join(COLUMNS)}.")
    if len(set(names)) != len(names):
        raise ValueError("A column appears twice in the header.")
    reader.fieldnames = names
    result = Imported()
    rows = _rows(reader, result)
    while chunk := list(islice(rows, CHUNK)):
        with transaction.atomic():
            _upsert(chunk, now, result)
            if dry_run:
                transaction.set_rollback(True)
    return result


def _rows(reader: csv.DictReader[str], result: Imported) -> Iterator[tuple[str, dict[str, Any]]]:
    number = 1
    while True:
        number += 1
        try:
            raw = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            result.errors.append((number, str(error)))
            continue
        if not any(isinstance(value, str) and value.strip() for value in raw.values()):
            continue
        if None in raw:
            result.errors.append((number, "the row has more cells than the header"))
            continue
        try:
            yield _row(raw)
        except ValueError as error:
            result.errors.append((number, str(error)))


def _row(raw: Mapping[str, str | None]) -> tuple[str, dict[str, Any]]:
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
            values[name] = COMPANY_FIELDS[name](cell)
        except ValueError as error:
            raise ValueError(f"{column} {cell[:40]!r} {error}") from None
    return domain, values


def _upsert(rows: Iterable[tuple[str, dict[str, Any]]], now: datetime, result: Imported) -> None:
    rows = list(rows)
    # Two importers at once would both find a new domain missing.
    identity.lock(f"domain:{domain}" for domain, _ in rows)
    stored = Company.objects.select_for_update().order_by("pk")
    known = {company.domain: company for company in stored.filter(domain__in=[domain for domain, _ in rows])}
    new: dict[str, Company] = {}
    changed: dict[str, Company] = {}
    for domain, values in rows:
        company = known.get(domain)
        if company is None:
            company = known[domain] = new[domain] = Company(domain=domain, created_at=now, updated_at=now)
        wrote = sum(put(company, name, value, now) for name, value in values.items())
        if wrote and domain not in new:
            company.updated_at = now
            changed[domain] = company
    Company.objects.bulk_create(new.values())
    columns = [*COMPANY_FIELDS, "name_key", "field_times", "updated_at"]
    Company.objects.bulk_update(changed.values(), columns, batch_size=100)
    result.made += len(new)
    result.changed += len(changed)
    result.same += len({domain for domain, _ in rows}) - len(new) - len(changed)
    result.domains |= new.keys() | changed.keys()
