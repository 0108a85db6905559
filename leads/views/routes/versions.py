"""Published versions: who put which in force and why, what each says, and bringing one back.

Owns the list, the page of one version with its differences, and the act. A version is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import in_force, paging
from leads.drafts import Names
from leads.presenters import reading, rules, times
from leads.roles import Can
from leads.routing_forms import NoteForm, RoutingForm
from leads.views import access
from leads.views.routes import changes, frame
from leads.views.shell import shell_of
from routing import differences, publish
from routing.models import Ruleset

SIZE = 25


@dataclass(frozen=True, slots=True)
class Line:
    """One version on the list. `differs` says what it changed against the one before."""

    version: int
    is_live: bool
    by: str
    when: str
    exact: str
    note: str
    restored_from: int | None
    differs: str
    rules: int


@require_safe
def versions(request: HttpRequest) -> HttpResponse:
    """All versions, the newest first."""
    frame.reader(request)
    now = shell_of(request).now
    rows = Ruleset.objects.select_related("published_by", "restored_from")
    page = paging.page(rows, ("-version",), request.GET.get("after", ""), SIZE)
    found = list(page.rows)
    before = [*found[1:], *(Ruleset.objects.filter(version__lt=found[-1].version)[:1] if found else ()), None]
    lines = []
    for row, earlier in zip(found, before, strict=False):
        differs = differences.diff(earlier.document, row.document) if earlier is not None else None
        lines.append(
            Line(
                version=row.version,
                is_live=row.is_live,
                by=str(row.published_by) if row.published_by else "the system",
                when=times.day(row.published_at, now),
                exact=times.exact(row.published_at, now),
                note=row.note,
                restored_from=row.restored_from.version if row.restored_from else None,
                differs=differences.summary(differs) if differs is not None else "The first",
                rules=len(row.document.get("rules") or ()),
            )
        )
    values = {
        "lines": lines,
        "more": f"?after={page.next}" if page.next else "",
        "is_later": bool(page.after),
    }
    return render(request, "leads/routing/versions.html", values)


@require_safe
def version(request: HttpRequest, number: int) -> HttpResponse:
    """One version read as rules, with what it changed and how it differs from what is live."""
    frame.reader(request)
    found = _version(number)
    return _page(request, found, NoteForm(names=Names()))


@require_POST
def version_restore(request: HttpRequest, number: int) -> HttpResponse:
    """Put its document in force again, as a new version."""
    frame.reader(request)
    found = _version(number)
    user = access.act(request, Can.EDIT_ROUTING)
    form = NoteForm(request.POST, names=Names())
    if not form.is_valid():
        return _page(request, found, form, status=422)
    before = publish.live()
    try:
        ruleset = in_force.restore(found.version, shell_of(request).now, user, form.cleaned_data["note"])
    except publish.NotPublishable as broken:
        return _page(request, found, form, problems=broken.problems, status=422)
    if ruleset == before:
        text = f"Nothing differs: version {ruleset.version} stays in force."
    else:
        text = f"Version {ruleset.version} is in force; it says what version {found.version} said."
        text += " The draft is as it was: discard it if it should say so too."
    return frame.done(request, text, reverse("leads:routing"))


def _says(document: Any, called: reading.Called) -> list[reading.Piece]:
    return [reading.Piece("When "), *reading.aloud(document, called), reading.Piece(".")]


def _version(number: int) -> Ruleset:
    found = Ruleset.objects.select_related("published_by", "restored_from").filter(version=number).first()
    if found is None:
        raise Http404("no such version")
    return found


def _page(
    request: HttpRequest,
    row: Ruleset,
    form: RoutingForm,
    *,
    problems: list[publish.Problem] | None = None,
    status: int = 200,
) -> HttpResponse:
    now = shell_of(request).now
    names = form.names
    earlier = Ruleset.objects.filter(version__lt=row.version).first()
    live = publish.live()
    called = names.called(row.document)
    overflow = row.document.get("overflow")
    values: dict[str, Any] = {
        "row": row,
        "by": str(row.published_by) if row.published_by else "the system",
        "when": times.day(row.published_at, now),
        "exact": times.exact(row.published_at, now),
        "lines": rules.lines(row.document, names, called, rules.Beside()),
        "territories": [
            (str(territory.get("name") or slug), _says(territory.get("when"), called))
            for slug, territory in sorted((row.document.get("territories") or {}).items())
        ],
        "overflow": names("queue", str(overflow.get("id"))) if overflow else "",
        "account_first": differences.ACCOUNT_FIRST.get(str(row.document.get("account_first") or "owned"), ""),
        "earlier": earlier,
        "against_earlier": changes.between(earlier.document, row.document, names) if earlier else [],
        "live": live,
        "against_live": (
            changes.between(live.document, row.document, names) if live is not None and live != row else []
        ),
        "form": form,
        "problems": problems or [],
        "may_edit": frame.may_edit(request),
    }
    return render(request, "leads/routing/version.html", values, status=status)
