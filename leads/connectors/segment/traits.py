"""What Segment says of a person, a company and where they come from, in the intake's words. Pure.

Owns the reading of traits and context: which are taken (the reserved ones that a lead has), in which form,
and that a placeholder, a null or a value of the wrong kind says nothing. Birthdays, sexes, pictures, streets
and addresses of networks are not taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leads import identity, preflight
from leads.connectors.mautic.contacts import clean
from leads.imports import cells

Facts = dict[str, Any]
NOBODY: Mapping[str, Any] = {}
UTM = {
    "source": "utm_source",
    "medium": "utm_medium",
    "name": "utm_campaign",
    "term": "utm_term",
    "content": "utm_content",
}


def part(value: Any, name: str) -> Mapping[str, Any]:
    """A member that is an object; nothing where it is something else."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else NOBODY


def email(*places: Mapping[str, Any]) -> str:
    """The first address in these traits; "" for none."""
    for place in places:
        found = clean(place.get("email"), 320)
        if identity.normalise_email(found):
            return found
    return ""


def person(traits: Mapping[str, Any], context: Mapping[str, Any], words: frozenset[str]) -> Facts:
    """What is said of the person; `words` are placeholders."""
    first = _first(traits, ("firstName", "first_name", "firstname"), words)
    last = _first(traits, ("lastName", "last_name", "lastname"), words)
    if not first and not last:
        first, _, last = _first(traits, ("name",), words).partition(" ")
    address = part(traits, "address")
    found = {
        "first_name": first,
        "last_name": last.strip(),
        "job_title": _first(traits, ("title", "jobTitle", "job_title"), words),
        "phone": _first(traits, ("phone",), words, 60),
        "country_code": _country(address.get("country")) or _country(traits.get("country")),
        "region": _first(address, ("state",), words),
        "postal_code": _first(address, ("postalCode", "postal_code"), words, 30),
        "timezone": clean(context.get("timezone"), 64),
        "language": clean(context.get("locale"), 35),
    }
    return {name: value for name, value in found.items() if value}


def company(traits: Mapping[str, Any], words: frozenset[str]) -> Facts:
    """What is said of a company: a group's traits, or a person's trait `company`."""
    found: Facts = {
        "name": _first(traits, ("name",), words),
        "website": _first(traits, ("website", "url"), words),
        "domain": _first(traits, ("domain",), words, 253),
        "industry": _first(traits, ("industry",), words),
        "country_code": _country(part(traits, "address").get("country")) or _country(traits.get("country")),
    }
    for name in ("employees", "employee_count", "employeeCount"):
        size = _read(cells.employees, traits.get(name))
        if size is not None:
            found["size_band" if isinstance(size, str) else "employee_count"] = size
            break
    return {name: value for name, value in found.items() if value}


def employer(traits: Mapping[str, Any], words: frozenset[str]) -> Facts:
    """What a person's traits say of their company, which may be its name alone."""
    given = traits.get("company")
    return company(given if isinstance(given, dict) else {"name": given}, words)


def source(context: Mapping[str, Any]) -> Facts:
    """The campaign that brought them, with the page; nothing where no campaign is named."""
    campaign, page = part(context, "campaign"), part(context, "page")
    found = {ours: clean(campaign.get(theirs)) for theirs, ours in UTM.items()}
    found = {name: value for name, value in found.items() if value}
    if found:
        found |= {"referrer": clean(page.get("referrer")), "landing_page": clean(page.get("url"))}
    return {name: value for name, value in found.items() if value}


def _first(given: Mapping[str, Any], names: tuple[str, ...], words: frozenset[str], most: int = 2000) -> str:
    """The first of these that says something."""
    for name in names:
        value = given.get(name)
        if isinstance(value, bool):
            continue
        found = clean(value, most)
        # A number of a phone or a postal code has no letters either.
        is_number = most < 100 and any(sign.isdigit() for sign in found)
        if found and (is_number or not preflight.is_placeholder(found, words)):
            return found
    return ""


def _country(value: Any) -> str:
    return str(_read(cells.country, value) or "")


def _read(read: Callable[[str], Any], value: Any) -> Any:
    """A value read as a cell is; None where it makes no sense."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return read(clean(value, 200))
    except ValueError:
        return None
