"""A lead's state written into its contact: found, edited in a batch, put into its stage.

Owns the order of those calls, each of which may be made again: an edit is absolute, tags are swapped and a
stage is entered. Only PATCH and POST: PUT empties what is not given. Which values is `mapping`'s; when, the
outbox's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from leads.connectors import mapping
from leads.connectors.base import Denied, Pushed, Values, failed, outcome_of
from leads.connectors.client import Answer, Unreachable
from leads.connectors.mapping import Map
from leads.connectors.mautic import contacts
from leads.connectors.mautic.calls import Caller, by_index, entries
from leads.connectors.mautic.contacts import OBJECT, STAGE, TAGS
from leads.outbox import Outcome, Result, Wanted

# Where it asks to wait and does not say how long.
WAIT = timedelta(seconds=30)


def expected(wanted: Wanted, chosen: Map) -> Values:
    """What the contact should say, by Mautic's field names, tags in order."""
    values = mapping.values(wanted, chosen)
    if TAGS in values:
        values[TAGS] = contacts.shown_tags(contacts.split_tags(values[TAGS]))
    return values


class Writing:
    """Pushes of one open client. `has_time` says whether another call may begin: what has to wait goes back
    as if it had not been tried."""

    def __init__(
        self,
        caller: Caller,
        chosen: Map,
        options: Mapping[str, Any],
        id_system: str,
        has_time: Callable[[], bool],
    ) -> None:
        self.caller, self.map, self.options, self.id_system = caller, chosen, options, id_system
        self.has_time = has_time
        self.stages: dict[str, int] | None = None
        self.is_down = False

    def push(self, wanted: Sequence[Wanted]) -> list[Pushed]:
        """For each lead what came of it, in order."""
        self.is_down = False
        results: dict[int, Pushed] = {}
        ids: dict[int, str] = {}
        try:
            self._read_stages(wanted)
            for place, want in enumerate(wanted):
                found = self._place(want)
                if isinstance(found, Outcome):
                    results[place] = Pushed(found)
                else:
                    ids[place] = found
            results |= self._edit({place: (wanted[place], remote_id) for place, remote_id in ids.items()})
        except (Denied, Unreachable) as error:
            outcome = (
                Outcome(Result.UNAUTHORISED, status=401, error=str(error))
                if isinstance(error, Denied)
                else failed(error)
            )
            results = {place: results.get(place) or Pushed(outcome) for place in range(len(wanted))}
        return [results[place] for place in range(len(wanted))]

    def _place(self, want: Wanted) -> str | Outcome:
        """The id of the contact to write into, or why there is none. Raises Unreachable."""
        known = want.ids.get((self.id_system, OBJECT))
        if known:
            return known
        if not self.has_time():
            return Outcome(Result.LEFT)
        found = self.search(want.email)
        if isinstance(found, Outcome):
            return found
        if found:
            # Of several the oldest, so that each push finds the same.
            return min((contacts.id_of(contact) for contact in found), key=lambda value: (len(value), value))
        if not self.options.get("creates"):
            return Outcome(Result.PERMANENT, error="There is no record of this lead, and none is to be made.")
        if not want.email:
            return Outcome(Result.PERMANENT, error="There is no record of this lead; it has no address.")
        return self._create(want)

    def search(self, email: str) -> list[dict[str, Any]] | Outcome:
        """The contacts with exactly this address, or what the answer came to. Raises Unreachable."""
        if not email:
            return []
        answer = self.caller.call("GET", "/contacts", params={"search": f"email:{email}", "limit": "30"})
        if answer.status != 200:
            return told(answer, "GET contacts by address")
        found = entries(answer.json().get("contacts"))
        # A pattern finds more than it was asked for.
        return [one for one in found if contacts.email_of(one).lower() == email.lower()]

    def _create(self, want: Wanted) -> str | Outcome:
        """POST /new goes into the contact with that address where there is one: it may be repeated."""
        facts = {
            alias: want.facts[name]
            for name, alias in self.map.facts.items()
            # Countries go by names of Mautic's own list there, and another name would refuse the whole.
            if alias and want.facts.get(name) and name != "lead.country_code"
        }
        answer = self.caller.call("POST", "/contacts/new", data=facts)
        if answer.status not in (200, 201):
            return told(answer, "POST contacts/new")
        return contacts.id_of(answer.json()["contact"])

    def _edit(self, asked: Mapping[int, tuple[Wanted, str]]) -> dict[int, Pushed]:
        """Write these contacts in one call; where the whole of it is refused, one by one."""
        if not asked:
            return {}
        if not self.has_time():
            return dict.fromkeys(asked, Pushed(Outcome(Result.LEFT)))
        places = list(asked)
        bodies = [self._body(*asked[place]) for place in places]
        answer = self.caller.call("PATCH", "/contacts/batch/edit", data=bodies)
        if answer.status != 200:
            outcome = told(answer, "PATCH contacts/batch/edit")
            if outcome.result != Result.PERMANENT or len(places) == 1:
                return dict.fromkeys(places, Pushed(outcome))
            found: dict[int, Pushed] = {}
            for place in places:
                found |= self._edit({place: asked[place]})
            return found
        given = answer.json()
        codes, errors = by_index(given.get("statusCodes")), by_index(given.get("errors"))
        shown = by_index(given.get("contacts"))
        results: dict[int, Pushed] = {}
        for index, place in enumerate(places):
            want, remote_id = asked[place]
            outcome = self._item(answer, codes.get(index), errors.get(index), remote_id, bodies[index])
            contact = shown.get(index) or {}
            # A contact that was merged into another answers under the other's id.
            there = contacts.id_of(contact) or remote_id
            if outcome.result == Result.DONE:
                outcome = self._enter_stage(want, there, contact, outcome)
            written = expected(want, self.map) if outcome.result == Result.DONE else {}
            results[place] = Pushed(outcome, OBJECT, there, written)
        return results

    def _item(self, answer: Answer, code: Any, error: Any, remote_id: str, body: Any) -> Outcome:
        """What came of one contact of a batch."""
        status = int(code) if str(code or "").isdigit() else 200 if error is None else 500
        words = contacts.clean(error.get("message"), 200) if isinstance(error, dict) else ""
        if status == 404:
            words = f"There is no contact {remote_id} any more."
        request = f"PATCH contact {remote_id} {json.dumps(body, separators=(',', ':'))}"
        item = Answer(status, {}, b"", answer.milliseconds)
        return replace(outcome_of(item, request, words), answer=f"{status} {words}".strip())

    def _body(self, want: Wanted, remote_id: str) -> dict[str, Any]:
        values = dict(expected(want, self.map))
        values.pop(STAGE, None)
        tags = values.pop(TAGS, None)
        owner = values.pop(contacts.OWNER, None)
        times = self.map.fields
        for name in ("deferred_until", "mql_at", "accepted_at", "first_contact_at", "changed_at"):
            field = times.get(name)
            if field and values.get(field):
                values[field] = values[field].replace("T", " ").removesuffix("Z")
        body: dict[str, Any] = {"id": int(remote_id) if remote_id.isdigit() else remote_id, **values}
        if owner:
            body["owner"] = int(owner) if owner.isdigit() else owner
        if tags is not None:
            wanted = contacts.split_tags(tags)
            gone = contacts.our_tags(self.map) - wanted
            body["tags"] = [*sorted(wanted), *(f"-{tag}" for tag in sorted(gone))]
        # Without it an empty reason or date would leave the former one standing.
        return {**body, "overwriteWithBlank": True}

    def _read_stages(self, wanted: Sequence[Wanted]) -> None:
        """Stages by name, read once an open client. Raises Unreachable."""
        if self.stages is None and any(values.get(STAGE) for values in self.map.statuses.values()):
            found: dict[str, int] = {}
            for stage in self.caller.listed("/stages", "stages"):
                found.setdefault(contacts.clean(stage.get("name")), int(stage["id"]))
            # Only now: half a list would be taken for what there is.
            self.stages = found

    def _enter_stage(
        self, want: Wanted, remote_id: str, contact: Mapping[str, Any], outcome: Outcome
    ) -> Outcome:
        """Put the contact into the stage of its status, where it is not in it yet."""
        name = expected(want, self.map).get(STAGE)
        now = contact.get(STAGE)
        if not name or (isinstance(now, dict) and contacts.clean(now.get("name")) == name):
            return outcome
        number = (self.stages or {}).get(name)
        if number is None:
            return Outcome(
                Result.PERMANENT, error=f"There is no stage {name} there.", request=outcome.request
            )
        if self.is_down or not self.has_time():
            return Outcome(Result.LEFT)
        request = f"{outcome.request}; POST stages/{number}/contact/{remote_id}/add"
        try:
            answer = self.caller.call("POST", f"/stages/{number}/contact/{remote_id}/add")
        except Denied:
            raise
        except Unreachable as error:
            # Each of the others would wait as long for the same.
            self.is_down = True
            return failed(error, request)
        return told(answer, request)


def told(answer: Answer, request: str) -> Outcome:
    """The outcome of an answer, with Mautic's own words for what is wrong."""
    words = ""
    if answer.status >= 400:
        try:
            errors = entries(answer.json().get("errors"))
            words = "; ".join(contacts.clean(error.get("message"), 200) for error in errors)
        except (Unreachable, AttributeError):
            words = ""
    outcome = outcome_of(answer, request, words)
    if outcome.result == Result.THROTTLED and outcome.retry_after is None:
        return replace(outcome, retry_after=WAIT)
    return outcome
