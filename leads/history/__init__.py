"""Past handoffs from a file, for figures from the first day on.

Owns the reading of a history file (`rows`), the look before writing (`planning`), what each row tells as
events (`story`) and the set-wise writing (`writing`). An imported handoff carries `is_history`: it holds
nobody's turn, no step fires, nobody is told, and it stands in no new handoff's way.
"""

from leads.history.planning import Result
from leads.history.rows import COLUMNS, FileProblem, Problem
from leads.history.writing import import_history

__all__ = ["COLUMNS", "FileProblem", "Problem", "Result", "import_history"]
