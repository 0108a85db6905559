"""Who was told what: one row in the app, and the state of its e-mail."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from leads.models.handoff import Handoff


class Notification(models.Model):
    """A message to one person about one handoff, or about a rule (`data["rule"]`) when there is none.

    The words are made when read (`leads.notifications`).
    """

    class Mail(models.TextChoices):
        NONE = "none", "No e-mail"
        PENDING = "pending", "To be sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    handoff = models.ForeignKey(
        Handoff, null=True, blank=True, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=30)
    data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    mail = models.CharField(max_length=8, choices=Mail, default=Mail.NONE)
    mail_after = models.DateTimeField(null=True, blank=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            # the bell: unread messages of a person
            models.Index(
                fields=["user", "-created_at"], condition=Q(read_at__isnull=True), name="notification_unread"
            ),
            models.Index(fields=["user", "-created_at"], name="notification_by_user"),
            # tasks.deliver_mail: what is to be sent by now
            models.Index(fields=["mail_after"], condition=Q(mail="pending"), name="notification_mail_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.user_id}"
