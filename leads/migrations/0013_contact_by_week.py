"""The index by week also holds the type and the first contact: times to first contact are read from it alone.

Not one transaction: it is built beside those who write, before the one that it replaces goes.
"""

from django.db import migrations, models

from leads.migrations._beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0012_scores_by_time"),
    ]

    operations = [
        AddIndexBeside(
            model_name="handoff",
            index=models.Index(fields=["mql_at", "lead_type", "first_contact_at"], name="handoff_by_week"),
        ),
        migrations.RemoveIndex(model_name="handoff", name="handoff_by_mql"),
    ]
