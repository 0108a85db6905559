"""The index by which the page of duplicates finds what was decided last.

Built beside those who write; a run that was interrupted is simply begun again.
"""

from django.db import migrations, models

from leads.migrations._beside import AddIndexBeside


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("leads", "0008_deadlines_met")]

    operations = [
        AddIndexBeside(
            model_name="duplicatepair",
            index=models.Index(
                condition=models.Q(("decided_at__isnull", False)),
                fields=["-decided_at", "-id"],
                name="decided_pairs_by_time",
            ),
        ),
    ]
