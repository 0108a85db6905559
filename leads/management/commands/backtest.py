"""Replays the decisions of the last days through a ruleset and prints what would have been different."""

import json
import time
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import backtesting

TOLD_EVERY = 1  # seconds


def days(text: str) -> int:
    """How far back, from the command line."""
    if not text.isdecimal() or not 1 <= int(text) <= backtesting.LONGEST_DAYS:
        raise ArgumentTypeError(f"{text!r} is no number of days from 1 to {backtesting.LONGEST_DAYS}")
    return int(text)


class Command(BaseCommand):
    help = "Replay the last days through the draft, the live ruleset or any version. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=days, default=30, help="how far back, 30 by default")
        parser.add_argument("--ruleset", default="draft", help="draft (the default), live, or a version's id")
        parser.add_argument("--format", choices=["json"], default="json")

    def handle(self, *args: Any, days: int, ruleset: str, **options: Any) -> None:
        until = timezone.now()
        since = until - timedelta(days=days)
        try:
            document, row = backtesting.document_of(ruleset)
        except backtesting.NotFound as error:
            raise CommandError(f"{error} Name draft, live or the id of a version.") from error
        run = backtesting.Run(document, since, until)
        total, begun = run.count(), time.monotonic()
        told = begun
        while not run.is_done:
            run.step()
            if time.monotonic() - told >= TOLD_EVERY:
                told = time.monotonic()
                self._tell(run.done, total, told - begun)
        self._tell(run.done, total, time.monotonic() - begun)
        about = {
            "ruleset": "draft" if row is None else str(row.pk),
            "version": None if row is None else row.version,
            "since": since.isoformat(),
            "until": until.isoformat(),
        }
        self.stdout.write(json.dumps(about | backtesting.report(run), indent=1))

    def _tell(self, done: int, total: int, seconds: float) -> None:
        share = 100 * done // total if total else 100
        self.stderr.write(f"{done:,} of {total:,} ({share} %) after {seconds:.0f} s")
