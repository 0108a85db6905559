"""What another system should say of a lead now."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leads import lifecycle
from leads.choices import State
from leads.models import ExternalId, Handoff
from leads.outbox import wanted
from leads.outbox.wanted import _STATUS
from tests.acting import at, by
from tests.conftest import NOW
from tests.factories import make_handoff, make_lead


def test_every_state_has_a_word_for_others():
    assert set(_STATUS) == set(State)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("incomplete", "pending"), ("queued", "pending"), ("assigned", "pending"), ("accepted", "accepted"),
        ("working", "contacted"), ("deferred", "deferred"), ("rejected", "rejected"),
        ("converted", "opportunity"), ("disqualified", "disqualified"),
    ],
)  # fmt: skip
def test_where_a_handoff_stands_in_their_words(cast, state, status):
    holder = None if state in ("incomplete", "queued") else cast.femke
    handoff = make_handoff(state, holder)
    found = wanted([handoff.lead_id])[handoff.lead_id]
    assert (found.status, found.handoff_id, found.lead_id) == (status, handoff.pk, handoff.lead_id)
    assert found.owner == (handoff.assignee.email if handoff.assignee else "")
    assert found.reason == ("not_icp" if state in ("rejected", "disqualified") else "")
    assert found.deferred_until == (handoff.deferred_until if state == "deferred" else None)


def test_the_newest_handoff_speaks_and_history_does_not(cast):
    first = make_handoff("rejected", cast.femke)
    second = make_handoff("assigned", cast.jonas, lead=first.lead, at=at(days=40))
    assert wanted([first.lead_id])[first.lead_id].handoff_id == second.pk
    Handoff.objects.filter(pk=second.pk).update(is_history=True)
    assert wanted([first.lead_id])[first.lead_id].handoff_id == first.pk
    Handoff.objects.update(is_history=True)
    assert wanted([first.lead_id]) == {}


def test_the_revision_is_that_of_the_last_event_that_says_where_it_stands(cast):
    handoff = make_handoff("accepted", cast.femke)
    spoken = wanted([handoff.lead_id])[handoff.lead_id]
    assert (spoken.revision, spoken.changed_at) == (handoff.revision, NOW + timedelta(minutes=1))
    lifecycle.note(handoff.pk, by(cast.femke, hours=1), text="x")
    after = wanted([handoff.lead_id])[handoff.lead_id]
    assert (after.revision, after.changed_at) == (spoken.revision, spoken.changed_at)
    assert Handoff.objects.get().revision == handoff.revision + 1


def test_what_a_record_that_is_made_anew_says_of_the_person(cast):
    lead = make_lead(first_name="Jane", phone="", job_title="CTO")
    ExternalId.objects.create(lead=lead, system="crm", object="contact", value="15")
    handoff = make_handoff("assigned", cast.femke, lead=lead)
    found = wanted([lead.pk, make_lead().pk])
    assert set(found) == {lead.pk}
    assert found[lead.pk].facts["lead.first_name"] == "Jane" and "lead.phone" not in found[lead.pk].facts
    assert (found[lead.pk].ids, found[lead.pk].email) == ({("crm", "contact"): "15"}, lead.email)
    assert found[lead.pk].mql_at == handoff.mql_at


@pytest.mark.parametrize("number", [1, 3])
def test_three_queries_for_any_number(cast, number, django_assert_num_queries):
    leads = [make_handoff("accepted", cast.femke).lead_id for _ in range(number)]
    with django_assert_num_queries(3):
        assert len(wanted(leads)) == number
