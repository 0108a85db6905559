"""Who got at what: signing in and out, files, what was shown of a person, roles, keys, rules and thresholds.

Owns the access log, which is append-only (a trigger on both databases, with the door of the event log). It
holds codes and numbers of ours, never what a lead is called or how one reaches them. Writing is
`leads.access_log`.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from leads.models.intake import ApiKey
from routing.lean import Lean


class AccessEntry(Lean):
    """One access, or one change of who may what. Without a user or a key it was the system, or somebody who
    is not known.

    `about` and `about_id` say of what kind and number its object is ("person" 7, "file" "leads.csv");
    `address` is where the request came from, `request_id` the one of the log's lines. `detail` is codes.
    """

    class Kind(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        SIGN_IN_FAILED = "sign_in_failed", "Failed to sign in"
        LOCKED_OUT = "locked_out", "Was locked out"
        SIGNED_OUT = "signed_out", "Signed out"
        EXPORTED = "exported", "Took a file"
        REVEALED = "revealed", "Was shown all that is held of a lead"
        ROLES_CHANGED = "roles_changed", "Changed roles"
        PASSWORD_SET = "password_set", "Set somebody's password"
        SECOND_SET = "second_set", "Set up a second step"
        SECOND_TAKEN = "second_taken", "Took a second step away"
        SIGNED_OUT_ELSEWHERE = "ended", "Ended sessions elsewhere"
        UNTIED = "untied", "Forgot somebody at the provider"
        ACTIVATED = "activated", "Activated a person"
        DEACTIVATED = "deactivated", "Deactivated a person"
        KEY_MADE = "key_made", "Made an API key"
        KEY_REVOKED = "key_revoked", "Revoked an API key"
        SECRET_CHANGED = "secret_changed", "Changed a secret"
        CONNECTION_CHANGED = "connection_changed", "Changed a connection"
        RULES_PUBLISHED = "rules_published", "Put rules in force"
        POLICY_CHANGED = "policy_changed", "Changed a policy"
        SETTING_CHANGED = "setting_changed", "Changed a setting"
        SIGNED = "signed", "Signed a proposal"
        DEFINITION_CHANGED = "definition_changed", "Changed the MQL definition"

    at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=Kind)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    api_key = models.ForeignKey(ApiKey, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    about = models.CharField(max_length=20, blank=True)
    about_id = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "access entries"
        indexes = [
            # the page of the log, whole and by what it is narrowed to
            models.Index(fields=["-at", "-id"], name="access_by_time"),
            models.Index(fields=["kind", "-at", "-id"], name="access_by_kind"),
            models.Index(fields=["user", "-at", "-id"], name="access_by_user"),
            models.Index(fields=["about", "about_id"], name="access_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.about} {self.about_id}".strip()
