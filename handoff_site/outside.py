"""The heartbeat out: one call to an address outside after each good sweep, so that silence is noticed there.

Owns the call and that there is at most one in a minute, however many clusters sweep. Never harms the sweep:
what goes wrong is logged, without the address, which may hold a key.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import httpx
from django.conf import settings

from handoff_site.models import Heartbeat

logger = logging.getLogger(__name__)

OUTSIDE = "outside"
# For the whole call, however slowly the answer trickles in.
SECONDS = 5.0


def beat(now: datetime) -> bool:
    """Call HEARTBEAT_URL, if there is one and nobody has in this minute; whether it was heard."""
    if not settings.HEARTBEAT_URL or not _first_in_minute(now):
        return False
    try:
        status = asyncio.run(_call(settings.HEARTBEAT_URL))
    except TimeoutError:
        logger.warning("the heartbeat was not heard: no answer within %g seconds", SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        # The text of the error may hold the address.
        logger.warning("the heartbeat was not heard (%s)", type(error).__name__)
    else:
        if httpx.codes.is_success(status):
            return True
        logger.warning("the heartbeat was not heard: answered %d", status)
    return False


def _first_in_minute(now: datetime) -> bool:
    """Claim this minute before the call: a second cluster, or a repeat, finds it taken."""
    if Heartbeat.objects.get_or_create(name=OUTSIDE, defaults={"beat_at": now})[1]:
        return True
    earlier = Heartbeat.objects.filter(name=OUTSIDE, beat_at__lt=now.replace(second=0, microsecond=0))
    return earlier.update(beat_at=now) == 1


async def _call(url: str) -> int:
    async with (
        asyncio.timeout(SECONDS),
        httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as client,
        client.stream("GET", url) as response,
    ):
        # The status says it all; the body is not read.
        return response.status_code
