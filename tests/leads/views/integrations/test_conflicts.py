"""What systems say against a field's owner: on the person's pages, beside the connection, and as a list."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads.models import Connection, FieldConflict, Lead
from leads.presenters.conflicts import label, said
from tests.factories import make_handoff, make_lead
from tests.leads.views.asking import html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import NOW, PAGE, made

pytestmark = pytest.mark.django_db
URL = f"{PAGE}conflicts/"
SAID = NOW - timedelta(hours=3, minutes=1)


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def crm(cast) -> Connection:
    return made("Salesforce", kind="salesforce", role="crm")


@pytest.fixture
def map_(cast) -> Connection:
    return made("Mautic", kind="mautic", role="map")


def conflict(lead: Lead, owner: Connection, other: Connection, **fields: Any) -> FieldConflict:
    values = {"field": "lead.phone", "value": "+49 30 2", "said_at": SAID, "found_at": SAID} | fields
    return FieldConflict.objects.create(lead=lead, owner=owner, other=other, **values)


def test_it_stands_on_the_pages_of_the_person(cast, as_, crm, map_):
    handoff = make_handoff("assigned", cast.femke)
    lead = handoff.lead
    Lead.objects.filter(pk=lead.pk).update(phone="+49 30 1")
    lead.company.employee_count = 200
    lead.company.save()
    pages = f"/handoffs/{handoff.pk}/", f"/leads/{lead.pk}/"
    for url in pages:
        assert "What others say" not in html(as_(cast.femke).get(url))
    conflict(lead, crm, map_)
    conflict(lead, crm, map_, field="company.employee_count", value="250")
    conflict(lead, crm, map_, field="lead.job_title", value="<b>", settled_at=NOW)
    for url in pages:
        body = html(as_(cast.femke).get(url))
        assert "Handoff says +49 30 1, Mautic says +49 30 2." in body
        assert "Handoff says 200, Mautic says 250." in body
        assert "Salesforce owns it, so ours stays" in body and "3 h ago" in body
        assert "&lt;b&gt;" not in body and "<b></b>" not in body


def test_who_is_not_shown_personal_data_reads_no_value_of_the_person(cast, as_, crm, map_):
    handoff = make_handoff("assigned", cast.femke)
    conflict(handoff.lead, crm, map_)
    conflict(handoff.lead, crm, map_, field="company.industry", value="Shipping")
    for url in (f"/handoffs/{handoff.pk}/", f"/leads/{handoff.lead_id}/"):
        body = html(as_(cast.vera).get(url))
        assert "Handoff and Mautic say different things." in body and "Mautic says Shipping" in body
        assert "+49 30 2" not in body


def test_the_connection_counts_them_on_either_side(cast, as_, crm, map_):
    lead = make_lead()
    client = as_(cast.otto)
    assert "Conflicts</dt>" not in html(client.get(f"{PAGE}mautic/"))
    conflict(lead, crm, map_)
    conflict(lead, crm, map_, field="lead.email", settled_at=NOW)
    for name in ("mautic", "salesforce"):
        response = client.get(f"{PAGE}{name}/")
        assert response.context["conflicts"] == "1"
        assert f'<a href="{URL}?connection={name}">1</a>' in html(response)


def test_the_list_is_narrowed_and_paged(cast, as_, crm, map_):
    other = made("HubSpot", kind="hubspot", role="crm")
    ada, bob, gone = make_lead(), make_lead(), make_lead()
    newest = conflict(ada, crm, map_, found_at=NOW)
    title = conflict(ada, other, map_, field="lead.job_title", value="<script>")
    old = conflict(bob, crm, other, found_at=NOW - timedelta(days=9))
    over = conflict(bob, crm, map_, settled_at=NOW, found_at=NOW - timedelta(days=10))
    conflict(gone, crm, map_)
    Lead.objects.filter(pk=gone.pk).update(merged_into=ada)
    client = as_(cast.otto)
    for query, found in {
        "": [newest, title, old],
        "connection=mautic": [newest, title],
        "connection=hubspot": [title, old],
        "field=lead.phone": [newest, old],
        f"lead={bob.pk}": [old],
        "settled=yes": [over],
        "settled=any&connection=mautic": [newest, title, over],
    }.items():
        lines = client.get(f"{URL}?{query}").context["lines"]
        seen = [(line.lead, line.field) for line in lines]
        assert seen == [(row.lead_id, label(row.field)) for row in found], query
    body = html(client.get(URL))
    assert "&lt;script&gt;" in body and "<script>alert" not in body
    assert "There is no such connection" in html(client.get(f"{URL}?connection=x"))
    assert "No conflict fits." in html(client.get(f"{URL}?field=none"))
    FieldConflict.objects.bulk_create(
        FieldConflict(
            lead=make_lead(),
            field="lead.phone",
            owner=crm,
            other=map_,
            value="1",
            said_at=SAID,
            found_at=SAID,
        )
        for _ in range(50)
    )
    first = client.get(f"{URL}?connection=mautic")
    second = client.get(f"{URL}{first.context['more']}")
    leads = [line.lead for response in (first, second) for line in response.context["lines"]]
    assert (len(leads), second.context["more"]) == (52, "")
    assert leads.count(ada.pk) == 2 and len(set(leads)) == 51


def test_there_are_none(cast, as_):
    assert "No system says anything against" in html(as_(cast.otto).get(URL))


def test_the_queries_do_not_grow(cast, as_, crm, map_):
    handoff = make_handoff("assigned", cast.femke)
    pages = URL, f"/handoffs/{handoff.pk}/", f"/leads/{handoff.lead_id}/", f"{PAGE}mautic/"
    client = as_(cast.otto)
    without = [queries(client, url) for url in pages]
    conflict(handoff.lead, crm, map_)
    one = [queries(client, url) for url in pages]
    for field in ("lead.email", "company.name"):
        conflict(handoff.lead, crm, map_, field=field)
        conflict(make_handoff("assigned", cast.femke).lead, crm, map_, field=field)
    assert [queries(client, url) for url in pages] == one
    # Only whoever has one is asked about twice.
    assert [after - before for before, after in zip(without, one, strict=True)] == [0, 1, 0, 0]


def test_whom_it_is_for(cast, as_, client):
    sent_to_sign_in(client, URL)
    for person in (cast.femke, cast.mia, cast.vera):
        refuses(as_(person), 404, get=(URL,))
    refuses(as_(cast.otto), 405, post=(URL,))
    assert as_(cast.ada).get(URL).status_code == 200


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("250", "250"), ("2340", "2,340"), ("true", "yes"), (False, "no"), (None, ""), ("", ""),
        ("+49 1", "+49 1"),
        ("007", "007"), ("1e5", "1e5"), ('{"amount": "5"}', '{"amount": "5"}'), ("[" * 9000, None),
        (1234567, "1,234,567"),
    ],
)  # fmt: skip
def test_a_value_is_read_as_one_writes_it(value: Any, shown: str | None) -> None:
    found = said(value)
    assert found == shown if shown is not None else len(found) <= 81


def test_fields_have_names() -> None:
    names = ["lead.phone", "lead.consent.email_opt_out", "lead.custom.shoe_size", "company.employee_count"]
    assert [label(name) for name in names] == ["Phone", "Email opt out", "Shoe size", "Employees"]
