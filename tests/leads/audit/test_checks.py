"""The named checks: each planted drift under its own name, and nothing where nothing is wrong."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.audit.checks import ABOUT, Code, Pulse, Side, drifts, of_connection
from leads.connectors.base import Seen
from leads.connectors.mapping import Map, values
from leads.models import Connection
from leads.outbox import Wanted
from leads.outbox.wanted import Status

NOW = datetime(2026, 3, 10, 10, tzinfo=UTC)
MAPPING = Map(
    fields={"status": "handoff_status", "reason": "handoff_reason", "revision": "handoff_revision",
            "owner": "owner", "first_contact_at": "first_contact"},
    statuses={
        "pending": {"stage": "MQL"},
        "accepted": {"stage": "SAL"},
        "contacted": {"stage": "SAL2"},
        "deferred": {"stage": "Nurture"},
        "rejected": {"stage": "Recycled"},
        "disqualified": {"stage": "Out"},
        "opportunity": {"stage": "SQL"},
        "closed": {"stage": "Closed"},
    },
    owners={"femke@handoff.example.com": "7"},
)  # fmt: skip


def wanted(status: Status = Status.ACCEPTED, **fields: Any) -> Wanted:
    ours: dict[str, Any] = {
        "lead_id": 1, "handoff_id": 2, "revision": 5, "status": status, "owner": "femke@handoff.example.com"
    }  # fmt: skip
    return Wanted(**ours | fields)


def side(want: Wanted, there: Mapping[str, str] | None = None, role: str = "map", **fields: Any) -> Side:
    """A side whose one record says what it should, but for `there`."""
    expected = values(want, MAPPING)
    record = Seen("contact", "15", {**expected, **(there or {})}, email="ada@example.com", changed_at=NOW)
    ours: dict[str, Any] = {
        "connection_id": 9, "role": Connection.Role(role), "mapping": MAPPING, "expected": expected,
        "records": [record], "known_id": "15",
    }  # fmt: skip
    return Side(**ours | fields)


def codes(want: Wanted, there: Side, *, opted_out: bool = False) -> list[str]:
    return [
        str(drift.code) for drift in drifts(want, there, opted_out=opted_out, email_key="ada@example.com")
    ]


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("role", ["map", "crm", "both"])
def test_what_agrees_is_no_finding(status: Status, role: str) -> None:
    want = wanted(status, reason="wrong_title" if status == Status.REJECTED else "")
    assert codes(want, side(want, role=role)) == []


REJECTED = {"reason": "wrong_title"}
MQL = {"stage": "MQL", "handoff_status": "pending"}


@pytest.mark.parametrize(
    ("status", "fields", "there", "role", "code"),
    [
        (Status.ACCEPTED, {}, MQL, "map", "CRM_ACCEPTED_MAP_MQL"),
        (Status.CONTACTED, {}, MQL, "both", "CRM_ACCEPTED_MAP_MQL"),
        (Status.ACCEPTED, {}, {**MQL, "handoff_revision": "3"}, "map", "CRM_ACCEPTED_MAP_MQL"),
        (Status.REJECTED, REJECTED, MQL, "map", "CRM_REJECTED_MAP_MQL"),
        (Status.OPPORTUNITY, {}, MQL, "map", "CRM_OPP_NOT_IN_MAP"),
        (Status.ACCEPTED, {}, MQL, "crm", "EXTERNAL_CHANGE"),
        (Status.ACCEPTED, {}, {"owner": "8"}, "crm", "CRM_OWNER_NE_APP_OWNER"),
        (Status.ACCEPTED, {}, {"owner": "8"}, "map", "EXTERNAL_CHANGE"),
        (Status.REJECTED, REJECTED, {"handoff_reason": ""}, "crm", "REASON_MISSING"),
        (Status.REJECTED, REJECTED, {"handoff_reason": "timing"}, "crm", "EXTERNAL_CHANGE"),
        (Status.ACCEPTED, {}, {"handoff_revision": "4"}, "crm", "REVISION_BEHIND"),
        (Status.ACCEPTED, {}, {"handoff_revision": "4", "stage": "SAL2"}, "crm", "REVISION_BEHIND"),
        (Status.ACCEPTED, {}, {"handoff_revision": "6"}, "crm", "REVISION_AHEAD"),
        (Status.ACCEPTED, {}, {"stage": "Recycled"}, "crm", "EXTERNAL_CHANGE"),
        (Status.ACCEPTED, {}, {"stage": "Hot lead"}, "map", "STATUS_UNMAPPED"),
    ],
)  # fmt: skip
def test_each_drift_has_its_name(
    status: Status, fields: dict[str, Any], there: dict[str, str], role: str, code: str
) -> None:
    want = wanted(status, **fields)
    assert codes(want, side(want, there, role)) == [code]


def test_a_record_that_went_back_in_time() -> None:
    want = wanted(first_contact_at=NOW)
    later, was = NOW + timedelta(hours=1), {"first_contact": "2026-03-10T10:00:00Z"}
    went_back = side(want, {"first_contact": ""}, seen_before=was, seen_before_at=later)
    assert codes(want, went_back) == ["TIME_REGRESSION"]
    # What was seen by then is no older copy.
    told = side(want, {"first_contact": ""}, seen_before={"first_contact": ""}, seen_before_at=later)
    assert codes(want, told) == ["EXTERNAL_CHANGE"]
    edited = side(want, {"first_contact": ""}, seen_before=was, seen_before_at=NOW - timedelta(hours=1))
    assert codes(want, edited) == ["EXTERNAL_CHANGE"]


def test_what_the_record_keeps_is_no_drift() -> None:
    want = wanted(Status.REJECTED, reason="wrong_title")
    there = side(want, {"stage": "Customer"}, kept={"15": ("stage",)})
    assert codes(want, there) == []
    assert codes(want, side(want, {"stage": "Customer"})) == ["STATUS_UNMAPPED"]


@pytest.mark.parametrize("email", ["Ada@Example.com ", "ada@example.com"])
def test_an_address_is_compared_by_its_key(email: str) -> None:
    want = wanted()
    record = Seen("contact", "15", dict(values(want, MAPPING)), email=email)
    assert codes(want, side(want, records=[record])) == []


def test_records_that_are_not_there() -> None:
    want = wanted()
    gone = Seen("contact", "15", {}, is_deleted=True)
    merged = Seen("contact", "15", {}, merged_into="16")
    assert codes(want, side(want, records=[], known_id="", role="crm")) == ["MAP_MQL_NOT_IN_CRM"]
    assert codes(want, side(want, records=[], known_id="", role="map")) == ["RECORD_MISSING"]
    assert codes(want, side(want, records=[], role="crm")) == ["RECORD_MISSING"]
    assert codes(want, side(want, records=[gone])) == ["RECORD_DELETED"]
    assert codes(want, side(want, records=[merged])) == ["RECORD_MERGED"]


def test_two_records_of_one_person_the_known_one_is_compared() -> None:
    want = wanted()
    right = side(want).records
    assert right is not None
    other = replace(right[0], remote_id="99", values={})
    assert codes(want, side(want, records=[other, right[0]])) == ["DUPLICATE_LINK"]


def test_an_address_and_a_refusal_of_mail_that_differ() -> None:
    want = wanted()
    right = side(want).records
    assert right is not None
    moved = side(want, records=[replace(right[0], email="ada@elsewhere.example.com")])
    assert codes(want, moved) == ["EMAIL_MISMATCH"]
    assert drifts(want, moved, opted_out=False, email_key="ada@example.com")[0].values == {
        "ours": "",
        "theirs": "",
    }
    out = side(want, records=[replace(right[0], opted_out=True)])
    assert codes(want, out) == ["OPTED_OUT_BUT_ACTIVE"]
    assert codes(want, out, opted_out=True) == []
    assert codes(want, side(want), opted_out=True) == []


def test_what_is_in_flight_or_could_not_be_read_says_nothing() -> None:
    want = wanted()
    assert codes(want, side(want, MQL, is_in_flight=True)) == []
    assert codes(want, side(want, records=None)) == []


WRITTEN = st.sampled_from(["stage", "handoff_status", "handoff_revision", "owner", "first_contact"])


@given(
    st.dictionaries(WRITTEN, st.text(max_size=12), max_size=5),
    st.sampled_from(list(Status)),
    st.sampled_from(["map", "crm", "both"]),
)
def test_every_difference_is_a_finding(there: dict[str, str], status: Status, role: str) -> None:
    want = wanted(status, first_contact_at=NOW)
    expected = values(want, MAPPING)
    differs = any(expected[name] != value for name, value in there.items())
    found = drifts(want, side(want, there, role), opted_out=False, email_key="ada@example.com")
    assert bool(found) == differs
    assert all(drift.about is ABOUT[drift.code] for drift in found)


def test_a_connection_that_went_silent_or_is_stuck() -> None:
    well = Pulse(9, NOW - timedelta(minutes=10), timedelta(minutes=5), NOW - timedelta(minutes=59))
    assert of_connection(well, NOW) == []
    silent = replace(well, polled_at=NOW - timedelta(minutes=16))
    stuck = replace(well, oldest_owed_at=NOW - timedelta(minutes=61))
    never_polls = replace(silent, polls_every=None)
    assert [drift.code for drift in of_connection(silent, NOW)] == [Code.STALE_CURSOR]
    assert [drift.code for drift in of_connection(stuck, NOW)] == [Code.OUTBOX_STUCK]
    assert of_connection(never_polls, NOW) == []
