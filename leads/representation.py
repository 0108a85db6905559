"""How a handoff looks to other systems: the HANDOFF object of the API.

Owns its shape and nothing else. Ids are opaque strings, people are e-mail addresses, times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from leads.models import Handoff, Lead


def time(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, with microseconds only where there are some."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def lead_json(lead: Lead) -> dict[str, Any]:
    return {"id": str(lead.pk), "url": f"{settings.PUBLIC_URL}/leads/{lead.pk}/"}


def handoff_json(handoff: Handoff) -> dict[str, Any]:
    """The HANDOFF object; assignee and queue should be loaded."""
    return {
        "id": str(handoff.pk),
        "url": f"{settings.PUBLIC_URL}/handoffs/{handoff.pk}/",
        "state": str(handoff.state),
        "lead_type": str(handoff.lead_type),
        "trigger": str(handoff.trigger),
        "mql_at": time(handoff.mql_at),
        "assignee": handoff.assignee.email if handoff.assignee else None,
        "queue": f"queue:{handoff.queue.slug}" if handoff.queue else None,
        "rule": handoff.rule_name or None,
        "ruleset": str(handoff.ruleset_id) if handoff.ruleset_id else None,
        "missing": list(handoff.missing),
        "clock_started_at": time(handoff.clock_started_at),
        "accept_due_at": time(handoff.accept_due_at),
        "contact_due_at": time(handoff.contact_due_at),
        "next_due_at": time(handoff.next_due_at),
        "revision": handoff.revision,
    }
