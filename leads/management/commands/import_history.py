"""Import past handoffs from a CSV file; counts as text or JSON, exit 1 if any row failed."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from leads.history import FileProblem, import_history

MAX_BYTES = 200 * 1024 * 1024


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="CSV in UTF-8 with a header; see the README for its columns")
        parser.add_argument("--dry-run", action="store_true", help="check and count, write nothing")
        parser.add_argument(
            "--create-people", action="store_true", help="make inactive users for unknown assignees"
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            if path.stat().st_size > MAX_BYTES:
                raise CommandError(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MiB; split it")
            with path.open(encoding="utf-8-sig", newline="") as file:
                result = import_history(
                    file,
                    timezone.now(),
                    create_people=options["create_people"],
                    dry_run=options["dry_run"],
                )
        except (OSError, FileProblem) as error:
            raise CommandError(f"{path}: {error}") from None
        counts = asdict(result) | {"dry_run": options["dry_run"]}
        if options["json"]:
            self.stdout.write(json.dumps(counts, indent=1))
        else:
            self._say(counts)
        if result.failed:
            raise SystemExit(1)

    def _say(self, counts: dict[str, Any]) -> None:
        for problem in counts["problems"]:
            self.stderr.write(f"row {problem['row']}, {problem['column'] or 'row'}: {problem['message']}")
        verb = "would be created" if counts["dry_run"] else "created"
        self.stdout.write(
            f"{counts['rows']} rows: {counts['created']} {verb}, {counts['unchanged']} unchanged,"
            f" {counts['failed']} failed. New: {counts['leads_created']} leads,"
            f" {counts['companies_created']} companies, {counts['people_created']} people."
        )
