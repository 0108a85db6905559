"""What is known of organisations: the values it takes, and which fact wins.

Owns the cleaning of each field that another system or a file gives (all of it hostile), and the law of the
newer fact for one field. Never saves, and never opens, checks or moves a handoff.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from leads import identity
from leads.choices import SIZE_BAND_NAMES, size_band
from leads.models import Company, Lead
from leads.preflight import DEFAULT_PLACEHOLDERS, is_placeholder

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
