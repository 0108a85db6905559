"""What the oldest version can live with while this one comes in: defaults of the columns that it does not know.

And that an erased lead names nobody is proved of the leads that were there before the check.
"""

from django.db import migrations, models

from leads.migrations._beside import AlterFieldWhole, ProveCheck


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0020_access_log"),
    ]

    operations = [
        AlterFieldWhole(
            model_name="rejection",
            name="seen",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="mark of the facts that the reason speaks of, see leads.refusals",
                max_length=32,
            ),
        ),
        AlterFieldWhole(
            model_name="backtest",
            name="tries",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        ProveCheck(model_name="lead", name="erased_lead_is_nobody"),
    ]
