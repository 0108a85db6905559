"""By what a poll knows that nothing changed: the list, the frame around it, and the lead that is open.

Owns one query and the stamp it makes; a page that has read the same figures makes it of those. The page
carries the stamp from before it read its rows, so that what changes meanwhile is news to the next poll. What
the news are is `worklist` and `news`. Never writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from leads.choices import OPEN
from leads.models import Handoff
from leads.views.counts import MOST_COUNTED
from routing.models import User
from routing.prepared import planned

REFRESH = 300  # seconds after which a list is drawn again even if nothing changed: bars of closed hours

# Written out: every open inbox asks this every 20 seconds, and as a queryset it took Django longer to write
# than the database to answer. Each part is a look into an index of its own.
# Revisions, because moments do not come in order: a sweep writes down the one at which it began.
_FIGURES = """
  WITH own AS NOT MATERIALIZED (
       SELECT id FROM routing_queue WHERE kind <> 'completion' AND (owner_id = %(user)s OR id IN (
              SELECT queue_id FROM routing_queue_members WHERE user_id = %(user)s)))
SELECT held.number, held.revisions, held.newest, waiting.number, waiting.revisions, waiting.newest,
       unread.number, queues.number,
       (SELECT revision FROM leads_handoff
         WHERE id = %(open)s AND assignee_id = %(user)s AND NOT is_history AND state IN ({open_states}))
  FROM (SELECT COUNT(*) AS number, SUM(revision) AS revisions, MAX(updated_at) AS newest FROM leads_handoff
         WHERE assignee_id = %(user)s AND NOT is_history AND state IN ({open_states})) AS held,
       (SELECT COUNT(*) AS number, SUM(revision) AS revisions, MAX(updated_at) AS newest FROM leads_handoff
         WHERE state = 'queued' AND NOT is_history AND queue_id IN (SELECT id FROM own)) AS waiting,
       (SELECT COUNT(*) AS number FROM (
               SELECT 1 FROM leads_notification
                WHERE user_id = %(user)s AND read_at IS NULL LIMIT {most}) AS counted) AS unread,
       (SELECT COUNT(*) AS number FROM own) AS queues
""".format(  # noqa: S608 (our own constants)
    open_states=", ".join(f"'{state}'" for state in OPEN),
    # Past them the bell says the same.
    most=MOST_COUNTED + 1,
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """`text` differs when a count or anything in the list does; `revision` is that of the open lead, if they
    hold it."""

    text: str
    revision: int | None = None


def of(user: User, now: datetime, open_id: int | None = None) -> Stamp:
    """One query."""
    with planned() as cursor:
        cursor.execute(_FIGURES, {"user": user.pk, "open": open_id or 0})
        *figures, revision = cursor.fetchone()
    return Stamp(_stamped(figures, now), revision)


def of_page(held: Sequence[Handoff], unread: int, now: datetime) -> str:
    """What `of` would say to somebody without a queue, of all the open handoffs that they hold and how many
    messages are unread, counted to one past MOST_COUNTED."""
    revisions = sum(handoff.revision for handoff in held)
    newest = max((handoff.updated_at for handoff in held), default=None)
    return _stamped([len(held), revisions, newest, 0, 0, None, unread, 0], now)


def _stamped(figures: Iterable[datetime | str | int | None], now: datetime) -> str:
    turn = int(now.timestamp()) // REFRESH
    return ".".join([*map(_text, figures), str(turn)])


def _text(figure: datetime | str | int | None) -> str:
    """Short and safe in an address: PostgreSQL gives times, SQLite their text."""
    if isinstance(figure, str):
        figure = datetime.fromisoformat(figure)
    return f"{figure.timestamp():.6f}" if isinstance(figure, datetime) else str(figure or 0)
