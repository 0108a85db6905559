"""A lead put right by hand: one way in for every page that edits a person or their company.

Owns what may be edited, how each value is cleaned and bounded, and what follows from a change: the match
keys, the former address kept as an alias, possible duplicates, reports of wrong data that it settles. The
newest fact wins, and a person's is of now. Never touches a handoff: `leads.lifecycle` checks those again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from email_validator import EmailNotValidError, validate_email

from leads import identity, lifecycle, preflight
from leads.choices import SIZE_BAND_NAMES
from leads.firmographics import COMPANY_FIELDS, LEAD_FIELDS, fill, put
from leads.lifecycle import Act, Invalid
from leads.models import Company, Complaint, Handoff, Lead, LeadAlias
from leads.search import indexing
from routing.locking import locked_one

LONGEST_ADDRESS = 320


@dataclass(frozen=True)
class Field:
    """One value that can be edited. `column` is on the lead, or on its company when `of_company`."""

    name: str
    label: str
    column: str
    clean: Callable[[Any], Any]
    longest: int
    of_company: bool = False
    kind: str = "text"
    options: tuple[str, ...] = ()
    is_name: bool = False


def _address(value: str) -> str:
    if not value:
        return ""
    if len(value) > LONGEST_ADDRESS:
        raise ValueError(f"has more than {LONGEST_ADDRESS} characters")
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("is not an e-mail address") from None
    return value


def _or_empty(clean: Callable[[Any], Any], empty: Any = "") -> Callable[[Any], Any]:
    """The same cleaning, with nothing typed meaning that the value is taken away."""
    return lambda value: clean(value) if value else empty


# A name is a line of the same length as a job title.
_name = LEAD_FIELDS["job_title"]


def _of_lead(name: str, label: str, longest: int, **more: Any) -> Field:
    return Field(name, label, name, _or_empty(LEAD_FIELDS[name]), longest, **more)


def _of_company(name: str, label: str, column: str, longest: int, **more: Any) -> Field:
    clean = _or_empty(COMPANY_FIELDS[column], None if column == "employee_count" else "")
    return Field(name, label, column, clean, longest, of_company=True, **more)


# In the order of the form.
FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field("first_name", "First name", "first_name", _name, 300, is_name=True),
        Field("last_name", "Last name", "last_name", _name, 300, is_name=True),
        Field("email", "E-mail", "email", _address, LONGEST_ADDRESS, kind="email"),
        _of_lead("phone", "Phone", 60, kind="tel"),
        _of_lead("job_title", "Job title", 300),
        _of_company("company_name", "Company name", "name", 300, is_name=True),
        _of_company("size_band", "Size band", "size_band", 12, options=SIZE_BAND_NAMES),
        _of_company("employee_count", "Employees", "employee_count", 12, kind="number"),
        _of_company("industry", "Industry", "industry", 200),
        _of_company("website", "Website", "website", 500, kind="url"),
        _of_lead("country_code", "Country", 2),
        _of_lead("region", "Region", 200),
        _of_lead("postal_code", "Postal code", 30),
        _of_lead("language", "Language", 35),
        _of_lead("linkedin_url", "LinkedIn", 500, kind="url"),
    )
}
# A change of one of these can make somebody look like somebody else.
_SUSPECT = frozenset({"first_name", "last_name", "phone", "country_code", "company_name", "email"})


class _Taken(Exception):
    """The address is another lead's."""

    def __init__(self, owner: Lead) -> None:
        super().__init__("the address is taken")
        self.owner = owner


def held(lead: Lead) -> dict[str, str]:
    """What stands in each field now, as a form shows it (the company is loaded)."""
    shown = {}
    for name, field in FIELDS.items():
        row = lead.company if field.of_company else lead
        value = getattr(row, field.column) if row is not None else None
        shown[name] = "" if value is None else str(value)
    return shown


def typed(given: Mapping[str, str]) -> dict[str, str]:
    """The fields of a form that a person changed: `given` also holds what the page had shown, as "was-NAME".

    What somebody else wrote meanwhile into a field that was left alone is then not written over.
    """
    return {
        name: given[name]
        for name in FIELDS
        if name in given and given[name].strip() != given.get(f"was-{name}", "\0").strip()
    }


