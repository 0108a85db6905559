"""Bulk acts: one act for many handoffs, looked at before, done row by row, with what became of each.

`verbs` has the acts that can be done to many, `running` the runs: chosen, looked at, done, and taken up again
by the worker. Never moves anything but through the verbs of a single handoff.
"""

from leads.bulk.running import (
    KEPT,
    MOST,
    OPTIONS,
    WAITED_SECONDS,
    Would,
    choose,
    counts,
    look,
    matching,
    old,
    set_options,
    start,
    unfinished,
    verbs_for,
    work,
)

__all__ = [
    "KEPT",
    "MOST",
    "OPTIONS",
    "WAITED_SECONDS",
    "Would",
    "choose",
    "counts",
    "look",
    "matching",
    "old",
    "set_options",
    "start",
    "unfinished",
    "verbs_for",
    "work",
]
