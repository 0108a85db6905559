"""Says in words why a handoff went where it went, from the decisions that were kept."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leads import explaining
from leads.models import Handoff


class Command(BaseCommand):
    help = "Explain the routing of a handoff: which rule, which were passed over and why, who was looked at."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("handoff", type=int, help="the handoff's id")

    def handle(self, *args: Any, handoff: int, **options: Any) -> None:
        row = Handoff.objects.with_context().filter(pk=handoff).first()
        if row is None:
            raise CommandError(f"There is no handoff {handoff}.")
        for line in explaining.lines(row):
            self.stdout.write(line)
