"""The mapping of a connection on a page: what of ours is called how there, tried on a record, kept, put back.

Owns the page, the file and the acts. The form's fields are `leads.mapping_form`, keeping is
`leads.connecting.mapping`. Nothing is kept while something cannot work, and what was typed stays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leads import mapping_form
from leads.connecting import changing, kinds
from leads.connecting import mapping as mappings
from leads.connecting.changing import NotDone
from leads.connecting.mapping import Offer, Preview
from leads.connectors.mapping import Map, Problem, problems
from leads.mapping_form import Person
from leads.models import Connection, Handoff
from leads.presenters import times
from leads.sealing import CannotOpen
from leads.views.inbox import number
from leads.views.integrations import frame
from leads.views.shell import shell_of, tell
from routing.models import User
from routing.people import MANAGER, REP

MOST_PEOPLE, VERSIONS, MOST_BYTES = 500, 20, 500_000


@require_http_methods(["GET", "HEAD", "POST"])
def mapping(request: HttpRequest, slug: str) -> HttpResponse:
    """The form. With "do" it proposes owners, reads a file, or looks at a record; none of these keeps
    anything. Without, it keeps what was typed if it can work."""
    frame.runner(request)
    row = _find(slug)
    try:
        whole, usual = mappings.whole(row), mappings.usual(row)
    except CannotOpen as problem:
        return _page(request, row, Map(), Offer(_nothing(), str(problem)), (), status=422)
    people = _people()
    offer = mappings.offer(row, afresh="afresh" in request.GET or request.POST.get("do") == "propose")
    if request.method != "POST":
        seen = _preview(request, row, row.mapping, request.GET.get("handoff"))
        return _page(request, row, whole, offer, people, preview=seen)
    do = request.POST.get("do", "")
    if do == "import":
        return _import(request, row, whole, offer, people)
    try:
        typed = mapping_form.read(request.POST, people)
    except mapping_form.Unread as unread:
        return _page(request, row, unread.mapping, offer, people, wrong=unread.problems, status=422)
    wrong = problems(typed, offer.offered)
    chosen = mappings.chosen(typed, usual)
    if do == "look":
        seen = _preview(request, row, chosen, request.POST.get("handoff"))
        return _page(request, row, typed, offer, people, wrong=wrong, preview=seen)
    if do == "propose":
        return _page(request, row, typed, offer, people, wrong=wrong, propose=True)
    if wrong:
        return _page(request, row, typed, offer, people, wrong=wrong, status=422)
    try:
        mappings.keep(row.pk, frame.edit(request, looks=True), chosen)
    except changing.Stale as stale:
        return _page(request, row, typed, offer, people, clash=stale, status=409)
    said = f"The mapping of “{row.name}” is saved. It counts from the next delivery on."
    return frame.done(request, row, said)


def _import(
    request: HttpRequest, row: Connection, whole: Map, offer: Offer, people: Sequence[Person]
) -> HttpResponse:
    """What a file holds, in the form: it is kept once it is saved."""
    file = request.FILES.get("file")
    if file is None or not file.size or file.size > MOST_BYTES:
        said = "Choose a file." if file is None or not file.size else "The file is too large for a mapping."
        return _page(request, row, whole, offer, people, file_problem=said, status=422)
    try:
        found = mappings.read(file.read().decode("utf-8", "replace"), row.kind)
    except NotDone as problem:
        return _page(request, row, whole, offer, people, file_problem=str(problem), status=422)
    wrong = problems(found, offer.offered)
    return _page(request, row, found, offer, people, wrong=wrong, is_imported=True)


def _find(slug: str) -> Connection:
    row = frame.find(slug)
    if not kinds.does(row.kind, "push"):
        raise Http404("nothing is written to this connection")
    return row


def _nothing() -> Any:
    return mappings.Offered()


def _people() -> list[Person]:
    """Who may hold a lead, by name; one query."""
    sellers = User.objects.filter(is_active=True, groups__name__in=[REP, MANAGER]).distinct()
    return [Person(user.pk, str(user), user.email) for user in sellers.order_by("name", "pk")[:MOST_PEOPLE]]


def _preview(request: HttpRequest, row: Connection, chosen: Any, asked: str | None) -> Preview | None:
    """A handoff's record by a mapping; None where none was asked for."""
    if not (asked or "").strip():
        return None
    pk = number(asked)
    found = Handoff.objects.select_related("lead").filter(pk=pk).first() if pk else None
    if found is None:
        return Preview([], problem="There is no handoff of this number.")
    return mappings.preview(row, chosen, found, shell_of(request).now)


def _page(
    request: HttpRequest,
    row: Connection,
    shown: Map,
    offer: Offer,
    people: Sequence[Person],
    *,
    wrong: Sequence[Problem] = (),
    preview: Preview | None = None,
    propose: bool = False,
    clash: changing.Stale | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    now = shell_of(request).now
    form = mapping_form.shown(shown, offer.offered, people, wrong, propose=propose)
    if request.method == "POST" and "sources" in request.POST:
        form = replace(form, sources=request.POST["sources"], owners_more=request.POST.get("owners_more", ""))
    asked = request.POST.get("handoff") or request.GET.get("handoff") or ""
    values = {
        "row": row,
        "form": form,
        "offer": offer,
        "is_wrong": bool(wrong),
        "preview": preview,
        "handoff": asked[:20],
        "proposed": sum(cell.proposed for cell in form.owners),
        "is_proposing": propose,
        "seen": changing.newest(row) if clash else request.POST.get("seen") or changing.newest(row),
        "clash": clash,
        "clash_when": times.day(clash.at, now) if clash is not None and clash.at else "",
        "versions": _versions(row, now),
        "empty": mapping_form.EMPTY,
    }
    return frame.page(request, "mapping", values | more, status)


def _versions(row: Connection, now: Any) -> list[dict[str, Any]]:
    """Earlier mappings, the newest first, each once however many entries of the history have it."""
    entries = row.history.select_related("history_user").order_by("-history_date", "-history_id")
    found: list[dict[str, Any]] = []
    last: Any = row.mapping
    for entry in entries[: VERSIONS * 5]:
        if entry.mapping != last and len(found) < VERSIONS:
            last = entry.mapping
            count = sum(len(part) for part in last.values())
            found.append(
                {
                    "id": entry.history_id,
                    "by": str(entry.history_user) if entry.history_user else "the system",
                    "when": times.day(entry.history_date, now),
                    "exact": times.exact(entry.history_date, now),
                    "says": f"{count} of its own" if count else "all as usual",
                }
            )
    return found


@require_safe
def as_file(request: HttpRequest, slug: str) -> HttpResponse:
    """The whole mapping in force as JSON, to be kept or brought to another connection of its kind."""
    frame.runner(request)
    row = _find(slug)
    try:
        text = json.dumps(mappings.document(row, mappings.whole(row)), indent=2, ensure_ascii=False)
    except CannotOpen as problem:
        tell(request, str(problem), is_late=True)
        raise Http404("its secrets cannot be opened") from None
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="mapping-{row.slug}.json"'
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def restore(request: HttpRequest, slug: str) -> HttpResponse:
    """An earlier mapping is in force again."""
    frame.runner(request)
    row = _find(slug)
    try:
        mappings.restore(row.pk, frame.edit(request), number(request.POST.get("version")) or 0)
    except NotDone as problem:
        raise Http404(str(problem)) from None
    return frame.done(request, row, f"The earlier mapping of “{row.name}” is in force again.")
