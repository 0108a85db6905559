"""One run of the sync audit, to its end; prints counts, agreement and open findings."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import audit
from leads.audit import reporting
from leads.audit.running import keepers
from leads.models import SyncRun


class Command(BaseCommand):
    help = "Compare every open and recently closed handoff with the CRM and the marketing platform."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--system", default="", help="one connection (its slug) or one kind of system alone"
        )
        parser.add_argument("--format", choices=("json", "text"), default="text")

    def handle(self, *args: Any, system: str, format: str, **options: Any) -> None:
        if not keepers(system):
            raise CommandError(
                f"no active connection {system!r} keeps a handoff's state"
                if system
                else "no active connection keeps a handoff's state"
            )
        run = audit.start(timezone.now(), system=system)
        while audit.work(run, timezone.now(), 60):
            run.refresh_from_db()
        run.refresh_from_db()
        if run.status != SyncRun.Status.DONE:
            state = SyncRun.Status(run.status).label.lower()
            raise CommandError(run.error or f"the run is {state} elsewhere")
        summary = reporting.summary(run)
        if format == "json":
            self.stdout.write(json.dumps(summary, indent=1))
            return
        for line in reporting.lines(summary):
            self.stdout.write(line)
