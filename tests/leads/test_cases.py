from django.db import connection
from django.test.utils import CaptureQueriesContext

from leads import cases, identity, lifecycle
from leads.lifecycle import Act
from leads.models import Activity, Complaint, EnrichmentAttempt, Handoff
from tests.acting import at
from tests.conftest import NOW
from tests.factories import (
    make_activity,
    make_company,
    make_handoff,
    make_lead,
    make_score,
    open_handoff,
    route_to,
)


def test_what_is_known_beyond_the_leads_own_row(cast):
    lead, bare = make_lead(), make_lead()
    twin = make_lead(first_name=lead.first_name, last_name=lead.last_name, company=lead.company)
    make_score(lead, 50, at=at(hours=2))
    latest = make_score(lead, 70, at=at(hours=3))
    make_score(lead, 60, at=at(hours=1))
    make_activity(lead)
    identity.find_duplicates([twin], NOW)
    EnrichmentAttempt.objects.create(lead=lead, provider="http", result="failed", at=NOW)
    handoff = make_handoff("assigned", cast.femke)
    for text, cleared in (("second", None), ("first", None), ("settled", NOW)):
        when = at(minutes=-1) if text == "first" else NOW
        Complaint.objects.create(handoff=handoff, lead=lead, text=text, at=when, cleared_at=cleared)
    found = cases.lead_facts([lead.pk, bare.pk, twin.pk])
    facts = found[lead.pk]
    assert (facts.score, facts.has_signal, facts.has_duplicate) == (latest, True, True)
    assert (facts.enrichment_attempted, facts.complaints) == (True, ("first", "second"))
    assert found[bare.pk] == cases.LeadFacts()
    assert found[twin.pk] == cases.LeadFacts(has_duplicate=True)
    assert cases.lead_facts([]) == {}


def test_mails_and_unsubscribes_are_no_signal(cast):
    lead = make_lead()
    for kind in ("email_sent", "email_open", "unsubscribe"):
        make_activity(lead, kind=kind)
    assert cases.lead_facts([lead.pk])[lead.pk].has_signal is False
    make_activity(lead, kind="email_click")
    assert cases.lead_facts([lead.pk])[lead.pk].has_signal is True
    assert Activity.objects.filter(lead=lead).count() == 4


def test_of_two_scores_at_one_moment_the_later_received(cast):
    lead, other = make_lead(), make_lead()
    make_score(lead, 50)
    second = make_score(lead, 60)
    elsewhere = make_score(other, 70, at=at(hours=-1))
    assert cases.latest_scores([lead.pk, other.pk]) == {lead.pk: second, other.pk: elsewhere}


def test_a_case_is_of_the_handoff_as_it_was_frozen_and_the_lead_as_it_is(cast):
    handoff = make_handoff("assigned", cast.femke, lead=make_lead(lead_source="Fair"))
    handoff.lead.lead_source, handoff.lead.country_code = "Other", "AT"
    handoff.raised_at = NOW
    [case] = cases.load([handoff])
    facts = case.facts()
    assert (case.lead_source, facts.source, facts.country) == ("Fair", "Fair", "AT")
    assert (facts.lead_type, facts.trigger, facts.score_total) == ("demo", "score_threshold", 80)


def test_waivers_and_rejections_come_with_their_own_handoff(cast):
    route_to(cast.femke)
    held = open_handoff(make_lead(first_name="-", email="j@gmail.com"))
    lifecycle.waive(held.pk, Act(NOW, cast.otto), check="full_name", reason="known")
    other = make_handoff("assigned", cast.jonas)
    lifecycle.reject(other.pk, Act(NOW, cast.jonas), reason="out_of_territory")
    first, second = cases.load([held, other])
    assert (first.waived, first.rejected_by) == ({"full_name": "known"}, ())
    assert (second.waived, second.rejected_by) == ({}, (cast.jonas.pk,))
    assert second.facts().rejected_by == (cast.jonas.pk,)


def test_who_was_wrong_to_reject_or_took_it_back_is_not_kept_away(cast):
    undone = make_handoff("assigned", cast.femke)
    lifecycle.reject(undone.pk, Act(NOW, cast.femke), reason="out_of_territory", undoable=True)
    lifecycle.undo(undone.pk, Act(NOW, cast.femke))
    put_right = make_handoff("assigned", cast.femke)
    lifecycle.reject(put_right.pk, Act(NOW, cast.femke), reason="bad_data")
    assert [case.rejected_by for case in cases.load([undone, put_right])] == [(), ()]


def test_who_let_it_lapse_comes_with_their_own_handoff(cast):
    lapsed, answered = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.jonas)
    lifecycle.fire(lapsed.pk, at(hours=3))
    lifecycle.reassign(lapsed.pk, Act(at(hours=4), cast.otto), to=cast.rosa.email, reason="late")
    lifecycle.fire(lapsed.pk, at(hours=8))
    lifecycle.accept(answered.pk, Act(at(minutes=1), cast.jonas))
    lifecycle.fire(answered.pk, at(hours=8))
    first, second = cases.load([lapsed, answered])
    assert (first.lapsed_by, second.lapsed_by) == (tuple(sorted((cast.femke.pk, cast.rosa.pk))), ())
    assert first.facts().lapsed_by == first.lapsed_by


def test_three_cost_as_many_queries_as_thirty(cast):
    company = make_company()
    for _ in range(30):
        make_handoff("queued", lead=make_lead(company=company))
    handoffs = list(Handoff.objects.select_related("lead__company"))
    costs = []
    for count in (3, 30):
        with CaptureQueriesContext(connection) as queries:
            assert len(cases.load(handoffs[:count])) == count
        costs.append(len(queries))
    assert costs == [10, 10]
