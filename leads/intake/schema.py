"""The shape of an intake event, checked at the door.

Owns what is valid and the words for what is not: each problem names its place by JSON pointer. Lead data
comes from public forms, so every string is bounded and control characters are refused. Stores nothing.
"""

from __future__ import annotations

import math
import re
from functools import cache, cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticUndefined

from leads import identity
from leads.choices import ActivityKind, TriggerKind
from leads.identity import Identity
from leads.intake.kinds import (
    STRING_LIMIT,
    Amount,
    Country,
    Currency,
    Instant,
    Points,
    Scalar,
    SizeBand,
    Text,
)

EVENT_TYPES = (
    "lead.qualified",
    "lead.updated",
    "lead.scored",
    "lead.activity",
    "lead.merged",
    "lead.erased",
    "opportunity.created",
    "opportunity.won",
    "opportunity.lost",
)
MERGED, ERASED = "lead.merged", "lead.erased"
ACTIVITY_LIMIT = 200
MERGED_LIMIT = 50
DEPTH_LIMIT = 8
KEYS_LIMIT = 200
NUMBER_BITS = 63
# Control characters but tab and newline, which may be written as a pair; and halves of surrogate pairs,
# which no database takes.
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")

Problem = dict[str, str]
# The way to a value: the way to what holds it, and its key or number there.
Trail = tuple[Any, ...]


class Part(BaseModel):
    """A part of an event: unknown members are ignored, text is trimmed."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def null_is_absent(cls, given: Any) -> Any:
        """Null where it cannot mean "clear" says nothing, as if it were not there."""
        if not isinstance(given, dict) or None not in given.values():
            return given
        silent = _silent(cls)
        return {name: value for name, value in given.items() if value is not None or name not in silent}


@cache
def _silent(kind: type[Part]) -> frozenset[str]:
    """The members of a part that null does not clear: they have something else where nothing is said."""
    return frozenset(
        name
        for name, part in kind.model_fields.items()
        if part.default not in (None, PydanticUndefined) or part.default_factory is not None
    )


class ExternalIdIn(Part):
    system: Annotated[str, Field(min_length=1, max_length=60)]
    object: Annotated[str, Field(max_length=60)] = ""
    id: Annotated[str, Field(min_length=1, max_length=200)]


class ConsentIn(Part):
    email_opt_out: bool | None = None
    do_not_call: bool | None = None


class LeadIn(Part):
    """The person: an e-mail address or one external id is needed. Omitted is unchanged, null clears."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["email"], "properties": {"email": {"type": "string", "format": "email"}}},
                {"required": ["external_ids"], "properties": {"external_ids": {"minItems": 1}}},
            ]
        }
    )

    external_ids: Annotated[list[ExternalIdIn], Field(max_length=20)] = []
    email: Annotated[str, Field(max_length=320)] | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    job_title: Text | None = None
    phone: Annotated[str, Field(max_length=60)] | None = None
    country_code: Country | None = None
    region: Text | None = None
    postal_code: Annotated[str, Field(max_length=30)] | None = None
    timezone: Annotated[str, Field(max_length=64)] | None = None
    language: Annotated[str, Field(max_length=35)] | None = None
    linkedin_url: Text | None = None
    consent: ConsentIn | None = None
    custom: Annotated[dict[Annotated[str, Field(max_length=100)], Scalar], Field(max_length=100)] | None = (
        None
    )


class RevenueIn(Part):
    amount: Amount
    currency: Currency = ""


class NewsIn(Part):
    title: Text
    url: Text = ""
    date: Annotated[str, Field(max_length=40)] = ""


class CompanyIn(Part):
    name: Text | None = None
    domain: Annotated[str, Field(max_length=253)] | None = None
    website: Text | None = None
    industry: Text | None = None
    employee_count: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    size_band: SizeBand | None = None
    annual_revenue: RevenueIn | None = None
    country_code: Country | None = None
    technologies: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] | None = None
    news: Annotated[list[NewsIn], Field(max_length=50)] | None = None


class ReasonIn(Part):
    code: Annotated[str, Field(max_length=200)] = ""
    label: Text = ""
    points: Points = 0


class DimensionIn(Part):
    score: Points
    max: Points | None = None
    reasons: Annotated[list[ReasonIn], Field(max_length=100)] = []


