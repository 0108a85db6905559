"""Territories of the draft: the list, and one with its conditions, owner and members.

Owns both pages and the warning that two territories can hold the same lead. Saving is `routing.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from leads.drafts import Names
from leads.presenters import reading
from leads.presenters.reading import Piece
from leads.routing_forms import RoutingForm, TerritoryForm, new_slug
from leads.rule_form import Editor
from leads.views.routes import conditions, frame
from leads.views.shell import shell_of
from routing import draft
from routing.implication import Meaning, Reader, disjoint, implies
from routing.models import Rule, Territory

# Pairs compared for one page of the list; more territories than that are compared one by one on their page.
MOST_COMPARED = 60


@dataclass(frozen=True, slots=True)
class Line:
    """A territory on the list. `used` are the names of the draft rules that ask for it or hand to it."""

    id: int
    name: str
    says: list[Piece]
    owner: str
    members: int
    used: list[str]
    overlaps: list[str]
    is_active: bool


@require_safe
def territories(request: HttpRequest) -> HttpResponse:
    """All of them, those of the draft first."""
    frame.reader(request)
    names = Names()
    counts = dict(Territory.objects.values_list("pk").annotate(n=Count("members")))
    called, used = names.called(), _used()
    meanings = _meanings(names.territories, names)
    lines = [
        Line(
            id=row.pk,
            name=row.name,
            says=[Piece("When "), *reading.aloud(row.conditions, called), Piece(".")],
            owner=str(row.owner) if row.owner else "",
            members=counts.get(row.pk, 0),
            used=used.get(row.slug, []),
            overlaps=_overlaps(row.slug, meanings, names) if len(meanings) <= MOST_COMPARED else [],
            is_active=row.is_active,
        )
        for row in sorted(names.territories, key=lambda row: (not row.is_active, row.name))
    ]
    values = {"lines": lines, "may_edit": frame.may_edit(request)}
    return render(request, "leads/routing/territories.html", values)


@require_http_methods(["GET", "HEAD", "POST"])
def territory_new(request: HttpRequest) -> HttpResponse:
    """A territory that is not there yet."""
    frame.editor(request)
    return _edit(request, Territory(is_active=True), conditions.blank())


@require_http_methods(["GET", "HEAD", "POST"])
def territory(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them; for those who do not edit, as it reads."""
    frame.reader(request)
    found = Territory.objects.select_related("owner").filter(pk=pk).first()
    if found is None:
        raise Http404("no such territory")
    if request.method == "POST" or frame.may_edit(request):
        frame.editor(request)
        return _edit(request, found, Editor.of(found.conditions))
    names = Names()
    values = {
        "says": _says(found.conditions, names),
        "overlaps": _overlaps(found.slug, _meanings(names.territories, names), names),
        "members": [str(person) for person in found.members.all()],
    }
    return _render(request, found, values)


def _edit(request: HttpRequest, row: Territory, editor: Editor) -> HttpResponse:
    names = Names()
    if request.method != "POST":
        if row.pk:
            conditions.check(editor, names, of_territory=True)
        form: RoutingForm = TerritoryForm(names=names, initial=TerritoryForm.of(row))
        return _page(request, row, form, editor, names)
    editor = conditions.sent(request)
    if command := conditions.command(request):
        editor.act(command)
        typed = TerritoryForm.typed(request.POST, names)
        return _page(request, row, typed, editor, names, command=command)
    bound = TerritoryForm(request.POST, names=names, initial=TerritoryForm.of(row))
    is_sound = conditions.check(editor, names, of_territory=True)
    if not bound.is_valid() or not is_sound:
        return _page(request, row, bound, editor, names, status=422)
    return _save(request, row, bound, editor, names)


