"""Imports leads from a CSV or XLSX file; counts as text or JSON, exit 1 if any row failed."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from leads import imports
from leads.imports.running import HANDED, HELD, IGNORED, REPEATED, TAKEN
from leads.models import LeadImport

# Without pauses for others to ask for work; the claim is renewed with each chunk.
NO_END = 10.0**9


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV or XLSX with a header, at most 50,000 rows")
        parser.add_argument("--preset", default="", help="hubspot, salesforce, mautic, or a saved one")
        parser.add_argument("--source", default="", help="the lead source of rows that name none")
        parser.add_argument(
            "--kind",
            choices=LeadImport.Kind.values,
            help="what the rows are: each as it says (the default), all handed over, or only kept",
        )
        parser.add_argument("--quiet", action="store_true", help="nobody is told and no clock runs")
        parser.add_argument("--dry-run", action="store_true", help="read and check, write nothing")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            if path.stat().st_size > imports.MOST_BYTES:
                raise CommandError(f"{path} is larger than {imports.MOST_BYTES // 1_000_000} MB; split it")
            run = imports.make(
                path.read_bytes(),
                path.name,
                None,
                timezone.now(),
                preset=options["preset"],
                source=options["source"],
            )
        except (OSError, imports.FileProblem, imports.Refused) as error:
            raise CommandError(f"{path}: {error}") from None
        try:
            if options["kind"] or options["quiet"]:
                run.kind = options["kind"] or run.kind
                run.is_quiet = options["quiet"]
                run.save(update_fields=["kind", "is_quiet"])
            if problems := imports.Recipe(run).problems():
                raise CommandError(f"{path}: {' '.join(problems)}")
            failures = self._check(run) if options["dry_run"] else self._take(run)
        finally:
            imports.discard(run)
        self._tell(run, failures, options)
        if failures:
            raise SystemExit(1)

    def _check(self, run: LeadImport) -> list[tuple[int, list[dict[str, str]]]]:
        return [(row, [problem.to_json() for problem in found]) for row, found in imports.check(run)]

    def _take(self, run: LeadImport) -> list[tuple[int, list[dict[str, str]]]]:
        imports.start(run, None, timezone.now())
        imports.work(run, timezone.now(), NO_END)
        run.refresh_from_db()
        if run.status != LeadImport.Status.DONE:
            raise CommandError(
                f"stopped after {run.done} of {run.total} rows: {run.error or 'the worker goes on'}"
            )
        return list(run.failures.values_list("row", "problems"))

    def _tell(
        self, run: LeadImport, failures: list[tuple[int, list[dict[str, str]]]], options: dict[str, Any]
    ) -> None:
        for row, problems in failures:
            for problem in problems:
                self.stderr.write(f"row {row}, {problem['column'] or 'row'}: {problem['message']}")
        counts = {
            "rows": run.total,
            **{name: run.counts.get(name, 0) for name in (TAKEN, HANDED, HELD, IGNORED, REPEATED)},
            "failed": len(failures),
            "dry_run": options["dry_run"],
        }
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        verb = "can be read" if options["dry_run"] else "taken"
        fine = run.total - len(failures) if options["dry_run"] else counts[TAKEN]
        self.stdout.write(
            f"{run.total} rows: {fine} {verb}, {counts[HANDED]} of them handed over and {counts[HELD]} held"
            f" for data, {counts[IGNORED]} opened nothing, {counts[REPEATED]} repeated,"
            f" {len(failures)} failed."
        )
