"""Who was told what, how each person wants to be told, and the links in mails that were used."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads.models.handoff import Handoff
from routing.lean import Lean


class Notification(Lean):
    """A message to one person about one handoff; without one about a rule, a queue or an absence (`data`).

    The words are made when read (`leads.notifications`).
    """

    class Mail(models.TextChoices):
        NONE = "none", "No e-mail"
        PENDING = "pending", "To be sent"
        DIGEST = "digest", "In the next digest"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications", db_index=False
    )
    handoff = models.ForeignKey(
        Handoff, null=True, blank=True, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict, blank=True)
    event_number = models.PositiveIntegerField(
        null=True, blank=True, help_text="the event of the handoff that this tells of"
    )
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    mail = models.CharField(max_length=8, choices=Mail, default=Mail.NONE)
    mail_after = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            # One event, one message a person, whatever is retried.
            models.UniqueConstraint(
                fields=["user", "handoff", "event_number", "kind"],
                condition=Q(event_number__isnull=False),
                name="one_message_per_event_and_person",
            ),
        ]
        indexes = [
            # the bell: unread messages of a person
            models.Index(
                fields=["user", "-created_at"], condition=Q(read_at__isnull=True), name="notification_unread"
            ),
            models.Index(fields=["user", "-created_at"], name="notification_by_user"),
            # tasks.deliver_mail: what is to be sent by now
            models.Index(fields=["mail_after"], condition=Q(mail="pending"), name="notification_mail_due"),
            # tasks.deliver_mail: whose digest is due
            models.Index(
                fields=["user", "mail_after"], condition=Q(mail="digest"), name="notification_digest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"


class Preference(Lean):
    """How one person wants to be told. Without a row the defaults hold: mail at once, no quiet hours.

    Quiet hours are minutes since midnight in the person's own zone, and may run over midnight; demo leads
    break them. A digest gathers what is not urgent into one mail a day.
    """

    class Mail(models.TextChoices):
        ALL = "all", "Everything"
        URGENT = "urgent", "Only what needs me soon"
        NONE = "none", "No e-mail"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="preference"
    )
    mail = models.CharField(max_length=6, choices=Mail, default=Mail.ALL)
    browser = models.BooleanField(default=False, help_text="a notification of the browser for demo leads")
    quiet_from = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_until = models.PositiveSmallIntegerField(null=True, blank=True)
    quiet_weekends = models.BooleanField(default=False)
    digest_minute = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="when the daily digest leaves; empty for none"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__lt=1440, quiet_until__lt=1440),
                name="quiet_hours_in_a_day",
            ),
            models.CheckConstraint(
                condition=Q(digest_minute__isnull=True) | Q(digest_minute__lt=1440), name="digest_in_a_day"
            ),
        ]

    def __str__(self) -> str:
        return f"Preferences of {self.user_id}"


class UsedLink(Lean):
    """A one-tap link of a mail that was used: the unique row makes it work once. `digest` is of its token."""

    digest = models.CharField(max_length=64, unique=True)
    handoff = models.ForeignKey(Handoff, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"link to {self.handoff_id}"
