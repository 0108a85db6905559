"""When a Segment event happened, by our own clock. Pure.

Owns the correction for a device whose clock is wrong: its own times give how long before sending it was, and
our time of receiving says when that was (Segment's documentation of the common fields: timestamp = receivedAt
- (sentAt - originalTimestamp)). Knows nothing of what happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def parsed(value: Any) -> datetime | None:
    """A time in ISO 8601, without an offset in UTC; None for none, or one outside of 1990 to 2200."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if 1990 < found.year < 2199 else None


def happened(event: Mapping[str, Any], shared: Mapping[str, Any], received_at: datetime) -> datetime:
    """When it happened. `shared` is the batch around it, which may say for all when it was sent.

    What went through Segment (it says when it was received there) is corrected already. Never later than
    `received_at`.
    """
    said = parsed(event.get("timestamp"))
    original = parsed(event.get("originalTimestamp")) or said
    if said is not None and parsed(event.get("receivedAt")) is not None:
        return min(said, received_at)
    if original is None:
        return received_at
    sent = parsed(event.get("sentAt")) or parsed(shared.get("sentAt"))
    found = original if sent is None else received_at - (sent - original)
    # A device that says it sent before it happened contradicts itself.
    return min(found, received_at)
