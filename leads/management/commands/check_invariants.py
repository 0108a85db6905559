"""Lists what should not be in the stored data, one line each; exit 1 when there is anything."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from leads import invariants


class Command(BaseCommand):
    help = "Check that nothing fell into a black hole and that log, columns and ledger agree."

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        with invariants.snapshot():
            for violation in invariants.violations():
                self.stdout.write(str(violation))
                count += 1
        if count:
            raise CommandError(f"{count} violations")
        if options["verbosity"] > 0:
            self.stdout.write("No violation.")
