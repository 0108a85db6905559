"""Proposing a change of the agreement: the form, the try on the past, and the proposal that is made of it.

For those who can sign: marketing ops and sales managers. The back-test is made here and kept with the
proposal, so that the other side reads the figures of that moment. What may be proposed is `leads.agreeing`.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from leads import agreeing, agreement, permissions
from leads.agreement import Terms
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Agreement, Proposal
from leads.views.shell import shell_of, tell
from metrics import agreed, past_scores
from metrics.governance import Definition
from metrics.proposal_form import BASES, ProposalForm
from metrics.views import agreement as pages
from routing.people import User


@require_http_methods(["GET", "HEAD", "POST"])
def propose(request: HttpRequest) -> HttpResponse:
    """The form, filled with what is agreed on or (`from`) with a proposal that was made before. `try` holds
    what was typed against the past and proposes nothing."""
    user = _proposer(request)
    latest = agreeing.newest()
    if latest is None:
        raise Http404("there is no agreement to change")
    if request.method != "POST":
        return _page(request, latest, _first(request, latest))
    form = ProposalForm.sent(request.POST)
    now = shell_of(request).now
    terms = form.terms(agreement.live_reasons())
    wanted_at = form.wanted_at(settings.ORG_TIME_ZONE, now)
    if terms is None or form.has_errors:
        return _page(request, latest, form, status=422)
    found = _tried(latest, terms, now)
    if "try" in request.POST:
        return _page(request, latest, form, tried=found, terms=terms)
    try:
        made = agreeing.propose(
            Act(now, user), form.base, terms, form.why, form.side, wanted_at, backtest=found or None
        )
    except Invalid as invalid:
        form.refuse(invalid.errors)
        return _page(request, latest, form, tried=found, terms=terms, status=422)
    except Refused as refused:
        # The next attempt has seen what was agreed on meanwhile.
        form.base = latest.version
        form.errors["terms"] = refused.message
        return _page(request, latest, form, tried=found, terms=terms, status=409)
    tell(request, "Proposed, and signed for your side. The other side is told.")
    return redirect("metrics:proposal", made.pk)


def _proposer(request: HttpRequest) -> User:
    """Who is signed in, if they can propose. For others who read the agreement the page is not there and the
    act is refused."""
    user = pages.reader(request)
    if permissions.sides(user):
        return user
    if request.method == "POST":
        raise PermissionDenied("marketing ops and sales managers propose")
    raise Http404("no page of this role")


def _first(request: HttpRequest, latest: Agreement) -> ProposalForm:
    wanted = request.GET.get("from", "")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        row = Proposal.objects.filter(pk=int(wanted)).first()
        if row is not None:
            return ProposalForm.of(latest.version, Terms.of(row), row.why)
    return ProposalForm.of(latest.version, Terms.of(latest))


def _tried(latest: Agreement, terms: Terms, now: Any) -> dict[str, Any]:
    """The back-test of these terms; nothing where what makes an MQL stays."""
    before = Terms.of(latest)
    if not agreement.changes_definition(before, terms):
        return {}
    old, new = (Definition(some.threshold, some.high_intent) for some in (before, terms))
    return past_scores.back_test(old, new, now)


def _page(
    request: HttpRequest,
    latest: Agreement,
    form: ProposalForm,
    tried: dict[str, Any] | None = None,
    terms: Terms | None = None,
    status: int = 200,
) -> HttpResponse:
    shell = shell_of(request)
    sides = permissions.sides(shell.user)
    before = Terms.of(latest)
    values: dict[str, Any] = {
        "form": form,
        "latest": latest,
        "bases": BASES,
        "sides": [(str(side), str(side.label)) for side in sides] if len(sides) > 1 else [],
        "own": str(sides[0].label).lower(),
        "other": str(sides[0].other.label).lower(),
        "reasons_since": agreed.reasons(before.reasons, agreement.live_reasons()),
        "is_unsigned": latest.proposal_id is None,
        "is_tried": terms is not None,
        "longest_done": agreement.LONGEST_DONE,
        "longest_why": agreement.LONGEST_WHY,
    }
    if terms is not None:
        values |= pages.difference(before, terms)
        values |= pages.back_test(tried or {}, shell.now, shell.user, shell.now)
    return render(request, "metrics/agreement/propose.html", values, status=status)
