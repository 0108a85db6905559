"""The form of a mapping: a whole one shown field by field, and what was typed read back into a whole one.

Owns the names of the form's fields and the two ways through it. Empty means "left as it is there"; EMPTY,
typed where a status' value stands, means that the field is emptied. Judges nothing: that is
`leads.connectors.mapping.problems`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from leads.connectors.base import Offered
from leads.connectors.mapping import FACTS, WRITABLE, Map, Problem
from leads.outbox.wanted import Status
from leads.typed import plain

EMPTY = "(empty)"
MOST_STATUS_FIELDS, LONGEST, MOST_LINES = 6, 200, 1000
LABELS: Mapping[str, str] = {
    "handoff_id": "Number of the handoff",
    "revision": "Revision",
    "status": "Status, in our words",
    "reason": "Reason",
    "owner": "Owner",
    "deferred_until": "Deferred until",
    "mql_at": "Qualified at",
    "accepted_at": "Accepted at",
    "first_contact_at": "First contact at",
    "changed_at": "Last changed at",
    "opportunity_id": "Opportunity, its id",
    "opportunity_amount": "Opportunity, amount",
    "opportunity_currency": "Opportunity, currency",
    "lead.email": "E-mail",
    "lead.first_name": "First name",
    "lead.last_name": "Last name",
    "lead.job_title": "Job title",
    "lead.phone": "Phone",
    "lead.country_code": "Country",
    "company.name": "Company",
    "company.domain": "Company’s domain",
    "company.industry": "Industry",
    "company.employee_count": "Employees",
    "company.annual_revenue": "Annual revenue",
    "score.total": "Score",
    "score.fit": "Score, fit",
    "score.intent": "Score, intent",
    "score.behavior": "Score, behavior",
    "source.lead_source": "Lead source",
}
STATUS_WORDS: Mapping[str, str] = {
    Status.PENDING: "Waits for sales (MQL)",
    Status.ACCEPTED: "Accepted (SAL)",
    Status.CONTACTED: "Contacted",
    Status.DEFERRED: "Deferred",
    Status.REJECTED: "Rejected",
    Status.OPPORTUNITY: "Opportunity (SQL)",
    Status.DISQUALIFIED: "Disqualified",
    Status.CLOSED: "Closed otherwise",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of the form. `choices` are value and label, empty for free text."""

    name: str
    label: str
    value: str
    problem: str = ""
    choices: Sequence[tuple[str, str]] = ()
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """The whole form."""

    fields: Sequence[Cell]
    facts: Sequence[Cell]
    status_fields: Sequence[Cell]
    statuses: Sequence[tuple[str, Sequence[Cell]]]
    owners: Sequence[Cell]
    owners_more: str
    sources: str
    names: Sequence[tuple[str, str]]
    others: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be an owner."""

    id: int
    name: str
    email: str


def shown(
    mapping: Map, offered: Offered, people: Sequence[Person], problems: Iterable[Problem], *, propose: bool
) -> Shown:
    """The form with this mapping in it. With `propose` whoever has the same address there is filled in."""
    wrong = {problem.where: problem.words for problem in problems}
    status_fields = [*mapping.status_fields, ""][:MOST_STATUS_FIELDS]
    statuses = []
    for status in Status:
        values = mapping.statuses.get(str(status), {})
        cells = [
            _status_cell(str(status), place, name, values, offered, wrong)
            for place, name in enumerate(status_fields)
        ]
        statuses.append((STATUS_WORDS[status], cells))
    theirs = {address.lower(): key for address, key in offered.owners.items()}
    named = sorted(((key, address) for address, key in offered.owners.items()), key=lambda pair: pair[1])
    owners = []
    for person in people:
        value = mapping.owners.get(person.email, "")
        proposal = theirs.get(person.email.lower(), "") if propose and not value else ""
        owners.append(
            Cell(
                f"owner-{person.id}",
                person.name,
                value or proposal,
                wrong.pop(f"owners.{person.email}", ""),
                _with_own([("", "Nobody there"), *named], value) if named else (),
                bool(proposal),
            )
        )
    known = {person.email for person in people}
    more = {address: key for address, key in mapping.owners.items() if address not in known}
    return Shown(
        fields=[_cell("field", name, mapping.fields, wrong, "fields") for name in WRITABLE],
        facts=[_cell("fact", name, mapping.facts, wrong, "facts") for name in FACTS],
        status_fields=[
            Cell(f"statusfield-{place}", f"Field {place + 1}", name)
            for place, name in enumerate(status_fields)
        ],
        statuses=statuses,
        owners=owners,
        owners_more=_lines(more),
        sources=_lines(mapping.sources),
        names=sorted(offered.fields.items()),
        others=[Problem(where, words) for where, words in wrong.items()],
    )


def _cell(kind: str, name: str, values: Mapping[str, str], wrong: dict[str, str], part: str) -> Cell:
    return Cell(f"{kind}-{name}", LABELS[name], values.get(name, ""), wrong.pop(f"{part}.{name}", ""))


def _status_cell(
    status: str, place: int, name: str, values: Mapping[str, str], offered: Offered, wrong: dict[str, str]
) -> Cell:
    value = (values[name] or EMPTY) if name and name in values else ""
    choices: Sequence[tuple[str, str]] = ()
    if name and (known := offered.statuses.get(name)):
        choices = _with_own([("", "As it is"), (EMPTY, "Emptied"), *known.items()], value)
    problem = wrong.pop(f"statuses.{status}.{name}", "")
    return Cell(f"status-{status}-{place}", name or f"field {place + 1}", value, problem, choices)


def _with_own(choices: Sequence[tuple[str, str]], value: str) -> list[tuple[str, str]]:
    """What is kept and not offered any more stays to be seen."""
    known = {key for key, _ in choices}
    return [*choices, *([(value, f"{value} (not offered)")] if value and value not in known else [])]


def _lines(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in values.items())


class Unread(ValueError):
    """Something typed cannot be read; `where` and words."""

    def __init__(self, problems: Sequence[Problem], mapping: Map) -> None:
        super().__init__(problems[0].words)
        self.problems, self.mapping = problems, mapping


def read(data: QueryDict, people: Sequence[Person]) -> Map:
    """What was typed, as a whole mapping. Raises Unread with as much of it as could be read."""
    problems: list[Problem] = []
    names = [_text(data, f"statusfield-{place}") for place in range(MOST_STATUS_FIELDS)]
    statuses: dict[str, dict[str, str]] = {}
    for status in Status:
        values = {}
        for place, name in enumerate(names):
            value = _text(data, f"status-{status}-{place}")
            if name and value:
                values[name] = "" if value == EMPTY else value
        statuses[str(status)] = values
    owners = {person.email: value for person in people if (value := _text(data, f"owner-{person.id}"))}
    owners |= _pairs(data, "owners_more", "owners", problems)
    mapping = Map(
        fields={name: _text(data, f"field-{name}") for name in WRITABLE},
        statuses=statuses,
        owners=owners,
        sources=_pairs(data, "sources", "sources", problems),
        facts={name: _text(data, f"fact-{name}") for name in FACTS},
    )
    if problems:
        raise Unread(problems, mapping)
    return mapping


def _text(data: QueryDict, name: str) -> str:
    return " ".join(plain(data.get(name), LONGEST).split())


def _pairs(data: QueryDict, name: str, part: str, problems: list[Problem]) -> dict[str, str]:
    """Lines such as "Webinar = Events"; blank ones are passed over."""
    found: dict[str, str] = {}
    lines: list[Any] = plain(data.get(name), MOST_LINES * LONGEST).splitlines()
    for number, line in enumerate(lines[:MOST_LINES], start=1):
        left, is_pair, right = (part_.strip() for part_ in line.rpartition("="))
        if not line.strip():
            continue
        if not is_pair or not left or not right:
            problems.append(Problem(part, f"Line {number} is not of the form “theirs = ours”: {line[:60]}"))
            continue
        found[left[:LONGEST]] = right[:LONGEST]
    return found
