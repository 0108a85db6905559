"""Which handoff stands for a lead in a list: an open one, else the newest, of those that somebody sees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads.models import Handoff, Lead
from leads.views import latest
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead


def told(user: User, *leads: Lead) -> dict[int, int]:
    found = latest.of(User.objects.get(pk=user.pk), leads)
    return {lead: handoff.pk for lead, handoff in found.items()}


def test_an_open_one_comes_before_a_newer(cast: Cast) -> None:
    lead = make_lead()
    old = make_handoff("assigned", cast.femke, lead=lead)
    assert told(cast.femke, lead) == {lead.pk: old.pk}
    Handoff.objects.update(state="converted")
    new = make_handoff("working", cast.femke, lead=lead, at=NOW + timedelta(days=1))
    Handoff.objects.filter(pk=new.pk).update(state="disqualified")
    assert told(cast.femke, lead) == {lead.pk: new.pk}
    Handoff.objects.filter(pk=old.pk).update(state="working")
    assert told(cast.femke, lead) == {lead.pk: old.pk}


@pytest.mark.parametrize(("who", "sees"), [("femke", True), ("mia", True), ("otto", True), ("rosa", False)])
def test_of_those_that_the_viewer_sees(cast: Cast, who: str, sees: bool) -> None:
    handoff = make_handoff("assigned", cast.femke)
    expected = {handoff.lead_id: handoff.pk} if sees else {}
    assert told(getattr(cast, who), handoff.lead, make_lead()) == expected


def test_nothing_of_nobody(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert latest.of(cast.otto, []) == {}
    assert len(asked) == 0


def test_one_query_with_all_that_a_row_says(cast: Cast) -> None:
    many = [make_handoff("assigned", cast.femke).lead for _ in range(3)]
    for leads in (many[:1], many):
        with CaptureQueriesContext(connection) as asked:
            found = latest.of(cast.otto, leads)
            words = [(str(row.assignee), row.queue, row.get_state_display()) for row in found.values()]
        # The roles of who asks are read once.
        assert len(asked) <= 2
        assert sum("leads_handoff" in query["sql"] for query in asked.captured_queries) == 1
        assert words == [("Femke de Boer", None, "Assigned")] * len(leads)
