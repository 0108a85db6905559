"""`manage.py migrate`: Django's, with manners beside a site that runs.

It waits shortly for each lock and begins again where it stopped (`handoff_site.migrating.patience`), and says
so where a pooler stands between: a migration needs a session of its own.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from handoff_site.migrating import patience


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if settings.POOLER:
            raise CommandError("migrate needs PostgreSQL itself: DATABASE_URL of the server, without POOLER")
        connection = connections[options["database"]]

        def once() -> None:
            with patience.short_waits(connection):
                super(Command, self).handle(*args, **options)

        patience.persist(once, self.stderr.write)
