"""Companies as accounts: who owns one, at which stage it is, which are named; set by hand or from a file.

Owns what may be set, the words for what may not, and the list of accounts. Which lead belongs to which
account is `leads.accounts`; who then gets the lead is for the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from leads import identity, lifecycle
from leads.choices import CompanyStage
from leads.firmographics import COMPANY_FIELDS, fill
from leads.lifecycle import Act, Invalid
from leads.models import Company, Handoff
from leads.search import indexing
from routing.people import User
from routing.rotation import IN_SALES

NOBODY = "none"
# What a form or a file calls them, and the company's columns.
COLUMN = {"owner": "owner_id", "stage": "stage", "named_account": "is_named_account"}
_YES, _NO = frozenset(("yes", "y", "true", "1")), frozenset(("no", "n", "false", "0"))
_STAGES = {stage.label.casefold(): str(stage) for stage in CompanyStage}
# What a company has that is no account.
_PLAIN = {"owner": None, "stage": str(CompanyStage.PROSPECT), "named_account": False}
_MOST_TOLD = 5


def accounts() -> QuerySet[Company]:
    """Every company that is an account."""
    return Company.objects.filter(account_start__isnull=False)


def sellers() -> QuerySet[User]:
    """Who can own an account: active and in sales."""
    in_sales = User.groups.through.objects.filter(group__name__in=IN_SALES)
    return User.objects.filter(is_active=True, pk__in=in_sales.values("user_id")).order_by("name", "email")


def held(company: Company) -> dict[str, str]:
    """What stands now, as a form or a file writes it (the owner is loaded)."""
    return {
        "owner": company.owner.email if company.owner else NOBODY,
        "stage": company.stage,
        "named_account": "yes" if company.is_named_account else "no",
    }


class Owners:
    """Who can be named as an owner; the people are read when the first is asked for."""

    def clean(self, email: str) -> int | None:
        """The id of the person with this address; None for "none", which takes the owner away."""
        key = email.strip().lower()
        if key == NOBODY:
            return None
        user = self._people.get(key)
        if user is None:
            raise ValueError("is nobody's address here")
        if not user.is_active:
            raise ValueError(f"is the address of {user}, who is not active any more")
        if user.pk not in self._sellers:
            raise ValueError(f"is the address of {user}, who is not in sales")
        return user.pk

    def name(self, pk: int | None) -> str:
        return "nobody" if pk is None else self._names.get(pk, "somebody")

    @cached_property
    def _people(self) -> dict[str, User]:
        return {user.email.lower(): user for user in User.objects.only("name", "email", "is_active")}

    @cached_property
    def _names(self) -> dict[int, str]:
        return {user.pk: str(user) for user in self._people.values()}

    @cached_property
    def _sellers(self) -> frozenset[int]:
        rows = User.groups.through.objects.filter(group__name__in=IN_SALES)
        return frozenset(rows.values_list("user_id", flat=True))


def clean(name: str, text: str, owners: Owners) -> Any:
    """The column's value for a field of COLUMN as somebody wrote it; raises ValueError, "is not ..."."""
    cleaners: dict[str, Callable[[str], Any]] = {
        "owner": owners.clean,
        "stage": _stage,
        "named_account": _named,
    }
    return cleaners[name](text)


def _stage(text: str) -> str:
    stage = _STAGES.get(" ".join(text.replace("_", " ").split()).casefold())
    if stage is None:
        raise ValueError(f"is not one of {', '.join(CompanyStage.values)}")
    return stage


def _named(text: str) -> bool:
    word = text.strip().casefold()
    if word not in _YES | _NO:
        raise ValueError("is neither yes nor no")
    return word in _YES


def change(company_id: int, typed: Mapping[str, str], was: Mapping[str, str], act: Act) -> set[str]:
    """Set fields of COLUMN as a person typed them; the names of those that changed.

    `was` is what the page had shown: a field that was left alone keeps what others wrote meanwhile, and
    where somebody else changed the same one, Invalid says what stands there now.
    """
    values = _cleaned({name: text for name, text in typed.items() if text != was.get(name)})
    with transaction.atomic():
        company = Company.objects.select_for_update().get(pk=company_id)
        now = held(company)
        newer = {name for name in values if name in was and now[name] != was[name]}
        if clash := {name for name in newer if getattr(company, COLUMN[name]) != values[name]}:
            raise Invalid({name: f"Meanwhile somebody set this to “{now[name]}”." for name in clash})
        changed = _set(company, values, act)
    _look_again(company, changed, act)
    return changed


