"""Weekly reports, the entries of their calls, their schedule and their mail.

A report and an entry refuse update and delete on both databases, through the door of the event log: on
PostgreSQL the transaction setting `handoff.redaction` = 'on', on SQLite a row in leads_redactiondoor.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


KEPT = ("metrics_report", "metrics_callentry")
POSTGRESQL = """
CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('handoff.redaction', true) = 'on' THEN
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION '{table} is kept as it is' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_is_kept();
"""
POSTGRESQL_BACK = """
DROP TRIGGER {table}_kept ON {table};
DROP FUNCTION {table}_is_kept();
"""
SQLITE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
WHEN NOT EXISTS (SELECT 1 FROM leads_redactiondoor)
BEGIN SELECT RAISE(ABORT, '{table} is kept as it is'); END;
"""
SQLITE_BACK = "DROP TRIGGER {table}_no_{verb}"
VERBS = ("update", "delete")


def forwards(apps, schema_editor):
    for table in KEPT:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(POSTGRESQL.replace("{table}", table), params=None)
        else:
            for verb in VERBS:
                schema_editor.execute(SQLITE.format(table=table, verb=verb), params=None)


def backwards(apps, schema_editor):
    for table in KEPT:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(POSTGRESQL_BACK.format(table=table), params=None)
        else:
            for verb in VERBS:
                schema_editor.execute(SQLITE_BACK.format(table=table, verb=verb), params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("metrics", "0001_snapshots"),
        ("leads", "0002_append_only_events"),
        ("routing", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ReportSubscription",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="report_subscription",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("since", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Report",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("week", models.CharField(max_length=8)),
                ("edition", models.PositiveSmallIntegerField()),
                ("made_at", models.DateTimeField()),
                ("kept", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-week", "-edition"],
            },
        ),
        migrations.CreateModel(
            name="ReportMail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "To be sent"),
                            ("sending", "Being sent"),
                            ("sent", "Sent"),
                            ("failed", "Given up"),
                            ("dropped", "No longer wanted"),
                        ],
                        default="pending",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("after", models.DateTimeField()),
                (
                    "report",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="mails", to="metrics.report"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["report", "user"],
            },
        ),
        migrations.CreateModel(
            name="ReportSchedule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("weekday", models.PositiveSmallIntegerField(default=0)),
                ("hour", models.PositiveSmallIntegerField(default=7)),
                ("is_on", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_report_schedule"),
                    models.CheckConstraint(
                        condition=models.Q(("hour__lte", 23), ("weekday__lte", 6)),
                        name="report_schedule_in_a_week",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CallEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("week", models.CharField(max_length=8)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("note", "Note"),
                            ("decision", "Decision"),
                            ("done", "Done"),
                            ("reopened", "Reopened"),
                        ],
                        max_length=8,
                    ),
                ),
                ("text", models.CharField(blank=True, max_length=2000)),
                ("until", models.DateField(blank=True, null=True)),
                ("turn", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("digest", models.CharField(blank=True, max_length=64, null=True)),
                ("at", models.DateTimeField()),
                (
                    "about",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="later",
                        to="metrics.callentry",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
                "indexes": [models.Index(fields=["week", "at"], name="entry_by_week")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "decision"), _negated=True),
                            models.Q(("owner__isnull", False), ("until__isnull", False)),
                            _connector="OR",
                        ),
                        name="decision_names_who_and_until_when",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("about__isnull", False),
                                ("kind__in", ["done", "reopened"]),
                                ("turn__isnull", False),
                            ),
                            models.Q(
                                ("kind__in", ["note", "decision"]),
                                ("turn__isnull", True),
                                models.Q(("text", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="entry_says_something_or_turns",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("about__isnull", False), ("turn__isnull", True)),
                        fields=("about",),
                        name="each_entry_corrected_once",
                    ),
                    models.UniqueConstraint(fields=("about", "turn"), name="decision_turns_in_one_order"),
                    models.UniqueConstraint(
                        condition=models.Q(("digest__isnull", False)),
                        fields=("week", "by", "digest"),
                        name="one_person_says_it_once",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.UniqueConstraint(
                fields=("week", "edition"), name="report_editions_in_one_order"
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.UniqueConstraint(
                condition=models.Q(("made_by__isnull", True)),
                fields=("week",),
                name="one_scheduled_report_a_week",
            ),
        ),
        migrations.AddConstraint(
            model_name="report",
            constraint=models.CheckConstraint(
                condition=models.Q(("edition__gte", 1)), name="report_editions_from_one"
            ),
        ),
        migrations.AddIndex(
            model_name="reportmail",
            index=models.Index(
                condition=models.Q(("state", "pending")), fields=["after"], name="report_mail_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="reportmail",
            constraint=models.UniqueConstraint(
                fields=("report", "user"), name="one_mail_per_report_and_person"
            ),
        ),
        migrations.RunPython(forwards, backwards),
    ]
