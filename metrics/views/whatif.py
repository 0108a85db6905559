"""What if: the page on which a target is changed on paper, and its figures as CSV.

For managers and marketing ops. Covers what the person may see, nothing else; proposes and changes nothing.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from leads.models import Handoff
from leads.presenters import times
from leads.roles import Can, can
from leads.views import access
from leads.views.shell import person
from metrics import address, past_windows, query, whatif
from metrics.past_windows import Holders
from metrics.whatif import CLOCKS, Answer, Tally
from routing import sla
from routing.models import SlaPolicy

WEEKS = 12
MOST_LISTED, MOST_CSV = 100, 50_000


@dataclass
class Asked:
    """What the address asks for. `errors` by field; what was typed stays in `typed`."""

    policy: SlaPolicy | None
    clock: str
    before: sla.Target
    after: sla.Target | None
    typed: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The form, and once a target was typed how many windows it and the one in force break. `format=csv`
    has every window that one of them breaks."""
    access.page(request, Can.ASK_WHAT_IF)
    now = timezone.localtime()
    policies = list(SlaPolicy.objects.filter(is_live=True).order_by("-is_default", "name", "slug"))
    asked = _asked(request, policies)
    holders, answer = None, None
    wants_csv = request.GET.get("format") == "csv"
    if asked.policy is not None and asked.after is not None and not asked.errors:
        holders = Holders.load()
        rows = past_windows.of_policy(address.visible(request), asked.policy, query.last_weeks(WEEKS, now))
        found = past_windows.read(rows, asked.clock)
        most = MOST_CSV if wants_csv else MOST_LISTED
        answer = whatif.compare(found, asked.before, asked.after, holders.calendar, now, most)
        if wants_csv:
            return _as_csv(answer, holders)
    context: dict[str, Any] = {
        "asked": asked,
        "policies": policies,
        "clocks": [(name, label) for name, (label, _) in CLOCKS.items()],
        "definition": CLOCKS[asked.clock][1],
        "weeks": WEEKS,
        "before_words": _words(asked.before),
        "after_words": _words(asked.after) if asked.after else "",
        "policy_page": reverse("leads:policies"),
    }
    if answer is not None and holders is not None:
        own = {name: value for name, value in asked.typed.items() if value}
        context |= {
            "answer": answer,
            "by_holder": _by_holder(answer, holders),
            "by_type": [(kind.capitalize(), tally) for kind, tally in sorted(answer.by_type.items())],
            "rows": _rows(answer, holders, now),
            "csv": f"{reverse('metrics:whatif')}?{urlencode(own | {'format': 'csv'})}",
        }
    return render(request, "metrics/whatif.html", context, status=422 if asked.errors else 200)


def may(request: HttpRequest) -> bool:
    """Whether the page is for whoever is signed in."""
    return can(person(request), Can.ASK_WHAT_IF)


def _asked(request: HttpRequest, policies: list[SlaPolicy]) -> Asked:
    """The form as it was sent; without anything typed, the first policy's target for an answer."""
    typed = {name: request.GET.get(name, "").strip()[:40] for name in ("policy", "clock", "minutes", "time")}
    errors: dict[str, str] = {}
    policy = next((row for row in policies if row.slug == typed["policy"]), None)
    if policy is None:
        if typed["policy"]:
            errors["policy"] = "There is no such policy in force."
        policy = policies[0] if policies else None
    clock = typed["clock"] or "accept"
    if clock not in CLOCKS:
        errors["clock"] = f"Choose one of {', '.join(CLOCKS)}."
        clock = "accept"
    if policy is None:
        return Asked(None, clock, sla.Target(0, True), None, typed, errors)
    before = sla.Target(getattr(policy, f"{clock}_minutes"), getattr(policy, f"{clock}_business"))
    if typed["time"] not in ("", "business", "elapsed"):
        errors["time"] = "Choose business or elapsed."
    business = before.business if not typed["time"] else typed["time"] == "business"
    after = None
    if typed["minutes"]:
        minutes = int(typed["minutes"]) if typed["minutes"].isascii() and typed["minutes"].isdigit() else 0
        if 1 <= minutes <= sla.MOST_MINUTES:
            after = sla.Target(minutes, business)
        else:
            errors["minutes"] = f"Whole minutes, from 1 to {sla.MOST_MINUTES:,} (366 days)."
    typed |= {"policy": policy.slug, "clock": clock, "time": "business" if business else "elapsed"}
    return Asked(policy, clock, before, after, typed, errors)


def _words(target: sla.Target) -> str:
    return f"{times.minutes(target.minutes)} of {'working time' if target.business else 'any time'}"


def _by_holder(answer: Answer, holders: Holders) -> list[tuple[str, Tally]]:
    """Those whom the other target hits hardest first."""
    named = [(holders.name(*holder), tally) for holder, tally in answer.by_holder.items()]
    return sorted(named, key=lambda pair: (-pair[1].after, -pair[1].before, pair[0]))


def _rows(answer: Answer, holders: Holders, now: Any) -> list[dict[str, Any]]:
    ids = {row.window.handoff for row in answer.broken}
    found = Handoff.objects.select_related("lead").in_bulk(ids)
    rows = []
    for row in answer.broken:
        window = row.window
        rows.append(
            {
                "id": window.handoff,
                "name": found[window.handoff].lead.full_name or f"Lead {found[window.handoff].lead_id}",
                "holder": holders.name(window.person, window.queue),
                "lead_type": window.lead_type.capitalize(),
                "started": times.day(window.starts_at, now),
                "exact": times.exact(window.starts_at, now),
                "took": times.length((window.ends_at or now) - window.starts_at),
                "is_open": window.ends_at is None,
                "before": row.before,
                "after": row.after,
            }
        )
    return rows


def _as_csv(answer: Answer, holders: Holders) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="what-if.csv"'
    writer = csv.writer(response)
    writer.writerow(["handoff", "held by", "type", "started_at", "ended_at", "breached_now", "breached_then"])
    for window, before, after in answer.broken:
        cells = [
            window.handoff,
            holders.name(window.person, window.queue),
            window.lead_type,
            window.starts_at.isoformat(),
            window.ends_at.isoformat() if window.ends_at else "",
            int(before),
            int(after),
        ]
        writer.writerow([query.safe(cell) for cell in cells])
    return response
