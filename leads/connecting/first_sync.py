"""The first sync: the present state of every open handoff is owed to one connection, in slices.

Owns which leads and how far a slice goes. Where it has got to is the key of the last lead, handed on from
slice to slice by the worker's queue, which gives a slice again whose worker died; a state that is owed twice
supersedes itself. Sends nothing: what is owed leaves at the pace that the connection allows.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from leads.models import Connection, Handoff
from leads.outbox import owe_states
from leads.outbox.owing import KEEPS_STATE

SLICE = 1000


def takes_states(connection: Connection) -> bool:
    """Whether it keeps a record of a handoff at all."""
    return connection.kind in KEEPS_STATE


def waiting() -> int:
    """How many leads a first sync is about."""
    return Handoff.objects.open().order_by().values("lead").distinct().count()


def work(connection_id: int, after: int, now: datetime) -> int:
    """Owe the states of the next SLICE leads behind the key `after`; the last one's key, 0 when there are no
    more or the connection runs no longer."""
    connection = Connection.objects.filter(pk=connection_id, is_active=True).first()
    if connection is None or not takes_states(connection):
        return 0
    rows = Handoff.objects.open().filter(lead__gt=after).order_by("lead").values_list("lead", flat=True)
    leads = list(rows.distinct()[:SLICE])
    if not leads:
        return 0
    with transaction.atomic():
        owe_states(connection, leads, now)
    return leads[-1] if len(leads) == SLICE else 0
