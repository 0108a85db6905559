"""Events as they come: idempotent, in order, one bad one spoiling none of the others."""

import copy
import json
from collections import Counter
from datetime import timedelta

import pytest

from leads.intake import receive, receiving
from leads.models import Activity, ApiKey, Company, Handoff, Lead, Receipt, Score
from tests.acting import assert_sound, at
from tests.conftest import NOW
from tests.factories import event, route_to


def statuses(answers):
    return [answer["status"] for answer in answers]


def test_a_demo_request_becomes_an_assigned_handoff(cast):
    route_to(cast.femke)
    [answer] = receive([event(1)], None, NOW)
    assert answer["status"] == "processed", answer
    handoff = answer["handoff"]
    assert (handoff["state"], handoff["assignee"], handoff["missing"]) == ("assigned", cast.femke.email, [])
    assert handoff["lead_type"] == "demo" and handoff["rule"] == "All leads"
    assert handoff["accept_due_at"] == "2026-03-10T10:05:00Z"
    assert set(answer) == {"id", "status", "reason", "lead", "handoff", "errors"}
    assert (answer["id"], answer["reason"], answer["errors"]) == ("ev-1", None, [])
    lead = Lead.objects.get()
    assert answer["lead"]["id"] == str(lead.pk) and answer["lead"]["url"].endswith(f"/leads/{lead.pk}/")


def test_sent_again_it_answers_as_the_first_time(cast):
    route_to(cast.femke)
    one = event(1)
    first = receive([one], None, NOW)[0]
    again = receive([copy.deepcopy(one)], None, NOW + timedelta(hours=1))[0]
    assert again == {**first, "status": "duplicate"}
    assert (Lead.objects.count(), Handoff.objects.count(), Receipt.objects.count()) == (1, 1, 1)
    assert Receipt.objects.get().differing_repeats == 0


def test_the_first_answer_is_as_it_was_then(cast):
    first = receive([event(1, lead={"first_name": "-"})], None, NOW)[0]
    receive([event(1, id="better", type="lead.updated", at=at(minutes=1))], None, at(minutes=1))
    again = receive([event(1, lead={"first_name": "-"})], None, at(minutes=2))[0]
    assert again["handoff"] == first["handoff"] and again["handoff"]["state"] == "incomplete"


def test_the_same_id_with_another_body_is_a_duplicate_too_and_flagged(cast):
    first = receive([event(1)], None, NOW)[0]
    again = receive([event(1, lead={"job_title": "CEO"})], None, NOW)[0]
    assert again == {**first, "status": "duplicate", "reason": "different_body"}
    assert (Lead.objects.get().job_title, Receipt.objects.get().differing_repeats) == ("VP Operations", 1)
    # The order of the keys is no difference.
    shuffled = dict(reversed(list(event(1).items())))
    assert receive([shuffled], None, NOW)[0]["reason"] is None


def test_the_identity_of_an_event_is_source_and_id(cast):
    answers = receive([event(1), event(1, source="/map/other"), event(1)], None, NOW)
    assert statuses(answers) == ["processed", "processed", "duplicate"]
    assert Receipt.objects.count() == 2


def test_an_ignored_event_is_stored_and_repeated_as_ignored(cast):
    low = event(1, score={"total": 10}, trigger={"kind": "score_threshold"})
    assert [(a["status"], a["reason"]) for a in receive([low, low], None, NOW)] == [
        ("ignored", "below_threshold"),
        ("duplicate", "below_threshold"),
    ]


def test_one_bad_event_spoils_none_of_the_others(cast):
    route_to(cast.femke, cast.jonas)
    answers = receive([event(), event(id=""), event(time="yesterday"), event()], None, NOW)
    assert statuses(answers) == ["processed", "invalid", "invalid", "processed"]
    assert [a["errors"][0]["pointer"] for a in answers[1:3]] == ["/id", "/time"]


@pytest.mark.parametrize("raw", [None, 7, "x", [], {}, {"id": 7}, {"id": "x"}])
def test_an_invalid_one_leaves_no_receipt(cast, raw):
    [answer] = receive([raw], None, NOW)
    assert (answer["status"], answer["lead"], answer["handoff"]) == ("invalid", None, None)
    assert answer["id"] == ("x" if raw == {"id": "x"} else None)
    assert answer["errors"] and answer["reason"] == answer["errors"][0]["code"]
    assert (Receipt.objects.count(), Lead.objects.count()) == (0, 0)
    # Put right, it is a new event.
    assert statuses(receive([event(1, id="x")], None, NOW)) == ["processed"]


def test_nothing_at_all(cast):
    assert receive([], None, NOW) == []