def edit(lead: Lead, changes: Mapping[str, str], act: Act) -> set[str]:
    """Write what a person typed, by names of FIELDS; "" takes a value away. Returns the fields that changed.

    Reports of wrong data that name a changed field are settled, and waiting handoffs are checked again.
    Raises Invalid with an error for each field that is wrong; then nothing was written. An address of
    another lead is refused too, and the two are raised as a possible duplicate.
    """
    values = _cleaned(changes)
    if not values:
        return set()
    try:
        changed, company_id = _write(lead.pk, values, act)
    except _Taken as taken:
        _raise_pair(lead, taken.owner, act)
        name = taken.owner.full_name or f"lead {taken.owner.pk}"
        message = f"This is the address of {name}. The two are now listed as possible duplicates."
        raise Invalid({"email": message}) from None
    if changed:
        leads = {lead.pk}
        if company_id is not None and any(FIELDS[name].of_company for name in changed):
            colleagues = Handoff.objects.incomplete().filter(lead__company_id=company_id)
            leads |= set(colleagues.values_list("lead_id", flat=True))
        lifecycle.recheck_leads(leads, act)
    return changed


def _cleaned(changes: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, raw in changes.items():
        field = FIELDS.get(name)
        if field is None:
            errors[name] = "This cannot be edited here."
            continue
        try:
            values[name] = field.clean(raw.strip())
        except ValueError as error:
            errors[name] = f"This {error}."
    if errors:
        raise Invalid(errors)
    return values


@transaction.atomic
def _write(lead_id: int, values: Mapping[str, Any], act: Act) -> tuple[set[str], int | None]:
    """Lock and write. Returns the fields that changed, and the company's id."""
    key = identity.normalise_email(values["email"]) if values.get("email") else ""
    identity.lock(_keys(lead_id, values, key))
    lead = locked_one(Lead.objects.select_related("company"), lead_id)
    if lead.merged_into_id is not None:
        raise Invalid({"": "This lead was merged into another; edit that one."})
    if lead.erased_at is not None:
        raise Invalid({"": "This person was erased; there is nothing left to edit."})
    _refuse_placeholders(lead, values)
    changed: set[str] = set()
    domain_before = identity.company_domain(lead.email_key or "", "")
    if "email" in values and values["email"] != lead.email:
        _move_address(lead, values["email"], key, act)
        changed.add("email")
    changed |= _put(lead, {n: v for n, v in values.items() if n != "email" and not FIELDS[n].of_company}, act)
    if changed & {"first_name", "last_name"}:
        lead.name_key = identity.name_key(lead.first_name, lead.last_name)
    has_moved = identity.company_domain(lead.email_key or "", "") != domain_before
    of_company = {n: v for n, v in values.items() if FIELDS[n].of_company}
    changed |= _write_company(lead, of_company, has_moved, act)
    if changed:
        lead.updated_at = act.now
        lead.save()
        Complaint.objects.filter(lead=lead, cleared_at__isnull=True, field__in=changed).update(
            cleared_at=act.now, cleared_by=act.user
        )
    if changed & indexing.LEAD_FIELDS:
        indexing.keep([lead])
    if changed & _SUSPECT:
        identity.find_duplicates([lead], act.now)
    return changed, lead.company_id


def _keys(lead_id: int, values: Mapping[str, Any], key: str) -> set[str]:
    """What must not be found missing twice at once: the address and the company, as intake calls them.

    Taken before any row is locked, which is the order that intake keeps too.
    """
    address = key or Lead.objects.filter(pk=lead_id).values_list("email_key", flat=True).first() or ""
    keys = {f"mail:{key}"} if key else set()
    if domain := identity.company_domain(address, ""):
        keys.add(f"company:{domain}")
    elif values.get("company_name"):
        keys.add(f"company-name:{identity.text_key(values['company_name'])[:300]}")
    return keys


def _put(row: Lead | Company, values: Mapping[str, Any], act: Act) -> set[str]:
    """Set fields of one row; a newer fact that came in meanwhile is not written over."""
    changed = set()
    for name, value in values.items():
        column = FIELDS[name].column
        before = getattr(row, column)
        if before == value:
            continue
        if not put(row, column, value, act.now):
            is_newer = row.field_times.get(column, "") > _stamp(act.now)
            words = f"A newer value has come in: {before}" if is_newer else f"This says less than “{before}”."
            raise Invalid({name: words})
        changed.add(name)
    return changed


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _refuse_placeholders(lead: Lead, values: Mapping[str, Any]) -> None:
    words = preflight.placeholder_words(preflight.settings())
    errors = {}
    for name, value in values.items():
        field = FIELDS[name]
        row = lead.company if field.of_company else lead
        is_new = row is None or getattr(row, field.column) != value
        if field.is_name and value and is_new and preflight.is_placeholder(value, words):
            errors[name] = f"“{value}” only stands in for a name. Write the real one."
    if errors:
        raise Invalid(errors)


def _move_address(lead: Lead, email: str, key: str, act: Act) -> None:
    """The new address is the lead's; the former one stays as an alias."""
    if not key and not lead.external_ids.exists():
        raise Invalid({"email": "Without an address nothing says who this is."})
    if key and key != lead.email_key:
        owner = Lead.objects.filter(email_key=key).first()
        alias = LeadAlias.objects.filter(email_key=key).select_related("lead").first()
        if owner is None and alias is not None and alias.lead_id != lead.pk:
            owner = alias.lead
        if owner is not None:
            raise _Taken(owner)
        if alias is not None:
            alias.delete()
    if lead.email_key and lead.email_key != key:
        LeadAlias.objects.get_or_create(
            email_key=lead.email_key, defaults={"lead": lead, "added_at": act.now}
        )
    lead.email, lead.email_key = email, key or None
    lead.field_times["email"] = _stamp(act.now)


def _raise_pair(lead: Lead, owner: Lead, act: Act) -> None:
    pair = (min(lead.pk, owner.pk), max(lead.pk, owner.pk))
    with transaction.atomic():
        identity.raise_pairs({pair: {"same": "email"}}, act.now)
    lifecycle.recheck_leads([lead.pk, owner.pk], act)


def _write_company(lead: Lead, values: Mapping[str, Any], has_moved: bool, act: Act) -> set[str]:
    """Write what was typed about the company, on the row that is meant; the lead is linked to it.

    `has_moved` says that the address is of another organisation than before.
    """
    wanted = {name: value for name, value in values.items() if value or lead.company is not None}
    if not wanted and not has_moved:
        return set()
    found = _company_of(lead, wanted, has_moved, act.now)
    if found is None:
        if wanted:
            raise Invalid({next(iter(wanted)): "Write the company's name too: no company is known yet."})
        return set()
    # Locked after the lead: the order that everybody keeps.
    company = Company.objects.select_for_update(of=("self",)).get(pk=found.pk)
    if found.domain and not company.domain:
        company.domain = found.domain
        company.save(update_fields=["domain"])
    if lead.company_id == company.pk:
        changed = _put(company, wanted, act)
    else:
        # What others know of this company stands; what was typed fills the gaps.
        lead.company = company
        changed = {"company_name"}
        for name, value in wanted.items():
            if fill(company, FIELDS[name].column, value, act.now):
                changed.add(name)
    if changed:
        company.updated_at = act.now
        company.save()
    indexing.keep([company])
    return changed


def _company_of(lead: Lead, values: Mapping[str, Any], has_moved: bool, at: datetime) -> Company | None:
    """The company that is meant: the lead's own, or the one of a domain or name that is new to the lead.

    A company without a domain is known by its name alone and may be shared by people who have nothing else
    in common, so another name is another company, unless nobody else is there. Where the lead's own company
    turns out to have a domain, it comes back with it, not saved.
    """
    own = lead.company
    domain = identity.company_domain(lead.email_key or "", "")
    name = str(values.get("company_name") or "")
    if own is not None and own.domain and not (has_moved and domain and domain != own.domain):
        return own
    is_alone = own is not None and not own.leads.exclude(pk=lead.pk).exists()
    if domain:
        known = Company.objects.filter(domain=domain).first()
        if known is None and own is not None and not own.domain and is_alone:
            own.domain = domain
            return own
        former = own.name if own is not None and not own.domain else ""
        return known or _new_company(domain, former, at)
    key = identity.text_key(name)[:300]
    if own is not None and (not name or key == own.name_key):
        return own
    if not name:
        return None
    known = Company.objects.filter(domain__isnull=True, name_key=key).order_by("pk").first()
    return known or (own if is_alone else _new_company(None, "", at))


def _new_company(domain: str | None, name: str, at: datetime) -> Company:
    keys = {"name_key": identity.text_key(name)[:300], "account_key": identity.account_key(name)}
    known = {"name": name, **keys, "created_at": at, "updated_at": at}
    if domain is None:
        return Company.objects.create(**known)
    return Company.objects.get_or_create(domain=domain, defaults=known)[0]
