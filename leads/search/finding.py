"""Finding people and companies by what somebody types: names, addresses, numbers, domains, ids.

Owns which leads a person sees, and how a query becomes look-ups: `folding` says what it asks for,
`SearchWord` who has such words. A rare word is looked up and the others are asked of whoever has it; words
that everybody has are looked for among those who changed last, and then all who have them are intersected.
A person who is not shown addresses cannot find by them either.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Concat

from leads import identity, permissions
from leads.models import Company, ExternalId, Handoff, Lead, LeadAlias, SearchWord
from leads.roles import Can, can
from leads.search import folding
from leads.search.folding import Term
from routing.people import User

LONGEST = 200
MOST_LEADS, MOST_COMPANIES = 25, 10
# A word that more rows have is common.
RARE = 2_000
# So many leads are named one by one in a query.
MOST_NAMED = 5_000
# So many leads with one id are more than a search shows.
MOST_EXACT = 2_000
# Where common words are looked for first: with words that everybody has a page is full long before. The first
# are so few that each is asked; of more a planner would rather list all who have the word.
NEWEST = (500, 5_000)
ORDER = ("-updated_at", "-id")
_NUMBER = re.compile(r"(?:(lead|handoff)\s*)?(?:#\s*)?(\d{1,18})", re.IGNORECASE)


def sees_all(user: User) -> bool:
    """Whether every lead is this person's to see, those without a handoff too."""
    return can(user, Can.SEE_ALL)


def leads_of(user: User) -> QuerySet[Lead]:
    """The leads this person sees; merged ones stand under the lead they went into."""
    leads = Lead.objects.filter(merged_into__isnull=True, erased_at__isnull=True)
    if sees_all(user):
        return leads
    return leads.filter(pk__in=Handoff.objects.visible_to(user).order_by().values("lead_id"))


def few_of(user: User) -> QuerySet[Lead]:
    """The same leads, for a query that names few of them: each is asked whether it is theirs to see."""
    leads = Lead.objects.filter(merged_into__isnull=True, erased_at__isnull=True)
    if sees_all(user):
        return leads
    return leads.filter(Exists(Handoff.objects.visible_to(user).order_by().filter(lead=OuterRef("pk"))))


def some_of(user: User, many: int) -> QuerySet[Lead]:
    """The leads of some of the handoffs that this person sees: all of them, or so many handoffs' at least."""
    handoffs = Handoff.objects.visible_to(user).order_by().values("lead_id")[:many]
    return Lead.objects.filter(merged_into__isnull=True, erased_at__isnull=True, pk__in=handoffs).order_by()


def companies_of(user: User) -> QuerySet[Company]:
    if sees_all(user):
        return Company.objects.all()
    return Company.objects.filter(pk__in=leads_of(user).order_by().values("company_id"))


def plain(words: str) -> str:
    """What was typed, bounded and without what no database takes."""
    return " ".join("".join(char if char.isprintable() else " " for char in words[:LONGEST]).split())


@dataclass
class Found:
    """What a search found: a handoff by its number, people, companies; `is_short` when too little was
    typed to look for more than a number."""

    handoff: Handoff | None = None
    leads: list[Lead] = field(default_factory=list)
    companies: list[Company] = field(default_factory=list)
    is_cut: bool = False
    is_short: bool = False


def search(user: User, typed: str) -> Found:
    """The best first: this very number, address or id; then whole words; then beginnings; each the latest
    changed first."""
    typed = plain(typed)
    found = Found()
    if not typed:
        return found
    query = Query(typed, permissions.sees_personal_data(user))
    number = _NUMBER.fullmatch(typed)
    exact = query.exact()
    if number and (number[1] or "").lower() != "handoff":
        exact.add(int(number[2]))
    if number and (number[1] or "").lower() != "lead":
        handoffs = Handoff.objects.visible_to(user).select_related("lead__company", "assignee", "queue")
        found.handoff = handoffs.filter(pk=int(number[2])).first()
    seen: dict[int, Lead] = {}
    if exact:
        seen = {lead.pk: lead for lead in _latest(leads_of(user).filter(pk__in=exact), MOST_LEADS + 1)}
    found.is_short = query.is_short and not number
    if query.asks:
        for whole in (True, False):
            if len(seen) <= MOST_LEADS:
                rows = query.leads(user, MOST_LEADS + 1 + len(seen), whole=whole)
                seen |= {lead.pk: lead for lead in rows if lead.pk not in seen}
        found.companies = query.companies(user, MOST_COMPANIES)
    found.leads = list(seen.values())[:MOST_LEADS]
    found.is_cut = len(seen) > MOST_LEADS
    return found


def matching(typed: str, personal: bool) -> Q:
    """The leads that fit what was typed, as one condition for a list."""
    query = Query(plain(typed), personal)
    exact = query.exact()
    if not exact:
        return query.lead_condition() if query.asks else Q(pk__in=())
    fits = Lead.objects.filter(pk__in=exact).order_by().values("pk")
    if query.asks:
        fits = fits.union(Lead.objects.filter(query.lead_condition()).order_by().values("pk"))
    return Q(pk__in=fits)


