"""Reads a CSV of firmographics and account owners into the directory, and checks again what waited."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from leads import company_files, completion


class Command(BaseCommand):
    help = f"Upsert companies by domain from a CSV with the columns {', '.join(company_files.COLUMNS)}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="read and check, change nothing")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, file: Path, dry_run: bool, json: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            with file.open(encoding="utf-8-sig", newline="") as rows:
                result = company_files.import_companies(rows, now, dry_run=dry_run)
        except (OSError, ValueError) as error:
            raise CommandError(f"{file}: {error}") from error
        for row, message in result.errors:
            self.stderr.write(f"row {row}: {message}")
        checked = 0 if dry_run else completion.recheck_domains(result.domains, now)
        self._tell(result, checked, json)
        if result.errors:
            raise CommandError(f"{len(result.errors)} rows failed")

    def _tell(self, result: company_files.Imported, checked: int, as_json: bool) -> None:
        counts = {
            "made": result.made,
            "changed": result.changed,
            "same": result.same,
            "failed": len(result.errors),
            "checked": checked,
        }
        if as_json:
            self.stdout.write(json.dumps(counts))
        else:
            self.stdout.write(", ".join(f"{count} {what}" for what, count in counts.items()))
