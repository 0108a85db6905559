"""`manage.py backup FILE`: the database as it is now, while others go on. See `handoff_site.keeping`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from handoff_site.keeping import copying, databases
from handoff_site.keeping import manifest as manifests


class Command(BaseCommand):
    help = "Backs the database up into FILE, and what it has to hold into FILE.json, while others go on."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        config = databases.configured()
        try:
            made = copying.backup(config, file, timezone.now())
        except databases.Refused as refused:
            raise CommandError(f"no backup was made: {refused}") from None
        self.stdout.write(
            f"{databases.named(config)}: {made.rows} rows of {len(made.tables)} tables in {made.size} bytes, "
            f"{file}, described in {manifests.beside(file)}"
        )
        self.stdout.write("What is sealed in it opens with SECRET_KEY only: keep that apart.")