class ScoreIn(Part):
    total: Points
    previous_total: Points | None = None
    scored_at: Instant | None = None
    fit: DimensionIn | None = None
    intent: DimensionIn | None = None
    behavior: DimensionIn | None = None


class ActivityIn(Part):
    id: Annotated[str, Field(max_length=200)] = ""
    kind: Literal[tuple(ActivityKind.values)]  # type: ignore[valid-type]
    occurred_at: Instant | None = None
    title: Text = ""
    url: Text = ""
    campaign: Text = ""
    points: Points | None = None
    # Made anew for each: a default is copied with more care than a trail of activities can afford.
    properties: Annotated[dict[str, Any], Field(default_factory=dict)]


class SourceIn(Part):
    lead_source: Text | None = None
    channel: Text | None = None
    utm_source: Text | None = None
    utm_medium: Text | None = None
    utm_campaign: Text | None = None
    utm_term: Text | None = None
    utm_content: Text | None = None
    referrer: Text | None = None
    landing_page: Text | None = None


class TriggerIn(Part):
    kind: Literal[tuple(TriggerKind.values)]  # type: ignore[valid-type]
    reason: Text = ""
    activity_id: Annotated[str, Field(max_length=200)] = ""
    occurred_at: Instant | None = None


class OpportunityIn(Part):
    """What came of it; an amount needs its currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"amount": {"type": "null"}}},
                {"required": ["currency"], "properties": {"currency": {"minLength": 3}}},
            ]
        }
    )

    external_id: Annotated[str, Field(max_length=200)] = ""
    amount: Amount | None = None
    currency: Currency = ""
    stage: Annotated[str, Field(max_length=100)] = ""


class MergedFromIn(Part):
    """A lead that is one with `lead` from now on: its id in a system, its address, or both."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["system", "id"], "properties": {"id": {"minLength": 1}}},
                {"required": ["email"], "properties": {"email": {"type": "string", "format": "email"}}},
            ]
        }
    )

    system: Annotated[str, Field(max_length=60)] = ""
    object: Annotated[str, Field(max_length=60)] = ""
    id: Annotated[str, Field(max_length=200)] = ""
    email: Annotated[str, Field(max_length=320)] | None = None

    def identity(self) -> identity.Identity:
        """How it names a person; without any key where it names nobody."""
        ids = ((self.system, self.object, self.id),) if self.system and self.id else ()
        return identity.Identity(identity.normalise_email(self.email or ""), ids)


class DataIn(Part):
    lead: LeadIn
    merged_from: Annotated[list[MergedFromIn], Field(max_length=MERGED_LIMIT)] = []
    company: CompanyIn | None = None
    score: ScoreIn | None = None
    activities: Annotated[list[ActivityIn], Field(max_length=ACTIVITY_LIMIT)] = []
    source: SourceIn | None = None
    trigger: TriggerIn | None = None
    opportunity: OpportunityIn | None = None


def _needs(pattern: str, name: str, shape: dict[str, Any]) -> dict[str, Any]:
    """A condition for OpenAPI: events of these types have this part of `data`."""
    data = {"required": [name], "properties": {name: shape}}
    return {"if": {"properties": {"type": {"pattern": pattern}}}, "then": {"properties": {"data": data}}}


