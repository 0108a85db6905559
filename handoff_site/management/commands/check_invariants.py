"""Lists what should not be in the stored data, one line each; exit 1 when there is anything. What it found
is kept for the monitor."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from handoff_site.models import Inspection
from leads import invariants


class Command(BaseCommand):
    help = "Check that nothing fell into a black hole and that log, columns and ledger agree."

    def handle(self, *args: Any, **options: Any) -> None:
        counts = dict.fromkeys(invariants.CODES, 0)
        with invariants.snapshot():
            for violation in invariants.violations():
                self.stdout.write(str(violation))
                counts[violation.code] += 1
        Inspection.objects.update_or_create(pk=1, defaults={"ended_at": timezone.now(), "counts": counts})
        if count := sum(counts.values()):
            raise CommandError(f"{count} violations")
        if options["verbosity"] > 0:
            self.stdout.write("No violation.")
