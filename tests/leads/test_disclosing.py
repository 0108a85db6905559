"""What is held about a person: all of it, of nobody else, each time logged; as JSON, page and command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import disclosing, lifecycle
from leads.choices import Why
from leads.lifecycle import Act
from leads.models import (
    Complaint,
    DuplicatePair,
    EnrichmentAttempt,
    ExternalId,
    ImportPart,
    Lead,
    LeadImport,
    PrivacyAct,
    Receipt,
    TriageItem,
    Waiver,
)
from routing.models import Absence
from tests.acting import at, by
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_handoff, make_lead, make_score
from tests.leads.erasure.planted import MARK, plant
from tests.leads.views.asking import SignIn, html, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def lead(cast: Cast) -> Lead:
    """Somebody with a bit of everything, and a namesake who must not come along."""
    lead = make_lead(
        first_name="Jane", last_name="Doe", email="jane@acme.com", phone="+49 30 5550100", email_opt_out=True,
        custom={"pet": "cat"},
    )  # fmt: skip
    handoff = make_handoff("working", cast.femke, lead=lead)
    lifecycle.note(handoff.pk, by(cast.femke, minutes=3), text="Likes boats")
    make_activity(lead, kind="chat", title="SSO", properties={"message": "Do you?"})
    make_score(lead, reasons={"fit": [{"code": "size", "label": "Size", "points": 40}]})
    gone = make_lead(first_name="Janet", last_name="Doe", email="janet@acme.com")
    lifecycle.merge(lead, gone, by(cast.otto, minutes=4))
    other = make_lead(first_name="Olga", last_name="Other", email="olga@acme.com")
    DuplicatePair.objects.create(first=lead, second=other, found_at=NOW, evidence={"same": "company"})
    ExternalId.objects.create(lead=lead, system="map", object="contact", value="15")
    Receipt.objects.create(
        source="/map", event_id="e1", kind="lead.updated", body_digest="x", status="processed", answer={},
        lead=lead, received_at=NOW,
    )  # fmt: skip
    run = LeadImport.objects.create(
        name="fair.csv", digest="x", header=["E-mail", "Name"], as_of=NOW, created_at=NOW, status="done"
    )
    rows = [
        [2, "JANE@acme.com", "Jane Doe"],
        [3, "jane@elsewhere.org", "Jane Doe"],
        [4, "olga@acme.com", "O"],
    ]
    ImportPart.objects.create(lead_import=run, position=0, rows=rows)
    Absence.objects.create(user=cast.jonas, starts_at=NOW, ends_at=at(days=5), note="Surgery")
    EnrichmentAttempt.objects.create(lead=lead, provider="http", result="nothing", at=NOW)
    TriageItem.objects.create(lead=lead, kind="suppressed", at=NOW)
    Waiver.objects.create(handoff=handoff, check_code="full_name", reason="Known", by=cast.otto, at=NOW)
    Complaint.objects.create(handoff=handoff, lead=lead, field="phone", text="Wrong", by=cast.femke, at=NOW)
    return Lead.objects.get(pk=lead.pk)


def held(lead: Lead) -> dict[str, Any]:
    # As it would be sent: nothing in it that JSON does not know.
    found: dict[str, Any] = json.loads(json.dumps(disclosing.held_about(lead, LATER)))
    return found


def test_everything_is_in_it(cast: Cast, lead: Lead) -> None:
    found = held(lead)
    person = found["person"]
    assert (person["first_name"], person["custom"]) == ("Jane", {"pet": "cat"})
    assert [row["email"] for row in person["former_addresses"]] == ["janet@acme.com"]
    assert person["ids"] == [{"system": "map", "object": "contact", "id": "15"}]
    [other] = found["merged"]
    assert (other["first_name"], other["by"], other["merged_at"]) == (
        "Janet",
        "Otto Maier",
        "2026-03-10T10:04:00Z",
    )
    assert found["consent"]["email_opt_out"]["refused"] is True
    assert [row["kind"] for row in found["activities"]] == ["pricing_view", "chat"]
    assert found["activities"][1]["properties"] == {"message": "Do you?"}
    assert found["scores"][-1]["reasons"]["fit"][0]["label"] == "Size"
    [handoff] = found["handoffs"]
    assert (handoff["state"], handoff["holder"]) == ("Working", "Femke de Boer")
    assert handoff["notes"] == [{"at": "2026-03-10T10:03:00Z", "by": "Femke de Boer", "text": "Likes boats"}]
    assert {"at": "2026-03-10T10:00:00Z", "what": "Assigned", "by": "the system", "to": "Femke de Boer"} in (
        handoff["events"]
    )
    assert (handoff["waivers"][0]["reason"], handoff["reports"][0]["text"]) == ("Known", "Wrong")
    assert (handoff["contacts"][0]["channel"], handoff["routing"][0]["facts"]["country"]) == ("phone", "DE")
    assert found["received"][0]["id"] == "e1"
    assert [(row["to"], row["what"]) for row in found["told"]] == [("Femke de Boer", "New lead for you")]
    assert [(row["row"], row["cells"]) for row in found["files"]] == [
        (2, {"E-mail": "JANE@acme.com", "Name": "Jane Doe"})
    ]
    assert (len(found["enrichment"]), len(found["waiting"]), found["possible_duplicates"]) == (1, 1, 1)


def test_of_others_only_colleagues_are_named_as_those_who_acted(cast: Cast, lead: Lead) -> None:
    text = json.dumps(held(lead))
    for hidden in ("Olga", "olga@", "jane@elsewhere.org", "Surgery", "handoff.example.com"):
        assert hidden not in text, hidden


def test_what_an_erasure_would_empty_is_in_it(cast: Cast) -> None:
    lead = make_lead()
    handoff = make_handoff("working", cast.femke, lead=lead)
    plant(lead, handoff)
    found = held(Lead.objects.get(pk=lead.pk))
    parts = [name for name, part in found.items() if MARK in json.dumps(part)]
    assert parts == [
        "person",
        "held_back",
        "activities",
        "scores",
        "handoffs",
        "enrichment",
        "received",
        "said_elsewhere",
        "told",
    ]
    inner = [name for name, part in found["handoffs"][0].items() if MARK in json.dumps(part)]
    assert inner == [
        "trigger_reason", "opportunity_id", "opportunity_stage", "notes", "rejections", "deferrals",
        "contacts", "waivers", "reports", "checks", "routing",
    ]  # fmt: skip


def test_each_time_it_is_logged(as_: SignIn, cast: Cast, lead: Lead) -> None:
    client = as_(cast.otto)
    client.get(f"/leads/{lead.pk}/held/")
    client.get(f"/leads/{lead.pk}/held.json")
    out = StringIO()
    call_command("export_person", "Jane@ACME.com", stdout=out)
    assert json.loads(out.getvalue())["person"]["last_name"] == "Doe"
    acts = PrivacyAct.objects.order_by("pk").values_list("kind", "by", "lead")
    assert list(acts) == [("exported", pk, lead.pk) for pk in (cast.otto.pk, cast.otto.pk, None)]
    assert "Handed out by Otto Maier" in html(client.get(f"/leads/{lead.pk}/"))
    assert [row["by"] for row in held(lead)["acts"]] == ["Otto Maier", "Otto Maier", "the system"]


def test_by_command_a_former_address_is_enough_and_an_unknown_one_is_said_to_be(
    cast: Cast, lead: Lead
) -> None:
    out = StringIO()
    call_command("export_person", "janet@acme.com", stdout=out)
    assert json.loads(out.getvalue())["person"]["email"] == "jane@acme.com"
    for unknown in ("nobody@acme.com", "nonsense", ""):
        with pytest.raises(CommandError, match="Nobody is known"):
            call_command("export_person", unknown, stdout=StringIO())
    lifecycle.erase(lead.pk, by(cast.otto, minutes=9), Why.ASKED)
    with pytest.raises(CommandError, match="Nobody is known"):
        call_command("export_person", "jane@acme.com", stdout=StringIO())


# The page and the file


def test_the_page_reads_and_the_file_is_the_same(as_: SignIn, cast: Cast, lead: Lead) -> None:
    client = as_(cast.ada)
    response = client.get(f"/leads/{lead.pk}/held/")
    page = html(response)
    assert response["Cache-Control"] == "no-store"
    for words in (
        "What is held about Jane Doe",
        "Likes boats",
        "janet@acme.com",
        "New lead for you",
        "Pet: cat",
    ):
        assert words in page, words
    assert "olga" not in page.lower()
    response = client.get(f"/leads/{lead.pk}/held.json")
    assert response["Content-Disposition"] == f'attachment; filename="person-{lead.pk}.json"'
    assert response.json() == held(lead) | {"acts": response.json()["acts"]}


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    lead = make_lead(first_name="<script>alert(1)</script>", custom={"<i>": "<b>x</b>"})
    page = html(as_(cast.otto).get(f"/leads/{lead.pk}/held/"))
    assert "<script>alert" not in page
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page


def test_only_for_marketing_and_admins(as_: SignIn, client: Any, cast: Cast, lead: Lead) -> None:
    urls = (f"/leads/{lead.pk}/held/", f"/leads/{lead.pk}/held.json")
    sent_to_sign_in(client, *urls)
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, get=urls)
        assert "/held/" not in html(as_(user).get(f"/leads/{lead.pk}/")) if user != cast.mia else True
    refuses(as_(cast.otto), 405, post=urls)
    refuses(as_(cast.otto), 404, get=("/leads/987654/held/", "/leads/987654/held.json"))
    assert not PrivacyAct.objects.exists()


def test_whoever_was_erased_is_nobody(as_: SignIn, cast: Cast, lead: Lead) -> None:
    lifecycle.erase(lead.pk, Act(LATER, cast.otto), Why.ASKED)
    refuses(as_(cast.otto), 404, get=(f"/leads/{lead.pk}/held/", f"/leads/{lead.pk}/held.json"))


def test_a_constant_number_of_queries(cast: Cast, lead: Lead) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as found:
            disclosing.held_about(lead, LATER)
        return len(found)

    DuplicatePair.objects.update(status="different")
    Complaint.objects.update(cleared_at=NOW)
    one = count()
    lifecycle.disqualify(lead.handoffs.get().pk, by(cast.femke, minutes=9), reason="not_icp")
    for days in (1, 2):
        handoff = make_handoff("disqualified", cast.femke, lead=lead, at=at(days=days))
        lifecycle.note(handoff.pk, by(cast.otto, days=days, minutes=3), text="More")
        make_activity(lead, at=at(days=days))
    # Each version of the rules is read once a process.
    count()
    assert count() == one
