"""The making of a message: one row for one person, not yet saved.

Owns that its mail waits until the act behind it can no longer be undone. Whether and when it then leaves is
`leads.notifications.delivery`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leads.models import Handoff, Notification
from leads.notifications.urgency import UNDO_FOR
from routing.people import User


def message(
    user: User,
    handoff: Handoff | None,
    kind: str,
    now: datetime,
    data: dict[str, Any] | None = None,
    mail: bool = True,
    event_number: int | None = None,
) -> Notification:
    """A message to one person, not saved. `data` holds ids and codes, never personal data.

    `event_number` is the event of the handoff that it tells of: nobody is told of one event twice.
    """
    return Notification(
        user=user,
        handoff=handoff,
        kind=kind,
        data=dict(data or {}),
        event_number=event_number,
        created_at=now,
        mail=Notification.Mail.PENDING if mail else Notification.Mail.NONE,
        mail_after=now + UNDO_FOR if mail else None,
    )
