"""Puts into the handoff columns what the event log says, or only reports where they differ."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leads import invariants, projection


class Command(BaseCommand):
    help = "Rebuild handoff columns from the event log. Prints each difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 on a difference")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        if check:
            with invariants.snapshot():
                count = sum(self._tell(item) for item in projection.all_differences())
            if count:
                raise CommandError(f"{count} differences")
            self.stdout.write("No difference.")
            return
        rebuilt, unreadable = projection.rebuild_all(self._tell)
        self.stdout.write(f"{rebuilt} handoffs rebuilt.")
        if unreadable:
            raise CommandError(f"{unreadable} handoffs have a log that cannot be read; they were left alone")

    def _tell(self, item: projection.Difference) -> int:
        self.stdout.write(str(item))
        return 1
