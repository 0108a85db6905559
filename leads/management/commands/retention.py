"""Empties what was kept for long enough, or says how much that would be."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from leads import retention


class Command(BaseCommand):
    help = (
        "Empty what is older than the retention periods of the settings (RETENTION_*_DAYS), as the nightly "
        "run does. With --dry-run only count it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing, print the counts")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        now = timezone.now()
        if dry_run:
            for kind, count in retention.counts(now):
                self._say(kind, f"{count:,} due")
            return
        done, _ = retention.run(now, seconds=float("inf"))
        for kind in retention.KINDS:
            self._say(kind, f"{done[kind.label]:,} done")

    def _say(self, kind: retention.Kind, what: str) -> None:
        kept = f"{kind.days} days" if kind.days else "for ever"
        self.stdout.write(f"{kind.label}: {what} (kept {kept})")