def _save(
    request: HttpRequest, row: Territory, form: TerritoryForm, editor: Editor, names: Names
) -> HttpResponse:
    is_new = row.pk is None
    form.fill(row)
    row.conditions = editor.document() if is_new else editor.unless_same(row.conditions)
    if is_new:
        row.slug = new_slug(Territory, row.name)
    user = frame.editor(request)
    try:
        draft.save(row, frame.revision(request), user, members=form.people)
    except draft.Stale as stale:
        stored = cast(Territory, stale.current)
        theirs = _words(stored, [str(person) for person in stored.members.all()], names)
        yours = _words(row, [str(person) for person in form.people], names)
        documents = (stored.conditions, row.conditions, names.called())
        clash = frame.conflict(stale, theirs, yours, shell_of(request).now, documents)
        if clash.differences:
            return _page(request, row, form, editor, names, clash=clash, status=409)
    said = "added" if is_new else "saved"
    text = f"The territory “{row.name}” is {said}. It counts once the draft is published."
    return frame.done(request, text, reverse("leads:territories"))


def _page(
    request: HttpRequest,
    row: Territory,
    form: RoutingForm,
    editor: Editor,
    names: Names,
    *,
    command: str = "",
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    document, instead, note = conditions.unfinished(editor)
    values: dict[str, Any] = {
        "form": form,
        "says": instead or _says(document, names),
        "says_note": note,
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
        **conditions.values(request, editor, names, of_territory=True),
    }
    if instead is None:
        meanings = _meanings(names.territories, names) | {row.slug: _reader(names).meaning(document)}
        values["overlaps"] = _overlaps(row.slug, meanings, names)
    if command and request.htmx:  # type: ignore[attr-defined]
        is_aloud = command == conditions.ALOUD
        part = "_aloud.html" if is_aloud else "_conditions.html"
        return render(request, f"leads/routing/{part}", values | {"oob": not is_aloud})
    return _render(request, row, values, status)


def _render(
    request: HttpRequest, row: Territory, values: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    shown = {
        "row": row,
        "is_territory": True,
        "may_edit": frame.may_edit(request),
        "changed": frame.last_change(row, shell_of(request).now),
        "used": _used().get(row.slug, []) if row.slug else [],
    }
    return render(request, "leads/routing/territory.html", shown | dict(values), status=status)


def _says(document: Any, names: Names) -> list[Piece]:
    return [Piece("A lead is in it when "), *reading.aloud(document, names.called()), Piece(".")]


def _used() -> dict[str, list[str]]:
    """The names of the draft's rules by the slug of each territory that they ask for or hand to."""
    found: dict[str, list[str]] = {}
    for rule in Rule.objects.filter(is_active=True):
        slugs = {pk for kind, pk in _targets(rule) if kind == Rule.TargetKind.TERRITORY_OWNER and pk}
        for row in Editor.of(rule.conditions).walk():
            slugs |= set(getattr(row, "picked", ())) if getattr(row, "op", "") == "in_territory" else set()
        for slug in slugs:
            found.setdefault(slug, []).append(rule.name)
    return found


def _targets(rule: Rule) -> tuple[tuple[str, str], tuple[str, str]]:
    return (rule.target_kind, rule.target_id), (rule.fallback_kind, rule.fallback_id)


def _reader(names: Names) -> Reader:
    return Reader(lists={row.slug: row.values for row in names.lists})


def _meanings(rows: list[Territory], names: Names) -> dict[str, Meaning]:
    reader = _reader(names)
    return {row.slug: reader.meaning(row.conditions) for row in rows if row.is_active}


def _overlaps(slug: str, meanings: Mapping[str, Meaning], names: Names) -> list[str]:
    """A sentence for each other territory that can hold the same lead."""
    own = meanings.get(slug)
    if own is None or own.is_impossible:
        return ["No lead can ever be in it: its conditions rule each other out."] if own else []
    called = {row.slug: row.name for row in names.territories}
    found = []
    for other, meaning in sorted(meanings.items()):
        if other == slug or meaning.is_impossible or disjoint(own, meaning):
            continue
        if implies(own, meaning):
            found.append(f"Every lead in it is in {called[other]} too.")
        elif implies(meaning, own):
            found.append(f"It holds every lead of {called[other]}.")
        else:
            found.append(f"A lead can be in it and in {called[other]} too.")
    return found


def _words(row: Territory, members: list[str], names: Names) -> dict[str, str]:
    return {
        "Name": row.name,
        "Owner": str(names.by_id[str(row.owner_id)]) if str(row.owner_id) in names.by_id else "nobody",
        "Members": ", ".join(sorted(members)) or "nobody",
        "In the draft": "yes" if row.is_active else "no",
    }