def add(words: str, name: str, typed: Mapping[str, str], act: Act) -> tuple[Company, bool, set[str]]:
    """Make a company an account: by its domain, which may be new to us, or by the exact name of one that is
    known. Returns the company, whether it was made, and the names of the fields that changed."""
    errors: dict[str, str] = {}
    values: dict[str, Any] = {}
    try:
        values = _cleaned(typed)
    except Invalid as invalid:
        errors = dict(invalid.errors)
    try:
        name = COMPANY_FIELDS["name"](name) if name else ""
    except ValueError as error:
        errors["name"] = f"This {error}."
    domain, known = _named_by(words, errors)
    if not errors and not any(values[name] != default for name, default in _PLAIN.items() if name in values):
        errors["named_account"] = (
            "Name it, or choose an owner or a stage beyond prospect: without one of these it is no account."
        )
    if errors:
        raise Invalid(errors)
    with transaction.atomic():
        company, is_new = _found(domain, known, act)
        if name and fill(company, "name", name, act.now):
            company.save(update_fields=["name", "name_key", "account_key", "field_times"])
        indexing.keep([company])
        changed = _set(company, values, act)
    _look_again(company, changed, act)
    return company, is_new, changed


def _named_by(words: str, errors: dict[str, str]) -> tuple[str | None, Company | None]:
    """The domain, or the one company of that name."""
    if not words:
        errors["company"] = "Write the company's domain, or its exact name."
        return None, None
    domain = identity.registrable_domain(words) if "." in words and " " not in words else None
    if domain is not None:
        if identity.is_free_mail(domain):
            errors["company"] = f"{domain} is a free-mail provider's, never a company's."
        return domain, None
    key = identity.text_key(words)[:300]
    same = list(Company.objects.filter(name_key=key).order_by("pk")[: _MOST_TOLD + 1]) if key else []
    if len(same) == 1:
        return None, same[0]
    if not same:
        errors["company"] = f"No company here is called “{words[:60]}”. Write its domain to add it."
    else:
        told = ", ".join(
            " ".join(filter(None, (row.domain, row.country_code))) or f"number {row.pk}" for row in same
        )
        errors["company"] = (
            f"Several companies are called that ({told}). Write the domain of the one you mean."
        )
    return None, None


def _found(domain: str | None, known: Company | None, act: Act) -> tuple[Company, bool]:
    if known is not None:
        return Company.objects.select_for_update().get(pk=known.pk), False
    identity.lock([f"company:{domain}"])
    company, is_new = Company.objects.get_or_create(
        domain=domain, defaults={"created_at": act.now, "updated_at": act.now}
    )
    return Company.objects.select_for_update().get(pk=company.pk), is_new


def _cleaned(typed: Mapping[str, str]) -> dict[str, Any]:
    owners, values, errors = Owners(), {}, {}
    for name, text in typed.items():
        try:
            values[name] = clean(name, text, owners)
        except ValueError as error:
            errors[name] = f"“{text[:60]}” {error}."
    if errors:
        raise Invalid(errors)
    return values


def _set(company: Company, values: Mapping[str, Any], act: Act) -> set[str]:
    changed = {name for name, value in values.items() if getattr(company, COLUMN[name]) != value}
    if changed:
        for name in changed:
            setattr(company, COLUMN[name], values[name])
        company.updated_at = act.now
        company.save(update_fields=[*(COLUMN[name] for name in changed), "updated_at"])
    return changed


def _look_again(company: Company, changed: set[str], act: Act) -> None:
    """What waits for a rule may meet one now."""
    if changed:
        waiting = Handoff.objects.incomplete().filter(lead__company=company)
        lifecycle.recheck_leads(set(waiting.values_list("lead_id", flat=True)), act)
