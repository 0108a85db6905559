"""The site's own background tasks. Thin: the moment is taken here and passed on."""

from django.utils import timezone

from handoff_site import outside
from handoff_site.models import Heartbeat
from leads import tasks
from metrics import snapshots
from metrics.reports import mailing, making
from routing import holidays
from routing.models import Calendar

WORKER = "worker"


def heartbeat() -> None:
    """Show that the cluster takes and finishes tasks. The supervisor and the health page read it."""
    Heartbeat.objects.update_or_create(name=WORKER, defaults={"beat_at": timezone.now()})


def sweep() -> int:
    """The minute's sweep and, when it went through, the sign of life to the outside; returns the number of
    steps."""
    steps = tasks.sweep()
    outside.beat(timezone.now())
    return steps


def figures() -> None:
    """Have the dashboard's first page counted before somebody opens it, and let go of what is old."""
    snapshots.refresh(timezone.now())


def extend_holidays() -> None:
    """Copy the public holidays of the years that have come near, once for each calendar and year."""
    year = timezone.now().year
    for calendar in Calendar.objects.exclude(country=""):
        holidays.snapshot(calendar, year)


def weekly_report() -> int:
    """Make the weekly report when it is due and send its mail; returns how many mails went out."""
    now = timezone.now()
    making.make_due(now)
    return mailing.deliver(now)
