"""Back-tests: what another ruleset would have made of the leads of the last days.

`reading` gathers what was kept (decisions, turns, people), `imported` compares history, which has no
decisions, with its assignees, `running` is one run chunk by chunk, `storing` the runs that are kept, worked
on in slices by the worker, and `report` what a run amounts to. The arithmetic is `routing.backtest`.
Writes nothing but back-tests.
"""

from leads.backtesting.report import report
from leads.backtesting.running import Run
from leads.backtesting.storing import (
    LONGEST_DAYS,
    NotFound,
    document_of,
    is_still_draft,
    start,
    unfinished,
    work,
)

__all__ = [
    "LONGEST_DAYS",
    "NotFound",
    "Run",
    "document_of",
    "is_still_draft",
    "report",
    "start",
    "unfinished",
    "work",
]
