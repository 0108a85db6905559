"""One connection: made, looked at, its settings changed, its history read.

Owns these pages. What kind asks for what is `leads.connection_form`, the saving `leads.connecting`. A secret
that is made on the way is shown in the answer, this once, and in no redirect, session or log.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from leads import paging
from leads.connecting import changing, conflicts, first_sync, health, keeping, kinds, trying
from leads.connecting.changing import Edit, NotDone
from leads.connection_form import ConnectionForm
from leads.connectors import signatures
from leads.models import Connection, Delivery, InboundCall
from leads.presenters import connections as words
from leads.presenters import deliveries, times
from leads.views import proof
from leads.views.integrations import frame
from leads.views.shell import shell_of
from routing.people import User

SHOWN, CHANGES = 5, 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_new(request: HttpRequest, kind: str) -> HttpResponse:
    """A connection that is not there yet. It is made switched off."""
    frame.runner(request)
    if kind not in kinds.offered():
        raise Http404("this kind of connection is not offered")
    proof.for_secrets(request)
    if request.method != "POST":
        return _form(request, ConnectionForm(kind))
    form = ConnectionForm(kind, request.POST)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        made = changing.make(kind, frame.edit(request), form.values)
    except NotDone as problem:
        form.add_error("name", str(problem))
        return _form(request, form, status=422)
    given = dict(form.secrets)
    is_made = kind == Connection.Kind.WEBHOOK and "secret" not in given
    if is_made:
        given["secret"] = signatures.new_secret()
    keeping.put(made.pk, frame.edit(request), given)
    address = ""
    if kinds.does(kind, "identify"):
        seen = changing.newest(made)
        address = keeping.renew_hook(made.pk, Edit(shell_of(request).user, shell_of(request).now, seen))
    if not (is_made or address):
        return frame.done(request, made, f"“{made.name}” is there. It is not switched on yet.")
    return shown_once(request, made, secret=given["secret"] if is_made else "", address=address, is_new=True)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Its settings. Secrets left empty stay as they are."""
    frame.runner(request)
    row = frame.find(slug)
    if row.kind not in kinds.offered():
        raise Http404("this kind of connection is not offered")
    proof.for_secrets(request)
    if request.method != "POST":
        return _form(request, ConnectionForm(row.kind, row=row), row)
    form = ConnectionForm(row.kind, request.POST, row)
    if not form.is_valid():
        return _form(request, form, row, status=422)
    edit = frame.edit(request, looks=True)
    try:
        changing.change(row.pk, edit, form.values)
        keeping.put(row.pk, frame.edit(request), form.secrets)
    except changing.Stale as stale:
        return _form(request, form, row, clash=stale, status=409)
    except NotDone as problem:
        form.add_error("name", str(problem))
        return _form(request, form, row, status=422)
    return frame.done(request, row, f"“{form.cleaned_data['name']}” is saved.")


def _form(
    request: HttpRequest,
    form: ConnectionForm,
    row: Connection | None = None,
    *,
    clash: changing.Stale | None = None,
    status: int = 200,
) -> HttpResponse:
    now = shell_of(request).now
    values: dict[str, Any] = {
        "form": form,
        "row": row,
        "kind": form.kind.label,
        "words": form.shape.words,
        "note": form.shape.note,
        "receives": kinds.does(form.kind, "identify"),
        # Saving over what somebody else saved is deliberate: the second time it is known.
        "seen": changing.newest(row) if row is not None else 0,
        "clash": clash,
        "clash_when": times.day(clash.at, now) if clash is not None and clash.at else "",
    }
    if row is not None:
        if clash is None and "seen" in request.POST:
            values["seen"] = request.POST["seen"]
        values["kept"] = {kept.name: kept for kept in words.kept(row, people(row), now)}
    values["secrets"] = [
        (field, values.get("kept", {}).get(field.name.partition("-")[2])) for field in form.secret_fields
    ]
    return frame.page(request, "connection_form", values, status=status)


@require_safe
def connection(request: HttpRequest, slug: str) -> HttpResponse:
    """How it is, what can be done with it, its last deliveries and calls, its history."""
    frame.runner(request)
    return overview(request, frame.find(slug))


def overview(request: HttpRequest, row: Connection, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page of a connection; `more` is what an act that was refused says on it."""
    now = shell_of(request).now
    figures = health.figures(now, row).get(row.pk, health.Figures())
    entries = list(
        row.history.select_related("history_user").order_by("-history_date", "-history_id")[: CHANGES + 1]
    )
    line = words.line(row, figures, now)
    known = people(row)
    values: dict[str, Any] = {
        "row": row,
        "line": line,
        "is_offered": row.kind in kinds.offered(),
        "seen": max((entry.history_id for entry in entries), default=0),
        "note": kinds.SHAPES[Connection.Kind(row.kind)].note,
        "lacking": "" if row.is_active else changing.lacking(row),
        "secrets": words.kept(row, known, now) if row.kind in kinds.offered() else [],
        "hook": words.hook(row, known, now) if kinds.does(row.kind, "identify") else None,
        "former_until": _former(row, now),
        "can_check": kinds.does(row.kind, "check"),
        "can_test": trying.takes_tests(row),
        "can_rotate": row.kind == Connection.Kind.WEBHOOK,
        "can_map": kinds.does(row.kind, "push"),
        "conflicts": paging.count_words(paging.count(conflicts.standing(row))),
        "can_sync": first_sync.takes_states(row) and row.is_active,
        "changes": words.changes(entries, row.kind, now)[:CHANGES],
        "sent": [
            deliveries.line(delivery, now)
            for delivery in Delivery.objects.filter(connection=row)
            .select_related(*deliveries.WITH)
            .defer("body")[:SHOWN]
        ],
        "calls": [
            deliveries.call(call, now)
            for call in InboundCall.objects.filter(connection=row)
            .select_related("connection")
            .defer("body")[:SHOWN]
        ],
    }
    return frame.page(request, "connection", values | more, status=status)


def _former(row: Connection, now: Any) -> words.Moment | None:
    until = keeping.former_until(row)
    return words.Moment(times.by(until, now), times.exact(until, now)) if until and until > now else None


def people(row: Connection) -> dict[int, str]:
    """Who set its secrets, by key; one query."""
    keys = {by for _, by in keeping.known(row).values()}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=keys)} if keys else {}


@never_cache
def shown_once(
    request: HttpRequest, row: Connection, *, secret: str = "", address: str = "", is_new: bool = False
) -> HttpResponse:
    """The page that shows what was made, this once; not a redirect, which would have to carry it."""
    values = {"row": row, "secret": secret, "address": address, "is_new": is_new}
    if address and row.kind == Connection.Kind.SEGMENT:
        values |= {
            "write_key": address.rstrip("/").rpartition("/")[2],
            "collect": f"{settings.PUBLIC_URL}/collect",
        }
    return frame.page(request, "shown_once", values)
