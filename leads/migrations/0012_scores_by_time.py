"""The index by which a back-test of the threshold finds who scored between two thresholds.

Built beside those who write; a run that was interrupted is simply begun again.
"""

from django.db import migrations, models

from leads.migrations._beside import AddIndexBeside


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("leads", "0011_agreement")]

    operations = [
        AddIndexBeside(
            model_name="score",
            index=models.Index(fields=["scored_at", "total", "lead"], name="score_by_time"),
        ),
    ]
