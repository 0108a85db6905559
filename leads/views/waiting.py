"""What the completion page shows: the handoffs that wait for data, and one of them opened for repair.

Owns the queries of the list and its filters in the address; the figures beside it are `held`. A constant
number of queries, whatever the number of rows. Never writes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.http import QueryDict

from leads import cases, editing, identity, paging
from leads.choices import Check, LeadType
from leads.lifecycle.placing import live_ruleset
from leads.models import Complaint, DuplicatePair, Handoff, Inspection, Lead
from leads.presenters import repair
from leads.presenters.repair import FixRow, Input, Step
from leads.views.worklist import default_calendar
from routing.engine import Decision, decide
from routing.models import Pool, Queue, User
from routing.prepared import prepared

SIZE = 25
MOST_COUNTED = 1000
ORDER = ("completion_due_at", "id")
MOST_REPORTS = 25
DEMO = "demo"
_CODE = re.compile(r"[a-z_]{1,40}")
_LATEST_FINDINGS = Subquery(
    Inspection.objects.filter(handoff=OuterRef("pk")).order_by("-at", "-id").values("findings")[:1]
)
# What a row and the file read; the rest of these wide tables is left where it is.
_ROW_FIELDS = (
    "id", "state", "revision", "lead_type", "raised_at", "triggered_again_at", "priority", "missing",
    "lead_source", "completion_due_at", "no_activity_at", "black_hole_at",
    "lead__first_name", "lead__last_name", "lead__email", "lead__job_title",
    "lead__email_opt_out", "lead__do_not_call",
    "lead__company__name", "lead__company__domain",
    "policy__completion_minutes", "policy__completion_business",
)  # fmt: skip


@dataclass(frozen=True)
class Params:
    """What the list shows, as it stands in the address: a check's code or "demo", one source, and the page's
    cursor."""

    show: str = ""
    after: str = ""
    source: str | None = None

    @classmethod
    def of(cls, data: QueryDict) -> Params:
        show, source = data.get("show", ""), data.get("source")
        return cls(
            show=show if _CODE.fullmatch(show) else "",
            after=data.get("after", "")[:400],
            source=None if source is None else source.replace("\0", "")[:2000],
        )

    def query(self, **more: Any) -> str:
        """The address's query with these parameters and more; "?" for none."""
        pairs = {"show": self.show, "source": self.source, "after": self.after} | more
        kept = {name: value for name, value in pairs.items() if value is not None}
        return "?" + urlencode(
            {name: value for name, value in kept.items() if value != "" or name == "source"}
        )

    @property
    def opening(self) -> str:
        """What stands before the id in a row's link: "?show=demo&h="."""
        query = self.query()
        return f"{query}h=" if query == "?" else f"{query}&h="


@dataclass(frozen=True, slots=True)
class Chip:
    label: str
    count: str
    href: str
    is_current: bool


@dataclass
class Repair:
    """The opened handoff. `what_next` says where it goes once everything is there."""

    handoff: Handoff
    steps: Sequence[Step]
    rest: Sequence[Input]
    what_next: str = ""
    is_rest_open: bool = False
    discard_reason: str = ""
    discard_error: str = ""
    alert: str = ""
    focus: str = ""


@dataclass
class Board:
    """All that the list shows."""

    params: Params
    rows: Sequence[FixRow]
    chips: Sequence[Chip]
    count: str
    total: int
    late: int
    more: str
    first: str = "?"
    opened: Repair | None = None
    owner: User | None = None
    open_id: int | None = None
    notice: str = ""
    kept: str = ""
    is_new: bool = False  # nothing has ever come in


@dataclass(frozen=True)
class Report:
    """A report of wrong data on a lead that does not wait; `field` is what it names, or ""."""

    line: repair.ComplaintLine
    lead: int
    name: str
    field: str

    @property
    def about(self) -> str:
        return editing.FIELDS[self.field].label if self.field in editing.FIELDS else ""


