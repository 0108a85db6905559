"""`manage.py lint_migrations`: holds our migrations to what is safe while the site runs.

Asks no database. What came before the first release stands below with its reason; an entry that nothing
needs any more is an error too. The rules are `handoff_site.migrating.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from handoff_site.migrating import rules

APPS = {"handoff_site", "metrics", "leads", "routing"}
_EARLY = "from before the first release: the oldest version that was ever deployed has no such table"
# App, migration and rule, and why it may stay as it is.
STANDING = {
    ("leads", "0011_agreement", "column-without-default"): "from then on the database wants two signatures "
    "for a definition, which no version before it can give",
    ("leads", "0017_conflicts", "column-without-default"): _EARLY,
    ("leads", "0019_finding_sides", "column-without-default"): _EARLY,
    ("leads", "0019_finding_sides", "index"): "made one migration after its table, which is empty; " + _EARLY,
}


def in_order() -> Iterator[Migration]:
    """Every migration on disk, each after those that it depends on."""
    graph = MigrationLoader(None, ignore_no_migrations=True).graph
    seen = set()
    for leaf in sorted(graph.leaf_nodes()):
        for key in graph.forwards_plan(leaf):
            if key not in seen:
                seen.add(key)
                yield graph.nodes[key]


class Command(BaseCommand):
    help = "Says what in our migrations would stop or break a site that runs; exit 1 if anything does."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(rules.findings(in_order(), ProjectState(), APPS))
        keys = {(one.app, one.migration, one.rule) for one in found}
        wrong = [str(one) for one in found if (one.app, one.migration, one.rule) not in STANDING]
        wrong += [f"{'.'.join(key)} stands on the list and is not needed" for key in STANDING.keys() - keys]
        for line in wrong:
            self.stderr.write(line)
        if wrong:
            raise CommandError(f"{len(wrong)} faults in migrations")
        self.stdout.write("Migrations are safe beside a running site.")
