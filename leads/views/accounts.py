"""Accounts: the companies somebody looks after, found, told apart, added and changed one by one.

Owns the list, its file and the page of one account. What may be set is `leads.owning`, which names are
close is `leads.accounts`; many at once are `leads.views.accounts_file`. Managers read, marketing ops edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import CharField, QuerySet, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads import accounts as matching
from leads import exports, owning, paging
from leads.choices import CompanyStage
from leads.filters import NONE, AccountFilter
from leads.lifecycle import Act, Invalid
from leads.models import Company, Lead
from leads.presenters import heads
from leads.presenters.signals import cut
from leads.views.routes import frame
from leads.views.shell import shell_of, tell
from routing.people import User

SIZE = 50
MOST_EXPORTED = 50_000
# The orders, each by columns that are never null.
ORDERS = {
    "name": ("name_key", "id"),
    "-name": ("-name_key", "-id"),
    "stage": ("stage", "name_key", "id"),
    "-stage": ("-stage", "-name_key", "-id"),
    "owner": ("owner_words", "name_key", "id"),
    "-owner": ("-owner_words", "-name_key", "-id"),
}
FIRST = "name"
HEADS = (("Account", "name"), ("Stage", "stage"), ("Owner", "owner"))
# As a file of companies is read again.
HEADER = ("domain", "name", "owner", "stage", "named_account", "country_code")
SAID = {"owner": "owner", "stage": "stage", "named_account": "named account"}


@dataclass(frozen=True, slots=True)
class Like:
    """Another account that could be taken for this one."""

    id: int
    name: str
    sub: str
    how: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Line:
    """An account in the list. `doubt` says what is wrong with its owner."""

    id: int
    name: str
    domain: str
    country: str
    stage: str
    is_named: bool
    owner: str
    doubt: str
    likes: tuple[Like, ...]


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """The list: searched, filtered, ordered and paged by its address."""
    frame.reader(request)
    found = _found(request)
    rows, order = _in_order(found.qs.select_related("owner"), request.GET.get("sort", ""))
    page = paging.page(rows, order, request.GET.get("after", ""), SIZE)
    likes = _likes(page.rows)
    own = {name: str(value) for name, value in request.GET.items() if value and name != "after"}
    count = paging.count(found.qs, page)
    values = {
        "rows": [line(row, likes.get(row.pk, ())) for row in page.rows],
        "heads": [
            heads.head(label, sort, list(own.items()), ORDERS, FIRST, usual=sort) for label, sort in HEADS
        ],
        "filter": found,
        "given": {name: request.GET.get(name, "") for name in (*found.filters, "sort")},
        "owners": [(str(pk), str(name or email)) for pk, name, email in _owners()],
        "nobody": NONE,
        "stages": CompanyStage.choices,
        "count": paging.count_words(count),
        "is_one": count == 1,
        "more": f"?{urlencode(own | {'after': page.next})}" if page.next else "",
        "first": f"?{urlencode(own)}" if page.after else "",
        "csv": f"{reverse('leads:accounts_csv')}?{urlencode(own)}",
        "may_edit": frame.may_edit(request),
    }
    return render(request, "leads/routing/accounts.html", values)


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The list as CSV, with its filters and its order; the first 50,000. It can be read in again."""
    frame.reader(request)
    found = _found(request).qs.select_related("owner")
    rows, order = _in_order(found, request.GET.get("sort", ""))
    return exports.download("accounts.csv", HEADER, _lines(rows.order_by(*order)[:MOST_EXPORTED]))


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """One account: who owns it, whom it could be taken for. Marketing changes it."""
    user = frame.reader(request)
    company = Company.objects.select_related("owner").filter(pk=pk).first()
    if company is None:
        raise Http404("no such company")
    was = owning.held(company)
    if request.method != "POST":
        return _one(request, company, was, was)
    frame.editor(request)
    typed = _typed(request)
    shown = {name: request.POST.get(f"was-{name}", was[name]) for name in owning.COLUMN}
    try:
        changed = owning.change(pk, typed, shown, Act(shell_of(request).now, user))
    except Invalid as invalid:
        return _one(request, company, typed, was, invalid.errors)
    tell(request, f"{company}: {_what(changed)}")
    return redirect("leads:accounts")


@require_http_methods(["GET", "HEAD", "POST"])
def account_new(request: HttpRequest) -> HttpResponse:
    """An account that is not in the list yet."""
    user = frame.editor(request)
    if request.method != "POST":
        return _new(request, {"named_account": "yes"}, {})
    given = {name: request.POST.get(name, "").strip() for name in ("company", "name", "owner", "stage")}
    typed = {name: given[name] for name in ("owner", "stage") if given[name]}
    if request.POST.get("named_account"):
        typed["named_account"] = "yes"
    try:
        company, is_new, changed = owning.add(
            given["company"], given["name"], typed, Act(shell_of(request).now, user)
        )
    except Invalid as invalid:
        return _new(request, given | typed, invalid.errors)
    tell(request, f"{company}: {'added' if is_new else _what(changed)}{'.' if is_new else ''}")
    return redirect("leads:accounts")