def test_answers_are_in_order_whatever_the_waves(cast):
    route_to(cast.femke)
    people = [1, 2, 1, 3, 2, 1, 1]
    batch = [event(person, id=f"e{n}") for n, person in enumerate(people)]
    answers = receive(batch, None, NOW)
    assert [answer["id"] for answer in answers] == [f"e{n}" for n in range(7)]
    handoffs = [answer["handoff"]["id"] for answer in answers]
    assert [handoffs.index(pk) for pk in handoffs] == [people.index(person) for person in people]
    assert (Lead.objects.count(), Handoff.objects.count()) == (3, 3)


def test_more_than_a_chunk(cast):
    route_to(cast.femke, cast.jonas)
    answers = receive([event(number) for number in range(1, 121)], None, NOW)
    assert Counter(statuses(answers)) == {"processed": 120}
    held = Counter(Handoff.objects.values_list("assignee__name", flat=True))
    assert held == {"Femke de Boer": 60, "Jonas Keller": 60}


def test_the_same_person_twice_in_one_batch(cast):
    route_to(cast.femke)
    first = event(1)
    second = event(1, id="ev-other", trigger={"kind": "manual_flag"})
    answers = receive([first, second], None, NOW)
    assert answers[0]["handoff"]["id"] == answers[1]["handoff"]["id"]
    assert Activity.objects.count() == 2


def test_one_person_by_an_id_and_by_an_address_in_one_batch(cast):
    receive([event(1)], None, NOW)
    by_id = event(1, id="a", type="lead.updated", lead={"job_title": "CFO"})
    by_mail = event(1, id="b", type="lead.updated", lead={"job_title": "CEO"})
    del by_id["data"]["lead"]["email"]
    del by_mail["data"]["lead"]["external_ids"]
    answers = receive([by_id, by_mail], None, at(minutes=1))
    assert len({answer["lead"]["id"] for answer in answers}) == 1
    # Of one moment the later received stands.
    assert Lead.objects.get().job_title == "CEO"


def test_a_company_new_to_two_of_a_batch_is_one(cast):
    batch = [event(n, company={"domain": "acme.com", "name": f"Acme {n}"}) for n in (1, 2, 3)]
    receive(batch, None, NOW)
    assert Company.objects.get().name == "Acme 3"


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


def test_a_colleague_may_bring_what_was_missing(cast):
    route_to(cast.femke)
    [held] = receive([event(1, company={"name": None})], None, NOW)
    assert held["handoff"]["missing"] == ["company_name"]
    receive([event(2, company={"name": "Acme", "domain": "halvorsen-1.com"})], None, at(minutes=5))
    handoff = Handoff.objects.get(pk=held["handoff"]["id"])
    assert (handoff.state, handoff.assignee, handoff.ready_at) == ("assigned", cast.femke, at(minutes=5))


def test_the_name_may_be_known_for_the_domain_of_the_address(cast):
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    known = event(2, company=None, lead={"email": "new.person@halvorsen-1.com"})
    [answer] = receive([known], None, NOW)
    assert (answer["handoff"]["state"], answer["handoff"]["missing"]) == ("assigned", [])


def test_what_a_later_event_of_a_batch_knows_answers_no_earlier_one(cast):
    route_to(cast.femke)
    unnamed = event(2, company=None, lead={"email": "new.person@halvorsen-1.com"})
    first, second = receive([unnamed, event(1)], None, NOW)
    assert (first["handoff"]["state"], first["handoff"]["missing"]) == ("incomplete", ["company_name"])
    assert second["handoff"]["state"] == "assigned"
    # It reaches the earlier one all the same, as if the two had come one after the other.
    assert Handoff.objects.get(pk=first["handoff"]["id"]).state == "assigned"
    # Both took their turns at one desk: neither forgot the other's.
    assert_sound()
    # The other way round the name is known already, in one batch too.
    other = event(4, company=None, lead={"email": "new.person@halvorsen-3.com"})
    assert statuses_and_missing(receive([event(3), other], None, NOW)) == [("assigned", []), ("assigned", [])]


def statuses_and_missing(answers):
    return [(answer["handoff"]["state"], answer["handoff"]["missing"]) for answer in answers]


def test_who_sent_it(cast):
    key = ApiKey.objects.create(name="map", prefix="hk_x", digest="x", scopes=["intake"], created_at=NOW)
    receive([event(1)], key, NOW)
    handoff = Handoff.objects.get()
    assert set(handoff.events.values_list("api_key", "user")) == {(key.pk, None)}
    receipt = Receipt.objects.get()
    assert (receipt.api_key, receipt.lead, receipt.kind) == (key, handoff.lead, "lead.qualified")


def poison(monkeypatch):
    """A wave with the event "poison" in it cannot be stored."""
    real = receiving.Wave.run

    def run(wave):
        if any(item.event.id == "poison" for item in wave.taken):
            raise RuntimeError("this one cannot be stored")
        return real(wave)

    monkeypatch.setattr(receiving.Wave, "run", run)


