"""What a cell means: text, numbers, dates, yes and no, countries, as people and products write them.

Owns the reading of one value and the words for what is wrong with it (raised as ValueError). What is read
from a cell goes through intake, which has the last word. Pure.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import date, datetime, time
from functools import cache, lru_cache
from pathlib import Path

from leads import identity
from leads.choices import SIZE_BAND_NAMES, ActivityKind, TriggerKind, size_band
from leads.models import LeadImport

COUNTRIES = Path(__file__).with_name("countries.txt")
# What spreadsheets show where a formula failed; never a value.
_FAILED = frozenset({"#N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!", "#SPILL!"})
_YES = frozenset(
    {"true", "yes", "y", "1", "x", "ja", "wahr", "oui", "vrai", "si", "sí", "sim", "vero", "tak"}
)
_NO = frozenset(
    {"false", "no", "n", "0", "nein", "falsch", "non", "faux", "não", "nao", "falso", "nie", "nej"}
)
_THOUSANDS = re.compile(r"\d{1,3}([.,' \u00a0\u202f]\d{3})+")
_DATE = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{2,4})")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?")
_SPAN = re.compile(r"(\d+)(?:-|to|–)(\d+)|(\d+)\+")
_FACTORS = {"k": 10**3, "m": 10**6, "mio": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9, "mrd": 10**9}
_TRIGGERS = {
    "demo": TriggerKind.DEMO_REQUEST,
    "demo request": TriggerKind.DEMO_REQUEST,
    "demo requested": TriggerKind.DEMO_REQUEST,
    "request a demo": TriggerKind.DEMO_REQUEST,
    "contact sales": TriggerKind.DEMO_REQUEST,
    "demo anfrage": TriggerKind.DEMO_REQUEST,
    "pricing": TriggerKind.PRICING_INQUIRY,
    "pricing inquiry": TriggerKind.PRICING_INQUIRY,
    "pricing request": TriggerKind.PRICING_INQUIRY,
    "quote": TriggerKind.PRICING_INQUIRY,
    "quote request": TriggerKind.PRICING_INQUIRY,
    "preisanfrage": TriggerKind.PRICING_INQUIRY,
    "score": TriggerKind.SCORE_THRESHOLD,
    "score threshold": TriggerKind.SCORE_THRESHOLD,
    "mql": TriggerKind.MANUAL_FLAG,
    "manual": TriggerKind.MANUAL_FLAG,
    "manual flag": TriggerKind.MANUAL_FLAG,
    "flagged": TriggerKind.MANUAL_FLAG,
    "flagged by marketing": TriggerKind.MANUAL_FLAG,
}
_ONE_WORD = frozenset({"demo", "pricing", "quote"})


def text(value: str) -> str:
    if value in _FAILED:
        raise ValueError(f"{value} is an error of the spreadsheet, not a value")
    return " ".join(value.split())


def email(value: str) -> str:
    address = text(value).removeprefix("mailto:")
    # "Ada Lovelace <ada@example.com>"
    if address.endswith(">") and "<" in address:
        address = address[address.rindex("<") + 1 : -1]
    if not identity.normalise_email(address):
        raise ValueError("is not an e-mail address")
    return address


def whole(value: str) -> int:
    """A whole number, with or without marks between the thousands."""
    plain = text(value)
    if _THOUSANDS.fullmatch(plain):
        plain = re.sub(r"\D", "", plain)
    plain = re.sub(r"[.,]0+$", "", plain)
    if not re.fullmatch(r"[+-]?\d{1,12}", plain):
        raise ValueError("is not a whole number")
    return int(plain)


def money(value: str) -> str:
    """An amount as plain decimal text: "52000000", "1.2 Mio", "12.500,50 €" and "$1,234.56" are read."""
    plain = re.sub(r"[^\w.,'-]", "", text(value)).replace("'", "")
    factor = 1
    if word := re.search(r"(?<=\d)(k|m|mio|mn|bn|b|mrd)$", plain, re.IGNORECASE):
        factor, plain = _FACTORS[word[1].lower()], plain[: word.start()]
    plain = re.sub(r"^[A-Za-z]{1,3}|[A-Za-z]{1,3}$", "", plain)
    last = max(plain.rfind("."), plain.rfind(","))
    marks = sum(mark in plain for mark in ".,")
    if last >= 0 and (marks == 2 or (plain.count(plain[last]) == 1 and len(plain) - last - 1 != 3)):
        plain = re.sub(r"[.,]", "", plain[:last]) + "." + plain[last + 1 :]
    else:
        plain = re.sub(r"[.,]", "", plain)
    if not re.fullmatch(r"\d{1,15}(\.\d{1,6})?", plain):
        raise ValueError("is not an amount of money")
    return f"{float(plain) * factor:.2f}" if factor > 1 else plain


def employees(value: str) -> int | str:
    """A number of people, or a band; a range that is not one of ours counts by its middle."""
    plain = re.sub(r"(employees|mitarbeiter|people|\s)", "", text(value).casefold())
    if (known := plain.replace("–", "-").replace(",", "")) in SIZE_BAND_NAMES:
        return known
    if span := _SPAN.fullmatch(re.sub(r"(?<=\d)[,.](?=\d{3})", "", plain)):
        low, high = (int(span[1]), int(span[2])) if span[1] else (int(span[3]) + 1, int(span[3]) + 1)
        if found := size_band((low + high) // 2):
            return found
    try:
        count = whole(plain)
    except ValueError:
        raise ValueError("is neither a number of people nor a range of them") from None
    if not 0 <= count <= 100_000_000:
        raise ValueError("is not a number of people")
    return count


def yes(value: str) -> bool:
    plain = text(value).casefold()
    if plain in _YES:
        return True
    if plain in _NO:
        return False
    raise ValueError("is neither yes nor no")


@cache
def _countries() -> dict[str, str]:
    names: dict[str, str] = {}
    for line in COUNTRIES.read_text(encoding="utf-8").splitlines():
        code, _, called = line.partition(" ")
        if len(code) == 2:
            names[code.casefold()] = code
            for name in called.split("|"):
                names.setdefault(identity.text_key(name), code)
    return names


@lru_cache(maxsize=5000)
def country(value: str) -> str:
    """The two-letter code of a country, by its code or by its name in nine languages."""
    key = identity.text_key(text(value))
    if code := _countries().get(key) or _countries().get(key.removeprefix("the ")):
        return code
    raise ValueError("is not a country")


def names(value: str) -> list[str]:
    return [part for part in (text(part) for part in re.split(r"[;,|\n]", value)) if part][:100]


def trigger(value: str) -> str:
    key = identity.text_key(text(value))
    if key.replace(" ", "_") in TriggerKind.values:
        return key.replace(" ", "_")
    if key in _TRIGGERS:
        return str(_TRIGGERS[key])
    raise ValueError(f"is no trigger; known are {', '.join(TriggerKind.values)}")


@cache
def _kinds() -> dict[str, str]:
    return {identity.text_key(label): str(kind) for kind, label in ActivityKind.choices}


def activity(value: str) -> str:
    key = identity.text_key(text(value))
    if key.replace(" ", "_") in ActivityKind.values:
        return key.replace(" ", "_")
    if found := _kinds().get(key):
        return found
    # Only what can be nothing but a form: "Pricing" may be a page that was looked at.
    if key not in _ONE_WORD and (asked := str(_TRIGGERS.get(key, ""))) in ActivityKind.values:
        return asked
    return str(ActivityKind.OTHER)


def moment(value: str, dates: str, zone: zoneinfo.ZoneInfo) -> str:
    """A moment as RFC 3339; what has no offset is in `zone`, a bare day begins at its midnight."""
    plain = text(value)
    try:
        found = datetime.fromisoformat(plain.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        found = _written(plain, dates)
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    return found.isoformat()


def _written(plain: str, dates: str) -> datetime:
    day, _, clock = plain.replace(" at ", " ").replace(",", "").partition(" ")
    parts = _DATE.fullmatch(day)
    if parts is None:
        raise ValueError("is not a date; write it as 2026-03-10")
    first, mark, second, third = int(parts[1]), parts[2], int(parts[3]), int(parts[4])
    if len(parts[1]) == 4:
        year, month, number = first, second, third
    else:
        is_day_first = mark == "." or first > 12 or dates == LeadImport.Dates.DAY_FIRST
        if not is_day_first and second <= 12 and first != second and dates != LeadImport.Dates.MONTH_FIRST:
            raise ValueError("can be read in two ways; say whether the day or the month comes first")
        number, month = (first, second) if is_day_first else (second, first)
        year = third if third > 99 else 2000 + third
    try:
        return datetime.combine(date(year, month, number), _clock(clock.strip()))
    except ValueError:
        raise ValueError("is not a date; write it as 2026-03-10") from None


def _clock(plain: str) -> time:
    if not plain:
        return time()
    parts = _TIME.fullmatch(plain)
    if parts is None:
        raise ValueError("is not a time")
    hour, half = int(parts[1]), (parts[4] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(parts[2]), int(parts[3] or 0))


def order_of_dates(values: list[str]) -> str:
    """How these dates are written, if any of them tells: the code of a `LeadImport.Dates`, else ""."""
    for value in values:
        parts = _DATE.match(value.strip())
        if parts is None or len(parts[1]) == 4 or parts[2] == ".":
            continue
        if int(parts[1]) > 12:
            return str(LeadImport.Dates.DAY_FIRST)
        if int(parts[3]) > 12:
            return str(LeadImport.Dates.MONTH_FIRST)
    return ""
