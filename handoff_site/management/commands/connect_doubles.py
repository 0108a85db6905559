"""`manage.py connect_doubles`: connections to systems that are played here; see `demo.connected`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from handoff_site.demo import connected


class Command(BaseCommand):
    help = "Connects the doubles that answer at an address on this machine, in a debug run; idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default="http://127.0.0.1:8300", help="where the doubles answer")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("doubles are for a debug run (DEBUG=1)")
        try:
            done = connected.connect(options["url"], connected.keeper(), timezone.now())
        except connected.NotConnected as problem:
            raise CommandError(str(problem)) from None
        for line in done:
            self.stdout.write(line)
        self.stdout.write(f"What the other systems hold: {options['url']}")
