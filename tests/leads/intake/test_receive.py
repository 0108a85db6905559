import copy
from datetime import timedelta

from leads.intake import receive
from leads.models import Activity, Handoff, Lead, Receipt
from tests.conftest import NOW
from tests.factories import event, route_to


def test_a_demo_request_becomes_an_assigned_handoff(cast):
    route_to(cast.femke)
    [answer] = receive([event()], None, NOW)
    assert answer["status"] == "processed", answer
    handoff = answer["handoff"]
    assert (handoff["state"], handoff["assignee"], handoff["missing"]) == ("assigned", cast.femke.email, [])
    assert handoff["lead_type"] == "demo" and handoff["rule"] == "All leads"
    assert handoff["accept_due_at"] == "2026-03-10T10:05:00Z"


def test_sent_again_it_answers_as_the_first_time(cast):
    route_to(cast.femke)
    one = event(1)
    first = receive([one], None, NOW)[0]
    again = receive([copy.deepcopy(one)], None, NOW + timedelta(hours=1))[0]
    assert again == {**first, "status": "duplicate"}
    assert (Lead.objects.count(), Handoff.objects.count(), Receipt.objects.count()) == (1, 1, 1)


def test_one_bad_event_spoils_none_of_the_others(cast):
    route_to(cast.femke, cast.jonas)
    answers = receive([event(), event(id=""), event(time="yesterday"), event()], None, NOW)
    assert [answer["status"] for answer in answers] == ["processed", "invalid", "invalid", "processed"]
    assert [a["errors"][0]["pointer"] for a in answers[1:3]] == ["/id", "/time"]


def test_the_same_person_twice_in_one_batch(cast):
    route_to(cast.femke)
    first = event(1)
    second = event(1, id="ev-other", trigger={"kind": "manual_flag"})
    answers = receive([first, second], None, NOW)
    assert answers[0]["handoff"]["id"] == answers[1]["handoff"]["id"]
    assert Activity.objects.count() == 2


def test_sixty_four_does_not_trigger_and_sixty_five_does(cast):
    route_to(cast.femke)
    low = event(type="lead.scored", trigger=None, score={"total": 64})
    high = event(type="lead.scored", trigger=None, score={"total": 65})
    answers = receive([low, high], None, NOW)
    assert answers[0]["handoff"] is None and answers[1]["handoff"]["trigger"] == "score_threshold"
    claimed = event(score={"total": 64}, trigger={"kind": "score_threshold"})
    [answer] = receive([claimed], None, NOW)
    assert (answer["status"], answer["reason"], answer["handoff"]) == ("ignored", "below_threshold", None)


def test_missing_data_holds_it_and_new_data_frees_it(cast):
    route_to(cast.femke)
    [answer] = receive([event(7, lead={"first_name": "-"})], None, NOW)
    assert answer["handoff"]["state"] == "incomplete" and answer["handoff"]["missing"] == ["full_name"]
    better = event(7, id="ev-7b", type="lead.updated", trigger=None, at=NOW + timedelta(minutes=5))
    [answer] = receive([better], None, NOW + timedelta(minutes=5))
    assert answer["handoff"]["state"] == "assigned"
    assert answer["handoff"]["clock_started_at"] == "2026-03-10T10:05:00Z"