def matching_companies(typed: str) -> Q:
    """The companies whose own words fit what was typed."""
    query = Query(plain(typed), False)
    return query.company_condition() if query.asks else Q(pk__in=())


class Query:
    """What was typed, as look-ups for somebody who may or may not find by addresses."""

    def __init__(self, typed: str, personal: bool) -> None:
        self.typed, self.personal = typed, personal
        self.terms = folding.terms(typed, personal=personal)
        self.is_short = bool(self.terms) and folding.is_short(self.terms)
        self._read: dict[tuple[Term, bool, bool], Rows] = {}

    @property
    def asks(self) -> bool:
        """Whether it asks for words, each of which somebody may have."""
        return bool(self.terms) and all(term.groups for term in self.terms) and not self.is_short

    def exact(self) -> set[int]:
        """Leads with this very id in some system, or, if that may be asked, this address or number."""
        if not self.typed:
            return set()
        asked: list[QuerySet[Any, Any]] = []
        if self.personal and (key := identity.normalise_email(self.typed)):
            asked.append(Lead.objects.filter(email_key=key).order_by().values_list("pk"))
            asked.append(LeadAlias.objects.filter(email_key=key).order_by().values_list("lead_id"))
        digits = re.sub(r"[^\d+]", "", self.typed)
        if self.personal and len(digits) >= 6 and (phone := identity.phone_key(self.typed, "")):
            asked.append(Lead.objects.filter(phone_key=phone).order_by().values_list("pk"))
        found = ExternalId.objects.filter(value=self.typed).order_by().values_list("lead_id")
        return {pk for (pk,) in (found.union(*asked) if asked else found)[:MOST_EXACT]}

    def leads(self, user: User, most: int, *, whole: bool) -> list[Lead]:
        """The latest changed of those who fit, at most so many."""
        rarest = self._rarest(whole)
        if not rarest.rows:
            return []
        if rarest.is_whole:
            return _latest(few_of(user).filter(rarest.leads(), self._each(whole, but=rarest.known)), most)
        each = self._each(whole, but=())
        if not (sees_all(user) or can(user, Can.SEE_TEAMS)):
            return _latest(leads_of(user).filter(each), most)
        # Of a manager's leads there are fewer among the newest, and to list them all takes longer.
        for many in NEWEST[:1] if sees_all(user) else NEWEST:
            rows, is_everything = _newest(few_of(user).filter(each), many)
            found = list(rows.select_related("company").order_by(*ORDER)[:most])
            if len(found) == most or is_everything:
                return found
        listed = [(term, rows, _named(rows)) for term, rows in self._stands(whole)]
        # Where many companies have a word too, it is asked of whoever has the others.
        listed = [row for row in listed if len(row[2]) <= RARE] or listed[:1]
        each = self._each(whole, but=[term for term, *_ in listed])
        return _latest(few_of(user).filter(_everybody(row[1:] for row in listed), each), most)

    def companies(self, user: User, most: int) -> list[Company]:
        """Companies whose own words fit, by name."""
        rarest = self._rarest(False, of_company=True)
        if not rarest.rows:
            return []
        each = self._each(False, but=rarest.known, of_company=True)
        if rarest.is_whole:
            theirs = few_of(user).filter(company=OuterRef("pk"))
            seen = Company.objects.all() if sees_all(user) else Company.objects.filter(Exists(theirs))
            rows = seen.filter(each, pk__in=rarest.companies)
        elif len(self.terms) > 1 or not sees_all(user):
            first, *others = (_companies(rows) for _, rows in self._stands(False))
            rows = companies_of(user).filter(each, pk__in=first.intersection(*others) if others else first)
        else:
            # One word that many have: the first by name are soon found.
            return list(Company.objects.filter(each).order_by("name_key", "pk")[:most])
        return list(rows.order_by(Concat("name_key", Value("")), "pk")[:most])

    def lead_condition(self) -> Q:
        """The leads that fit. Where every word is common the list is walked through in its own order."""
        rarest = self._rarest(False)
        if not rarest.rows:
            return Q(pk__in=())
        each = self._each(False, but=rarest.known)
        return rarest.leads() & each if rarest.is_whole else each

    def company_condition(self) -> Q:
        """The companies that fit by their own words."""
        rarest = self._rarest(False, of_company=True)
        if not rarest.rows:
            return Q(pk__in=())
        each = self._each(False, but=rarest.known, of_company=True)
        return Q(pk__in=rarest.companies) & each if rarest.is_whole else each

    def _rarest(self, whole: bool, of_company: bool = False) -> Rows:
        """The rows of the term that fewest have; none if there is a term that nobody has."""
        found = (self._rows_of(term, rows, whole, of_company) for term, rows in self._stands(whole))
        return min(found, key=lambda rows: len(rows.rows))

    def _rows_of(self, term: Term, rows: QuerySet[SearchWord], whole: bool, of_company: bool) -> Rows:
        """The rows of a term, as many as tell whether it is rare; read once for people and companies."""
        key, of_all = (term, whole, of_company), self._read.get((term, whole, False))
        if key not in self._read and of_all is not None and of_all.is_whole:
            self._read[key] = Rows(term, [row for row in of_all.rows if row[1] is not None])
        elif key not in self._read:
            rows = rows.filter(company__isnull=False) if of_company else rows
            self._read[key] = Rows(term, list(rows.values_list("lead", "company")[: RARE + 1]))
        return self._read[key]

    def _stands(self, whole: bool) -> list[tuple[Term, QuerySet[SearchWord]]]:
        """Each term with rows among which all are that fit it: of a group every word must be there, so one
        of them stands for it, the longest."""
        return [
            (term, self._rows((max(group, key=len) for group in term.groups), whole)) for term in self.terms
        ]

    def _rows(self, words: Iterable[str], whole: bool) -> QuerySet[SearchWord]:
        """Rows with one of these words, or with one that begins so."""
        fits = _any_of(Q(word=word) if whole else Q(word__begins=word) for word in words)
        rows = SearchWord.objects.filter(fits).order_by()
        # Only what stands for an address has this sign.
        return rows if self.personal else rows.exclude(word__contains="@")

    def _each(self, whole: bool, *, but: Collection[Term], of_company: bool = False) -> Q:
        """Every term fits: one of its groups, with each word. What was looked up is not asked again."""

        def has(word: str) -> Q:
            rows = self._rows([word], whole)
            if of_company:
                return Q(Exists(rows.filter(company=OuterRef("pk"))))
            of_theirs = rows.filter(company=OuterRef("company_id"))
            return Q(Exists(rows.filter(lead=OuterRef("pk")))) | Q(Exists(of_theirs))

        fits = Q()
        for term in self.terms:
            if not (term in but and all(len(group) == 1 for group in term.groups)):
                fits &= _any_of(reduce(and_, map(has, group)) for group in term.groups)
        return fits


