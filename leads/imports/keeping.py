"""Imports as they are kept: made from an upload, mapped, remembered, thrown away, forgotten when old.

Owns the rows of `LeadImport`, its parts and its presets while nothing of the file has become a lead yet. What
happens after the start is `leads.imports.running`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from leads.imports import cells, guessing, reading
from leads.imports.fields import FIELDS
from leads.imports.guessing import ERROR_HEADING, PRODUCTS
from leads.imports.mapping import Recipe
from leads.imports.table import Numbered
from leads.models import ImportPart, ImportPreset, LeadImport
from routing.models import User

PART = 500
SAMPLES = 50
UNSTARTED_KEPT = timedelta(days=7)
_CHOICES = ("kind", "dates", "source", "system")


class Refused(ValueError):
    """What was asked for cannot be done now; the message says why."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What is chosen for an import beside the file."""

    targets: Sequence[str]
    kind: str = str(LeadImport.Kind.EACH)
    dates: str = ""
    source: str = ""
    system: str = ""
    is_quiet: bool = False


def make(
    content: bytes, name: str, user: User | None, now: datetime, *, preset: str = "", source: str = ""
) -> LeadImport:
    """Keep a file with what its columns probably mean. Raises FileProblem, or Refused for a preset
    that is not there."""
    if preset and not _is_known(preset):
        raise Refused(f"There is no preset {preset!r}.")
    table = reading.read(content)
    run = LeadImport(
        name=(" ".join(name.split()) or "leads")[-200:],
        digest=hashlib.sha256(content).hexdigest(),
        shape=table.shape,
        header=table.header,
        total=len(table.rows),
        as_of=now,
        created_at=now,
        created_by=user,
    )
    _apply(run, preset, [cells for _, cells in table.rows[:SAMPLES]])
    if source.strip():
        run.source = " ".join(source.split())[:100]
    with transaction.atomic():
        run.save()
        ImportPart.objects.bulk_create(
            (
                ImportPart(lead_import=run, position=position, rows=[[n, *row] for n, row in part])
                for position, part in enumerate(_parts(table.rows))
            ),
            batch_size=20,
        )
    return run


def _parts(rows: Sequence[Numbered]) -> Iterator[list[Numbered]]:
    taken = iter(rows)
    while part := list(islice(taken, PART)):
        yield part


def rows_of(run: LeadImport, start: int = 0, most: int | None = None) -> Iterator[Numbered]:
    """The rows of the file from that place on, at most so many."""
    part = start // PART
    left = run.total if most is None else most
    while left > 0:
        kept = (
            ImportPart.objects.filter(lead_import=run, position=part).values_list("rows", flat=True).first()
        )
        if kept is None:
            return
        for number, *row in kept[max(0, start - part * PART) :][:left]:
            yield number, row
            left -= 1
        part += 1


def samples(run: LeadImport) -> list[list[str]]:
    return [row for _, row in rows_of(run, most=SAMPLES)]


def headings_of(header: Sequence[str]) -> str:
    """Stands for these headings in whatever order; the column of errors is none of them."""
    names = sorted(guessing.key(heading) for heading in header if heading != ERROR_HEADING)
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def presets() -> list[tuple[str, str]]:
    """What a mapping can begin from, as (code, label): the products, then what was saved under a name."""
    own = ImportPreset.objects.exclude(name="").values_list("name", flat=True)
    return [(code, product.name) for code, product in PRODUCTS.items()] + [(name, name) for name in own]


def _is_known(preset: str) -> bool:
    return preset.casefold() in PRODUCTS or ImportPreset.objects.filter(name=preset).exists()


def apply_preset(run: LeadImport, preset: str) -> None:
    """Map the columns by this preset; "" is what was chosen last for such headings, else a guess."""
    if preset and not _is_known(preset):
        raise Refused(f"There is no preset {preset!r}.")
    _apply(run, preset, samples(run))
    _save(run)