def test_when_a_chunk_fails_its_events_are_taken_one_by_one(cast, monkeypatch):
    route_to(cast.femke)
    poison(monkeypatch)
    answers = receive([event(1), event(2, id="poison"), event(3)], None, NOW)
    assert statuses(answers) == ["processed", "invalid", "processed"]
    assert answers[1]["errors"] == [
        {"pointer": "", "code": "not_stored", "detail": "The event could not be stored. Send it again."}
    ]
    assert (Lead.objects.count(), Handoff.objects.count(), Receipt.objects.count()) == (2, 2, 2)
    # Alone, it is the caller's to answer for: nothing was written, and a retry is safe.
    with pytest.raises(RuntimeError):
        receive([event(2, id="poison")], None, NOW)
    monkeypatch.undo()
    assert statuses(receive([event(2, id="poison")], None, NOW)) == ["processed"]


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        # In a chunk by itself, behind one that is stored already.
        ([event(1), event(2), event(3, id="poison")], ["processed", "processed", "invalid"]),
        # The only one that is valid.
        ([{"id": "no-event"}, event(3, id="poison")], ["invalid", "invalid"]),
    ],
)
def test_who_is_alone_in_a_chunk_spoils_nothing_of_the_others(cast, monkeypatch, events, wanted):
    route_to(cast.femke)
    monkeypatch.setattr(receiving, "CHUNK", 2)
    poison(monkeypatch)
    answers = receive(events, None, NOW)
    assert statuses(answers) == wanted
    assert answers[-1]["reason"] == receiving.NOT_STORED
    assert Receipt.objects.count() == wanted.count("processed")


HOSTILE = "<img src=x onerror=alert(1)> \u202e 🙂 '; DROP TABLE leads_lead;-- {{7*7}} " + "x" * 1900


def test_hostile_data_is_stored_as_data(cast):
    route_to(cast.femke)
    text, url = HOSTILE[:2000].strip(), "javascript:alert(1)"
    raw = event(
        1,
        lead={
            "first_name": text,
            "last_name": text,
            "job_title": text,
            "region": text,
            "custom": {"a.b$c": text},
        },
        company={"name": text, "industry": text, "technologies": ["<b>"]},
        activities=[
            {
                "id": "x",
                "kind": "page_view",
                "title": text,
                "url": "javascript:alert(1)",
                "properties": {"k": text},
            }
        ],
        trigger={"reason": text},
    )
    raw["data"]["source"] = {"lead_source": text, "utm_campaign": text}
    [answer] = receive([raw], None, NOW)
    assert (answer["status"], answer["handoff"]["state"]) == ("processed", "assigned")
    lead = Lead.objects.select_related("company").get()
    assert (lead.first_name, lead.custom, lead.company.name) == (text, {"a.b$c": text}, text)
    assert lead.handoffs.get().campaign == text
    assert lead.activities.get(external_id="x").url == url
    json.dumps(answer)


@pytest.mark.parametrize(
    "email",
    [
        "jane+<script>@acme.com",
        "jane'--@acme.com",
        "=cmd@acme.com",
        "josé@acme.com",
        "jane@münchen.de",
        "İ@acme.com",
    ],
)
def test_odd_addresses(cast, email):
    [answer] = receive([event(1, lead={"email": email})], None, NOW)
    if "<" in email:
        # An angle bracket is none of an address; the id names the person.
        assert answer["handoff"]["missing"] == ["business_email"]
    assert answer["status"] == "processed"
    assert Lead.objects.get().email == email
    [again] = receive([event(1, id="again", lead={"email": email})], None, NOW)
    assert again["lead"] == answer["lead"]


def test_everything_at_its_limit(cast):
    big = event(
        1,
        id="i" * 200,
        source="s" * 300,
        lead={
            "external_ids": [{"system": "y" * 60, "object": "o" * 60, "id": f"{n:0200}"} for n in range(20)],
            "first_name": "ﷺ" * 2000,
            "last_name": "İ" * 2000,
            "phone": "9" * 60,
            "postal_code": "p" * 30,
            "timezone": "t" * 64,
            "language": "l" * 35,
            "custom": {f"{n:0100}": "v" * 2000 for n in range(100)},
        },
        company={"name": "ß" * 2000, "domain": None, "employee_count": 100_000_000},
        score={"total": 1_000_000, "previous_total": -1_000_000},
        activities=[{"id": f"{n:0200}", "kind": "page_view", "title": "t" * 2000} for n in range(200)],
    )
    [answer] = receive([big], None, NOW)
    assert answer["status"] == "processed", answer
    lead = Lead.objects.get()
    assert (len(lead.name_key), lead.external_ids.count(), lead.activities.count()) == (410, 20, 201)
    assert (len(lead.custom), Score.objects.get().total) == (100, 1_000_000)
    assert statuses(receive([big], None, NOW)) == ["duplicate"]
