"""What can be wrong between us, the CRM and the marketing platform: the named checks. Pure.

Owns the names, how grave each is, its likely cause in words, and telling them apart. What was read is given;
nothing is read, written or asked here. Source of the names: design/integrations, section 8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from leads.connectors.base import Seen
from leads.connectors.mapping import Map
from leads.identity import normalise_email
from leads.models import Connection, Finding
from leads.outbox import Wanted
from leads.outbox.wanted import Status

Severity = Finding.Severity


class Code(StrEnum):
    CRM_ACCEPTED_MAP_MQL = "CRM_ACCEPTED_MAP_MQL"
    CRM_REJECTED_MAP_MQL = "CRM_REJECTED_MAP_MQL"
    MAP_MQL_NOT_IN_CRM = "MAP_MQL_NOT_IN_CRM"
    CRM_OPP_NOT_IN_MAP = "CRM_OPP_NOT_IN_MAP"
    CRM_OWNER_NE_APP_OWNER = "CRM_OWNER_NE_APP_OWNER"
    REASON_MISSING = "REASON_MISSING"
    REVISION_BEHIND = "REVISION_BEHIND"
    REVISION_AHEAD = "REVISION_AHEAD"
    EXTERNAL_CHANGE = "EXTERNAL_CHANGE"
    RECORD_MISSING = "RECORD_MISSING"
    RECORD_MERGED = "RECORD_MERGED"
    RECORD_DELETED = "RECORD_DELETED"
    DUPLICATE_LINK = "DUPLICATE_LINK"
    EMAIL_MISMATCH = "EMAIL_MISMATCH"
    OPTED_OUT_BUT_ACTIVE = "OPTED_OUT_BUT_ACTIVE"
    STATUS_UNMAPPED = "STATUS_UNMAPPED"
    TIME_REGRESSION = "TIME_REGRESSION"
    STALE_CURSOR = "STALE_CURSOR"
    OUTBOX_STUCK = "OUTBOX_STUCK"
    DEAD_LETTER = "DEAD_LETTER"


@dataclass(frozen=True, slots=True)
class About:
    """How grave a check is, what it means, what probably happened, and what mends it."""

    severity: Finding.Severity
    words: str
    cause: str
    fix: str


ABOUT: Mapping[Code, About] = {
    Code.CRM_ACCEPTED_MAP_MQL: About(
        Severity.HIGH,
        "Sales accepted it, the marketing platform still shows an MQL",
        "A write to the marketing platform was lost or taken back: nurture goes on mailing.",
        "Push ours.",
    ),
    Code.CRM_REJECTED_MAP_MQL: About(
        Severity.HIGH,
        "Sales rejected it, the marketing platform still shows an MQL",
        "A write to the marketing platform was lost or taken back.",
        "Push ours.",
    ),
    Code.MAP_MQL_NOT_IN_CRM: About(
        Severity.HIGH,
        "The lead qualified and is not in the CRM",
        "It was never created there, or the connection may not create records.",
        "Push ours. Where the connection makes no records, make one there or let it make them.",
    ),
    Code.CRM_OPP_NOT_IN_MAP: About(
        Severity.HIGH,
        "It became an opportunity, which the marketing platform does not know",
        "A write to the marketing platform was lost or taken back.",
        "Push ours.",
    ),
    Code.CRM_OWNER_NE_APP_OWNER: About(
        Severity.MEDIUM,
        "The CRM has another owner than we have",
        "Somebody changed the owner in the CRM, or an assignment rule there did.",
        "Adopt theirs if sales moved it on purpose, else push ours.",
    ),
    Code.REASON_MISSING: About(
        Severity.MEDIUM,
        "It was rejected and the reason is missing there",
        "The field is not mapped for writing, or a rule there empties it.",
        "Push ours. If it is empty again the next day, look at the mapping and at rules there.",
    ),
    Code.REVISION_BEHIND: About(
        Severity.HIGH,
        "The record is older than what we wrote",
        "A write was lost, or a backup was restored.",
        "Push ours.",
    ),
    Code.REVISION_AHEAD: About(
        Severity.HIGH,
        "The record claims to be newer than we are",
        "Our database was restored, or the field was edited by hand.",
        "Push ours, once it is clear that our database is whole.",
    ),
    Code.EXTERNAL_CHANGE: About(
        Severity.MEDIUM,
        "What we wrote was changed there",
        "Somebody, or a workflow there, edited the record.",
        "Ask whoever changed it: adopt theirs if it is so, else push ours.",
    ),
    Code.RECORD_MISSING: About(
        Severity.HIGH,
        "The record is not there",
        "It was never created, or it is out of our reach there.",
        "Push ours. Where the connection makes no records, make one there or let it make them.",
    ),
    Code.RECORD_MERGED: About(
        Severity.MEDIUM,
        "The record was merged into another one there",
        "Somebody merged duplicates there.",
        "Follow the merge: ours is written into the record that is left.",
    ),
    Code.RECORD_DELETED: About(
        Severity.HIGH,
        "The record was deleted there",
        "Somebody deleted it.",
        "Push ours to make it anew, or adopt it: then their record is forgotten here.",
    ),
    Code.DUPLICATE_LINK: About(
        Severity.MEDIUM,
        "Several records there are this one person",
        "Duplicates there that nobody has merged.",
        "Merge them there. It is settled when the next run sees one.",
    ),
    Code.EMAIL_MISMATCH: About(
        Severity.MEDIUM,
        "The record has another e-mail address",
        "The address was changed on one side alone.",
        "Adopt theirs if it is the newer one, else correct it there.",
    ),
    Code.OPTED_OUT_BUT_ACTIVE: About(
        Severity.HIGH,
        "One side says that they opted out, the other does not",
        "The refusal of mail did not travel from one system to the other.",
        "Adopt theirs, or set it there as it is here. In doubt they opted out.",
    ),
    Code.STATUS_UNMAPPED: About(
        Severity.MEDIUM,
        "The status there is none that we know",
        "A new value was added there that the mapping lacks.",
        "Add the value to the mapping, or push ours over it.",
    ),
    Code.TIME_REGRESSION: About(
        Severity.MEDIUM,
        "The record went back in time",
        "An older copy was written over it, such as by an import or a restored backup.",
        "Push ours, unless the older copy was restored on purpose.",
    ),
    Code.STALE_CURSOR: About(
        Severity.HIGH,
        "Nothing has come in for much longer than usual",
        "Polling or their webhooks have stopped.",
        "Look at the connection: is it paused, and do its credentials hold?",
    ),
    Code.OUTBOX_STUCK: About(
        Severity.HIGH,
        "What is owed has not left for long",
        "The connection is paused, spared or too slow.",
        "Look at the connection: what holds it up stands there.",
    ),
    Code.DEAD_LETTER: About(
        Severity.HIGH,
        "A delivery was given up",
        "The other side refused it for good, or never answered.",
        "Read the answer, mend what it names, and send it once more.",
    ),
}
DriftOf = Callable[..., "Drift"]
_ACCEPTED = frozenset({Status.ACCEPTED, Status.CONTACTED, Status.DEFERRED})


@dataclass(frozen=True, slots=True)
class Side:
    """One connection as the run found it for one handoff. `records` None: it could not be read. `known_id` is
    the record's id as we have it, "" when we never had one; `seen_before` what was last told of it and
    when, before this run; `kept` the fields that a record keeps whatever we write, by its id."""

    connection_id: int
    role: Connection.Role
    mapping: Map
    expected: Mapping[str, str]
    records: Sequence[Seen] | None
    known_id: str = ""
    seen_before: Mapping[str, str] = field(default_factory=dict)
    seen_before_at: datetime | None = None
    kept: Mapping[str, Collection[str]] = field(default_factory=dict)
    is_in_flight: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether the record that we know is dead there, though there may be another of the same person."""
        living = {one.remote_id for one in living_of(self.records)}
        return any(one.remote_id == self.known_id for one in self.records or ()) and (
            self.known_id not in living
        )

    @property
    def seen(self) -> Seen | None:
        """The record that is compared: the one that we know where there are several; none of the dead."""
        living = living_of(self.records)
        return next((one for one in living if one.remote_id == self.known_id), next(iter(living), None))


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that does not agree; `values` by side: ours and theirs, and the field where it is one."""

    code: Code
    connection_id: int
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> About:
        return ABOUT[self.code]


def drifts(wanted: Wanted, side: Side, *, opted_out: bool, email_key: str) -> list[Drift]:
    """What does not agree between us and this side; nothing for a side that could not be read or in flight.

    `email_key` is our normalised address; their records' addresses are compared in the same form.
    """
    if side.records is None or side.is_in_flight:
        return []

    def drift(code: Code, ours: str = "", theirs: str = "", name: str = "") -> Drift:
        values = {"ours": ours, "theirs": theirs, **({"field": name} if name else {})}
        return Drift(code, side.connection_id, values)

    living, seen = living_of(side.records), side.seen
    if seen is None or side.is_lost:
        return [_absent(wanted, side, drift)]
    found = []
    if len(living) > 1:
        found.append(drift(Code.DUPLICATE_LINK, side.known_id, ", ".join(seen.remote_id for seen in living)))
    found += _state(wanted, side, seen, drift)
    if email_key and seen.email and normalise_email(seen.email) != email_key:
        # Without the addresses: those are read again for whoever looks.
        found.append(drift(Code.EMAIL_MISMATCH))
    if seen.opted_out is not None and seen.opted_out != opted_out:
        words = {True: "opted out", False: "may be mailed"}
        found.append(drift(Code.OPTED_OUT_BUT_ACTIVE, words[opted_out], words[seen.opted_out]))
    return found


def living_of(records: Sequence[Seen] | None) -> list[Seen]:
    """Without those that were deleted or merged."""
    return [one for one in records or () if not one.is_deleted and not one.merged_into]


def _absent(wanted: Wanted, side: Side, drift: DriftOf) -> Drift:
    records = side.records or ()
    merged = [seen for seen in records if seen.merged_into]
    if merged:
        return drift(Code.RECORD_MERGED, side.known_id, merged[0].merged_into)
    if records:
        return drift(Code.RECORD_DELETED, side.known_id)
    if not side.known_id and side.role in (Connection.Role.CRM, Connection.Role.BOTH):
        return drift(Code.MAP_MQL_NOT_IN_CRM, str(wanted.status))
    return drift(Code.RECORD_MISSING, side.known_id or str(wanted.status))


def _state(wanted: Wanted, side: Side, seen: Seen, drift: DriftOf) -> list[Drift]:
    """What the record says of the handoff, each difference under its most telling name."""
    names, kept = side.mapping.fields, side.kept.get(seen.remote_id, ())
    differing = {
        name: (value, seen.values.get(name, ""))
        for name, value in side.expected.items()
        if name not in kept and value != seen.values.get(name, "")
    }
    if not differing:
        return []
    found = []
    theirs = side.mapping.status_of(seen.values, kept)
    status_fields = [
        name for name in (*side.mapping.status_fields, names.get("status", "")) if name in differing
    ]
    their_revision = _number(seen.values.get(names.get("revision", ""), ""))
    if status_fields:
        told = {name: seen.values.get(name, "") for name in status_fields}
        shown = ", ".join(value or "nothing" for value in told.values())
        code = _status_code(wanted.status, theirs, side.role)
        if theirs is None and code is None and any(told.values()) and not _is_ours(side, told):
            code = Code.STATUS_UNMAPPED
        if code is not None:
            found.append(drift(code, str(wanted.status), shown, ", ".join(told)))
            for name in status_fields:
                differing.pop(name, None)
    owner = names.get("owner", "")
    if owner in differing and side.role in (Connection.Role.CRM, Connection.Role.BOTH):
        ours, other = differing.pop(owner)
        found.append(drift(Code.CRM_OWNER_NE_APP_OWNER, ours, other, owner))
    reason = names.get("reason", "")
    if reason in differing and differing[reason][0] and not differing[reason][1]:
        found.append(drift(Code.REASON_MISSING, differing.pop(reason)[0], "", reason))
    if their_revision is not None and names["revision"] in differing:
        differing.pop(names["revision"])
        if their_revision > wanted.revision:
            found.append(drift(Code.REVISION_AHEAD, str(wanted.revision), str(their_revision)))
        elif not found:
            # Behind with all of its values: one write was lost, and that is the whole story.
            return [drift(Code.REVISION_BEHIND, str(wanted.revision), str(their_revision))]
    if differing and not found:
        code = Code.TIME_REGRESSION if _went_back(side, seen, differing) else Code.EXTERNAL_CHANGE
        name, (ours, other) = next(iter(differing.items()))
        found.append(drift(code, ours, other, ", ".join(differing) if len(differing) < 6 else name))
    return found


def _went_back(side: Side, seen: Seen, differing: Collection[str]) -> bool:
    """Whether a value differs from what was last seen there, and by its own word was changed before that."""
    if side.seen_before_at is None or seen.changed_at is None or seen.changed_at >= side.seen_before_at:
        return False
    before = side.seen_before
    return any(name in before and before[name] != seen.values.get(name, "") for name in differing)


def _status_code(ours: Status, theirs: Status | None, role: Connection.Role) -> Code | None:
    """The name of a marketing platform that still shows an MQL, by what became of it."""
    if role not in (Connection.Role.MAP, Connection.Role.BOTH) or theirs != Status.PENDING:
        return None
    if ours == Status.OPPORTUNITY:
        return Code.CRM_OPP_NOT_IN_MAP
    if ours in _ACCEPTED:
        return Code.CRM_ACCEPTED_MAP_MQL
    return Code.CRM_REJECTED_MAP_MQL if ours in (Status.REJECTED, Status.DISQUALIFIED) else None


def _is_ours(side: Side, told: Mapping[str, str]) -> bool:
    """Whether each value there is one that we write ourselves for some status."""
    written = side.mapping.statuses.values()
    canonical = {side.mapping.fields.get("status", ""): {str(status) for status in Status}}
    return all(
        not value or value in canonical.get(name, ()) or any(values.get(name) == value for values in written)
        for name, value in told.items()
    )


def _number(text: str) -> int | None:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a connection lives: since when it was last polled, how often it is, what is owed since when."""

    connection_id: int
    polled_at: datetime | None
    polls_every: timedelta | None
    oldest_owed_at: datetime | None


STALE_AFTER, STUCK_AFTER = 3, timedelta(hours=1)


def of_connection(pulse: Pulse, now: datetime) -> list[Drift]:
    """What is wrong with a connection as such."""
    found = []
    if pulse.polls_every is not None:
        quiet = now - pulse.polled_at if pulse.polled_at else None
        if quiet is not None and quiet > max(pulse.polls_every * STALE_AFTER, timedelta(minutes=5)):
            found.append(Drift(Code.STALE_CURSOR, pulse.connection_id, {"theirs": f"{quiet}"}))
    if pulse.oldest_owed_at is not None and now - pulse.oldest_owed_at > STUCK_AFTER:
        since = now - pulse.oldest_owed_at
        found.append(Drift(Code.OUTBOX_STUCK, pulse.connection_id, {"ours": f"{since}"}))
    return found