@dataclass
class Typed:
    """What somebody typed into a repair, and what is wrong with it (`errors` by field, "" for the whole)."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    check: str = ""


def load(params: Params, now: datetime, open_id: int | None, typed: Typed | None = None) -> Board:
    """The list with one handoff opened, if it still waits. `now` is in the viewer's zone."""
    tally = _everything() if params.source is None else list(_tally(_of_source(params)))
    if params == Params():
        found = paging.cut(_first_page(), ORDER, SIZE)
    else:
        found = paging.page(_with_row(_shown(params)), ORDER, params.after, SIZE)
    handoffs = found.rows
    opened = _opened(open_id) if open_id is not None else []
    if opened and all(handoff.pk != open_id for handoff in handoffs):
        # A link to one that is further down, or not in this filter: it stands on top.
        handoffs = [*opened, *handoffs]
    reports = _reports(handoffs)
    queue = _queue.first()
    calendar = queue.calendar.hours() if queue and queue.calendar else default_calendar()
    board = Board(
        params=params,
        rows=[
            repair.row(row, findings_of(row), reports.get(row.lead_id, ()), now, calendar) for row in handoffs
        ],
        chips=_chips(params, tally),
        count=paging.count_words(len(tally), MOST_COUNTED),
        total=len(tally),
        late=sum(1 for *_, due in tally if due is not None and due <= now),
        more=params.query(after=found.next) if found.next else "",
        first=params.query(after=None),
        owner=queue.owner if queue else None,
        is_new=not tally and not Handoff.objects.exists(),
    )
    for handoff in opened:
        board.open_id = handoff.pk
        board.opened = _repair(handoff, typed or Typed(), now)
    return board


def reports(now: datetime) -> list[Report]:
    """What reps say is wrong with leads that do not wait here, the oldest first: a task of its own."""
    found = _reported()
    return [Report(repair.complaint_line(row, now), row.lead_id, str(row.lead), row.field) for row in found]


@prepared
def _reported() -> QuerySet[Complaint]:
    waits = Handoff.objects.incomplete().filter(lead=OuterRef("lead"))
    rows = Complaint.objects.filter(~Exists(waits), cleared_at__isnull=True, lead__merged_into__isnull=True)
    return rows.select_related("by", "lead__company").order_by("at", "pk")[:MOST_REPORTS]


def after(handoff: Handoff, params: Params) -> int | None:
    """The waiting handoff that stands below this one in the filter, else the first; None for none."""
    others = _shown(params).exclude(pk=handoff.pk).order_by(*ORDER)
    due = handoff.completion_due_at
    below = others.filter(completion_due_at__gte=due) if due is not None else others
    below = below.exclude(completion_due_at=due, pk__lt=handoff.pk) if due is not None else below
    return (below.values_list("pk", flat=True).first()) or others.values_list("pk", flat=True).first()


def export(params: Params) -> QuerySet[Handoff]:
    """The rows of the list as a file has them."""
    return _with_row(_shown(params)).order_by(*ORDER)


def findings_of(handoff: Handoff) -> list[Any]:
    """What the checks found last, of a handoff of these lists."""
    found: list[Any] | None = getattr(handoff, "findings", None)
    return found or []


@prepared
def _everything() -> QuerySet[Handoff, tuple[Any, ...]]:
    return _tally(Handoff.objects.incomplete())


def _tally(rows: QuerySet[Handoff]) -> QuerySet[Handoff, tuple[Any, ...]]:
    found = rows.order_by("completion_due_at")
    return found.values_list("missing", "lead_type", "raised_at", "completion_due_at")[: MOST_COUNTED + 1]


@prepared
def _first_page() -> QuerySet[Handoff]:
    return _with_row(Handoff.objects.incomplete()).order_by(*ORDER)[: SIZE + 1]


@prepared
def _opened(pk: int) -> QuerySet[Handoff]:
    """With all that a repair reads and writes."""
    rows = Handoff.objects.incomplete().filter(pk=pk).select_related("lead__company", "policy")
    return rows.annotate(findings=_LATEST_FINDINGS)


@prepared
def _queue() -> QuerySet[Queue]:
    return Queue.objects.filter(kind=Queue.Kind.COMPLETION).select_related("owner", "calendar")[:1]


def _of_source(params: Params) -> QuerySet[Handoff]:
    rows = Handoff.objects.incomplete()
    return rows if params.source is None else rows.filter(lead_source=params.source)


def _shown(params: Params) -> QuerySet[Handoff]:
    rows = _of_source(params)
    if params.show == DEMO:
        return rows.filter(Q(lead_type=LeadType.DEMO) | Q(raised_at__isnull=False))
    if params.show:
        # As text, because not every database can look into a list that is stored as JSON.
        text = Cast("missing", TextField())
        return rows.annotate(missing_text=text).filter(missing_text__contains=f'"{params.show}"')
    return rows


