"""`manage.py import_people FILE`: creates and updates people from CSV. See `handoff_site.people_import`."""

import io
import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from handoff_site.people_import import COLUMNS, BadFile, import_people


class Command(BaseCommand):
    help = f"Creates and updates people from a CSV file with the columns {', '.join(COLUMNS)}."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["file"].read_text(encoding="utf-8-sig")
            report = import_people(io.StringIO(text, newline=""), timezone.now())
        except OSError as error:
            raise CommandError(f"cannot read {options['file']}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CommandError(f"{options['file']} is not UTF-8 text") from None
        except BadFile as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json()))
        else:
            for bad in report.errors:
                self.stderr.write(f"line {bad.line} ({bad.email or 'no e-mail'}): {bad.message}")
            self.stdout.write(
                f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged, "
                f"{report.failed} failed"
                + (f"; {report.moved} handoffs moved on to somebody else" if report.moved else "")
            )
        if report.failed:
            sys.exit(1)
