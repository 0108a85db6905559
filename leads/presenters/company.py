"""What we know about the company: a short list of facts, each with what is missing said plainly. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from leads.choices import CompanyStage
from leads.models import Company, Lead
from leads.presenters.links import Link, outside
from leads.presenters.signals import cut

SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CHF": "CHF ", "JPY": "¥"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A labelled value; `links` where it can be followed, `is_doubt` for what needs a second look."""

    label: str
    text: str = ""
    links: tuple[Link, ...] = ()
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class CompanyCard:
    """The company in facts, and its website."""

    name: str = ""
    site: Link | None = None
    facts: list[Fact] = field(default_factory=list)


def card(
    company: Company | None,
    lead: Lead,
    other_leads: int,
    other_handoffs: int,
    match: Mapping[str, Any] | None = None,
    accounts: Mapping[int, Company] | None = None,
) -> CompanyCard:
    """The facts of a company (its owner is loaded); the counts are of the company's other people.

    `match` is how routing matched it to an account, as the decision keeps it; `accounts` those it names.
    """
    if company is None:
        where = place(lead)
        return CompanyCard(facts=[Fact("Where", where)] if where else [])
    facts = [
        Fact("Industry", cut(company.industry, 80) or "not known"),
        Fact("Size", size(company)),
        Fact("Revenue", money(company.revenue_amount, company.revenue_currency) or "not known"),
        Fact("Where", place(lead, company) or "not known"),
        Fact("Uses", technologies(company) or "not known"),
        Fact("News", "" if (news := _news(company)) else "none", news),
        matched(match or {}, accounts or {})
        or Fact("Account", account(company), is_doubt=company.stage == CompanyStage.COMPETITOR),
        Fact("Others", others(other_leads, other_handoffs)),
    ]
    return CompanyCard(name=str(company), site=website(company), facts=facts)


def website(company: Company) -> Link | None:
    """Their site as given, else the domain they are known by."""
    if company.website:
        return outside(company.website)
    return outside(f"https://{company.domain}") if company.domain else None


def size(company: Company) -> str:
    if company.employee_count:
        count = f"{company.employee_count:,}"
        return f"{company.size_band} ({count})" if company.size_band else count
    return company.size_band or "not known"


def money(amount: Decimal | None, currency: str) -> str:
    """A sum in short: "€410 M", "$2.5 B", "CHF 900 k"; "" for none."""
    if amount is None:
        return ""
    sign = SIGNS.get(currency, f"{currency} " if currency else "")
    for limit, unit in ((Decimal(10**9), " B"), (Decimal(10**6), " M"), (Decimal(10**3), " k")):
        if abs(amount) >= limit:
            figure = amount / limit
            return f"{sign}{figure:.1f}".removesuffix(".0") + unit
    return f"{sign}{amount:.2f}".removesuffix(".00")


def place(lead: Lead, company: Company | None = None) -> str:
    parts = [cut(lead.region, 60), lead.country_code or (company.country_code if company else "")]
    return ", ".join(part for part in parts if part)


def technologies(company: Company) -> str:
    known = (
        [str(name) for name in company.technologies if name] if isinstance(company.technologies, list) else []
    )
    shown = cut(", ".join(known[:6]), 120)
    return f"{shown} and {len(known) - 6} more" if len(known) > 6 else shown


def account(company: Company) -> str:
    owner = f"{company.owner} owns it" if company.owner else "no owner yet"
    if company.stage == CompanyStage.PROSPECT:
        return owner
    return f"{CompanyStage(company.stage).label}, {owner}"


def accounts_of(match: Mapping[str, Any]) -> set[int]:
    """The ids of the accounts that the evidence of a match names, but for the lead's own company."""
    close = [pk for pk, _ in match.get("close", ())][:1]
    return {*match.get("ties", ()), *close, *((match["company"],) if match.get("by") == "name" else ())}


def matched(match: Mapping[str, Any], accounts: Mapping[int, Company]) -> Fact | None:
    """How a company that is no account itself was matched to one when its lead was routed; None where there
    is nothing to say. What was deleted since is left out."""
    if match.get("by") == "name" and (found := accounts.get(match["company"])):
        words = f"{account(found)}. Matched to the account {_called(found)} by its name"
        return Fact("Account", words, is_doubt=found.stage == CompanyStage.COMPETITOR)
    if ties := [accounts[pk] for pk in match.get("ties", ()) if pk in accounts]:
        names = ", ".join(_called(row) for row in ties)
        return Fact("Account", f"none chosen: {len(ties)} accounts have this name ({names})", is_doubt=True)
    for pk, ratio in match.get("close", ())[:1]:
        if pk in accounts:
            how = "in another country" if ratio >= 100 else f"a name {ratio:.0f} of 100 alike"
            return Fact("Account", f"none. Close to the account {_called(accounts[pk])}, {how}")
    return None


def _called(company: Company) -> str:
    name = cut(str(company), 60)
    where = ", ".join(part for part in (company.domain or "", company.country_code) if part)
    return f"{name} ({where})" if where and where != name else name


def others(leads: int, handoffs: int) -> str:
    if not leads:
        return "nobody else known"
    people = f"{leads} other lead{'' if leads == 1 else 's'}"
    return f"{people}, {handoffs} handoff{'' if handoffs == 1 else 's'}" if handoffs else people


def _news(company: Company) -> tuple[Link, ...]:
    rows = [row for row in company.news if isinstance(row, dict)] if isinstance(company.news, list) else []
    titled = [(cut(str(row.get("title") or ""), 90), str(row.get("url") or "")) for row in rows]
    return tuple(outside(url, title) or Link(title) for title, url in titled[:2] if title)