def _with_row(rows: QuerySet[Handoff]) -> QuerySet[Handoff]:
    rows = rows.select_related("lead__company", "policy").only(*_ROW_FIELDS)
    return rows.annotate(findings=_LATEST_FINDINGS)


def _reports(handoffs: Sequence[Handoff]) -> dict[int, list[str]]:
    """What reps say is wrong with those leads that wait for it, by lead."""
    found: dict[int, list[str]] = {}
    reported = [row.lead_id for row in handoffs if repair.BAD_DATA in row.missing]
    if not reported:
        return found
    open_ones = Complaint.objects.filter(lead__in=reported, cleared_at__isnull=True)
    for lead_id, text in open_ones.order_by("at").values_list("lead_id", "text"):
        found.setdefault(lead_id, []).append(text)
    return found


def _chips(params: Params, tally: Sequence[tuple[Any, ...]]) -> list[Chip]:
    counted: Counter[str] = Counter()
    for missing, lead_type, raised_at, _ in tally[:MOST_COUNTED]:
        counted.update(str(code) for code in missing)
        counted[DEMO] += lead_type == LeadType.DEMO or raised_at is not None
    chips = [
        Chip(
            "All",
            paging.count_words(len(tally), MOST_COUNTED),
            Params(source=params.source).query(),
            not params.show,
        )
    ]
    order = [DEMO, *Check.values, *sorted(counted.keys() - {DEMO, *Check.values})]
    for code in order:
        if counted[code] or code == params.show:
            label = "Demo" if code == DEMO else repair.label_of(code)
            href = Params(show=code, source=params.source).query()
            chips.append(Chip(label, f"{counted[code]:,}", href, code == params.show))
    return chips


def _repair(handoff: Handoff, typed: Typed, now: datetime) -> Repair:
    lead = handoff.lead
    own = Q(first=lead) | Q(second=lead)
    pairs = DuplicatePair.objects.filter(own, status=DuplicatePair.Status.OPEN).select_related(
        "first__company", "second__company"
    )
    complaints = list(
        Complaint.objects.filter(lead=lead, cleared_at__isnull=True).select_related("by").order_by("at")
    )
    fields = repair.inputs(
        lead,
        typed.values,
        typed.errors,
        domain=identity.company_domain(lead.email_key or "", "") or "",
        shared=_shared(lead),
    )
    lines = [repair.pair_line(pair, lead.pk, now) for pair in pairs]
    steps, rest = repair.steps(handoff, findings_of(handoff), fields, lines, complaints, now)
    for step in steps:
        step.reason = typed.values.get(f"reason_{step.check}", "")
        step.error = typed.errors.get("reason", "") if typed.check == step.check else ""
    focus = next((name for name in typed.errors if name in fields), "") or next(
        (field.name for step in steps for field in step.inputs), ""
    )
    is_vague = any(not complaint.field for complaint in complaints)
    return Repair(
        handoff=handoff,
        steps=steps,
        rest=rest,
        what_next=_what_next(handoff),
        is_rest_open=is_vague or any(field.error or field.value != field.was for field in rest),
        discard_reason=typed.values.get("reason_discard", ""),
        discard_error=typed.errors.get("reason", "") if typed.check == "discard" else "",
        alert=typed.errors.get("", ""),
        focus=focus,
    )


def _shared(lead: Lead) -> int:
    if lead.company_id is None:
        return 0
    others = Lead.objects.filter(company_id=lead.company_id, merged_into__isnull=True).exclude(pk=lead.pk)
    return others.order_by()[:1000].count()


def _what_next(handoff: Handoff) -> str:
    """Where it would go by the rules in force, with what is known now."""
    decision = decide(live_ruleset()[1], cases.load([handoff])[0].facts())
    if decision.rule_id is None:
        return "No rule matches yet."
    to = _target(decision)
    return f"Then the rule “{decision.rule_name}” sends it to {to}, and its clock starts." if to else ""


def _target(decision: Decision) -> str:
    if not decision.targets:
        return ""
    first = decision.targets[0]
    if first.kind == "pool":
        row: Any = Pool.objects.filter(pk=first.id).first()
        return f"the pool {row}" if row else ""
    if first.kind == "queue":
        row = Queue.objects.filter(pk=first.id).first()
        return f"the queue {row}" if row else ""
    row = User.objects.filter(pk=first.id).first()
    return str(row) if row else ""
