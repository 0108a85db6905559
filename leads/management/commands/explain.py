"""Says in words why a handoff went where it went, and makes each decision again from what was kept."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leads import explaining, rerunning
from leads.models import Handoff


class Command(BaseCommand):
    help = (
        "Explain the routing of a handoff: which rule, which were passed over and why, who was looked at. "
        "Runs the kept facts through the kept version again; exits with 1 when another answer comes out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("handoff", type=int, help="the handoff's id")

    def handle(self, *args: Any, handoff: int, **options: Any) -> None:
        row = Handoff.objects.with_context().filter(pk=handoff).first()
        if row is None:
            raise CommandError(f"There is no handoff {handoff}.")
        decisions = list(explaining.decisions_of(row))
        self.stdout.write(explaining.standing(row, decisions))
        teller = explaining.Teller(decisions)
        others = 0
        for decision, different in zip(decisions, rerunning.differences(decisions), strict=True):
            self.stdout.write(explaining.heading(decision))
            for sentence in teller.sentences(decision):
                self.stdout.write(f"  {sentence}")
            others += bool(different)
            if explaining.is_erased(decision):
                self.stdout.write("  Re-run: not possible any more.")
                continue
            answer = f"another answer. {' '.join(different)}" if different else "the same answer."
            self.stdout.write(f"  Re-run: {answer}")
        if others:
            raise CommandError(f"{others} of {len(decisions)} decisions came out otherwise than kept.")
