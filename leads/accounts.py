"""Which account a lead belongs to: the company somebody already looks after, found by domain, else by name.

Owns the match and its evidence, set-wise: one query for any number of cases. Never writes, and never
decides who gets a lead: it says what `Facts` may say of the account, and close names decide nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from django.db.models import QuerySet
from rapidfuzz import fuzz, process

from leads import company_names
from leads.choices import CompanyStage
from leads.models import Company
from leads.models.company import ACCOUNT_START
from routing.prepared import prepared

if TYPE_CHECKING:
    from leads.preflight import Case

# From here on two names are close enough to be shown side by side.
CLOSE = 90
MOST_SHOWN = 5
# What is kept of a key as evidence.
KEPT_KEY = 60


@dataclass(frozen=True)
class AccountMatch:
    """What the accounts said of one lead's company.

    `by` is how the account was found, "" when none was. `key` is the name that was looked for. `ties` are
    the accounts of that very name when there are several, `close` those of a similar one as (id, ratio), the
    closest first; an account of the same name in another country is close, with 100. At most five of each.
    """

    by: Literal["domain", "name", ""] = ""
    company_id: int | None = None
    owner_id: int | None = None
    stage: str = ""
    named: bool = False
    key: str = ""
    ties: tuple[int, ...] = ()
    close: tuple[tuple[int, float], ...] = ()

    @property
    def named_fact(self) -> str | None:
        """Whether it is a named account, as rules ask: "yes", "no", None where several could be it."""
        if self.ties:
            return None
        return "yes" if self.named else "no"

    def to_json(self) -> dict[str, Any]:
        """The evidence as it is kept with the decision, small; {} when nothing was found."""
        out: dict[str, Any] = {}
        if self.by:
            out |= {"by": self.by, "company": self.company_id, "owner": self.owner_id, "stage": self.stage}
            out["named"] = self.named
        if self.ties:
            out["ties"] = list(self.ties)
        if self.close:
            out["close"] = [list(pair) for pair in self.close]
        if self.key and out and self.by != "domain":
            out["key"] = self.key[:KEPT_KEY]
        return out


class Account(NamedTuple):
    """An account as the match needs it, in the order of _COLUMNS."""

    pk: int
    key: str
    country: str
    owner_id: int | None
    stage: str
    named: bool


_COLUMNS = ("pk", "account_key", "country_code", "owner_id", "stage", "is_named_account")


def is_account(company: Company) -> bool:
    """Whether somebody looks after it, or it is more than a prospect (`Company.account_start` in memory)."""
    is_known = company.stage != CompanyStage.PROSPECT or company.is_named_account
    return company.owner_id is not None or is_known


def match(cases: Iterable[Case]) -> None:
    """Give each case its account; one query for any number, none where every company is an account itself.

    The lead's own company, known by its domain, comes first. Otherwise the account of the same name, if
    there is exactly one that is not in another country than the lead's company (else the lead).
    """
    asked: list[tuple[Case, str, str]] = []
    for case in cases:
        company = case.company
        case.account = AccountMatch()
        if company is None:
            continue
        if company.domain and is_account(company):
            case.account = _matched(_of(company), "domain")
        elif company.account_key:
            asked.append((case, company.account_key, company.country_code or case.lead.country_code))
    if not asked:
        return
    near = _Near(key for _, key, _ in asked)
    for case, key, country in asked:
        case.account = near.match(key, country)


def own(company: Company | None) -> AccountMatch:
    """What a company's own row says, before the accounts are asked."""
    return AccountMatch() if company is None or not is_account(company) else _matched(_of(company), "domain")


def likenesses(companies: Sequence[Company]) -> dict[int, list[tuple[int, float]]]:
    """For each of these companies the other accounts of the same or a close name, as (id, ratio)."""
    near = _Near(company.account_key for company in companies if company.account_key)
    return {
        company.pk: [pair for pair in near.close(company.account_key) if pair[0] != company.pk][:MOST_SHOWN]
        for company in companies
    }


class _Near:
    """The accounts whose name begins like one of these keys, read once."""

    def __init__(self, keys: Iterable[str]) -> None:
        starts = {start for key in keys for start in company_names.starts(key, ACCOUNT_START)}
        # By their first letters, then by name: a key is compared with no more of them than it must be.
        self.known: dict[str, dict[str, list[Account]]] = {}
        for account in map(Account._make, _that_start(starts)):
            names = self.known.setdefault(account.key[:ACCOUNT_START], {})
            names.setdefault(account.key, []).append(account)
        self._close: dict[str, list[tuple[int, float]]] = {}

    def match(self, key: str, country: str) -> AccountMatch:
        same = self.known.get(key[:ACCOUNT_START], {}).get(key, [])
        near = [account for account in same if not (country and account.country not in ("", country))]
        if len(near) == 1:
            return _matched(near[0], "name")
        if near:
            return AccountMatch(key=key, ties=tuple(account.pk for account in near[:MOST_SHOWN]))
        return AccountMatch(key=key, close=tuple(self.close(key)[:MOST_SHOWN]))

    def close(self, key: str) -> list[tuple[int, float]]:
        """Accounts by how close their name is to the key, the closest first, equal ones by age."""
        if key not in self._close:
            # Two names of very different length share too few letters, whichever they are.
            least, most = len(key) * CLOSE / (200 - CLOSE), len(key) * (200 - CLOSE) / CLOSE
            pairs = [
                (account.pk, round(ratio, 1))
                for start in company_names.starts(key, ACCOUNT_START)
                if (names := self.known.get(start))
                for name, ratio, _ in process.extract(
                    key,
                    [name for name in names if least <= len(name) <= most],
                    scorer=fuzz.token_sort_ratio,
                    score_cutoff=CLOSE,
                    limit=None,
                )
                for account in names[name]
            ]
            self._close[key] = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
        return self._close[key]


@prepared
def _that_start(starts: Collection[str]) -> QuerySet[Company, tuple[Any, ...]]:
    return Company.objects.filter(account_start__in=starts).order_by("pk").values_list(*_COLUMNS)


def _of(company: Company) -> Account:
    return Account._make(getattr(company, name) for name in _COLUMNS)


def _matched(account: Account, by: Literal["domain", "name"]) -> AccountMatch:
    return AccountMatch(by, account.pk, account.owner_id, account.stage, account.named, account.key)
