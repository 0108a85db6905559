"""Sessions that know whose they are; those that run go on, and learn it when they are next used."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

THERE = """
INSERT INTO routing_session (session_key, session_data, expire_date, since, seen_at, agent)
SELECT session_key, session_data, expire_date, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, ''
FROM django_session WHERE expire_date > CURRENT_TIMESTAMP
"""
BACK = """
INSERT INTO django_session (session_key, session_data, expire_date)
SELECT session_key, session_data, expire_date FROM routing_session
WHERE session_key NOT IN (SELECT session_key FROM django_session)
"""


class Migration(migrations.Migration):
    dependencies = [("routing", "0001_initial"), ("sessions", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Session",
            fields=[
                (
                    "session_key",
                    models.CharField(
                        max_length=40, primary_key=True, serialize=False, verbose_name="session key"
                    ),
                ),
                ("session_data", models.TextField(verbose_name="session data")),
                ("expire_date", models.DateTimeField(db_index=True, verbose_name="expire date")),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("agent", models.CharField(blank=True, max_length=300)),
                (
                    "user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"verbose_name": "session"},
        ),
        migrations.RunSQL(THERE, BACK),
    ]
