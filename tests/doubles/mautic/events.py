"""Mautic's webhooks: what is sent, when, and what is lost.

`{"<type>": [payload with timestamp, ...], ...}`, signed over exactly the bytes sent, for own API writes too;
immediate mode sends one item and never again; queue mode waits for `process`, at most 10 items of several
types, in either order. LOSS [V, section 4]: the queue's rows are deleted on any answer at all, whatever its
status; 410 unpublishes the webhook. Without an answer the rows stay. No webhook for stages [V].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles import signing
from tests.doubles.clock import iso_offset
from tests.doubles.emitting import Parcel, Signer
from tests.doubles.mautic import contacts
from tests.doubles.records import Record
from tests.doubles.wire import php

if TYPE_CHECKING:
    from tests.doubles.mautic.instance import Mautic

SITE = "https://mautic.example"
Item = tuple[str, dict[str, Any]]


class Events:
    """The queue of one webhook, which takes every type."""

    def __init__(self, mautic: Mautic) -> None:
        self.mautic = mautic
        self.clear()

    def clear(self) -> None:
        self.url = ""
        self.published = True
        self.queue: list[Item] = []
        self.lost: list[Item] = []

    def created(self, record: Record) -> None:
        self.put("mautic.lead_post_save_new", {"contact": self._contact(record)})

    def updated(self, record: Record) -> None:
        self.put("mautic.lead_post_save_update", {"contact": self._contact(record)})

    def points(self, record: Record, was: int, now: int) -> None:
        points = {"old_points": was, "new_points": now}
        self.put("mautic.lead_points_change", {"contact": self._contact(record), "points": points})

    def deleted(self, record: Record) -> None:
        self.put("mautic.lead_post_delete", {"id": int(record.id), "contact": self._contact(record)})

    def subscription(self, record: Record, channel: str, was: str, now: str) -> None:
        self.put(
            "mautic.lead_channel_subscription_changed",
            {"contact": self._contact(record), "channel": channel, "old_status": was, "new_status": now},
        )

    def put(self, kind: str, payload: dict[str, Any]) -> None:
        """Queue an event, or send it at once in immediate mode."""
        if not self.url or not self.published:
            return
        item = (kind, {**payload, "timestamp": iso_offset(self.mautic.clock.now())})
        if self.mautic.mode == "queue":
            self.queue.append(item)
        else:
            self._send([item], keeps=False)

    def process(self) -> int:
        """Send the queue, `webhook_limit` items a request, as the console command does; how many items."""
        waiting = self.queue if self.mautic.order == "ASC" else self.queue[::-1]
        self.queue = []
        limit = self.mautic.webhook_limit
        for start in range(0, len(waiting), limit):
            self._send(waiting[start : start + limit], keeps=True)
        return len(waiting)

    def body(self, items: list[Item]) -> bytes:
        """The bytes of a request: items grouped by their type."""
        grouped: dict[str, list[dict[str, Any]]] = {}
        for kind, payload in items:
            grouped.setdefault(kind, []).append(payload)
        return php(grouped)

    def as_json(self) -> dict[str, Any]:
        return {"published": self.published, "queued": len(self.queue), "lost": len(self.lost)}

    def _contact(self, record: Record) -> dict[str, Any]:
        return contacts.shown(self.mautic, record, for_webhook=True) if self.url else {}

    def _send(self, items: list[Item], keeps: bool) -> None:
        def answered(status: int) -> None:
            with self.mautic.lock:
                if status == 0 and keeps:
                    self.queue[:0] = items
                elif not 200 <= status < 300:
                    self.lost += items
                if status == 410:
                    self.published = False

        self.mautic.emitter.put(
            Parcel(
                system="mautic",
                url=self.url,
                types=",".join(kind for kind, _ in items),
                body=self.body(items),
                sign=self._signer(),
                answered=answered,
                timeout=15.0,
            )
        )

    def _signer(self) -> Signer:
        """There is no timestamp in it, so a stale one is the same as a fresh one."""
        secret = self.mautic.webhook_secret
        return lambda body, at: {
            "X-Origin-Base-URL": SITE,
            "Webhook-Signature": signing.mautic(secret, body),
        }
