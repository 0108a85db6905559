"""`manage.py seed_demo`: the demo organisation, its history and a living inbox. See `handoff_site.demo`."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from handoff_site.demo import making, people

MOST_LEADS, MOST_WEEKS = 100_000, 104


def moment(text: str) -> datetime:
    """An ISO 8601 time with its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-03-10T10:00:00Z") from None
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} lacks its offset, such as Z or +01:00")
    return at


def within(most: int) -> Any:
    def count(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
        return int(text)

    return count


class Command(BaseCommand):
    help = (
        "Makes the demo organisation, weeks of history and a living inbox; the same for the same arguments."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--leads", type=within(MOST_LEADS), default=making.LEADS, help="past handoffs")
        parser.add_argument("--seed", type=int, default=making.SEED, help="another seed draws other names")
        parser.add_argument("--weeks", type=within(MOST_WEEKS), default=making.WEEKS, help="weeks of history")
        parser.add_argument("--now", type=moment, help="the moment that the clocks are relative to")
        parser.add_argument(
            "--force",
            action="store_true",
            help="also outside a debug run; nobody can sign in by password then",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG and not options["force"]:
            raise CommandError(
                "demo data is for a debug run (DEBUG=1). With --force it is made here too, with accounts "
                "that have no password"
            )
        try:
            made = making.make(
                options["now"] or timezone.now(),
                leads=options["leads"],
                seed=options["seed"],
                weeks=options["weeks"],
                with_password=settings.DEBUG,
            )
        except making.Occupied as occupied:
            # `make run` comes by here each time, also where somebody has begun to work in earnest.
            self.stdout.write(f"{occupied} No demo data was made.")
            return
        counts = f"{made.people} people, {made.past} past handoffs, {made.living} live ones"
        self.stdout.write(f"Demo data {'made' if made.is_new else 'was there already'}: {counts}.")
        if settings.DEBUG:
            self.stdout.write(f"Sign in with the password {people.PASSWORD} as")
            for login in people.LOGINS:
                self.stdout.write(f"  {login.email:<30} {login.role}, {login.name}")
        elif made.is_new:
            self.stdout.write("The demo accounts have no password: this is not a debug run.")
