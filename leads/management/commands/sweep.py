"""One SLA sweep as of a moment; prints what fired as a JSON list, one object a step."""

import json
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from leads import escalation, lifecycle, tasks


def moment(text: str) -> datetime:
    """An ISO 8601 instant from the command line; UTC when it names no offset."""
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text!r} is no time such as 2026-03-10T10:00:00Z")
    return at if timezone.is_aware(at) else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = "Fire every escalation step that is due, each exactly once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", type=moment, help="as of this moment (ISO 8601), now by default")

    def handle(self, *args: Any, now: datetime | None, **options: Any) -> None:
        at = now or timezone.now()
        fired = escalation.sweep(at)
        for item in escalation.repair(at):
            if "handoff" in item:
                self.stderr.write(f"mended handoff {item['handoff']}: {item['why']}")
                continue
            gone = f"{item['user']}, who is {item['why']}"
            if "queue" in item:
                self.stderr.write(f"gave queue {item['queue']} of {gone}, to {item['to']}")
            else:
                self.stderr.write(f"moved on {item['moved']} handoffs of {gone}")
        if given := lifecycle.drain(at, limit=tasks.MOST_DRAINED, looked_at=tasks.MOST_LOOKED_AT):
            self.stderr.write(f"gave {given} waiting handoffs to people with a free place")
        self.stdout.write(json.dumps([item for item in fired if "error" not in item], indent=1))
        failed = [item for item in fired if "error" in item]
        for item in failed:
            self.stderr.write(f"handoff {item['handoff']}: {item['error']}")
        if failed:
            raise CommandError(f"{len(failed)} handoffs failed")
