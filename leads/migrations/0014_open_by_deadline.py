"""What is past its deadline is found by an index of its own, on SQLite too: every page of some roles counts it.

Only what is open has a deadline, so the index is small. Not one transaction: it is built beside those who
write.
"""

from django.db import migrations, models

from leads.migrations._beside import AddIndexBeside


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0013_contact_by_week"),
    ]

    operations = [
        AddIndexBeside(
            model_name="handoff",
            index=models.Index(
                condition=models.Q(("next_due_at__isnull", False)),
                fields=["next_due_at"],
                name="handoff_by_deadline",
            ),
        ),
    ]
