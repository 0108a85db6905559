"""Seals the secrets of connections anew, with the present SECRET_KEY, so that a former one can be let go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from leads import sealing
from leads.models import Connection


class Command(BaseCommand):
    help = "Seal secrets with the present SECRET_KEY; then SECRET_KEY_FALLBACKS may go. May be run again."

    def handle(self, *args: Any, **options: Any) -> None:
        done, lost = 0, []
        for pk in Connection.objects.exclude(sealed="").order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                row = Connection.objects.select_for_update(no_key=True).get(pk=pk)
                try:
                    sealed = sealing.reseal(row.sealed)
                except sealing.CannotOpen:
                    lost.append(row.name)
                    continue
                Connection.objects.filter(pk=pk).update(sealed=sealed)
                done += 1
        self.stdout.write(f"{done} sealed anew.")
        if lost:
            raise CommandError(f"Sealed with a key that is not there, set them anew: {', '.join(lost)}.")
