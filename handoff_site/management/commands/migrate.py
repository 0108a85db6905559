"""`manage.py migrate`: Django's, with manners beside a site that runs.

It waits shortly for each lock and comes again (`handoff_site.migrating.patience`), keeps a lock for no longer
than its statements take (`together`), and wants no pooler between: a migration needs a session of its own.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from handoff_site.migrating import patience
from handoff_site.migrating.together import together


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if settings.POOLER:
            raise CommandError("migrate needs PostgreSQL itself: DATABASE_URL of the server, without POOLER")
        connection = connections[options["database"]]

        def once() -> None:
            with together(connection), patience.short_waits(connection, say=self.stderr.write):
                super(Command, self).handle(*args, **options)

        def got_to() -> int:
            recorder = MigrationRecorder(connection)
            return recorder.migration_qs.count() if recorder.has_table() else 0

        patience.persist(once, self.stderr.write, got_to=got_to)
