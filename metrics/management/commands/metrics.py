"""The five metrics as JSON or CSV, over everything, some weeks, or a range of days."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from metrics import query
from metrics.periods import EVERYTHING


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--weeks", type=int, help="the current ISO week and the N-1 before")
        parser.add_argument("--from", dest="first", metavar="DATE", help="first day of the MQLs")
        parser.add_argument("--to", dest="last", metavar="DATE", help="last day of the MQLs, included")
        parser.add_argument("--as-of", metavar="ISO", help="only what had happened by then; now by default")
        parser.add_argument("--by", choices=query.GROUPS, help="this group only; all by default")
        parser.add_argument("--format", choices=["json", "csv"], default="json")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["weeks"] is not None and (options["first"] or options["last"]):
            raise CommandError("give --weeks or a range of days, not both")
        try:
            as_of = query.moment(options["as_of"]) if options["as_of"] else timezone.now()
            span = EVERYTHING
            if options["weeks"] is not None:
                span = query.last_weeks(options["weeks"], as_of)
            elif options["first"] or options["last"]:
                span = query.between(options["first"], options["last"])
        except ValueError as error:
            raise CommandError(str(error)) from None
        answer = query.ask(query.Question(as_of, span, options["by"]))
        if options["format"] == "csv":
            self.stdout.write(query.as_csv(answer), ending="")
        else:
            self.stdout.write(json.dumps(answer, indent=1, ensure_ascii=False))
