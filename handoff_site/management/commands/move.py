"""`manage.py move URL`: from SQLite into the PostgreSQL of DATABASE_URL. See `handoff_site.keeping`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from handoff_site.keeping import databases, moving


class Command(BaseCommand):
    help = "Moves a SQLite database into the PostgreSQL of DATABASE_URL, empty but migrated; all or nothing."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "source", metavar="URL", help="where from, such as sqlite:////srv/handoff.sqlite3"
        )

    def handle(self, *args: Any, source: str, **options: Any) -> None:
        config = databases.configured()
        try:
            moved = moving.move(databases.at(source), config)
        except databases.Refused as refused:
            raise CommandError(f"not moved: {refused}") from None
        rows = sum(counted.rows for counted in moved.values())
        self.stdout.write(
            f"{databases.named(config)}: {rows} rows of {len(moved)} tables, counted on both sides and equal"
        )
        self.stdout.write("Then `manage.py check_invariants` and `manage.py rebuild_projection --check`.")
