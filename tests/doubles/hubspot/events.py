"""HubSpot's webhooks: thin events in arrays, signed v3 or v1, for own API writes too.

Fields, kinds, `changeFlag`, merge and privacy events, retries with `attemptNumber`, at most 100 a body [V,
section 2.5]; which `changeSource` an API write has is [R]. An event names one property and carries no record.
An event's id is not unique: every seventh repeats the one before. Events of one write go in one array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles import signing
from tests.doubles.emitting import Parcel, Signer
from tests.doubles.records import API, Record
from tests.doubles.wire import plain

if TYPE_CHECKING:
    from tests.doubles.hubspot.portal import HubSpot

SINGULAR = {
    "contacts": "contact", "companies": "company", "deals": "deal", "leads": "object", "notes": "object"
}  # fmt: skip
TYPE_IDS = {"contacts": "0-1", "companies": "0-2", "deals": "0-3", "leads": "0-136", "notes": "0-46"}
MOST = 100


class Events:
    """Builds events from what happened and hands them to the sender, or holds them while `hold` is on."""

    def __init__(self, hubspot: HubSpot) -> None:
        self.hubspot = hubspot
        self.url = ""
        self.number = 0
        self.waiting: list[dict[str, Any]] = []

    def clear(self) -> None:
        self.url, self.number, self.waiting = "", 0, []

    def created(self, kind: str, record: Record, values: dict[str, Any], by: str) -> None:
        self._add([self._event(kind, "creation", by, objectId=int(record.id), changeFlag="NEW")])

    def changed(self, kind: str, record: Record, values: dict[str, Any], by: str) -> None:
        """One event for each property that changed and is subscribed to."""
        wanted = self.hubspot.subscribed_properties
        self._add(
            [
                self._event(
                    kind,
                    "propertyChange",
                    by,
                    objectId=int(record.id),
                    propertyName=name,
                    propertyValue=value,
                )
                for name, value in values.items()
                if not wanted or name in wanted
            ]
        )

    def removed(self, kind: str, record: Record, by: str, privacy: bool) -> None:
        """A privacy deletion also sends the deletion."""
        kinds = ["privacyDeletion", "deletion"] if privacy else ["deletion"]
        self._add([self._event(kind, what, by, objectId=int(record.id)) for what in kinds])

    def merged(self, kind: str, primary: Record, other: Record, kept: Record, by: str) -> None:
        ids = {
            "primaryObjectId": int(primary.id),
            "mergedObjectIds": [int(other.id)],
            "newObjectId": int(kept.id),
        }
        self._add([self._event(kind, "merge", by, objectId=int(kept.id), **ids, numberOfPropertiesMoved=0)])

    def raw(self, events: list[dict[str, Any]]) -> None:
        """Send these events as they are."""
        self._add(events)

    def flush(self) -> int:
        """Send what waits, at most 100 events a body; how many there were."""
        waiting, self.waiting = self.waiting, []
        for start in range(0, len(waiting), MOST):
            self._send(waiting[start : start + MOST])
        return len(waiting)

    def _add(self, events: list[dict[str, Any]]) -> None:
        if self.url and events:
            self.waiting += events
            if not self.hubspot.hold_webhooks:
                self.flush()

    def _event(self, kind: str, what: str, by: str, **more: Any) -> dict[str, Any]:
        self.number += 1
        generic = self.hubspot.generic_events or SINGULAR[kind] == "object"
        event = {
            "eventId": 1000 + self.number - (self.number % 7 == 0),
            "subscriptionId": 3000 + hash_of(kind, what, more.get("propertyName", "")),
            "portalId": self.hubspot.portal_id,
            "appId": 9,
            "occurredAt": int(self.hubspot.clock.now() * 1000),
            "subscriptionType": f"{'object' if generic else SINGULAR[kind]}.{what}",
            "attemptNumber": 0,
            **more,
            "changeSource": "INTEGRATION" if by == API else "CRM_UI",
            "sourceId": "9" if by == API else "userId:1",
        }
        return {**event, "objectTypeId": TYPE_IDS[kind]} if generic else event

    def _send(self, events: list[dict[str, Any]]) -> None:
        def rebuilt(attempt: int) -> bytes:
            return plain([{**event, "attemptNumber": attempt} for event in events])

        self.hubspot.emitter.put(
            Parcel(
                system="hubspot",
                url=self.url,
                types=",".join(str(event.get("subscriptionType", "")) for event in events),
                body=rebuilt(0),
                sign=self._signer(),
                retries=tuple(self.hubspot.retries),
                rebuild=rebuilt,
            )
        )

    def _signer(self) -> Signer:
        """v3 with its timestamp, or v1 without one, by the settings of now; the URI is the public one."""
        secret, uri = self.hubspot.client_secret, self.hubspot.signed_uri or self.url

        def v1(body: bytes, at: float) -> dict[str, str]:
            signature = signing.hubspot_v1(secret, body)
            return {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v1"}

        def v3(body: bytes, at: float) -> dict[str, str]:
            stamp = int(at * 1000)
            signature = signing.hubspot_v3(secret, "POST", uri, body, stamp)
            return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(stamp)}

        return v1 if self.hubspot.signature == "v1" else v3


def hash_of(*words: str) -> int:
    """A small number for a subscription, the same in every run."""
    return sum(ord(letter) * place for place, letter in enumerate(":".join(words), 1)) % 1000
