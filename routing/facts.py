"""The facts of one lead at one moment: the only thing a routing rule may look at.

Owns the frozen record `Facts`, its plain JSON form (kept with every decision, for ever) and `FIELDS`,
the typed vocabulary from which rules are built. A fact that is not known is None, "" or an empty tuple.
It never reads a lead, a company or the database: whoever routes gathers the facts and hands them over,
so a rule can be replayed on last quarter's leads without touching one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

Scalar = str | int | float | bool
Kind = Literal["text", "number", "choice", "list"]

TRIGGERS = ("score_threshold", "demo_request", "pricing_inquiry", "manual_flag")
LEAD_TYPES = ("demo", "standard")
SCORE_BANDS = ("0-49", "50-64", "65-79", "80+")
SIZE_BANDS = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001-10000", "10001+")
COMPANY_STAGES = ("prospect", "open_opportunity", "customer", "partner", "competitor")
NAMED_ACCOUNT = ("yes", "no")


class InvalidFacts(ValueError):
    """A stored or received record that cannot be read as facts; the message names the field."""


@dataclass(frozen=True)
class Field:
    """One fact as rules and forms speak of it.

    `label` is written as it stands inside a sentence ("company stage"). `choices` lists the only values a
    closed choice can take; an empty tuple leaves the vocabulary open (countries, languages, people).
    """

    kind: Kind
    label: str
    choices: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The label as the start of a message: "Company stage"."""
        return self.label[:1].upper() + self.label[1:]


@dataclass(frozen=True)
class Facts:
    """What is known of a lead when it is routed.

    Scores are whole points, `employees` a head count, `revenue` a decimal number as text in the
    organisation's currency per year, `account_owner`, `rejected_by` and `lapsed_by` user ids, `named_account`
    "yes" or "no". `custom` holds the organisation's own fields. `rejected_by` and `lapsed_by` name the people
    who must not get the lead again; no rule sees them, the walk over the targets does.
    """

    trigger: str | None = None
    lead_type: str | None = None
    score_total: int | None = None
    score_fit: int | None = None
    score_intent: int | None = None
    score_behavior: int | None = None
    score_band: str | None = None
    country: str | None = None
    region: str | None = None
    postal_code: str | None = None
    language: str | None = None
    source: str | None = None
    channel: str | None = None
    campaign: str | None = None
    email_domain: str | None = None
    company_domain: str | None = None
    company_name: str | None = None
    industry: str | None = None
    size_band: str | None = None
    employees: int | None = None
    revenue: str | None = None
    company_stage: str | None = None
    account_owner: int | None = None
    named_account: str | None = None
    technologies: tuple[str, ...] = ()
    custom: Mapping[str, Scalar | None] = field(default_factory=dict, hash=False)
    rejected_by: tuple[int, ...] = ()
    lapsed_by: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values in a fixed order; what is not known is left out, to be stored small."""
        out: dict[str, Any] = {}
        for name in _NAMES:
            value = getattr(self, name)
            if value is None or value == () or value == {}:
                continue
            if isinstance(value, tuple):
                value = list(value)
            elif name == "custom":
                value = {key: value[key] for key in sorted(value)}
            out[name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Read what `to_json` wrote. Unknown names are passed over, so that records written by another
        release stay readable; a known name of the wrong type raises InvalidFacts."""
        if not isinstance(data, Mapping):
            raise InvalidFacts("facts must be an object")
        values: dict[str, Any] = {}
        for name in _NAMES:
            value = data.get(name)
            if value is None:
                continue
            if name == "technologies":
                values[name] = _items(name, value, str)
            elif name in ("rejected_by", "lapsed_by"):
                values[name] = _items(name, value, int)
            elif name == "custom":
                values[name] = _custom(value)
            else:
                wanted = int if name in _WHOLE else str
                if not isinstance(value, wanted) or isinstance(value, bool):
                    raise InvalidFacts(f"{name} must be {_TYPE_WORDS[wanted]}")
                values[name] = value
        return cls(**values)


_NAMES = tuple(f.name for f in fields(Facts))
_WHOLE = frozenset(
    ("score_total", "score_fit", "score_intent", "score_behavior", "employees", "account_owner")
)
_TYPE_WORDS: dict[type, str] = {int: "a whole number", str: "text"}


def _items(name: str, value: Any, wanted: type) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidFacts(f"{name} must be a list")
    if any(not isinstance(item, wanted) or isinstance(item, bool) for item in value):
        raise InvalidFacts(f"each of {name} must be {_TYPE_WORDS[wanted]}")
    return tuple(value)


def _custom(value: Any) -> dict[str, Scalar | None]:
    if not isinstance(value, Mapping):
        raise InvalidFacts("custom must be an object")
    for key, item in value.items():
        if not isinstance(key, str) or not (item is None or isinstance(item, str | int | float)):
            raise InvalidFacts("custom must map names to text, numbers, true or false")
    return dict(value)


def score_band(total: int | None) -> str | None:
    """The band of a total score ("0-49", "50-64", "65-79", "80+"; design: Diagnosis), None for no score."""
    if total is None:
        return None
    if total < 50:
        return "0-49"
    if total < 65:
        return "50-64"
    return "65-79" if total < 80 else "80+"


# What a rule can ask for. `rejected_by` and `lapsed_by` are left out on purpose: the walk skips those people,
# no rule does.
FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "trigger": Field("choice", "trigger", TRIGGERS),
        "lead_type": Field("choice", "lead type", LEAD_TYPES),
        "score_total": Field("number", "score"),
        "score_fit": Field("number", "fit score"),
        "score_intent": Field("number", "intent score"),
        "score_behavior": Field("number", "behavior score"),
        "score_band": Field("choice", "score band", SCORE_BANDS),
        "country": Field("choice", "country"),
        "region": Field("text", "region"),
        "postal_code": Field("text", "postal code"),
        "language": Field("choice", "language"),
        "source": Field("text", "source"),
        "channel": Field("text", "channel"),
        "campaign": Field("text", "campaign"),
        "email_domain": Field("text", "e-mail domain"),
        "company_domain": Field("text", "company domain"),
        "company_name": Field("text", "company name"),
        "industry": Field("text", "industry"),
        "size_band": Field("choice", "size band", SIZE_BANDS),
        "employees": Field("number", "number of employees"),
        "revenue": Field("number", "revenue"),
        "company_stage": Field("choice", "company stage", COMPANY_STAGES),
        "account_owner": Field("choice", "account owner"),
        "named_account": Field("choice", "named account", NAMED_ACCOUNT),
        "technologies": Field("list", "technologies"),
    }
)
