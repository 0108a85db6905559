"""Files of leads for tests, and imports made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from leads import imports
from leads.models import LeadImport
from routing.models import User
from tests.conftest import NOW

HEADER = ("E-mail", "First name", "Last name", "Company", "Employees", "Country", "Trigger", "Score", "Fit",
          "Intent", "Behavior", "Activity")  # fmt: skip


def row(number: int, **cells: str) -> list[str]:
    """A row that is complete and hands over; `cells` by heading, lower case with underscores."""
    made = {
        "e_mail": f"ada{number}@lovelace-{number}.com",
        "first_name": "Ada",
        "last_name": f"Lovelace{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}son",
        "company": f"Lovelace Engines {number}",
        "employees": "420",
        "country": "Germany",
        "trigger": "demo request",
        "score": "80",
        "fit": "40",
        "intent": "20",
        "behavior": "20",
        "activity": "Chat",
    } | cells
    return list(made.values())


def csv_of(*rows: Sequence[str], header: Sequence[str] = HEADER, delimiter: str = ";") -> bytes:
    return "\n".join(delimiter.join(cells) for cells in (header, *rows)).encode()


def made(content: bytes, user: User | None = None, name: str = "leads.csv", **choices: Any) -> LeadImport:
    """An import that is mapped by guess, with what is chosen otherwise."""
    run = imports.make(content, name, user, NOW)
    for field, value in choices.items():
        setattr(run, field, value)
    run.save()
    return run


def done(run: LeadImport, now: datetime = NOW, seconds: float = 20) -> LeadImport:
    """Started and worked on to its end."""
    imports.start(run, run.created_by, now)
    while imports.work(run, now, seconds):
        run.refresh_from_db()
    run.refresh_from_db()
    assert run.status == "done", run.error
    return run
