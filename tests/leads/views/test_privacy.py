"""The page that erases a person: for whom, with what typed, and what then stands on the lead's page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from leads import lifecycle
from leads.lifecycle import Act
from leads.models import Lead, PrivacyAct
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_handoff, make_lead
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def url(lead: Lead) -> str:
    return f"/leads/{lead.pk}/erase/"


def typed(lead: Lead, **other: Any) -> dict[str, Any]:
    return {"why": "asked", "reference": "GDPR-17", "number": str(lead.pk)} | other


@pytest.mark.parametrize("who", ["otto", "ada"])
def test_marketing_and_admins_erase_after_a_look(as_: SignIn, cast: Cast, who: str) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lead, client = handoff.lead, as_(getattr(cast, who))
    name = lead.full_name
    assert f"/leads/{lead.pk}/erase/" in html(client.get(f"/leads/{lead.pk}/"))
    page = html(client.get(url(lead)))
    assert f"Erase {name}?" in page
    assert "Found: 1 handoff, 1 activity, 1 score with its reasons, 1 message to a colleague." in page
    assert "The open handoff ends" in page
    response = client.post(url(lead), typed(lead))
    assert (response.status_code, response["Location"]) == (302, f"/leads/{lead.pk}/")
    act = PrivacyAct.objects.get()
    assert (act.by, act.why, act.reference) == (getattr(cast, who), "asked", "GDPR-17")
    after = html(client.get(f"/leads/{lead.pk}/"))
    assert "This person was erased" in after
    assert f"Erased by {act.by}" in after
    assert "the person asked for it, case GDPR-17" in after
    assert name not in after
    assert "erase/" not in after
    assert "?edit=1" not in after


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"why": ""}, "why"),
        ({"why": "retention"}, "why"),
        ({"number": ""}, "number"),
        ({"number": "yes"}, "number"),
        ({"reference": "Jane Doe"}, "reference"),
    ],
)
def test_nothing_happens_without_reason_and_number_and_nothing_typed_is_lost(
    as_: SignIn, cast: Cast, wrong: dict[str, str], field: str
) -> None:
    lead = make_lead(first_name="Jane", last_name="Doe")
    response = as_(cast.otto).post(url(lead), typed(lead, **wrong))
    page = html(response, 422)
    assert list(response.context["errors"]) == [field]
    for name, value in typed(lead, **wrong).items():
        if name != "why" or value == "asked":
            assert f'value="{value}"' in page
    lead.refresh_from_db()
    assert (lead.erased_at, PrivacyAct.objects.count()) == (None, 0)


def test_another_number_is_another_lead(as_: SignIn, cast: Cast) -> None:
    lead, other = make_lead(), make_lead()
    assert as_(cast.otto).post(url(lead), typed(other)).status_code == 422


def test_not_for_the_anonymous_nor_by_other_methods(as_: SignIn, client: Any, cast: Cast) -> None:
    lead = make_lead()
    sent_to_sign_in(client, url(lead))
    assert as_(cast.otto).put(url(lead)).status_code == 405
    assert as_(cast.otto).delete(url(lead)).status_code == 405


def test_not_for_sales_nor_for_those_who_only_read(as_: SignIn, cast: Cast) -> None:
    lead = make_handoff("assigned", cast.femke).lead
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, get=(url(lead),), post=(url(lead),))
        assert "erase/" not in html(as_(user).get(f"/leads/{lead.pk}/"))
    refuses(as_(cast.otto), 404, get=("/leads/987654/erase/",), post=("/leads/987654/erase/",))
    lead.refresh_from_db()
    assert lead.erased_at is None


def test_posted_twice_it_is_done_once(as_: SignIn, cast: Cast) -> None:
    lead, client = make_lead(), as_(cast.otto)
    for _ in range(2):
        assert client.post(url(lead), typed(lead)).status_code == 302
    assert PrivacyAct.objects.count() == 1
    assert "erased already" in html(client.get(f"/leads/{lead.pk}/"))
    assert client.get(url(lead)).status_code == 302


def test_a_merged_lead_is_erased_with_the_one_it_went_into(as_: SignIn, cast: Cast) -> None:
    keep, gone = make_lead(), make_lead()
    lifecycle.merge(keep, gone, Act(NOW, cast.otto))
    refuses(as_(cast.otto), 404, get=(url(gone),), post=(url(gone),))
    assert "1 merged lead" in html(as_(cast.otto).get(url(keep)))
    as_(cast.otto).post(url(keep), typed(keep))
    assert not Lead.objects.filter(erased_at__isnull=True).exists()


def test_whoever_was_erased_is_in_no_list_and_not_found(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke)
    lead = handoff.lead
    address = lead.email
    as_(cast.otto).post(url(lead), typed(lead))
    for user in (cast.otto, cast.femke, cast.vera):
        client = as_(user)
        assert client.get("/leads/").context["rows"] == []
        assert client.get("/search/", {"q": address}).context["rows"] == []
        page = html(client.get(f"/handoffs/{handoff.pk}/"))
        assert address not in page
        assert "This person was erased" in html(client.get(f"/leads/{lead.pk}/"))
    # What figures open is still there.
    assert [row.id for row in as_(cast.otto).get("/handoffs/").context["rows"]] == [handoff.pk]


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    lead, client = make_lead(), as_(cast.otto)
    one = queries(client, url(lead)), queries(client, f"/leads/{lead.pk}/")
    for _ in range(3):
        make_activity(lead)
        make_handoff("rejected", cast.femke, lead=lead)
        break
    for _ in range(3):
        PrivacyAct.objects.create(kind="exported", lead=lead, at=NOW, by=cast.ada, rows=1)
    assert (queries(client, url(lead)), queries(client, f"/leads/{lead.pk}/")) == one
