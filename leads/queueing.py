"""The worker's queue: putting a task into it, and looking what waits there.

Owns the difference between the two queues that django-q2 can use here. The database's own is part of the
transaction, and gives a task again whose worker died. Redis (QUEUE_URL) knows neither: a task is put there
after the commit, and what is lost on the way the schedule's next run finds. Does no work itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage
from django_q.tasks import async_task

try:
    from redis import RedisError
except ModuleNotFoundError:  # it is an extra

    class RedisError(Exception):  # type: ignore[no-redef]
        """Never raised."""


log = structlog.get_logger(__name__)

# So many of the waiting tasks are looked at, the newest first.
LOOKED_AT = 100


def put(task: str, *arguments: Any) -> None:
    """Ask for this task, once what this transaction did is there to be seen."""
    if settings.QUEUE_URL:
        # A queue that is away is logged, by the __qualname__ that a partial has not, and is no failure of
        # what was done.
        transaction.on_commit(lambda: async_task(task, *arguments), robust=True)
    else:
        async_task(task, *arguments)


def waits(task: str) -> bool:
    """Whether this task waits and nobody has begun it."""
    return task in _waiting()


def size() -> int | None:
    """How many tasks wait; in the database's queue also those that a worker has in hand. None when the queue
    is away."""
    if not settings.QUEUE_URL:
        return OrmQ.objects.count()
    try:
        return int(get_broker().queue_size())
    except RedisError:
        return None


def _waiting() -> Sequence[str]:
    """The newest that wait."""
    if not settings.QUEUE_URL:
        rows = OrmQ.objects.filter(lock__lte=timezone.now()).order_by("-pk")[:LOOKED_AT]
        return [_named(row.payload) for row in rows]
    broker = get_broker()
    try:
        packages = broker.connection.lrange(broker.list_key, -LOOKED_AT, -1)
    except RedisError as error:
        log.warning("the queue is away", error=type(error).__name__)
        return []
    return [_named(package) for package in packages]


def _named(package: bytes | str) -> str:
    """The task in a package; "" for one that was sealed under a former SECRET_KEY, which no worker begins."""
    try:
        return str(SignedPackage.loads(package)["func"])
    except BadSignature:
        return ""
