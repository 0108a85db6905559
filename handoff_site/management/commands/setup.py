"""`manage.py setup`: makes the reference data that is missing. Idempotent; see `handoff_site.reference`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from handoff_site import reference
from leads import permissions
from routing.models import Queue
from routing.people import User


class Command(BaseCommand):
    help = "Makes groups, schedules, default calendar, policies, reasons and queues where they are missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--owner", metavar="EMAIL", help="owner of the queues that are made")

    def handle(self, *args: Any, **options: Any) -> None:
        owner = None
        if options["owner"]:
            owner = User.objects.filter(permissions.can_act(), email=options["owner"].strip().lower()).first()
            if owner is None:
                raise CommandError(f"there is no active user {options['owner']} with a role that can act")
        made = reference.setup(timezone.now(), owner)
        if not options["verbosity"]:
            return
        for line in made:
            self.stdout.write(f"made {line}")
        if not made:
            self.stdout.write("everything was there already")
        if not Queue.objects.filter(kind=Queue.Kind.OVERFLOW).exists():
            self.stdout.write(
                "no queues yet, for a queue needs an owner: make a user (manage.py createsuperuser or "
                "import_people) and run setup again"
            )
