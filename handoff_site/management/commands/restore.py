"""`manage.py restore FILE`: a backup into a database, counted afterwards. See `handoff_site.keeping`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from handoff_site.keeping import copying, databases


class Command(BaseCommand):
    help = "Restores a backup into the database of DATABASE_URL, or into another; checks it before and after."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--database", metavar="URL", help="another database; its password is better left to PGPASSWORD"
        )
        parser.add_argument("--replace", action="store_true", help="lose what the database holds")

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            config = databases.at(options["database"]) if options["database"] else databases.configured()
            said = copying.restore(config, file, replace=options["replace"])
        except databases.Refused as refused:
            raise CommandError(f"not restored: {refused}") from None
        self.stdout.write(
            f"{databases.named(config)}: {said.rows} rows of {len(said.tables)} tables as of {said.made_at}, "
            "counted and equal"
        )
        if older := sorted(databases.known() - set(said.migrations)):
            self.stdout.write(f"It is of an older version: run `manage.py migrate` ({len(older)} to apply).")
        self.stdout.write("Then `manage.py check_invariants` and `manage.py rebuild_projection --check`.")
