"""Measures the database of DATABASE_URL and prints the figures as JSON; `python -m tests.bench` calls it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tests.bench.measuring import QUICK, Effort, Measuring


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url")
        parser.add_argument("--handoffs", type=int, required=True)
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--quick", action="store_true")
        parser.add_argument("--only-pages", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        effort = replace(QUICK if options["quick"] else Effort(), only_pages=options["only_pages"])
        measuring = Measuring(options["handoffs"], effort, self._tell)
        self.stdout.write(json.dumps(measuring.run(options["url"], options["folder"])))

    def _tell(self, line: str) -> None:
        self.stderr.write(f"  {line}")
        self.stderr.flush()