class EventIn(Part):
    """One CloudEvents 1.0 object with our `data`."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _needs(r"^opportunity\.", "opportunity", {"type": "object"}),
                _needs(r"^lead\.merged$", "merged_from", {"minItems": 1}),
            ]
        }
    )

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=300)]
    type: Annotated[str, Field(json_schema_extra={"enum": list(EVENT_TYPES)})]
    time: Instant
    data: DataIn

    def identity(self) -> identity.Identity:
        """How the event names its person; worked out once."""
        return self._who

    # No private attribute of pydantic's: to look at one takes it longer than all else here.
    @cached_property
    def _who(self) -> Identity:
        lead = self.data.lead
        ids = tuple(dict.fromkeys((e.system, e.object, e.id) for e in lead.external_ids))
        return Identity(identity.normalise_email(lead.email or ""), ids)

    def others(self) -> list[Identity]:
        """How a merge names the leads that go into this one."""
        return [given.identity() for given in self.data.merged_from] if self.type == MERGED else []


def parse(raw: Any) -> tuple[EventIn | None, list[Problem]]:
    """The event, or the problems that make it invalid, each with pointer, code and detail."""
    if not isinstance(raw, dict):
        return None, [_problem("", "not_an_object", "An event is a JSON object.")]
    problems: list[Problem] = []
    _walk(raw, (), problems, 0)
    if problems:
        return None, problems
    try:
        event = EventIn.model_validate(raw)
    except ValidationError as error:
        return None, [_from_pydantic(item) for item in error.errors(include_url=False, include_input=False)]
    problems = list(_beyond_shape(event))
    return (None, problems) if problems else (event, [])


def _beyond_shape(event: EventIn) -> list[Problem]:
    found = []
    if event.type not in EVENT_TYPES:
        known = ", ".join(EVENT_TYPES)
        found.append(_problem("/type", "unknown_type", f"type is one of {known}."))
    who = event.identity()
    # What is no address names nobody; with an id beside it the pre-flight checks will hold it.
    if not who.email_key and not who.external_ids:
        if event.data.lead.email:
            found.append(_problem("/data/lead/email", "not_an_address", "This is not an e-mail address."))
        else:
            detail = "A lead needs an e-mail address or an external id."
            found.append(_problem("/data/lead", "no_identity", detail))
    if event.type.startswith("opportunity.") and event.data.opportunity is None:
        found.append(_problem("/data/opportunity", "missing", "This type needs data.opportunity."))
    if event.type == MERGED and not event.data.merged_from:
        found.append(_problem("/data/merged_from", "missing", "This type needs data.merged_from."))
    for number, other in enumerate(event.others()):
        if not other.keys:
            detail = "A merged lead needs a system and its id there, or an e-mail address."
            found.append(_problem(f"/data/merged_from/{number}", "no_identity", detail))
    opportunity = event.data.opportunity
    if opportunity is not None and opportunity.amount is not None and not opportunity.currency:
        found.append(_problem("/data/opportunity/currency", "missing", "An amount needs its currency."))
    return found


def _walk(value: Any, trail: Trail, problems: list[Problem], depth: int) -> None:
    """Bounds that hold for everything in the event, whatever it is called."""
    if len(problems) >= 20:
        return
    if isinstance(value, str):
        if _REFUSED.search(value):
            _note(problems, trail, "control_character", "Control characters are not allowed.")
        elif len(value) > STRING_LIMIT:
            _note(problems, trail, "too_long", f"At most {STRING_LIMIT} characters; this has {len(value)}.")
    elif isinstance(value, dict):
        if depth >= DEPTH_LIMIT or len(value) > KEYS_LIMIT:
            _note(problems, trail, "too_complex", "This is nested too deeply or has too many keys.")
            return
        for key, item in value.items():
            if not _is_fine(key):
                _note(problems, trail, "bad_key", "A key is too long or has control characters.")
            elif not (isinstance(item, str) and _is_fine(item)):
                _walk(item, (trail, key), problems, depth + 1)
    elif isinstance(value, list):
        if depth >= DEPTH_LIMIT or len(value) > 1000:
            _note(problems, trail, "too_complex", "This is nested too deeply or too long.")
            return
        for number, item in enumerate(value):
            _walk(item, (trail, number), problems, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        _note(problems, trail, "not_finite", "Numbers are finite.")
    elif isinstance(value, int) and value.bit_length() > NUMBER_BITS:
        _note(problems, trail, "too_large", f"Whole numbers have at most {NUMBER_BITS} bits.")


def _is_fine(text: str) -> bool:
    """Whether a string holds nothing refused and is not too long. What is printable needs no search."""
    return len(text) <= STRING_LIMIT and (text.isprintable() or not _REFUSED.search(text))


def _note(problems: list[Problem], trail: Trail, code: str, detail: str) -> None:
    """Add a problem. Its pointer is made here and not on the way: most events have none."""
    steps = []
    while trail:
        trail, step = trail
        steps.append(f"/{_escaped(str(step))}")
    problems.append(_problem("".join(reversed(steps)), code, detail))


def _problem(pointer: str, code: str, detail: str) -> Problem:
    return {"pointer": pointer, "code": code, "detail": detail}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _from_pydantic(item: Any) -> Problem:
    # pydantic marks a wrong key by a part of its own.
    pointer = "".join(f"/{_escaped(str(part))}" for part in item["loc"] if part != "[key]")
    detail = str(item["msg"]).removeprefix("Value error, ")
    return _problem(pointer, str(item["type"]), detail[:1].upper() + detail[1:])
