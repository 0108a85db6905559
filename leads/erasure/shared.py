"""Rows in which one person's data stands among others': files that are being imported, addresses of lists.

Owns finding the person in them by words (address, name, number, id) and taking only theirs out. What is kept
under nobody's name but that of who wrote it (comments, the agreement, calls) is not looked through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db import connection
from django.db.models import Model, Q, QuerySet, TextField
from django.db.models.functions import Cast

from leads import identity
from leads.erasure.held import Held
from leads.models import BulkRun, Connection, ImportFailure, ImportPart, InboundCall, SavedView
from leads.slices import UNFINISHED

GONE = "The person was erased."
_LISTS = ((SavedView, ("query", "name")), (BulkRun, ("query", "options")))


def redact(held: Held) -> int:
    """Take the person out of what is shared; how many rows were changed."""
    touched = _calls(held)
    if not held.needles:
        return touched
    touched += _parts(held) + _failures(held)
    for model, columns in _LISTS:
        touched += sum(_list(model, column, held) for column in columns)
    return touched


def is_theirs(cells: Sequence[str], held: Held, *, by_name: bool) -> bool:
    """Whether a row of a file is about this person: their address in any form, their number, an id of theirs.

    With `by_name` their full name is enough; not where the row is still to be taken in, for two people may
    be called the same.
    """
    folded = [" ".join(cell.casefold().split()) for cell in cells]
    line = " ".join(folded)
    if any(word in line for word in held.addresses | held.phones | held.words):
        return True
    if any("@" in cell and identity.normalise_email(cell) in held.addresses for cell in folded):
        return True
    if not by_name:
        return False
    beside = {" ".join(pair) for pair in pairwise(folded)}
    return any(name in beside or name in folded for name in held.names)


def _parts(held: Held) -> int:
    changed = []
    for part in mentioning(ImportPart.objects.select_related("lead_import"), "rows", held):
        done = part.lead_import.status not in UNFINISHED and part.lead_import.status != "mapping"
        rows = [
            [number, *([""] * len(cells))] if is_theirs(cells, held, by_name=done) else [number, *cells]
            for number, *cells in part.rows
        ]
        if rows != part.rows:
            part.rows = rows
            changed.append(part)
    ImportPart.objects.bulk_update(changed, ["rows"], batch_size=20)
    return len(changed)


def _failures(held: Held) -> int:
    changed = []
    for failure in mentioning(ImportFailure.objects.all(), "cells", held):
        if is_theirs(failure.cells, held, by_name=True):
            failure.cells = [""] * len(failure.cells)
            failure.problems = [{"column": "", "message": GONE}]
            changed.append(failure)
    ImportFailure.objects.bulk_update(changed, ["cells", "problems"], batch_size=100)
    return len(changed)


def _calls(held: Held) -> int:
    """What other systems sent and was taken in: a call that holds the person's address or number is emptied
    whole, for it is kept to be looked at and nothing else. One that still waits is needed; it ends with the
    same sweep of old bodies as all others."""
    needles = [needle.encode() for needle in held.addresses | held.phones if needle]
    by_id = _named_by_id(held)
    settled = InboundCall.objects.exclude(status=InboundCall.Status.WAITING).exclude(body=b"")
    found = [
        pk
        for pk, body in settled.order_by("pk").values_list("pk", "body").iterator(chunk_size=200)
        if any(needle in bytes(body).lower() for needle in needles)
        or (by_id is not None and by_id.search(bytes(body)))
    ]
    return InboundCall.objects.filter(pk__in=found).update(body=b"")


def _named_by_id(held: Held) -> re.Pattern[bytes] | None:
    """What finds the person where events name nobody but by an id that collectors gave (`Segment`): the
    members that hold one, with one of theirs."""
    of_collectors = Connection.objects.filter(kind=Connection.Kind.SEGMENT).values_list(
        "id_system", flat=True
    )
    systems = {*of_collectors, str(Connection.Kind.SEGMENT)}
    ids = {
        key.split(":", 3)[3] for key in held.keys if key.startswith("id:") and key.split(":")[1] in systems
    }
    if not ids:
        return None
    written = {re.escape(text.encode()) for value in ids for text in (value, json.dumps(value)[1:-1])}
    return re.compile(
        rb'"(?:userId|anonymousId|previousId)"\s*:\s*"?(?:' + b"|".join(sorted(written)) + rb')["\s,}]'
    )


def _list(model: type[Model], column: str, held: Held) -> int:
    """Views and acts on many whose address or words name the person: what names them is taken out."""
    changed: list[Any] = []
    for row in mentioning(model._default_manager.all(), column, held):
        was = getattr(row, column)
        if (value := _CLEAN[column](was, held, row.pk)) != was:
            setattr(row, column, value)
            changed.append(row)
    model._default_manager.bulk_update(changed, [column], batch_size=100)
    return len(changed)


def _query(query: str, held: Held, _: int) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if not _names(value, held)]
    return query if len(kept) == len(pairs) else urlencode(kept)


def _options(options: Any, held: Held, _: int) -> Any:
    if not isinstance(options, dict):
        return options
    return {name: "" if _names(str(value), held) else value for name, value in options.items()}


def _name(name: str, held: Held, pk: int) -> str:
    return f"View {pk}" if _names(name, held) else name


_CLEAN: dict[str, Callable[[Any, Held, int], Any]] = {"query": _query, "options": _options, "name": _name}


def _names(text: str, held: Held) -> bool:
    folded = " ".join(text.casefold().split())
    return any(needle in folded for needle in held.needles)


def mentioning(rows: QuerySet[Any], column: str, held: Held) -> Iterable[Any]:
    """Rows whose column may hold one of the words, as the database finds them: by the longest part that every
    spelling of a word has, for addresses of lists are encoded and names stand in two cells."""
    parts = {max(_pieces(needle), key=len, default="") for needle in held.needles}
    wanted = Q(pk__in=())
    for part in sorted(parts - {""}):
        wanted |= Q(told__icontains=part)
    return rows.annotate(told=Cast(column, TextField())).filter(wanted).order_by("pk").iterator(chunk_size=50)


def _pieces(needle: str) -> list[str]:
    """The runs of plain letters and digits of a word, as they stand in JSON and in an encoded query too."""
    plain = "".join(char if char.isascii() and char.isalnum() else " " for char in needle)
    pieces = plain.split()
    if pieces:
        return pieces
    # Nothing but letters beyond ASCII: as this database writes them in JSON.
    return [json.dumps(needle, ensure_ascii=connection.vendor == "sqlite")[1:-1]]
