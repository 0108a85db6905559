"""The usual mapping: every status apart, by role, and compared in one form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from leads.connectors.hubspot.usual import (
    LEAD_STAGE,
    STAGE,
    STAGES,
    USUAL,
    USUAL_AS_MAP,
    as_compared,
    expected,
    mapping_of,
    steps_back,
)
from leads.connectors.mapping import problems
from leads.outbox.wanted import Status
from tests.conftest import NOW
from tests.leads.connectors.hubspot.conftest import Side, want


def test_every_status_says_where_it_stands_and_can_be_told_from_the_others() -> None:
    assert set(USUAL.statuses) == set(Status)
    for status, values in USUAL.statuses.items():
        assert USUAL.status_of(values) == status
        without_lead = {name: value for name, value in values.items() if name != LEAD_STAGE}
        assert list(without_lead) == [STAGE, "hs_lead_status"]
        same = [other for other, theirs in USUAL.statuses.items() if theirs.items() >= without_lead.items()]
        assert same == [status]


def test_what_sales_has_is_no_longer_marketing_qualified() -> None:
    stages = {status: values[STAGE] for status, values in USUAL.statuses.items()}
    assert [status for status, stage in stages.items() if stage == "marketingqualifiedlead"] == ["pending"]


def test_the_marketing_platform_alone_is_not_told_who_has_it() -> None:
    assert "owner" in USUAL.fields
    assert "owner" not in USUAL_AS_MAP.fields
    assert USUAL_AS_MAP.statuses == USUAL.statuses


@pytest.mark.parametrize(("role", "fields"), [("map", USUAL_AS_MAP.fields), ("crm", USUAL.fields)])
def test_the_role_decides_what_is_usual(connect: Any, role: str, fields: Any) -> None:
    assert mapping_of(connect(role).connection).fields == fields


def test_a_connection_keeps_only_what_it_chose_otherwise(connect: Any) -> None:
    chosen = {"statuses": {"accepted": {STAGE: "12345"}}, "owners": {"femke@handoff.example.com": "9"}}
    mapping = mapping_of(connect(mapping=chosen).connection)
    assert mapping.statuses["accepted"] == {STAGE: "12345"}
    assert mapping.statuses["pending"] == {STAGE: "marketingqualifiedlead", "hs_lead_status": "NEW"}
    values = expected(want("pending", owner="femke@handoff.example.com"), mapping)
    assert values["hubspot_owner_id"] == "9"


def test_the_lead_object_is_spoken_of_only_where_it_is_kept(connect: Any) -> None:
    assert LEAD_STAGE not in mapping_of(connect().connection).status_fields
    assert LEAD_STAGE in mapping_of(connect(lead_object=True).connection).status_fields


def test_the_usual_mapping_fits_an_account_with_our_properties(connect: Any) -> None:
    side: Side = connect(lead_object=True)
    assert problems(side.it.mapping, side.it.offered()) == []


def test_what_is_expected_is_in_the_form_in_which_it_is_compared() -> None:
    state = want("deferred", revision=12, deferred_until=NOW, reason="")
    assert expected(state, USUAL_AS_MAP) == {
        "handoff_id": "70",
        "handoff_revision": "12",
        "handoff_status": "deferred",
        "handoff_reason": "",
        "handoff_deferred_until": "2026-03-10T10:00:00Z",
        "handoff_first_contact_at": "",
        "handoff_updated_at": "2026-03-10T10:00:00Z",
        "lifecyclestage": "salesqualifiedlead",
        "hs_lead_status": "BAD_TIMING",
        "leads.hs_pipeline_stage": "attempting-stage-id",
    }


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("handoff_revision", "12.0", "12"),
        ("handoff_revision", 100, "100"),
        ("handoff_revision", "many", "many"),
        ("handoff_updated_at", "2026-03-10T10:00:00.123Z", "2026-03-10T10:00:00Z"),
        ("handoff_reason", None, ""),
        ("zip", "0100.0", "0100.0"),
        ("handoff_revision", Decimal("1E+2"), "100"),
    ],
)
def test_values_are_compared_in_one_form(name: str, value: Any, form: str) -> None:
    assert as_compared(name, value, USUAL) == form


def test_a_stage_is_cleared_only_where_it_goes_back() -> None:
    for there in STAGES:
        for wanted in STAGES:
            assert steps_back(there, wanted) == (STAGES.index(wanted) < STAGES.index(there))
        assert not steps_back("", there)
        assert not steps_back(there, "")
        # Nobody knows whether a stage of the account's own comes before another.
        assert steps_back("998765", there)
        assert steps_back(there, "998765")
    assert not steps_back("998765", "998765")
