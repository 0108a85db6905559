"""Puts the words by which search finds leads and companies right, or only reports where they are not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leads.search import indexing


class Command(BaseCommand):
    help = "Rebuild the words of search from names, addresses and domains. May be stopped and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 on a difference")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        rows = missing = extra = 0
        for looked_at, absent, stale in indexing.rebuild(write=not check):
            rows, missing, extra = rows + looked_at, missing + absent, extra + stale
        words = f"{missing} words were missing and {extra} too many in {rows} leads and companies."
        if check and (missing or extra):
            raise CommandError(words)
        self.stdout.write(words)
