"""The closed loop: what became of marketing's leads by source or campaign, and the file for their platform.

The page covers what the person may see; the file, which names leads by their ids elsewhere, is for marketing
ops and admins. What is counted is `metrics.loop`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from leads import exports
from leads.models import ExternalId, RejectionReason
from leads.roles import Can, can
from leads.views import proof
from leads.views.shell import person
from metrics import address, lists, loop, query, ways, words
from metrics.loop import Group
from routing.people import User
from routing.reading import of_figures

NAMES = {"source": "Source", "campaign": "Campaign"}
_NONE = {"source": "No source", "campaign": "No campaign"}
_FIGURES = ("accepted", "rejected", "contacted", "won")
MOST_REASONS, MOST_SYSTEMS = 3, 50


@require_safe
@of_figures
def page(request: HttpRequest) -> HttpResponse:
    """The table, by `by` (source or campaign)."""
    user = ways.reader(request)
    asked = address.read(request)
    kind = request.GET.get("by") or "source"
    if kind not in NAMES:
        raise Http404
    found = loop.read(_figures(request, asked), kind)
    labels = dict(RejectionReason.objects.values_list("code", "label"))
    systems: Sequence[str] = []
    if may_download(user):
        known = ExternalId.objects.order_by("system").values_list("system", flat=True).distinct()
        systems = list(known[:MOST_SYSTEMS])
    context = {
        "ways": ways.of(request, asked, "metrics:loop", by=kind),
        "asked": asked,
        "tabs": [(label, _own(asked, by=name), name == kind) for name, label in NAMES.items()],
        "kind": NAMES[kind],
        "rows": [
            _row(
                asked,
                group,
                labels,
                group.name or _NONE[kind],
                {kind: group.name},
                lists.narrow(asked, "metrics:loop", kind, group.name),
            )
            for group in found.groups
        ],
        "total": _row(asked, found.total, labels, "All", {}, ""),
        "others": found.others,
        "other_mqls": words.many(found.other_mqls, "MQL"),
        "may_download": may_download(user),
        "systems": systems,
        "download": reverse("metrics:loop_file"),
        "kept": list(asked.params(metric=None).items()),
    }
    return render(request, "metrics/loop.html", context)


@require_safe
def file(request: HttpRequest) -> StreamingHttpResponse:
    """One row a lead with its ids in `system` (all systems without it), its status and its opportunity."""
    if not may_download(person(request)):
        raise PermissionDenied("marketing ops and admins take this file")
    proof.for_export(request)
    asked = address.read(request)
    system = request.GET.get("system", "").replace("\0", "")[:60]
    rows = loop.rows(_figures(request, asked), system)
    name = f"closed-loop-{asked.weeks.first.name}-{asked.weeks.last.name}.csv"
    return exports.download(name, loop.HEADER, rows)


def may_download(user: User) -> bool:
    return can(user, Can.TAKE_LOOP)


def _figures(request: HttpRequest, asked: address.Asked) -> query.Asked:
    question = query.Question(asked.as_of, asked.weeks.span, filters=asked.filters)
    return query.Asked.of(question, address.visible(request))


def _own(asked: address.Asked, **changes: str) -> str:
    return f"{reverse('metrics:loop')}?{urlencode(asked.params(metric=None) | changes)}"


def _row(
    asked: address.Asked,
    group: Group,
    labels: Mapping[str, str],
    name: str,
    extra: Mapping[str, str],
    narrow: str,
) -> dict[str, Any]:
    """A group in words: each figure with its share and its list, the reasons, the money by currency."""
    cells = []
    for figure in _FIGURES:
        rate = group.tally[figure]
        cells.append(
            {
                "count": f"{rate.numerator:,}",
                "share": words.share(rate.value) if rate.numerator else "",
                "what": loop.MEASURES[figure][2],
                "href": lists.address(asked, f"loop_{figure}", asked.weeks, "hits", extra)
                if rate.numerator
                else "",
            }
        )
    reasons = [
        {
            "label": labels.get(code, code),
            "count": f"{count:,}",
            "href": lists.reason_address(asked, code, asked.weeks, extra),
        }
        for code, count in group.reasons
    ]
    return {
        "name": name,
        "href": narrow,
        "mqls": f"{group.mqls:,}",
        "mqls_href": lists.address(asked, "loop_mqls", asked.weeks, "hits", extra) if group.mqls else "",
        "cells": cells,
        "reasons": reasons[:MOST_REASONS],
        "more_reasons": max(0, len(reasons) - MOST_REASONS),
        "amounts": [_money(currency, amount) for currency, amount, _ in group.amounts],
    }


def _money(currency: str, amount: Decimal) -> str:
    whole = amount.to_integral_value()
    return f"{amount:,.0f} {currency}".strip() if amount == whole else f"{amount:,.2f} {currency}".strip()
