"""The shapes of the API: what the verbs take, what is answered, as OpenAPI shows them.

Owns names, bounds and words of the fields. Bodies of verbs are validated with these; answers are built
elsewhere (`leads.representation`, `leads.api.detail`) and only described here. Stores nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from ninja import Field, Schema
from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from leads.choices import Channel, Check, EventKind, LeadType, Outcome, Stage, State, TriggerKind
from leads.intake.kinds import CLEAN, Amount, Currency, Instant

Text = Annotated[str, Field(max_length=2000, pattern=CLEAN)]
Needed = Annotated[str, Field(min_length=1, max_length=2000, pattern=CLEAN)]
Short = Annotated[str, Field(max_length=100, pattern=CLEAN)]
Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
Person = Annotated[
    str,
    Field(
        min_length=1, max_length=254, pattern=CLEAN, description="an e-mail address", examples=["a@b.example"]
    ),
]


def _day(value: Any) -> Any:
    """A bare date is midnight UTC; anything else is left to the instant's own rules."""
    if isinstance(value, str) and len(value) == 10:
        try:
            return datetime.combine(date.fromisoformat(value), time(), UTC).isoformat()
        except ValueError:
            return value
    return value


def _whole(value: Any) -> Any:
    """A whole number as JSON has it (3 and 3.0), never text that looks like one."""
    if isinstance(value, bool | str):
        raise ValueError("use a whole number")
    return value


Until = Annotated[
    Instant,
    BeforeValidator(_day),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}
    ),
]


def _activity_id(value: Any) -> Any:
    """Ids are opaque strings to others; an id that is none of ours is refused by the verb."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0
    return value


ActivityId = Annotated[
    int,
    BeforeValidator(_activity_id),
    WithJsonSchema({"type": "string", "maxLength": 40}),
]


class Acting(BaseModel):
    """For whom a key acts. Members that the verb does not know are refused, so that none is lost silently."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    on_behalf_of: Person = Field(description="the e-mail address of the person for whom this is done")
    revision: Annotated[int, Field(ge=0, le=2**31 - 1), BeforeValidator(_whole)] | None = Field(
        None, description="the revision the decision was made on; refused when others moved it since"
    )


class Accept(Acting):
    pass


class Claim(Acting):
    pass


class Resume(Acting):
    pass


class Recheck(Acting):
    pass


class Reject(Acting):
    reason: Code = Field(description="code of a rejection reason in force", examples=["wrong_person"])
    note: Text | None = Field(None, description="needed by some reasons, such as `other`")
    until: Until | None = Field(None, description="for `timing`: when to try again; within two years")


class Defer(Acting):
    until: Until = Field(description="when it comes back; at most 180 days ahead")
    explanation: Needed = Field(description="what the lead said")


class Contact(Acting):
    channel: Literal[tuple(Channel.values)]  # type: ignore[valid-type]
    outcome: Literal[tuple(Outcome.values)]  # type: ignore[valid-type]
    at: Instant | None = Field(None, description="when it was made, if not now; never before `mql_at`")
    activity_id: ActivityId | None = Field(
        None, description="the signal it referred to: the id of one of the lead's activities"
    )
    note: Text | None = None
    asked_for: bool | None = Field(
        None,
        description="whether they asked for this contact; false is refused where they forbade the channel",
    )
    next_touch_at: Instant | None = Field(None, description="within a year; by default some business days on")


class Opportunity(Acting):
    external_id: Annotated[str, Field(max_length=200, pattern=CLEAN)] | None = None
    amount: Amount | None = None
    currency: Currency | None = Field(None, description="needed with an amount", examples=["EUR"])
    stage: Short | None = None
    at: Instant | None = Field(None, description="when it came about, if not now")


class Disqualify(Acting):
    reason: Code = Field(description="code of a rejection reason in force", examples=["not_icp"])
    note: Text | None = None


class NoteText(Acting):
    text: Needed


class Reassign(Acting):
    to: Annotated[str, Field(min_length=1, max_length=260, pattern=CLEAN)] = Field(
        description="a person's e-mail address, or `queue:SLUG`"
    )
    reason: Needed


class Waive(Acting):
    check: Literal[tuple(Check.values)]  # type: ignore[valid-type]
    reason: Needed


class Discard(Acting):
    reason: Needed


BODIES = (
    Accept, Claim, Resume, Recheck, Reject, Defer, Contact, Opportunity, Disqualify, NoteText, Reassign,
    Waive, Discard,
)  # fmt: skip


# Answers

Moment = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Id = Annotated[str, Field(description="opaque")]


class Handoff(Schema):
    """HANDOFF: one conversion and where it stands. People are e-mail addresses, queues `queue:SLUG`."""

    id: Id
    url: str
    state: Literal[tuple(State.values)]  # type: ignore[valid-type]
    lead_type: Literal[tuple(LeadType.values)]  # type: ignore[valid-type]
    trigger: Literal[("", *TriggerKind.values)]  # type: ignore[valid-type]
    mql_at: Moment
    assignee: str | None
    queue: str | None
    rule: str | None = Field(description="name of the routing rule that matched")
    ruleset: str | None
    missing: list[str] = Field(description="codes of the checks that hold it")
    clock_started_at: Moment | None
    accept_due_at: Moment | None
    contact_due_at: Moment | None
    next_due_at: Moment | None
    revision: int = Field(description="grows with each event")


