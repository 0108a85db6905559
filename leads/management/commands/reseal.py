"""Seals the secrets of connections and of second steps anew, with the present SECRET_KEY.

A former key can be let go then.
"""

from typing import Any

from django.apps import apps
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
        steps, lost_steps = _second_steps()
        done, lost = done + steps, lost + lost_steps
        self.stdout.write(f"{done} sealed anew.")
        if lost:
            raise CommandError(f"Sealed with a key that is not there, set them anew: {', '.join(lost)}.")


def _second_steps() -> tuple[int, list[str]]:
    """Secrets of apps and of codes on paper, where there are any; how many, and whose are lost."""
    done, lost = 0, []
    if not apps.is_installed("allauth.mfa"):
        return 0, []
    kept = apps.get_model("mfa", "Authenticator").objects.exclude(type="webauthn").order_by("pk")
    for pk in kept.values_list("pk", flat=True):
        with transaction.atomic():
            row = kept.select_for_update().select_related("user").get(pk=pk)
            name = "secret" if row.type == "totp" else "seed"
            try:
                row.data[name] = sealing.reseal(row.data[name])
            except sealing.CannotOpen:
                lost.append(f"the second step of {row.user.email}")
                continue
            row.save(update_fields=["data"])
            done += 1
    return done, lost
