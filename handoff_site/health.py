"""What a probe may know: that the process lives, and whether the site can do its work.

Open to anybody, so it says numbers and names, never an error's text, an address or a setting. `healthz`
touches nothing; `readyz` asks the database. Decides nothing: restarting the worker is the supervisor's.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from handoff_site.models import Heartbeat
from handoff_site.tasks import WORKER
from leads.models import Connection, Delivery, Notification

# The supervisor restarts a cluster before this; older than that, nobody is looking after the worker.
WORKER_LATE = timedelta(minutes=3)
DELIVERY_LATE = timedelta(minutes=15)


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    """Every migration on disk. The files do not change while a process runs."""
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    return frozenset(disk or ())


def unapplied_migrations() -> list[tuple[str, str]]:
    """App and name of each migration that the database has not seen. Raises django.db.Error."""
    return sorted(_known_migrations() - MigrationRecorder(connection).applied_migrations().keys())


def worker_age(now: datetime) -> timedelta | None:
    """How long ago the worker's last heartbeat was; None when there never was one. Raises django.db.Error."""
    beat = Heartbeat.objects.filter(name=WORKER).values_list("beat_at", flat=True).first()
    return None if beat is None else now - beat


def oldest_undelivered(now: datetime) -> timedelta | None:
    """How long the oldest mail or delivery that may go out has waited; None when none has. What a connection
    that is switched off is owed does not count. Raises django.db.Error."""
    waiting = Notification.objects.filter(mail=Notification.Mail.PENDING, mail_after__lte=now)
    mail = waiting.order_by("mail_after").values_list("mail_after", flat=True).first()
    # One look into the index of what is due for each connection, however much that is.
    owed = Delivery.objects.filter(
        connection=OuterRef("pk"), done_at__isnull=True, locked_until__isnull=True, next_attempt_at__lte=now
    )
    oldest = Subquery(owed.order_by("next_attempt_at").values("next_attempt_at")[:1])
    owing = Connection.objects.filter(is_active=True).annotate(owed_since=oldest)
    moments = [mail, *owing.order_by().values_list("owed_since", flat=True)]
    due = min((moment for moment in moments if moment is not None), default=None)
    return None if due is None else now - due


@login_not_required
@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. 200 always."""
    return JsonResponse({"status": "alive"})


@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """Whether the site can serve, and how its background work stands.

    503 ("unavailable") without a database or with unapplied migrations: then no request can be served.
    200 otherwise: "ready", or "degraded" when the worker or delivery is late, for requests are still taken
    and a balancer that sent them elsewhere would make it worse. Ages are in whole seconds.
    """
    now = timezone.now()
    try:
        missing = unapplied_migrations()
        checks: dict[str, dict[str, Any]] = {
            "database": {"ok": True},
            "migrations": {"ok": not missing, "unapplied": len(missing)},
        }
        if not missing:
            checks["worker"] = _late("heartbeat_age", worker_age(now), WORKER_LATE, never=False)
            checks["delivery"] = _late(
                "oldest_undelivered_age", oldest_undelivered(now), DELIVERY_LATE, never=True
            )
    except Error:
        checks = {"database": {"ok": False}}
    if not all(checks.get(name, {"ok": False})["ok"] for name in ("database", "migrations")):
        return JsonResponse({"status": "unavailable", "checks": checks}, status=503)
    status = "ready" if all(check["ok"] for check in checks.values()) else "degraded"
    return JsonResponse({"status": status, "checks": checks})


def _late(name: str, age: timedelta | None, limit: timedelta, *, never: bool) -> dict[str, Any]:
    """One check over an age in seconds; `never` says whether none at all is well."""
    if age is None:
        return {"ok": never, name: None}
    return {"ok": age <= limit, name: max(0, int(age.total_seconds()))}
