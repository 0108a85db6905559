"""`manage.py sign_in_link EMAIL`: a link that signs this person in, once, within a quarter of an hour.

For the day on which the provider of identities is away and passwords are not taken.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from handoff_site.signing_in import glass
from routing.people import User


class Command(BaseCommand):
    help = "Prints a link that signs somebody in, once, within 15 minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email=options["email"].strip().lower(), is_active=True).first()
        if user is None:
            raise CommandError(f"nobody active has the address {options['email']}")
        self.stdout.write(glass.link(user))
