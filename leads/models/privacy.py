"""What was done with a person's data as such: erased or handed out, by whom, when and why. Never what it was.

Owns the privacy log, which is append-only (a trigger on both databases, with the door of the event log), and
the keyed hashes by which an erased person's late events are known. The doing is `leads.erasure`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from leads.choices import Why
from leads.models.intake import ApiKey
from leads.models.lead import Lead
from routing.lean import Lean


class PrivacyAct(Lean):
    """One erasure, or one export for the person. Without a user or a key it was the system.

    `lead` is empty when nothing was held. `rows` is how many rows were emptied, deleted or handed out;
    `reference` the number of a case, never a name.
    """

    class Kind(models.TextChoices):
        ERASED = "erased", "Erased"
        EXPORTED = "exported", "Handed out"

    kind = models.CharField(max_length=8, choices=Kind)
    lead = models.ForeignKey(
        Lead, null=True, blank=True, on_delete=models.PROTECT, related_name="privacy_acts"
    )
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=10, choices=Why, blank=True)
    reference = models.CharField(max_length=40, blank=True)
    rows = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.lead_id or ''}".strip()


class ErasedKey(Lean):
    """The keyed hash of an address, an id or an event of somebody who was erased, and as of when.

    It says nothing without the key of the installation, and no longer matches once that is replaced.
    """

    digest = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest[:12]
