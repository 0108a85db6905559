"""Imports of leads from files: read, mapped, looked at, taken in by the worker.

`reading` (with `separated`, `workbook` and `sheet`) turns bytes into rows, `guessing` says what columns
probably mean, `mapping` makes events of rows with `fields` and `cells`, `previewing` shows what would happen,
`keeping` holds files and presets, `running` takes the rows in. Nothing here writes a lead or a handoff:
`leads.intake.receive` does.
"""

from leads.imports.keeping import (
    Choices,
    Refused,
    apply_preset,
    choose,
    discard,
    make,
    old,
    presets,
    remember,
    same_before,
    samples,
    start,
)
from leads.imports.mapping import Problem, Recipe
from leads.imports.previewing import Preview, Would, check, look
from leads.imports.running import stop, unfinished, work
from leads.imports.table import MOST_BYTES, FileProblem

__all__ = [
    "MOST_BYTES",
    "Choices",
    "FileProblem",
    "Preview",
    "Problem",
    "Recipe",
    "Refused",
    "Would",
    "apply_preset",
    "check",
    "choose",
    "discard",
    "look",
    "make",
    "old",
    "presets",
    "remember",
    "same_before",
    "samples",
    "start",
    "stop",
    "unfinished",
    "work",
]
