"""Finding people and companies by what somebody types: names, addresses, numbers, domains, ids.

Owns which leads a person sees, and how words become look-ups by stored keys (accents and case do not
matter, the start of a word is enough). A person who is not shown addresses cannot find by them either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.core.cache import cache
from django.db.models import Q, QuerySet

from leads import identity, permissions
from leads.models import Company, ExternalId, Handoff, Lead, LeadAlias
from routing.people import ADMIN, MARKETING, VIEWER, User

LONGEST = 200
MOST_WORDS = 6
MOST_LEADS, MOST_COMPANIES = 25, 10
MOST_SYSTEMS = 20
KEPT = 60  # seconds
_NUMBER = re.compile(r"(?:(lead|handoff)\s*)?#?\s*(\d{1,18})", re.IGNORECASE)


def sees_all(user: User) -> bool:
    """Whether every lead is this person's to see, those without a handoff too."""
    return user.is_superuser or bool(user.roles & {ADMIN, MARKETING, VIEWER})


def leads_of(user: User) -> QuerySet[Lead]:
    """The leads this person sees; merged ones stand under the lead they went into."""
    leads = Lead.objects.filter(merged_into__isnull=True)
    if sees_all(user):
        return leads
    return leads.filter(pk__in=Handoff.objects.visible_to(user).order_by().values("lead_id"))


def companies_of(user: User) -> QuerySet[Company]:
    if sees_all(user):
        return Company.objects.all()
    return Company.objects.filter(pk__in=leads_of(user).order_by().values("company_id"))


def plain(words: str) -> str:
    """What was typed, bounded and without what no database takes."""
    return " ".join("".join(char if char.isprintable() else " " for char in words[:LONGEST]).split())


@dataclass
class Found:
    """What a search found: handoffs and leads by their number, people, companies."""

    handoff: Handoff | None = None
    leads: list[Lead] = field(default_factory=list)
    companies: list[Company] = field(default_factory=list)
    is_cut: bool = False


def search(user: User, words: str) -> Found:
    """The best first: an exact number or id, then addresses, then names, then the company's people."""
    words = plain(words)
    found = Found()
    if not words:
        return found
    seen: dict[int, Lead] = {}
    visible = leads_of(user).select_related("company")
    number = _NUMBER.fullmatch(words)
    if number:
        kind, pk = (number[1] or "").lower(), int(number[2])
        if kind != "lead":
            handoffs = Handoff.objects.visible_to(user).select_related("lead__company", "assignee", "queue")
            found.handoff = handoffs.filter(pk=pk).first()
        if kind != "handoff":
            seen |= {lead.pk: lead for lead in visible.filter(pk=pk)}
    for condition in _conditions(words, permissions.sees_personal_data(user)):
        if len(seen) > MOST_LEADS:
            break
        rows = visible.filter(condition).order_by("-updated_at", "-id")[: MOST_LEADS + 1]
        seen |= {lead.pk: lead for lead in rows if lead.pk not in seen}
    found.companies = _companies(user, words)
    found.leads = list(seen.values())[:MOST_LEADS]
    found.is_cut = len(seen) > MOST_LEADS
    return found


def matching(words: str, personal: bool) -> Q:
    """The leads that fit the words, as one condition for a list."""
    fits = Q(pk__in=())
    for condition in _conditions(plain(words), personal):
        fits |= condition
    return fits


def _conditions(words: str, personal: bool) -> Iterable[Q]:
    """Look-ups for these words, the sharpest first."""
    if external := _by_external_id(words):
        yield Q(pk__in=external)
    if personal:
        yield from _by_address(words)
    names = identity.text_key(words).split()[:MOST_WORDS]
    if names:
        fits = Q()
        for name in names:
            fits &= Q(name_key__startswith=name) | Q(name_key__contains=f" {name}")
        yield fits
        named = Company.objects.filter(name_key__startswith=" ".join(names)[:300])
        yield Q(company__in=named.order_by().values("pk"))
    # An address also stands for its company, but not to somebody who may not find by addresses.
    if "." in words and (personal or "@" not in words) and (domain := identity.registrable_domain(words)):
        yield Q(company__in=Company.objects.filter(domain=domain).values("pk"))


def _by_address(words: str) -> Iterable[Q]:
    if "@" in words:
        start = words.lower()
        yield Q(email_key__startswith=start)
        key = identity.normalise_email(words)
        if key:
            yield Q(email_key=key) | Q(pk__in=LeadAlias.objects.filter(email_key=key).values("lead_id"))
    digits = re.sub(r"[^\d+]", "", words)
    if len(digits) >= 6 and (phone := identity.phone_key(words, "")):
        yield Q(phone_key=phone)


def _by_external_id(words: str) -> list[int]:
    """Leads with this id in any system. The index begins with the system, so each is named."""
    if len(words) > 200 or " " in words:
        return []
    fits = Q(pk__in=())
    for system, kind in _systems():
        fits |= Q(system=system, object=kind, value=words)
    return list(ExternalId.objects.filter(fits).values_list("lead_id", flat=True)) if fits else []


def _systems() -> list[tuple[str, str]]:
    """The systems and objects that ids are known of; a new one counts within a minute.

    The index is walked from one to the next, so that a million ids cost as little as ten.
    """
    kept: list[tuple[str, str]] | None = cache.get("external-systems")
    if kept is not None:
        return kept
    found: list[tuple[str, str]] = []
    rows = ExternalId.objects.order_by("system", "object").values_list("system", "object")
    while len(found) < MOST_SYSTEMS:
        later = Q(system__gt=found[-1][0]) | Q(system=found[-1][0], object__gt=found[-1][1]) if found else Q()
        row = rows.filter(later).first()
        if row is None:
            break
        found.append(row)
    cache.set("external-systems", found, KEPT)
    return found


def _companies(user: User, words: str) -> list[Company]:
    key = identity.text_key(words)[:300]
    fits = Q(pk__in=())
    if key:
        fits |= Q(name_key__startswith=key)
    if "." in words and (domain := identity.registrable_domain(words)):
        fits |= Q(domain=domain)
    return list(companies_of(user).filter(fits).order_by("name_key", "pk")[:MOST_COMPANIES])
