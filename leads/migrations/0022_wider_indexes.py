"""What events bring by the dozen is entered in one index less, where another begins with the same column.

Nobody asks for these seven, and each event pays for them.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from leads.migrations._beside import LeaveToWiderIndex


def _key(to, name, on_delete=django.db.models.deletion.CASCADE):
    return models.ForeignKey(db_index=False, on_delete=on_delete, related_name=name, to=to)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("leads", "0021_beside_the_older"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        LeaveToWiderIndex("activity", "lead", _key("leads.lead", "activities")),
        LeaveToWiderIndex("event", "handoff", _key("leads.handoff", "events")),
        LeaveToWiderIndex(
            "handoff", "lead", _key("leads.lead", "handoffs", django.db.models.deletion.PROTECT)
        ),
        LeaveToWiderIndex("inspection", "handoff", _key("leads.handoff", "inspections")),
        LeaveToWiderIndex("notification", "user", _key(settings.AUTH_USER_MODEL, "notifications")),
        LeaveToWiderIndex("routingdecision", "handoff", _key("leads.handoff", "decisions")),
        LeaveToWiderIndex("score", "lead", _key("leads.lead", "scores")),
    ]
