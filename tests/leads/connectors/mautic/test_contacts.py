"""A contact read: whatever PHP makes of empty lists, ids and times."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connectors.mapping import merged
from leads.connectors.mautic import USUAL, contacts

FIELDS = {
    "core": {
        "email": {
            "id": "6",
            "label": "Email",
            "alias": "email",
            "type": "email",
            "value": "ada@engines.example",
        },
        "firstname": {"id": "2", "alias": "firstname", "value": "Ada"},
        "country": {"alias": "country", "value": "Germany"},
        "points": {"alias": "points", "value": "12"},
        "phone": {"alias": "phone", "value": None},
    },
    "social": [],
    "personal": [],
    "professional": {
        "companynumber_of_employees": {"alias": "companynumber_of_employees", "value": "420"},
        "handoff_status": {"alias": "handoff_status", "value": "accepted"},
        "handoff_revision": {"alias": "handoff_revision", "value": "7"},
        "handoff_updated_at": {"alias": "handoff_updated_at", "value": "2026-03-10 10:00:00"},
    },
}


def contact(**more: Any) -> dict[str, Any]:
    return {"id": 15, "points": 12, "fields": FIELDS, "tags": [], "doNotContact": [], **more}


def test_facts_are_read_by_the_mapping() -> None:
    assert contacts.parts(contact(), USUAL) == {
        "lead": {
            "email": "ada@engines.example",
            "first_name": "Ada",
            "phone": None,
            "country_code": "DE",
            "consent": {"email_opt_out": False},
        },
        "company": {"employee_count": 420},
    }


def test_the_form_with_all_fields_flat_reads_the_same() -> None:
    flat = {alias: entry["value"] for group in FIELDS.values() if group for alias, entry in group.items()}
    listed = contact(fields={"all": {"id": 15, **flat}})
    assert contacts.parts(listed, USUAL) == contacts.parts(contact(), USUAL)


@pytest.mark.parametrize(
    ("given_", "refuses"),
    [
        ([], False),
        ({}, False),
        ([{"reason": 1, "channel": "email"}], True),
        ({"0": {"reason": "3", "channel": "email"}}, True),
        ([{"reason": 2, "channel": "email"}], False),
        ([{"reason": 1, "channel": "sms"}], False),
    ],
)
def test_a_refusal_of_mail_is_what_they_or_somebody_said(given_: Any, refuses: bool) -> None:
    said = contacts.parts(contact(doNotContact=given_), USUAL)["lead"]["consent"]
    assert said == {"email_opt_out": refuses}


def test_what_makes_no_sense_is_left_out_and_not_cleared() -> None:
    odd = {"core": {"country": {"value": "Atlantis"}, "companynumber_of_employees": {"value": "many"}}}
    assert contacts.parts({"id": "1", "fields": odd}, USUAL) == {}


def test_text_is_cut_to_what_the_intake_takes() -> None:
    odd = {"core": {"firstname": {"value": "A\x00d\x1ba" + "a" * 3000}, "phone": {"value": "1" * 100}}}
    lead = contacts.parts({"id": "1", "fields": odd}, USUAL)["lead"]
    assert lead["first_name"].startswith("A d a") and len(lead["first_name"]) == 2000
    assert len(lead["phone"]) == 60


def test_the_record_as_it_stands_there() -> None:
    there = contacts.seen(
        contact(
            tags=[{"tag": "sal", "id": 3}, {"tag": "webinar", "id": 9}],
            stage={"id": 3, "name": "SAL"},
            dateModified="2026-03-10T11:00:00+01:00",
            modifiedByUser="Ann Admin",
        ),
        USUAL,
    )
    assert there.values == {
        "handoff_id": "",
        "handoff_revision": "7",
        "handoff_reason": "",
        "handoff_deferred_until": "",
        "handoff_updated_at": "2026-03-10T10:00:00Z",
        "handoff_status": "accepted",
        "stage": "SAL",
        "tags": "sal",
    }
    assert there.changed_at == datetime(2026, 3, 10, 10, tzinfo=UTC)
    assert (there.remote_id, there.email, there.changed_by) == ("15", "ada@engines.example", "Ann Admin")
    assert USUAL.status_of({**there.values}) == "accepted"


def test_an_owner_and_a_score_by_parts_where_they_are_mapped() -> None:
    chosen = merged(USUAL, {"fields": {"owner": "owner"}, "facts": {"score.fit": "fit_points"}})
    fields = {**FIELDS, "professional": {**FIELDS["professional"], "fit_points": {"value": "30.0"}}}  # type: ignore[dict-item]
    assert contacts.seen(contact(owner={"id": "4"}), chosen).values["owner"] == "4"
    assert contacts.seen(contact(owner=None), chosen).values["owner"] == ""
    assert contacts.score(contact(fields=fields), chosen) == {"total": 12, "fit": {"score": 30}}


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


MEMBERS = ("id", "points", "fields", "tags", "stage", "owner", "doNotContact", "dateModified", "dateAdded")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(MEMBERS, nested)))
def test_nothing_that_can_be_json_breaks_the_reading(odd: dict[str, Any]) -> None:
    contacts.parts(odd, USUAL)
    contacts.seen(odd, USUAL)
    contacts.score(odd, USUAL)
    contacts.changed_at(odd)
