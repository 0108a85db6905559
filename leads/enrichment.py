"""Providers of missing data, and the attempts that are logged whatever came of them.

Owns the provider interface, the two providers (the company directory in this database, a generic HTTP
one) and the writing of what they bring: it fills what is missing and never replaces what a person or a
sender said. Never checks or moves a handoff: `leads.completion` has them checked again.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpx
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from leads import identity
from leads.choices import size_band
from leads.firmographics import COMPANY_FIELDS, LEAD_FIELDS, fill
from leads.models import Company, EnrichmentAttempt, Lead
from leads.search import indexing
from routing.locking import locked_one

logger = logging.getLogger(__name__)

MOST_BYTES = 256 * 1024
DIRECTORY, HTTP = "directory", "http"
# Once a day is enough for an answer; a provider that failed is asked again sooner.
ASK_AGAIN = timedelta(days=1)
RETRY = timedelta(hours=1)
Result = EnrichmentAttempt.Result


class ProviderFailed(Exception):
    """The provider could not be asked, or its answer not be read. The message is fit for the log."""


class Provider(Protocol):
    """Something that may know more of a lead. `look_up` gives values by "lead.field" or "company.field",
    raw, and raises ProviderFailed; it reads nothing but its arguments and writes nothing."""

    @property
    def name(self) -> str: ...

    def look_up(self, lead: Lead, company: Company | None) -> dict[str, Any]: ...


class CompanyDirectory:
    """What this database knows of the organisation behind a lead's address."""

    name = DIRECTORY

    def look_up(self, lead: Lead, company: Company | None) -> dict[str, Any]:
        found = company or self.companies([lead]).get(lead.pk)
        if found is None:
            return {}
        return {f"company.{name}": getattr(found, name) for name in COMPANY_FIELDS if getattr(found, name)}

    def companies(self, leads: Iterable[Lead]) -> dict[int, Company]:
        """The company of each lead's domain, by lead id, where one is known; one query for any number."""
        domains = {lead.pk: identity.company_domain(lead.email_key or "", "") for lead in leads}
        wanted = {domain for domain in domains.values() if domain}
        if not wanted:
            return {}
        known = {company.domain: company for company in Company.objects.filter(domain__in=wanted)}
        return {pk: known[domain] for pk, domain in domains.items() if domain in known}


def consult_directory(leads: Sequence[Lead], now: datetime) -> list[Lead]:
    """Give these saved leads what the directory knows; for any number of them at most one query and three
    writes. Runs inside intake's transaction, before the checks.

    A lead without a company is linked to the one of its domain. A company without a size band gets it
    from its head count. Each lead that lacks a company, its name or its size gets one attempt logged.
    Returns the leads that were changed.
    """
    lacking = [lead for lead in leads if lead.company is None or not _is_known(lead.company)]
    if not lacking:
        return []
    found = CompanyDirectory().companies(lead for lead in lacking if lead.company_id is None)
    attempts, linked, banded = [], [], {}
    for lead in lacking:
        filled = []
        if lead.company_id is None and lead.pk in found:
            lead.company = found[lead.pk]
            linked.append(lead)
            filled.append("company")
        company = lead.company
        if company and company.employee_count and not company.size_band:
            company.size_band = size_band(company.employee_count)
            banded[company.pk] = company
            filled.append("company.size_band")
        attempts.append(
            EnrichmentAttempt(
                lead=lead,
                provider=DIRECTORY,
                result=Result.FILLED if filled else Result.NOTHING,
                fields=filled,
                at=now,
            )
        )
    if linked:
        Lead.objects.bulk_update(linked, ["company"])
    if banded:
        Company.objects.bulk_update(banded.values(), ["size_band"])
    EnrichmentAttempt.objects.bulk_create(attempts)
    return linked


def _is_known(company: Company) -> bool:
    return bool(company.name and company.size_band)