@dataclass
class Rows:
    """Who has the words that a term stands for, as pairs of lead and company, one of which is None."""

    term: Term
    rows: list[tuple[int | None, int | None]]

    @property
    def is_whole(self) -> bool:
        """Whether that is everybody: a rare word."""
        return len(self.rows) <= RARE

    @property
    def known(self) -> tuple[Term, ...]:
        """The term, if its rows are everybody."""
        return (self.term,) if self.is_whole else ()

    @property
    def companies(self) -> set[int]:
        return {company for _, company in self.rows if company is not None}

    def leads(self) -> Q:
        """Who has them themselves, or by their company."""
        return Q(pk__in={lead for lead, _ in self.rows if lead is not None}) | Q(company__in=self.companies)


def _everybody(asked: Iterable[tuple[QuerySet[SearchWord], list[int]]]) -> Q:
    """The leads that have a word of each of these rows, their own or that of one of the companies beside."""
    first, *others = (_ids(rows, named) for rows, named in asked)
    both = first.intersection(*others) if others else first
    # A few are named one by one: a planner expects many, and would rather start with all leads there are.
    ids = [pk for (pk,) in both.values_list("lead_id")[: MOST_NAMED + 1]]
    return Q(pk__in=ids if len(ids) <= MOST_NAMED else both)


def _ids(rows: QuerySet[SearchWord], named: list[int]) -> QuerySet[Any, Any]:
    of_company: Any = named if len(named) <= RARE else _companies(rows)
    of_theirs = Lead.objects.filter(company__in=of_company).order_by().values("pk")
    return rows.filter(lead__isnull=False).values("lead_id").union(of_theirs, all=True)


def _newest(rows: QuerySet[Lead], many: int) -> tuple[QuerySet[Lead], bool]:
    """Those of the rows that are among so many who changed last, and whether that is everybody."""
    since = Lead.objects.order_by(*ORDER).values_list("updated_at", flat=True)[many : many + 1]
    return (rows.filter(updated_at__gt=since[0]), False) if since else (rows, True)


def _companies(rows: QuerySet[SearchWord]) -> QuerySet[Any, Any]:
    return rows.filter(company__isnull=False).values_list("company_id")


def _named(rows: QuerySet[SearchWord]) -> list[int]:
    """The companies that have such a word: few, mostly, of a word that many people have."""
    return [pk for (pk,) in _companies(rows)[: RARE + 1]]


def _latest(rows: QuerySet[Lead], most: int) -> list[Lead]:
    # By an expression: a planner that sees an index of the order walks through everybody for these few.
    latest_first = (Coalesce("updated_at", "created_at").desc(), "-pk")
    shown = rows.order_by(*latest_first).values("pk")[:most]
    # Companies are joined to those alone that are shown.
    return list(Lead.objects.filter(pk__in=shown).select_related("company").order_by(*latest_first))


def _any_of(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)
