"""The agreement's pages: what is in force, every version, every proposal, and the acts on one.

Everybody with a role reads them. Who may propose, sign, decline or withdraw is `leads.agreeing`'s to say, and
is asked again when it is done; a button is no permission. Words are `metrics.agreed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import agreeing, agreement, permissions
from leads.agreement import Terms
from leads.choices import ProposalState, Side
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Agreement, Handoff, Lead, Proposal, ProposalComment, Signature
from leads.presenters import people, times
from leads.roles import Can, can
from leads.search import finding
from leads.views import access
from leads.views.shell import shell_of, tell
from metrics import agreed
from routing.people import User

MOST_SETTLED, MOST_COMMENTS = 20, 200
VERBS = ("sign", "decline", "withdraw", "comment")
_SIGNED = Prefetch("signatures", Signature.objects.select_related("person").order_by("at", "pk"))


def reader(request: HttpRequest) -> User:
    """Who is signed in, if they have a role; else Http404."""
    return access.page(request, Can.READ_AGREEMENT)


@dataclass(frozen=True, slots=True)
class Line:
    """A proposal on a list."""

    id: int
    what: str
    by: str
    when: str
    exact: str
    state: str
    is_mine: bool


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """What is in force, what waits for a signature, and what was before."""
    user = reader(request)
    now = shell_of(request).now
    held, latest = agreeing.current(now), agreeing.newest()
    if held is None or latest is None:
        values = {"may_setup": can(user, Can.KEEP_SITE)}
        return render(request, "metrics/agreement/none.html", values)
    terms = Terms.of(held)
    values = _terms(held, now) | {
        "differs": agreed.differing(terms, agreement.live_targets()),
        "reasons_differ": agreed.reasons(terms.reasons, agreement.live_reasons()),
        "reads_policies": can(user, Can.READ_ROUTING),
        "coming": latest if latest.pk != held.pk else None,
        "coming_when": agreed.begins(latest, now),
        "open": _lines(user, latest, now, is_open=True),
        "settled": _lines(user, latest, now, is_open=False),
        "versions": _versions(held, now),
        "may_propose": bool(permissions.sides(user)),
    }
    return render(request, "metrics/agreement/agreement.html", values)


@require_safe
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version in full, and what it changed."""
    reader(request)
    now = shell_of(request).now
    row = agreeing.with_terms().filter(version=number).first()
    if row is None:
        raise Http404("there is no such version")
    before = agreeing.with_terms().filter(version__lt=number).order_by("-version").first()
    held = agreeing.current(now)
    values = _terms(row, now) | {
        "is_held": held is not None and held.pk == row.pk,
        "before": before,
        **(difference(Terms.of(before), Terms.of(row)) if before else {}),
    }
    return render(request, "metrics/agreement/version.html", values)


@require_safe
def proposal(request: HttpRequest, pk: int) -> HttpResponse:
    """One proposal: what it changes, why, what the past says about it, and what can be done with it."""
    reader(request)
    return _proposal(request, _find(pk))