@dataclass(frozen=True)
class HttpProvider:
    """A JSON service that is asked about one lead at a time.

    `url` may hold {domain} and {email} after its host; without either, the domain is sent as the query
    parameter `domain`. `mapping` gives for "company.field" or "lead.field" the path of the value in the
    answer, such as "data.0.industry". `timeout` is in seconds, for the whole answer. Raises
    ImproperlyConfigured for what cannot work.
    """

    url: str
    mapping: Mapping[str, str]
    key: str = ""
    timeout: float = 5
    allow_plain: bool = False

    name = HTTP

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        schemes = ("https", "http") if self.allow_plain else ("https",)
        if parts.scheme not in schemes or not parts.hostname:
            raise ImproperlyConfigured("ENRICHMENT_URL must be an https:// address.")
        if "{" in parts.netloc:
            # What a lead typed must never choose the machine that is asked.
            raise ImproperlyConfigured("ENRICHMENT_URL may hold {domain} and {email} only after its host.")
        if not isinstance(self.mapping, Mapping) or not self.mapping:
            raise ImproperlyConfigured("ENRICHMENT_MAPPING must name at least one field.")
        for target, path in self.mapping.items():
            if target not in known_targets():
                names = ", ".join(sorted(known_targets()))
                raise ImproperlyConfigured(f"ENRICHMENT_MAPPING: no field {target!r}; there are {names}.")
            if not isinstance(path, str) or not path:
                raise ImproperlyConfigured(f"ENRICHMENT_MAPPING: {target} needs a path in the answer.")

    def look_up(self, lead: Lead, company: Company | None) -> dict[str, Any]:
        domain = (company.domain if company else None) or identity.company_domain(lead.email_key or "", "")
        if not domain and "{email}" not in self.url:
            return {}
        answer = self._ask(domain or "", lead.email)
        values = {target: dig(answer, path) for target, path in self.mapping.items()}
        return {target: value for target, value in values.items() if value not in (None, "", [], {})}

    def _ask(self, domain: str, email: str) -> Any:
        url = self.url.replace("{domain}", quote(domain, safe="")).replace("{email}", quote(email, safe=""))
        params = None if url != self.url else {"domain": domain}
        # Compressed, a small answer could unpack to any size before it can be measured.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        ends_at = time.monotonic() + self.timeout
        try:
            with (
                httpx.Client(timeout=self.timeout, follow_redirects=False) as client,
                client.stream("GET", url, params=params, headers=headers) as response,
            ):
                if response.status_code == httpx.codes.NOT_FOUND:
                    return {}
                if response.status_code != httpx.codes.OK:
                    raise ProviderFailed(f"answered {response.status_code}")
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise ProviderFailed("answered in a compression that was not asked for")
                body = _bounded(response, ends_at)
        except httpx.TimeoutException:
            raise ProviderFailed(f"no answer within {self.timeout:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text of the error may hold the URL, and with it the address asked about.
            raise ProviderFailed(f"could not be asked ({type(error).__name__})") from None
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise ProviderFailed("answered something that is not JSON") from None


def _bounded(response: httpx.Response, ends_at: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ProviderFailed(f"answered more than {MOST_BYTES // 1024} KiB")
        if time.monotonic() > ends_at:
            raise ProviderFailed("answered too slowly")
    return bytes(body)


@cache
def known_targets() -> frozenset[str]:
    """What a mapping may fill: "lead.phone", "company.industry" and so on. Never the e-mail address."""
    return frozenset(
        {f"lead.{name}" for name in LEAD_FIELDS} | {f"company.{name}" for name in COMPANY_FIELDS}
    )


def dig(answer: Any, path: str) -> Any:
    """The value at a dotted path ("data.0.name") of a JSON answer, or None where it ends."""
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer.get(part)
        elif isinstance(answer, list) and part.isascii() and part.isdigit() and int(part) < len(answer):
            answer = answer[int(part)]
        else:
            return None
    return answer


def http_provider() -> HttpProvider | None:
    """The HTTP provider of the settings, or None when there is none. Raises ImproperlyConfigured."""
    if not settings.ENRICHMENT_URL:
        return None
    return HttpProvider(
        url=settings.ENRICHMENT_URL,
        mapping=settings.ENRICHMENT_MAPPING,
        key=settings.ENRICHMENT_KEY,
        timeout=settings.ENRICHMENT_TIMEOUT,
        allow_plain=settings.DEBUG,
    )


def begin(
    lead_id: int, provider: Provider, now: datetime, *, again: bool = False
) -> EnrichmentAttempt | None:
    """Log that the provider is about to be asked, or None when it was asked lately. `again` asks anyway.

    The row stands before the attempt, so that a crash counts and a second worker does not ask too.
    """
    with transaction.atomic():
        if Lead.objects.select_for_update(of=("self",)).get(pk=lead_id).erased_at is not None:
            return None
        earlier = EnrichmentAttempt.objects.filter(lead_id=lead_id, provider=provider.name)
        last = earlier.order_by("-at").first()
        if last is not None and not again:
            wait = RETRY if last.result == Result.FAILED else ASK_AGAIN
            if now - last.at < wait:
                return None
        return EnrichmentAttempt.objects.create(
            lead_id=lead_id, provider=provider.name, result=Result.FAILED, detail="did not finish", at=now
        )


def finish(attempt: EnrichmentAttempt, fields: dict[str, Any], problem: str = "") -> list[str]:
    """Write what came of an attempt: what it filled, or why it failed. Returns the fields filled."""
    with transaction.atomic():
        filled: list[str] = []
        refused: list[str] = []
        if not problem:
            lead = locked_one(Lead.objects.select_related("company"), attempt.lead_id)
            if lead.erased_at is not None:
                # Erased while the provider was asked: what it said is not kept.
                return []
            filled, refused = apply(lead, lead.company, fields, attempt.at)
            if "company" in filled or "lead.phone" in filled:
                identity.find_duplicates([lead], attempt.at)
        attempt.result = Result.FAILED if problem else Result.FILLED if filled else Result.NOTHING
        attempt.fields = filled
        attempt.detail = (problem or (f"not usable: {', '.join(refused)}" if refused else ""))[:300]
        attempt.save(update_fields=["result", "fields", "detail"])
        return filled


def apply(
    lead: Lead, company: Company | None, fields: Mapping[str, Any], at: datetime
) -> tuple[list[str], list[str]]:
    """Fill what is missing on the lead and its company, and save both (lead locked by the caller).

    `fields` are raw values as `Provider.look_up` gives them. A lead without a company gets the one of its
    address's domain, made if need be. Returns the names that were filled and those that were not usable.
    """
    values: dict[str, dict[str, Any]] = {"lead": {}, "company": {}}
    refused = []
    for target, raw in fields.items():
        owner, _, name = target.partition(".")
        cleaners = LEAD_FIELDS if owner == "lead" else COMPANY_FIELDS
        try:
            values[owner][name] = cleaners[name](raw)
        except ValueError:
            refused.append(target)
    filled = []
    if values["company"]:
        company = company or _company_for(lead, at)
        if company is not None:
            # Locked after the lead: the order that everybody keeps.
            company = Company.objects.select_for_update().get(pk=company.pk)
            names = [name for name, value in values["company"].items() if fill(company, name, value, at)]
            if names:
                company.updated_at = at
                company.save()
            indexing.keep([company])
            filled += [f"company.{name}" for name in names]
            if lead.company_id != company.pk:
                filled.append("company")
            lead.company = company
    filled += [f"lead.{name}" for name, value in values["lead"].items() if fill(lead, name, value, at)]
    if any(name == "company" or name.startswith("lead.") for name in filled):
        lead.updated_at = at
        lead.save()
    return filled, refused


def _company_for(lead: Lead, at: datetime) -> Company | None:
    domain = identity.company_domain(lead.email_key or "", "")
    if domain is None:
        return None
    company, _ = Company.objects.get_or_create(domain=domain, defaults={"created_at": at, "updated_at": at})
    return company
