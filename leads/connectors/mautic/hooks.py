"""What Mautic tells us, as canonical intake events: webhooks, and contacts that a poll has read.

Owns which type means what, the identity of a call and of each event. The same fact told by a webhook and
found by a poll is one event: its id is made of the contact, the moment and what it says. Whether it is news
is `leads.connectors.arriving`'s, whether it is a trigger our own definition's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from leads.choices import TriggerKind
from leads.connectors.base import Seen, Unreadable
from leads.connectors.mapping import Map, as_text
from leads.connectors.mautic import contacts
from leads.connectors.mautic.calls import entries
from leads.connectors.mautic.contacts import OBJECT, clean
from leads.connectors.sifting import EXPLICIT, KNOWN_ONLY
from leads.models import Connection

Event = dict[str, Any]
FORMS = (TriggerKind.DEMO_REQUEST, TriggerKind.PRICING_INQUIRY)
PREFIX = "mautic."
MOST_RESULTS, LONGEST_RESULT = 30, 500
# Of a subscription: what says that they may be written to, and what that they asked not to be.
CONTACTABLE, REFUSED = "contactable", frozenset({"unsubscribed", "manual"})


def identity(body: bytes) -> str:
    """Mautic gives a call no id: the same bytes are the same call."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def high_intent(lines: Any) -> dict[str, str]:
    """Forms by id or alias (lower case) to the kind of activity, of lines such as "demo = demo_request"."""
    found = {}
    for line in lines if isinstance(lines, list | tuple) else ():
        name, _, kind = str(line).partition("=")
        if name.strip() and kind.strip() in FORMS:
            found[name.strip().lower()] = kind.strip()
    return found


