"""Makes an API key and prints it, this once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import keys


class Command(BaseCommand):
    help = "Make an API key. The key is printed once and cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what the key is for, such as the name of the system")
        parser.add_argument(
            "--scope", action="append", choices=keys.SCOPES, required=True, help="may be given several times"
        )
        parser.add_argument(
            "--quiet", action="store_true", help="its handoffs are routed and measured, but nobody is told"
        )

    def handle(self, *args: Any, name: str, scope: list[str], quiet: bool, **options: Any) -> None:
        try:
            _, plain = keys.make_key(name, scope, timezone.now(), is_quiet=quiet)
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(plain)