def line(company: Company, likes: Sequence[Like] = ()) -> Line:
    """An account as the list shows it (its owner is loaded)."""
    owner = company.owner
    return Line(
        id=company.pk,
        name=cut(str(company), 120),
        domain=company.domain or "",
        country=company.country_code,
        stage=str(CompanyStage(company.stage).label),
        is_named=company.is_named_account,
        owner=str(owner) if owner else "",
        doubt="not active any more, so the rules pass over" if owner and not owner.is_active else "",
        likes=tuple(likes),
    )


def _likes(rows: Sequence[Company]) -> dict[int, tuple[Like, ...]]:
    """For each of these companies the accounts of the same or a close name; two queries."""
    pairs = matching.likenesses(rows)
    ids = {pk for found in pairs.values() for pk, _ in found}
    others = Company.objects.select_related("owner").in_bulk(ids) if ids else {}
    return {
        row.pk: tuple(_like(row, others[pk], ratio) for pk, ratio in pairs[row.pk] if pk in others)
        for row in rows
    }


def _like(row: Company, other: Company, ratio: float) -> Like:
    where = (other.domain or "no domain", other.country_code, str(CompanyStage(other.stage).label).lower())
    owner = f"owned by {other.owner}" if other.owner else "no owner"
    same = other.account_key == row.account_key
    return Like(
        id=other.pk,
        name=cut(str(other), 80),
        sub=", ".join(part for part in (*where, owner) if part),
        how="same name" if same else f"close, {ratio:.0f} of 100",
        is_same=same,
    )


def _one(
    request: HttpRequest,
    company: Company,
    typed: Mapping[str, str],
    was: Mapping[str, str],
    errors: Mapping[str, str] | None = None,
) -> HttpResponse:
    likes = _likes([company])[company.pk]
    leads = Lead.objects.filter(company=company, merged_into__isnull=True)
    values = {
        "company": line(company, likes),
        "site": company.domain or "",
        "leads": paging.count_words(paging.count(leads)),
        "typed": typed,
        "was": was,
        "errors": errors or {},
        "may_edit": frame.may_edit(request),
        **_choices(company.owner),
    }
    return render(request, "leads/routing/accounts_one.html", values, status=422 if errors else 200)


def _new(request: HttpRequest, typed: Mapping[str, str], errors: Mapping[str, str]) -> HttpResponse:
    values = {"typed": typed, "errors": errors, **_choices(None)}
    return render(request, "leads/routing/accounts_new.html", values, status=422 if errors else 200)


def _choices(owner: User | None) -> dict[str, Any]:
    """Owners and stages to choose from; an owner who cannot be chosen any more stays in the list."""
    owners = [(user.email, str(user)) for user in owning.sellers()]
    if owner is not None and owner.email not in dict(owners):
        owners.append((owner.email, f"{owner} ({'not in sales' if owner.is_active else 'not active'})"))
    return {"owners": owners, "stages": CompanyStage.choices, "nobody": owning.NOBODY}


def _typed(request: HttpRequest) -> dict[str, str]:
    return {
        "owner": request.POST.get("owner", owning.NOBODY).strip(),
        "stage": request.POST.get("stage", "").strip(),
        "named_account": "yes" if request.POST.get("named_account") else "no",
    }


def _what(changed: set[str]) -> str:
    if not changed:
        return "nothing was changed."
    return f"{', '.join(SAID[name] for name in SAID if name in changed)} changed."


def _found(request: HttpRequest) -> AccountFilter:
    return AccountFilter(request.GET, owning.accounts())


def _in_order(companies: QuerySet[Company], sort: str) -> tuple[QuerySet[Company], tuple[str, ...]]:
    """The query with what it is ordered by, and that order; what has no owner comes before what has one."""
    order = ORDERS.get(sort, ORDERS[FIRST])
    if "owner_words" in order[0]:
        named = Coalesce(
            NullIf("owner__name", Value("")), "owner__email", Value(""), output_field=CharField()
        )
        companies = companies.annotate(owner_words=named)
    return companies, order


def _owners() -> QuerySet[User, tuple[int, str, str]]:
    """Who owns an account now."""
    owners = owning.accounts().exclude(owner=None).order_by().values("owner")
    return User.objects.filter(pk__in=owners).order_by("name", "email").values_list("pk", "name", "email")


def _lines(rows: QuerySet[Company]) -> Iterator[tuple[Any, ...]]:
    for company in rows.iterator(chunk_size=500):
        held = owning.held(company)
        yield (
            company.domain,
            company.name,
            held["owner"],
            held["stage"],
            held["named_account"],
            company.country_code,
        )
