"""Prints all that is held about a person, for the person: a request for access under data protection law."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import disclosing
from leads.lifecycle import Act


class Command(BaseCommand):
    help = "Print all that is held about a person as JSON, by an address. The privacy log says that it was."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="an address by which the person is or was known")

    def handle(self, *args: Any, email: str, **options: Any) -> None:
        lead = disclosing.find(email)
        if lead is None:
            raise CommandError("Nobody is known by this address.")
        found = disclosing.hand_out(lead, Act(timezone.now()))
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
