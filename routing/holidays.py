"""Public holidays as days on a calendar.

Owns the copying of a country's holidays into a calendar's closed days, once a year: later releases of the
holiday library then move no deadline. Never removes a day, and never touches a year it has copied already.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache

import holidays
from django.db.models import F
from holidays import registry

from routing.models import Calendar, ClosedDay

YEARS_AHEAD = 2
LONGEST_CODE = 10


_SMALL_WORDS = frozenset({"and", "of", "the"})


class UnknownPlace(ValueError):
    """No public holidays are known for this country or subdivision. The text says which."""


@cache
def countries() -> tuple[tuple[str, str], ...]:
    """ISO code and English name of the countries whose holidays are known, by name."""
    found = {
        codes[1]: " ".join(word if word in _SMALL_WORDS else word.capitalize() for word in name.split("_"))
        for name, codes in registry.COUNTRIES.items()
    }
    return tuple(sorted(found.items(), key=lambda pair: pair[1]))


def subdivisions(country: str) -> list[str]:
    """The codes of a country's parts that have holidays of their own."""
    found = holidays.list_supported_countries(include_aliases=True).get(country, [])
    return [code for code in found if len(code) <= LONGEST_CODE]


def known(country: str, subdivision: str = "") -> None:
    """Raise UnknownPlace unless the holidays of this ISO country code (and subdivision of it) are known."""
    places = holidays.list_supported_countries(include_aliases=True)
    if country not in places:
        raise UnknownPlace(f"no public holidays are known for the country {country!r}")
    if subdivision and subdivision not in places[country]:
        raise UnknownPlace(f"{subdivision!r} is not a known subdivision of {country}")


def public_holidays(country: str, subdivision: str, year: int) -> dict[date, str]:
    """Date and English name (the local name where there is no English one) of one year's public holidays.

    Raises UnknownPlace.
    """
    known(country, subdivision)
    languages = holidays.list_localized_countries(include_aliases=True).get(country, [])
    found = holidays.country_holidays(
        country,
        subdiv=subdivision or None,
        years=year,
        language=next((name for name in ("en_US", "en_GB") if name in languages), None),
    )
    return dict(sorted(found.items()))


def copied(calendar: Calendar) -> set[int]:
    """The years whose public holidays this calendar holds."""
    days = calendar.closed_days.filter(is_public=True).values_list("day", flat=True)
    return {day.year for day in days}


def take(calendar: Calendar, years: Iterable[int]) -> int:
    """Copy the holidays of these years; how many days were new.

    A year that holds any public holiday was copied before and stays as it is, with what people changed.
    Raises UnknownPlace.
    """
    held = copied(calendar)
    known_days = set(calendar.closed_days.values_list("day", flat=True))
    rows = [
        ClosedDay(calendar=calendar, day=day, name=name[:120], is_public=True)
        for year in years
        if year not in held
        for day, name in public_holidays(calendar.country, calendar.subdivision, year).items()
        # A day that people had closed already keeps their name for it.
        if day not in known_days
    ]
    ClosedDay.objects.bulk_create(rows, ignore_conflicts=True)
    if rows:
        Calendar.objects.filter(pk=calendar.pk).update(revision=F("revision") + 1)
    return len(rows)


def snapshot(calendar: Calendar, first_year: int) -> int:
    """Copy the holidays of `first_year` and the YEARS_AHEAD after it, as `take` does."""
    return take(calendar, range(first_year, first_year + YEARS_AHEAD + 1))


def replace(calendar: Calendar, first_year: int) -> int:
    """The calendar has another place now: its holidays from `first_year` on are those of that place.

    Years that are over and days that people closed themselves stay. Raises UnknownPlace.
    """
    calendar.closed_days.filter(is_public=True, day__year__gte=first_year).delete()
    return snapshot(calendar, first_year) if calendar.country else 0
