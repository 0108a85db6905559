"""What an import would do, before it does it: the first rows taken in and taken back, and many rows checked.

Owns both looks. The first rows go through intake itself in a transaction that is undone, so that what is
shown is what would happen. Leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from leads.imports.keeping import rows_of
from leads.imports.mapping import Problem, Recipe
from leads.imports.table import Numbered
from leads.intake import receive
from leads.models import Lead, LeadImport
from routing.models import User

SHOWN = 10
CHECKED = 1000
MOST_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Would:
    """What one row would become: `answer` is intake's; `is_new` is whether the person is not known yet."""

    number: int
    row: Sequence[str]
    answer: dict[str, Any] | None
    is_new: bool
    problems: Sequence[Problem]


@dataclass
class Preview:
    """The first rows, and what is wrong with the first of those that fail among `checked`."""

    rows: list[Would] = field(default_factory=list)
    failures: list[Would] = field(default_factory=list)
    checked: int = 0
    failed: int = 0


def look(run: LeadImport, user: User | None, now: datetime) -> Preview:
    """Look at the first rows of an import whose recipe has no problems."""
    recipe, preview = Recipe(run), Preview()
    first: list[Numbered] = []
    events: dict[int, dict[str, Any]] = {}
    problems: dict[int, list[Problem]] = {}
    for number, row in rows_of(run, most=CHECKED):
        event, wrong = recipe.checked(number, row)
        preview.checked += 1
        if wrong:
            preview.failed += 1
            if len(preview.failures) < MOST_FAILURES:
                preview.failures.append(Would(number, row, None, False, wrong))
        if len(first) < SHOWN:
            first.append((number, row))
            problems[number] = wrong
            if event is not None:
                events[number] = event
    answers, new = _taken_back(run, events, user, now)
    preview.rows = [
        Would(number, row, answers.get(number), number in new, problems[number]) for number, row in first
    ]
    return preview


def _taken_back(
    run: LeadImport, events: dict[int, dict[str, Any]], user: User | None, now: datetime
) -> tuple[dict[int, dict[str, Any]], set[int]]:
    if not events:
        return {}, set()
    with transaction.atomic():
        # Everybody of this moment was made by this transaction, or by one that is none of ours.
        last = Lead.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        answers = dict(
            zip(events, receive(list(events.values()), None, now, user=user, quiet=run.is_quiet), strict=True)
        )
        transaction.set_rollback(True)
    new = {
        number
        for number, answer in answers.items()
        if answer["lead"] is not None and int(answer["lead"]["id"]) > last
    }
    return answers, new


def check(run: LeadImport) -> list[tuple[int, list[Problem]]]:
    """Every row that would fail, with its problems; nothing is written."""
    recipe = Recipe(run)
    return [(number, wrong) for number, row in rows_of(run) if (wrong := recipe.checked(number, row)[1])]