def _apply(run: LeadImport, preset: str, rows: Sequence[Sequence[str]]) -> None:
    if preset.casefold() in PRODUCTS:
        kept, product = None, preset.casefold()
    elif preset:
        kept, product = ImportPreset.objects.get(name=preset), ""
    else:
        kept = ImportPreset.objects.filter(name="", headings=headings_of(run.header)).first()
        product = guessing.product_of(run.header)
    if kept is not None:
        run.targets = _by_headings(run.header, kept.targets)
        for name in _CHOICES:
            setattr(run, name, getattr(kept, name))
        return
    run.targets = guessing.guess(run.header, rows, product)
    run.system = PRODUCTS[product].system if product in PRODUCTS else ""
    run.dates = cells.order_of_dates(
        [
            row[place]
            for place, code in enumerate(run.targets)
            if code and FIELDS[code].is_moment
            for row in rows
        ]
    )


def _by_headings(header: Sequence[str], targets: Mapping[str, str]) -> list[str]:
    """Each column by its heading; the first of several of one name."""
    left = dict(targets)
    return [left.pop(guessing.key(heading), "") for heading in header]


def choose(run: LeadImport, choices: Choices) -> bool:
    """Keep what was chosen; whether it could be: not when the import was started meanwhile."""
    targets = [code if code in FIELDS else "" for code in choices.targets][: len(run.header)]
    run.targets = targets + [""] * (len(run.header) - len(targets))
    run.kind = choices.kind if choices.kind in LeadImport.Kind.values else str(LeadImport.Kind.EACH)
    run.dates = choices.dates if choices.dates in LeadImport.Dates.values else ""
    run.source = " ".join(choices.source.split())[:100]
    run.system = " ".join(choices.system.split())[:60]
    run.is_quiet = choices.is_quiet
    return _save(run)


def _save(run: LeadImport) -> bool:
    values = {name: getattr(run, name) for name in ("targets", *_CHOICES, "is_quiet")}
    waiting = LeadImport.objects.filter(pk=run.pk, status=LeadImport.Status.MAPPING)
    return bool(waiting.update(**values))


def remember(run: LeadImport, name: str, user: User | None, now: datetime) -> None:
    """Keep how this import is mapped, under a name or as the latest of such headings. Raises Refused."""
    name = " ".join(name.split())
    if len(name) > 60 or name.casefold() in PRODUCTS or name in {p.name for p in PRODUCTS.values()}:
        raise Refused("A preset needs a name of its own, of at most 60 characters.")
    headings = headings_of(run.header)
    values: dict[str, Any] = {choice: getattr(run, choice) for choice in _CHOICES}
    values["targets"] = {
        guessing.key(heading): code for heading, code in zip(run.header, run.targets, strict=True) if code
    }
    values |= {"saved_at": now, "saved_by": user, "headings": headings}
    found = {"name": name} if name else {"name": "", "headings": headings}
    row = ImportPreset.objects.filter(**found).first() or ImportPreset(name=name)
    for field, value in values.items():
        setattr(row, field, value)
    row.save()


def same_before(run: LeadImport) -> LeadImport | None:
    """The latest import of this very file that was started, if there is one."""
    started = LeadImport.objects.filter(digest=run.digest, started_at__isnull=False).exclude(pk=run.pk)
    return started.select_related("created_by").order_by("-started_at", "-pk").first()


def start(run: LeadImport, user: User | None, now: datetime) -> None:
    """Hand it to the worker. Raises Refused when its columns cannot be read, or it was started meanwhile."""
    recipe = Recipe(run)
    if problems := recipe.problems():
        raise Refused(problems[0])
    key = recipe.make_key(run.digest)
    # The same rows once more say what they said, and as of when: they are then the same events.
    earlier = LeadImport.objects.filter(key=key).order_by("pk").values_list("as_of", flat=True).first()
    with transaction.atomic():
        started = LeadImport.objects.filter(pk=run.pk, status=LeadImport.Status.MAPPING).update(
            status=LeadImport.Status.WAITING, key=key, as_of=earlier or now, started_at=now
        )
        if not started:
            raise Refused("This import was started already.")
        remember(run, "", user, now)
    run.refresh_from_db()


def discard(run: LeadImport) -> bool:
    """Throw away an import that was not started."""
    deleted, _ = LeadImport.objects.filter(pk=run.pk, status=LeadImport.Status.MAPPING).delete()
    return bool(deleted)


def old(now: datetime) -> QuerySet[LeadImport]:
    """Imports that were never started. The rows of finished ones are `leads.retention`'s."""
    return LeadImport.objects.filter(status=LeadImport.Status.MAPPING, created_at__lt=now - UNSTARTED_KEPT)
