"""Named lists of the draft: values that conditions refer to by name, pasted or uploaded.

Owns both pages. What a value looks like, and which lines are wrong, is `routing.lists`; saving is
`routing.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads.drafts import Names
from leads.routing_forms import ListForm, RoutingForm, new_slug
from leads.rule_form import Editor
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import draft
from routing import lists as reading
from routing.models import NamedList, Rule, Territory

FIRST = 5
MOST_PROBLEMS = 20
# A name that conditions cannot reach is refused by the editor; this bounds what is read at all.
MOST_BYTES = reading.MOST_BYTES


@dataclass(frozen=True, slots=True)
class Line:
    """A list on the page of lists; `used` are the rules and territories of the draft that ask for it."""

    id: int
    name: str
    kind: str
    count: int
    first: str
    used: list[str]
    is_active: bool


@require_safe
def lists(request: HttpRequest) -> HttpResponse:
    """All of them, those of the draft first."""
    frame.reader(request)
    used = _used()
    rows = sorted(NamedList.objects.all(), key=lambda row: (not row.is_active, row.name))
    lines = [
        Line(
            id=row.pk,
            name=row.name,
            kind=str(row.get_kind_display()),
            count=len(row.values),
            first=", ".join(str(value)[:60] for value in row.values[:FIRST]),
            used=used.get(row.slug, []),
            is_active=row.is_active,
        )
        for row in rows
    ]
    return render(request, "leads/routing/lists.html", {"lines": lines, "may_edit": frame.may_edit(request)})


@require_http_methods(["GET", "HEAD", "POST"])
def list_new(request: HttpRequest) -> HttpResponse:
    """A list that is not there yet."""
    frame.editor(request)
    return _edit(request, NamedList(is_active=True))


@require_http_methods(["GET", "HEAD", "POST"])
def named_list(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them; for those who do not edit, as it is."""
    frame.reader(request)
    found = NamedList.objects.filter(pk=pk).first()
    if found is None:
        raise Http404("no such list")
    if request.method == "POST" or frame.may_edit(request):
        frame.editor(request)
        return _edit(request, found)
    return _render(request, found, {})


def _edit(request: HttpRequest, row: NamedList) -> HttpResponse:
    names = Names()
    shown = {
        "name": row.name,
        "kind": row.kind or NamedList.Kind.DOMAINS,
        "values": "\n".join(map(str, row.values)),
        "is_active": row.is_active,
    }
    if row.pk is None:
        shown["kind"] = NamedList.Kind.DOMAINS
    if request.method != "POST":
        return _page(request, row, ListForm(names=names, initial=shown))
    form = ListForm(request.POST, names=names, initial=shown)
    if not form.is_valid():
        return _page(request, row, form, status=422)
    given = form.cleaned_data
    found, wrong = _read(request, given["kind"], given["values"])
    if wrong or not found.values or (found.problems and "anyway" not in request.POST):
        return _page(request, row, form, found=found, wrong=wrong, status=422)
    return _save(request, row, form, found)


def _read(request: HttpRequest, kind: str, typed: str) -> tuple[reading.Reading, str]:
    """The values pasted and those of the file, together; and why nothing could be read, "" if it could."""
    upload = request.FILES.get("file")
    if upload is not None and upload.size and upload.size > MOST_BYTES:
        nothing = reading.Reading((), 0, (), 0)
        return nothing, f"The file is larger than {MOST_BYTES // 1024:,} KiB; take it in parts."
    pasted = reading.read(typed, kind)
    if upload is None:
        return pasted, "" if pasted.values or pasted.problems else "Paste values or choose a file."
    filed = reading.read(upload.read(), kind)
    if request.POST.get("how") == "replace":
        return filed, "" if filed.values or filed.problems else "The file holds no values."
    both = reading.read("\n".join((*pasted.values, *filed.values)), kind)
    problems = (*pasted.problems, *filed.problems, *both.problems)
    left_out = pasted.left_out + filed.left_out + both.left_out
    repeated = pasted.repeated + filed.repeated + both.repeated
    return reading.Reading(both.values, repeated, problems, left_out), ""


def _save(request: HttpRequest, row: NamedList, form: ListForm, found: reading.Reading) -> HttpResponse:
    is_new = row.pk is None
    given = form.cleaned_data
    row.name, row.kind = " ".join(given["name"].split()), given["kind"]
    row.values, row.is_active = list(found.values), given["is_active"]
    if is_new:
        row.slug = new_slug(NamedList, row.name)
    user = frame.editor(request)
    try:
        draft.save(row, frame.revision(request), user)
    except draft.Stale as stale:
        theirs = cast(NamedList, stale.current)
        clash = frame.conflict(stale, _words(theirs, row), _words(row, theirs), shell_of(request).now)
        if clash.differences:
            return _page(request, row, form, found=found, clash=clash, status=409)
    count = f"{len(found.values):,} value{'' if len(found.values) == 1 else 's'}"
    again = f", {found.repeated:,} that came again taken once" if found.repeated else ""
    left = f", {found.left_out:,} left out" if found.left_out else ""
    text = f"“{row.name}” holds {count}{again}{left}. It counts once the draft is published."
    return frame.done(request, text, reverse("leads:lists"))


def _page(
    request: HttpRequest,
    row: NamedList,
    form: RoutingForm,
    *,
    found: reading.Reading | None = None,
    wrong: str = "",
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    problems: Sequence[reading.Problem] = found.problems if found is not None else ()
    if found is not None and request.FILES and not wrong:
        # A file cannot be put back into its field: what was good in it stands in the box from now on.
        form = ListForm.typed(request.POST, form.names)
        form.initial["values"] = "\n".join(found.values)
    values: dict[str, Any] = {
        "form": form,
        "wrong": wrong,
        "problems": problems[:MOST_PROBLEMS],
        "more_problems": max(0, (found.left_out if found else 0) - MOST_PROBLEMS),
        "good": len(found.values) if found is not None else 0,
        "was_file": bool(request.FILES),
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
    }
    return _render(request, row, values, status)


def _render(
    request: HttpRequest, row: NamedList, values: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    shown = {
        "row": row,
        "first": [str(value)[:100] for value in row.values[:20]],
        "count": len(row.values),
        "may_edit": frame.may_edit(request),
        "changed": frame.last_change(row, shell_of(request).now),
        "used": _used().get(row.slug, []) if row.slug else [],
    }
    return render(request, "leads/routing/list.html", shown | dict(values), status=status)


def _used() -> dict[str, list[str]]:
    """The names of the draft's rules and territories by the slug of each list they ask for."""
    found: dict[str, list[str]] = {}
    for model, what in ((Rule, "rule"), (Territory, "territory")):
        for row in model.objects.filter(is_active=True):
            for part in Editor.of(row.conditions).walk():
                if getattr(part, "op", "") == "in_list":
                    for slug in getattr(part, "picked", ()):
                        found.setdefault(slug, []).append(f"{what} {row.name}")
    return found


def _words(row: NamedList, other: NamedList) -> dict[str, str]:
    """A list in labelled words, its values as what it has and the other has not."""
    own = [str(value) for value in row.values if value not in set(other.values)]
    more = f" and {len(own) - FIRST:,} more" if len(own) > FIRST else ""
    return {
        "Name": row.name,
        "Kind": str(row.get_kind_display()),
        "Only here": f"{', '.join(own[:FIRST])}{more}" if own else "",
        "In the draft": "yes" if row.is_active else "no",
    }
