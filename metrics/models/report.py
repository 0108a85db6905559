"""The weekly reports as they were made, what their calls decided, and who gets them.

A made report and what was written on a call are never changed or deleted: triggers on both databases refuse
it (`metrics/migrations/0002_reports`), through the same one door as the event log. Figures are not kept here:
they are read from the handoffs.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from routing.lean import Lean


class Report(Lean):
    """One edition of a week's report. `kept` is its whole content as canonical JSON (see
    `metrics.reports.gathering`), `digest` the SHA-256 of it. Without a person the schedule made it."""

    week = models.CharField(max_length=8)
    edition = models.PositiveSmallIntegerField()
    made_at = models.DateTimeField()
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    kept = models.TextField()
    digest = models.CharField(max_length=64)

    class Meta:
        ordering = ["-week", "-edition"]
        constraints = [
            models.UniqueConstraint(fields=["week", "edition"], name="report_editions_in_one_order"),
            # Two workers at once, or one that runs again, make one.
            models.UniqueConstraint(
                fields=["week"], condition=Q(made_by__isnull=True), name="one_scheduled_report_a_week"
            ),
            models.CheckConstraint(condition=Q(edition__gte=1), name="report_editions_from_one"),
        ]

    def __str__(self) -> str:
        return f"Report {self.week}, edition {self.edition}"


class CallEntry(Lean):
    """Something written on a week's call. `about` is the entry that it corrects, finishes or reopens.

    A decision has somebody who does it (`owner`) until a day. `turn` counts how often a decision was finished
    or reopened: of two at once one is first. `digest` is of the content of what is about nothing else.
    """

    class Kind(models.TextChoices):
        NOTE = "note", "Note"
        DECISION = "decision", "Decision"
        DONE = "done", "Done"
        REOPENED = "reopened", "Reopened"

    week = models.CharField(max_length=8)
    kind = models.CharField(max_length=8, choices=Kind)
    text = models.CharField(max_length=2000, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    until = models.DateField(null=True, blank=True)
    about = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="later")
    turn = models.PositiveSmallIntegerField(null=True, blank=True)
    digest = models.CharField(max_length=64, null=True, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="decision") | Q(owner__isnull=False, until__isnull=False),
                name="decision_names_who_and_until_when",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["done", "reopened"], about__isnull=False, turn__isnull=False)
                | (Q(kind__in=["note", "decision"], turn__isnull=True) & ~Q(text="")),
                name="entry_says_something_or_turns",
            ),
            models.UniqueConstraint(
                fields=["about"],
                condition=Q(about__isnull=False, turn__isnull=True),
                name="each_entry_corrected_once",
            ),
            models.UniqueConstraint(fields=["about", "turn"], name="decision_turns_in_one_order"),
            models.UniqueConstraint(
                fields=["week", "by", "digest"],
                condition=Q(digest__isnull=False),
                name="one_person_says_it_once",
            ),
        ]
        indexes = [models.Index(fields=["week", "at"], name="entry_by_week")]

    def __str__(self) -> str:
        return f"{self.kind} on the call of {self.week}"


class ReportSchedule(Lean):
    """When the report is made and mailed, in the organisation's zone; without the row Monday at seven.

    `weekday` counts from Monday, 0.
    """

    weekday = models.PositiveSmallIntegerField(default=0)
    hour = models.PositiveSmallIntegerField(default=7)
    is_on = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_report_schedule"),
            models.CheckConstraint(
                condition=Q(weekday__lte=6, hour__lte=23), name="report_schedule_in_a_week"
            ),
        ]

    def __str__(self) -> str:
        return f"day {self.weekday}, hour {self.hour}"


class ReportSubscription(Lean):
    """Who gets the scheduled report by mail. Nobody does unasked."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="report_subscription",
    )
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"Reports to {self.user_id}"


class ReportMail(Lean):
    """The mail of one report to one person: the unique row is why nobody gets it twice.

    It is marked as being sent before it is: a crash in between leaves it so, and nobody tries again.
    """

    class State(models.TextChoices):
        PENDING = "pending", "To be sent"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"
        DROPPED = "dropped", "No longer wanted"

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="mails")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    after = models.DateTimeField()

    class Meta:
        ordering = ["report", "user"]
        constraints = [
            models.UniqueConstraint(fields=["report", "user"], name="one_mail_per_report_and_person"),
        ]
        indexes = [
            # tasks.weekly_report: what is to be sent by now
            models.Index(fields=["after"], condition=Q(state="pending"), name="report_mail_due"),
        ]

    def __str__(self) -> str:
        return f"Report {self.report_id} to {self.user_id}"
