"""Who acts and when, and the two ways a move is turned down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from leads.models import ApiKey
from routing.people import User


@dataclass(frozen=True)
class Act:
    """Who does something and when. Without a user it is the system (or a key that acts for nobody)."""

    now: datetime
    user: User | None = None
    api_key: ApiKey | None = None


class Refused(Exception):
    """The handoff's state does not allow the move, or the page was stale. Nothing was written.

    `message` says in plain words who did what when; `state`, `by` (e-mail or "system") and `at` are the
    same as data; `code` is "not_allowed", "stale" or "not_eligible".
    """

    def __init__(
        self, message: str, *, code: str, state: str = "", by: str = "", at: datetime | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.state, self.by, self.at = message, code, state, by, at


class Invalid(Exception):
    """The input is wrong. `errors` maps a field to what is wrong with it. Nothing was written."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in errors.items()))
        self.errors = errors