@require_POST
def act(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Sign, decline, withdraw or comment. Refused, the proposal is shown as it is now, with the reason and
    with what was typed."""
    user = reader(request)
    found = _find(pk)
    if verb not in VERBS:
        raise Http404("there is no such act")
    may = agreeing.may_comment(user) if verb == "comment" else bool(permissions.sides(user))
    if not may:
        raise PermissionDenied("not an act of this role")
    now = shell_of(request).now
    typed = request.POST.get("text", "")
    try:
        if verb == "sign" and not request.POST.get("read"):
            raise Invalid({"read": "Say that you have read it: a signature cannot be taken back."})
        said = _do(verb, pk, Act(now, user), typed)
    except Invalid as invalid:
        return _proposal(request, found, 422, verb, typed, next(iter(invalid.errors.values())))
    except Refused as refused:
        return _proposal(request, _find(pk), 409, verb, typed, refused.message)
    tell(request, said)
    anchor = "#comments" if verb == "comment" else ""
    return redirect(f"{reverse('metrics:proposal', args=[pk])}{anchor}")


def _do(verb: str, pk: int, act: Act, typed: str) -> str:
    match verb:
        case "sign":
            made = agreeing.sign(pk, act)
            row = Agreement.objects.get(proposal=made)
            return f"Signed. Version {row.version} is {agreed.begins(row, act.now)}."
        case "decline":
            agreeing.decline(pk, act, typed)
            return "Declined. Whoever proposed it is told, with your reason."
        case "withdraw":
            agreeing.withdraw(pk, act)
            return "Withdrawn. What is in force stays."
        case _:
            agreeing.comment(pk, act, typed)
            return "Said."


def _find(pk: int) -> Proposal:
    rows = Proposal.objects.select_related("changes__definition", "proposed_by", "settled_by", "agreement")
    found = rows.prefetch_related(_SIGNED).filter(pk=pk).first()
    if found is None:
        raise Http404("there is no such proposal")
    return found


def _proposal(
    request: HttpRequest, row: Proposal, status: int = 200, verb: str = "", typed: str = "", problem: str = ""
) -> HttpResponse:
    shell = shell_of(request)
    user, now = shell.user, shell.now
    signatures = list(row.signatures.all())
    latest = agreeing.newest()
    is_stale = row.state == ProposalState.OPEN and agreeing.is_stale(row, latest)
    terms, before = Terms.of(row), Terms.of(row.changes)
    since = agreed.reasons(terms.reasons, agreement.live_reasons()) if not row.settled_at else []
    is_other = agreeing.may_sign(user, row, signatures)
    comments = ProposalComment.objects.filter(proposal=row).select_related("by").order_by("-at", "-pk")
    values = {
        "row": row,
        "made": getattr(row, "agreement", None),
        "state": agreed.state(row, is_stale, now),
        "is_open": row.state == ProposalState.OPEN,
        "is_stale": is_stale,
        "latest": latest,
        "proposed": times.day(row.created_at, now),
        "proposed_exact": times.exact(row.created_at, now),
        "side": str(Side(row.side).label).lower(),
        "other": str(Side(row.side).other.label).lower(),
        "wanted": times.exact(row.wanted_at, now) if row.wanted_at else "",
        "signatures": agreed.signatures(signatures, now),
        "reasons_since": since,
        "next": latest.version + 1 if latest else 1,
        "may_sign": is_other and not is_stale,
        "may_decline": is_other,
        "may_withdraw": agreeing.may_withdraw(user, row),
        "may_comment": agreeing.may_comment(user),
        "may_propose": bool(permissions.sides(user)),
        "comments": [
            (str(said.by), times.day(said.at, now), times.exact(said.at, now), said.text)
            for said in reversed(comments[:MOST_COMMENTS])
        ],
        "verb": verb,
        "typed": typed,
        "problem": problem,
        **difference(before, terms),
        **back_test(row.backtest, row.backtest_at, user, now),
    }
    return render(request, "metrics/agreement/proposal.html", values, status=status)


def back_test(kept: dict[str, Any], at: datetime | None, user: User, now: datetime) -> dict[str, Any]:
    """The values of the back-test's part, with the rows behind it that this person may see."""
    if not kept or at is None:
        return {"found": None}
    lists = kept["lists"]
    personal = permissions.sees_personal_data(user)
    handoffs = Handoff.objects.visible_to(user).filter(
        pk__in=[pk for name in ("lost", "gained", "retyped") for pk in lists[name]]
    )
    by_id = {row.pk: row for row in handoffs.select_related("lead__company", "rejection_reason")}
    leads = finding.few_of(user).filter(pk__in=lists["newcomers"]).select_related("company")
    people_by_id = {row.pk: row for row in leads}
    behind = []
    for name, title in (
        ("lost", "No longer handed over"),
        ("gained", "Handed over while the threshold was lower"),
        ("retyped", "Of another type"),
    ):
        rows = [_handoff(by_id[pk], now, personal=personal) for pk in lists[name] if pk in by_id]
        behind.append((title, rows, len(lists[name]) - len(rows)))
    rows = [_lead(people_by_id[pk], personal=personal) for pk in lists["newcomers"] if pk in people_by_id]
    behind.append(("Handed over besides", rows, len(lists["newcomers"]) - len(rows)))
    return {
        "found": agreed.found(kept),
        "tested": times.day(at, now),
        "tested_exact": times.exact(at, now),
        "behind": [(title, rows, hidden) for title, rows, hidden in behind if rows or hidden],
    }


def _handoff(row: Handoff, now: datetime, *, personal: bool) -> tuple[str, str, str, str, str]:
    """Address, name, title and company, score, what came of it."""
    outcome = "not decided"
    if row.opportunity_at is not None and row.accepted_at is not None:
        outcome = "accepted, opportunity"
    elif row.accepted_at is not None:
        outcome = "accepted"
    elif row.rejected_at is not None:
        outcome = f"rejected: {row.rejection_reason.label}" if row.rejection_reason else "rejected"
    score = "" if row.score_total is None else str(row.score_total)
    href = reverse("leads:handoff", args=[row.pk])
    return href, people.name_of(row.lead, personal=personal), people.sub_of(row.lead), score, outcome


def _lead(row: Lead, *, personal: bool) -> tuple[str, str, str, str, str]:
    href = reverse("leads:lead", args=[row.pk])
    return href, people.name_of(row, personal=personal), people.sub_of(row), "", "not known"


def _terms(row: Agreement, now: datetime) -> dict[str, Any]:
    """The terms of a version in words, and who signed them."""
    terms = Terms.of(row)
    signatures = list(Signature.objects.filter(proposal=row.proposal_id).select_related("person"))
    return {
        "row": row,
        "done": [line for line in terms.done.splitlines() if line.strip()],
        "threshold": terms.threshold,
        "kinds": agreed.kinds(terms.high_intent),
        "promises": agreed.promises(terms),
        "reasons": [(reason.label, agreed.step(reason)) for reason in terms.reasons],
        "signatures": agreed.signatures(signatures, now) if row.proposal_id else [],
        "begins": agreed.begins(row, now),
        "begins_exact": times.exact(row.in_force_from, now),
    }


def difference(before: Terms, after: Terms) -> dict[str, Any]:
    lines = agreement.lines(before.done, after.done) if before.done != after.done else []
    return {"changes": agreed.changes(before, after), "lines": lines}


def _lines(user: User, latest: Agreement, now: datetime, *, is_open: bool) -> list[Line]:
    """Proposals that are open, or the last that were declined or withdrawn. What was adopted is a version."""
    rows = Proposal.objects.select_related("changes__definition", "proposed_by", "settled_by")
    rows = rows.prefetch_related("signatures")
    if is_open:
        rows = rows.filter(state=ProposalState.OPEN)
    else:
        rows = rows.filter(state__in=[ProposalState.DECLINED, ProposalState.WITHDRAWN])
    return [
        Line(
            id=row.pk,
            what=agreed.summary(Terms.of(row.changes), Terms.of(row)),
            by=f"{row.proposed_by} for {Side(row.side).label.lower()}",
            when=times.day(row.created_at, now),
            exact=times.exact(row.created_at, now),
            state=agreed.state(row, agreeing.is_stale(row, latest), now),
            is_mine=agreeing.may_sign(user, row, list(row.signatures.all()))
            and not agreeing.is_stale(row, latest),
        )
        for row in rows[: agreeing.MOST_OPEN if is_open else MOST_SETTLED]
    ]


def _versions(held: Agreement, now: datetime) -> list[tuple[int, str, str, bool]]:
    """All versions, newest first: number, since when, what it changed, whether it is in force."""
    rows = list(agreeing.with_terms().order_by("-version"))
    found = []
    for row, before in zip(rows, [*rows[1:], None], strict=True):
        what = agreed.summary(Terms.of(before), Terms.of(row)) if before else "As shipped"
        since = times.exact(row.in_force_from, now) if row.version > 1 else "from the beginning"
        found.append((row.version, since, what, row.pk == held.pk))
    return found
