"""What the API takes and answers, as typed dictionaries: written from its contract, not from its code.

Owns names and types alone. Members of an event that are not listed may be sent all the same.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

State = Literal[
    "incomplete", "queued", "assigned", "accepted", "deferred", "working", "converted", "disqualified",
    "rejected", "discarded", "superseded", "merged", "erased",
]  # fmt: skip
Channel = Literal["phone", "email", "direct_message", "meeting"]
Outcome = Literal["reached", "voicemail", "no_answer", "auto_reply"]
Group = Literal["source", "rep", "team", "type", "week"]


class Event(TypedDict):
    """A CloudEvents 1.0 object; times are RFC 3339."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: str
    data: dict[str, Any]


class Trouble(TypedDict):
    pointer: str
    code: str
    detail: str


class Handoff(TypedDict):
    id: str
    url: str
    state: State
    lead_type: Literal["demo", "standard"]
    trigger: str
    mql_at: str
    assignee: str | None
    queue: str | None
    rule: str | None
    ruleset: str | None
    missing: list[str]
    clock_started_at: str | None
    accept_due_at: str | None
    contact_due_at: str | None
    next_due_at: str | None
    revision: int


class LeadRef(TypedDict):
    id: str
    url: str


class Answer(TypedDict):
    id: str | None
    status: Literal["processed", "duplicate", "ignored", "invalid"]
    reason: str | None
    lead: LeadRef | None
    handoff: Handoff | None
    errors: list[Trouble]


class Page(TypedDict):
    results: list[Handoff]
    next: str | None
    latest: str | None


class Activity(TypedDict):
    id: str
    kind: str
    occurred_at: str
    title: str
    url: str
    campaign: str


class Lead(LeadRef):
    email: str
    first_name: str
    last_name: str
    activities: list[Activity]


class LogEntry(TypedDict):
    number: int
    kind: str
    stage: str
    occurred_at: str
    recorded_at: str
    by: str
    set: dict[str, Any]
    data: dict[str, Any]


class Detail(Handoff):
    lead: Lead
    events: list[LogEntry]
    clocks: dict[str, Any]
    trace: list[dict[str, Any]]


class Rate(TypedDict):
    numerator: int
    denominator: int
    rate: float | None


class Figures(TypedDict):
    mqls: int
    acceptance_rate: Rate
    mql_to_opportunity: Rate
    rejection_rate: Rate
    black_hole_rate: Rate
    clean_handoff_rate: Rate
    time_to_first_contact: dict[str, Any]


class Metrics(TypedDict, total=False):
    as_of: str
    total: Figures
    by_source: dict[str, Figures]
    by_rep: dict[str, Figures]
    by_team: dict[str, Figures]
    by_type: dict[str, Figures]
    by_week: dict[str, Figures]
    rejections_by_reason: dict[str, int]