class Reader:
    """Makes events for one connection. `missing` says what became of a contact that is gone there; without it
    a deletion is taken for one."""

    def __init__(
        self,
        connection: Connection,
        chosen: Map,
        options: Mapping[str, Any],
        missing: Callable[[str], Seen] | None = None,
    ) -> None:
        self.connection, self.map, self.missing = connection, chosen, missing
        self.forms = high_intent(options.get("forms"))
        pages = options.get("pricing_pages", ("/pricing",))
        self.pricing = [str(part).lower() for part in pages if str(part).strip()]
        self.kinds: Mapping[str, Callable[[Mapping[str, Any], datetime], list[Event]]] = {
            "lead_post_save_new": self._saved,
            "lead_post_save_update": self._saved,
            "lead_points_change": self._points,
            "lead_post_delete": self._deleted,
            "lead_channel_subscription_changed": self._subscription,
            "lead_company_change": self._company,
            "form_on_submit": self._form,
            "page_on_hit": self._hit,
            "email_on_open": self._open,
            "email_on_send": self._send,
        }

    def events(self, body: bytes, received_at: datetime) -> list[Event]:
        """The events of a call, oldest first, whichever order it has. Raises Unreadable, and Unreachable."""
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise Unreadable("The body is not JSON.") from None
        if not isinstance(content, dict):
            # PHP writes an empty list for nothing at all.
            if content == []:
                return []
            raise Unreadable("An object of event types is expected.")
        found: list[Event] = []
        for name, given in content.items():
            read = self.kinds.get(str(name).removeprefix(PREFIX))
            # What is no list of items is one.
            items = [given] if isinstance(given, dict) and "timestamp" in given else entries(given)
            for item in items if read else ():
                at = contacts.moment(item.get("timestamp")) or received_at
                found += read(item, at) if read else []
        return sorted(found, key=lambda event: str(event["time"]))

    def restated(self, contact: Mapping[str, Any]) -> list[Event]:
        """What a contact says as a whole: of the person, and its points."""
        at = contacts.changed_at(contact)
        if at is None or not contacts.id_of(contact):
            return []
        found = self._saved({"contact": contact}, at)
        points = contacts.score(contact, self.map)
        if points is not None and found:
            found.append(self._scored(contact, at, points))
        return found

    def _saved(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        contact = _object(item, "contact")
        return self._restating(contact, contacts.changed_at(contact) or at) if contact else []

    def _restating(self, contact: Mapping[str, Any], at: datetime) -> list[Event]:
        parts = contacts.parts(contact, self.map)
        return [self._event("lead.updated", _named(contact, at, parts), at, contact, parts)]

    def _points(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        contact, points = _object(item, "contact"), _object(item, "points") or {}
        if contact is None:
            return []
        said = contacts.score(contact, self.map)
        if said is None:
            return []
        before = contacts.score({"points": points.get("old_points")}, Map())
        if before is not None:
            said["previous_total"] = before["total"]
        return [self._scored(contact, contacts.changed_at(contact) or at, said)]

    def _scored(self, contact: Mapping[str, Any], at: datetime, said: Mapping[str, Any]) -> Event:
        parts = contacts.parts(contact, self.map)
        parts["score"] = {**said, "scored_at": as_text(at)}
        name = f"points/{contacts.id_of(contact)}/{as_text(at)}/{said['total']}"
        return self._event("lead.scored", name, at, contact, parts)

    def _deleted(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        """A deletion is housekeeping there, not a person's wish to be forgotten: it is put down as something
        that happened. What was in truth a merge is told as one."""
        contact = {**(_object(item, "contact") or {}), **({"id": item["id"]} if item.get("id") else {})}
        gone = contacts.id_of(contact)
        if not gone:
            return []
        there = self.missing(gone) if self.missing else Seen(OBJECT, gone, {}, is_deleted=True)
        if there.merged_into:
            event = self._event(
                "lead.merged", f"merged/{gone}/{there.merged_into}", at, {"id": there.merged_into}
            )
            event["data"]["merged_from"] = [
                {"system": self.connection.id_system, "object": OBJECT, "id": gone}
            ]
            return [event]
        if not there.is_deleted:
            return []
        name = f"deleted/{gone}"
        return [
            {
                **self._activity(name, "other", at, {"id": gone}, title=f"Contact deleted in {self._where}"),
                KNOWN_ONLY: True,
            }
        ]

    def _subscription(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        contact, channel = _object(item, "contact"), item.get("channel")
        new = str(item.get("new_status") or "").lower()
        if contact is None or channel != "email" or new not in REFUSED | {CONTACTABLE}:
            # A bounce says something of the address, not of what the person wants.
            return []
        parts = {"lead": {"consent": {"email_opt_out": new in REFUSED}}}
        name = f"subscription/{contacts.id_of(contact)}/{as_text(at)}/{new}"
        return [{**self._event("lead.updated", name, at, contact, parts), EXPLICIT: True}]

    def _company(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        """A company that was added to a contact; one that was taken away says nothing of the next."""
        contact, company = _object(item, "contact"), _object(item, "company")
        if contact is None or company is None or not item.get("added"):
            return []
        values = contacts.flat(company) or dict(company)
        facts = {
            "name": clean(values.get("companyname")) or None,
            "website": clean(values.get("companywebsite")) or None,
            "industry": clean(values.get("companyindustry")) or None,
        }
        parts = {"company": {name: value for name, value in facts.items() if value}}
        if not parts["company"]:
            return []
        name = f"company/{contacts.id_of(contact)}/{contacts.id_of(company)}/{as_text(at)}"
        return [{**self._event("lead.updated", name, at, contact, parts), EXPLICIT: True}]

    def _form(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        submission = _object(item, "submission") or {}
        form, contact = _object(submission, "form") or {}, _object(submission, "lead")
        number = clean(submission.get("id"), 40)
        if contact is None or not number:
            return []
        names = [clean(form.get(key), 200).lower() for key in ("id", "alias")]
        kind = next((self.forms[name] for name in names if name in self.forms), "form_submission")
        answers = submission.get("results")
        given = list(answers.items())[:MOST_RESULTS] if isinstance(answers, dict) else []
        return [
            self._activity(
                f"form/{number}",
                kind,
                contacts.moment(submission.get("dateSubmitted")) or at,
                contact,
                title=clean(form.get("name"), 300) or "Form",
                url=clean(submission.get("referer")),
                properties={clean(key, 100): clean(value, LONGEST_RESULT) for key, value in given},
            )
        ]

    def _hit(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        hit = _object(item, "hit") or {}
        contact, number = _object(hit, "lead"), clean(hit.get("id"), 40)
        if contact is None or not number:
            return []
        url, page = clean(hit.get("url")), _object(hit, "page") or {}
        kind = "pricing_view" if any(part in url.lower() for part in self.pricing) else "page_view"
        title = clean(hit.get("urlTitle"), 300) or clean(page.get("title"), 300)
        return [
            self._activity(
                f"hit/{number}",
                kind,
                contacts.moment(hit.get("dateHit")) or at,
                contact,
                title=title,
                url=url,
            )
        ]

    def _open(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        stat = _object(item, "stat") or {}
        contact, number, email = (
            _object(stat, "lead"),
            clean(stat.get("id"), 40),
            _object(stat, "email") or {},
        )
        if contact is None or not number:
            return []
        moment = contacts.moment(stat.get("dateRead")) or at
        return [self._activity(f"open/{number}", "email_open", moment, contact, title=_subject(email))]

    def _send(self, item: Mapping[str, Any], at: datetime) -> list[Event]:
        contact, email = _object(item, "contact") or _object(item, "lead"), _object(item, "email") or {}
        if contact is None:
            return []
        name = f"send/{contacts.id_of(email)}/{contacts.id_of(contact)}/{as_text(at)}"
        return [self._activity(name, "email_sent", at, contact, title=_subject(email))]

    @property
    def _where(self) -> str:
        return self.connection.name

    def _activity(self, name: str, kind: str, at: datetime, contact: Mapping[str, Any], **what: Any) -> Event:
        parts = contacts.parts(contact, self.map)
        parts["activities"] = [
            {
                "id": f"{self.connection.slug}:{name}",
                "kind": kind,
                "occurred_at": as_text(at),
                **{key: value for key, value in what.items() if value},
            }
        ]
        return self._event("lead.activity", name, at, contact, parts)

    def _event(
        self,
        kind: str,
        name: str,
        at: datetime,
        contact: Mapping[str, Any],
        parts: Mapping[str, Any] | None = None,
    ) -> Event:
        """A CloudEvent. Of a contact without an address only what is known here is of interest: Mautic keeps
        every visitor."""
        data = dict(parts or {})
        identified = {"system": self.connection.id_system, "object": OBJECT, "id": contacts.id_of(contact)}
        data["lead"] = {**data.get("lead", {}), "external_ids": [identified]}
        address = contacts.email_of(contact)
        if address:
            data["lead"].setdefault("email", address)
        found: Event = {
            "specversion": "1.0",
            "id": name[:200],
            "source": f"/connections/{self.connection.slug}",
            "type": kind,
            "time": as_text(at),
            "data": data,
        }
        return found if address else {**found, KNOWN_ONLY: True}


def _object(item: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """A member that is an object; PHP writes [] or null for none."""
    found = item.get(name)
    return found if isinstance(found, dict) else None


def _named(contact: Mapping[str, Any], at: datetime, parts: Mapping[str, Any]) -> str:
    """The id of what a contact says: two saves within one second differ by what they say."""
    content = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return (
        f"contact/{contacts.id_of(contact)}/{as_text(at)}/{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    )


def _subject(email: Mapping[str, Any]) -> str:
    return clean(email.get("subject"), 300) or clean(email.get("name"), 300)
