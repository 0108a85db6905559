"""The end of a record's life: when a lead was erased, the privacy log, and the keyed hashes of whoever was.

An erased lead names nobody: a check holds that, whoever writes; `0021` proves it of all that were there. The
privacy log is append-only by triggers on both databases, with the one door of the event log. SQLite drops a
table's triggers with the table: a later migration that makes that table anew has to make them anew too.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from leads.migrations._beside import AddCheckUnproved

TABLE = "leads_privacyact"
POSTGRESQL = f"""
CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE ON {TABLE}
    FOR EACH ROW EXECUTE FUNCTION leads_row_is_kept()
"""
POSTGRESQL_BACK = f"DROP TRIGGER {TABLE}_append_only ON {TABLE}"
SQLITE = [
    f"CREATE TRIGGER {TABLE}_no_{verb.lower()} BEFORE {verb} ON {TABLE} "
    f"WHEN NOT EXISTS (SELECT 1 FROM leads_redactiondoor) "
    f"BEGIN SELECT RAISE(ABORT, '{TABLE} is append-only'); END"
    for verb in ("UPDATE", "DELETE")
]
SQLITE_BACK = [f"DROP TRIGGER {TABLE}_no_{verb}" for verb in ("update", "delete")]


def forwards(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in [POSTGRESQL] if is_postgresql else SQLITE:
        schema_editor.execute(statement, params=None)


def backwards(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    for statement in [POSTGRESQL_BACK] if is_postgresql else SQLITE_BACK:
        schema_editor.execute(statement, params=None)


def person():
    return models.ForeignKey(
        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+",
        to=settings.AUTH_USER_MODEL,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0014_open_by_deadline"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ErasedKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="lead",
            name="erased_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddCheckUnproved(
            model_name="lead",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("erased_at__isnull", True),
                    models.Q(
                        ("email", ""),
                        ("email_key__isnull", True),
                        ("first_name", ""),
                        ("job_title", ""),
                        ("last_name", ""),
                        ("linkedin_url", ""),
                        ("name_key", ""),
                        ("phone", ""),
                        ("phone_key", ""),
                        ("postal_code", ""),
                    ),
                    _connector="OR",
                ),
                name="erased_lead_is_nobody",
            ),
        ),
        migrations.CreateModel(
            name="PrivacyAct",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("erased", "Erased"), ("exported", "Handed out")], max_length=8
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("asked", "The person asked for it"),
                            ("no_basis", "It should never have been stored"),
                            ("sender", "Erased in another system"),
                            ("retention", "Kept for long enough"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reference", models.CharField(blank=True, max_length=40)),
                ("rows", models.PositiveIntegerField(default=0)),
                (
                    "api_key",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="leads.apikey",
                    ),
                ),
                ("by", person()),
                (
                    "lead",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="privacy_acts",
                        to="leads.lead",
                    ),
                ),
            ],
            options={"ordering": ["-at", "-id"]},
        ),
        migrations.RunPython(forwards, backwards),
    ]