class LeadRef(Schema):
    id: Id
    url: str


class Trouble(Schema):
    """One thing that is wrong, and where."""

    pointer: str = Field(description="JSON pointer into the body; /query/NAME and /header/NAME for the rest")
    code: str
    detail: str


class Answer(Schema):
    """What became of an event."""

    id: str | None = Field(description="the event's own id")
    status: Literal["processed", "duplicate", "ignored", "invalid"] = Field(
        description="`invalid` in a batch only"
    )
    reason: str | None = Field(description="why it was ignored, such as `below_threshold`, or is invalid")
    lead: LeadRef | None
    handoff: Handoff | None
    errors: list[Trouble]


class Answers(Schema):
    """What became of each event of a batch, in its order."""

    results: list[Answer]


class ProblemAnswer(Schema):
    """A failure (RFC 9457). A refused move also has `code`, `state`, `by` and `at`."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Trouble]
    code: str = Field("", description="409: `not_allowed`, `stale` or `not_eligible`")
    state: str = Field("", description="409: the state it is in")
    by: str = Field("", description="409: who moved it last")
    at: Moment | None = Field(None, description="409: when it was moved last")
    scope: str = Field("", description="403: the scope that the key lacks")


class Page(Schema):
    """A page of handoffs, the longest unchanged first."""

    results: list[Handoff]
    next: str | None = Field(description="the `cursor` of the next page; null on the last")
    latest: str | None = Field(
        description="on the last page, the `cursor` with which to ask later for what changed since"
    )


class Score(Schema):
    total: int
    fit: int | None
    intent: int | None
    behavior: int | None
    scored_at: Moment


class Activity(Schema):
    id: Id
    kind: str
    occurred_at: Moment
    title: str
    url: str
    campaign: str


class Company(Schema):
    name: str
    domain: str | None
    industry: str
    size_band: str
    employee_count: int | None
    country_code: str
    stage: str


class ExternalId(Schema):
    system: str
    object: str
    id: str


class Consent(Schema):
    email_opt_out: bool
    do_not_call: bool


class Lead(LeadRef):
    """The person, with what the latest events said."""

    email: str
    first_name: str
    last_name: str
    job_title: str
    phone: str
    country_code: str
    region: str
    postal_code: str
    timezone: str
    language: str
    linkedin_url: str
    consent: Consent
    custom: dict[str, Any]
    external_ids: list[ExternalId]
    company: Company | None
    score: Score | None
    activities: list[Activity] = Field(description="the latest fifty, newest first")


class Event(Schema):
    """One entry of the log. `set` holds the columns it changed; `data` ids and codes."""

    number: int
    kind: Literal[tuple(EventKind.values)]  # type: ignore[valid-type]
    stage: Literal[tuple(Stage.values)]  # type: ignore[valid-type]
    occurred_at: Moment
    recorded_at: Moment
    by: str = Field(description="an e-mail address, `key:NAME` or `system`")
    set: dict[str, Any]
    data: dict[str, Any]


class Part(Schema):
    """A stretch of the time from conversion to first contact, in the hands of one holder."""

    kind: Literal["intake", "completion", "routing", "acknowledgment", "contact", "deferral"]
    party: Literal["marketing", "sales"]
    holder: str | None
    queue: str | None
    starts_at: Moment
    ends_at: Moment | None = Field(description="null while it runs, as are the seconds")
    elapsed_seconds: float | None
    business_seconds: float | None


class Clocks(Schema):
    """Every clock of the handoff; null where none runs or ran."""

    policy: str | None
    received_at: Moment
    clock_started_at: Moment | None
    clock_runs_from: Moment | None
    completion_since: Moment | None
    completion_due_at: Moment | None
    ready_at: Moment | None
    assigned_at: Moment | None
    held_since: Moment | None
    accept_due_at: Moment | None
    acknowledged_at: Moment | None
    accepted_at: Moment | None
    rejected_at: Moment | None
    contact_due_at: Moment | None
    first_contact_at: Moment | None
    deferred_until: Moment | None
    next_touch_at: Moment | None
    next_due_at: Moment | None
    no_activity_at: Moment | None
    black_hole_at: Moment | None
    opportunity_at: Moment | None
    closed_at: Moment | None
    parts: list[Part]


class Decision(Schema):
    """One routing decision: in words, and what it was made of."""

    at: Moment
    ruleset: str | None
    outcome: str
    sentences: list[str]
    facts: dict[str, Any]
    trace: list[dict[str, Any]] = Field(
        description="each rule up to the one that matched, with the condition it failed on and the value "
        "seen, then `account` for the owner put first and `skipped` for a target that names nobody"
    )
    candidates: list[dict[str, Any]] = Field(
        description="who was looked at in order: `user`, `pool` or `queue`, and why it `took` it or was "
        "`skipped`"
    )


class HandoffDetail(Handoff):
    """HANDOFF with everything that is known of it."""

    lead: Lead
    events: list[Event]
    clocks: Clocks
    trace: list[Decision] = Field(description="the routing decisions, oldest first")
