"""POST /handoffs/{id}/VERB: works, wrong method, outsiders, who may not, twice, refusals, retries."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leads import lifecycle
from leads.api.acting import VERBS
from leads.models import ContactAttempt, Event, Handoff, Note, RememberedAnswer
from routing.models import Absence, Queue
from tests.factories import make_handoff
from tests.leads.api.conftest import problem

LONG_AGO = timezone.now() - timedelta(hours=2)


@pytest.fixture
def act(keyed):
    """act(handoff, verb, person, **fields) posts with a key of the scope act."""
    send = keyed("act")

    def call(handoff, verb, person, *, headers=None, **fields):
        who = {"on_behalf_of": person.email} if person is not None else {}
        pk = handoff.pk if isinstance(handoff, Handoff) else handoff
        return send.post(f"/handoffs/{pk}/{verb}", who | fields, **(headers or {}))

    call.send = send
    return call


def made(state, person=None, **fields):
    return make_handoff(state, person, at=LONG_AGO, **fields)


def soon(**span):
    return (timezone.now() + timedelta(**span)).isoformat()


# Works: each verb by somebody who may, from a state that allows it.


def test_accept(cast, act):
    # Just now: in office hours an answer after two hours would also cancel a step of the ladder.
    handoff = make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(minutes=3))
    response = act(handoff, "accept", cast.femke)
    assert response.status_code == 200
    assert response.data["state"] == "accepted" and response.data["assignee"] == cast.femke.email
    event = Event.objects.order_by("-number").first()
    assert event.kind == "accepted" and event.user == cast.femke and event.api_key is not None


def test_claim_and_accept_from_a_queue(cast, act):
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    queue.members.add(cast.femke)
    response = act(made("queued"), "claim", cast.femke)
    assert response.data["state"] == "assigned" and response.data["assignee"] == cast.femke.email
    assert act(made("queued"), "accept", cast.femke).data["state"] == "accepted"


def test_reject(cast, act):
    handoff = made("assigned", cast.femke)
    assert act(handoff, "reject", cast.femke, reason="not_icp", note="Too small").data["state"] == "rejected"
    assert handoff.rejections.get().note == "Too small"
    timing = made("assigned", cast.femke)
    response = act(timing, "reject", cast.femke, reason="timing", until=soon(days=30)[:10])
    assert response.status_code == 200
    assert timing.rejections.get().until.isoformat().endswith("T00:00:00+00:00")


def test_defer_and_resume(cast, act):
    handoff = made("accepted", cast.femke)
    response = act(handoff, "defer", cast.femke, until=soon(days=3), explanation="After the fair")
    assert response.data["state"] == "deferred"
    assert act(handoff, "resume", cast.femke).data["state"] == "assigned"


def test_contact(cast, act):
    handoff = made("assigned", cast.femke)
    activity = handoff.lead.activities.first()
    response = act(
        handoff,
        "contact",
        cast.femke,
        channel="phone",
        outcome="reached",
        at=soon(minutes=-1),
        activity_id=str(activity.pk),
        note="Wants a quote",
        next_touch_at=soon(days=2),
    )
    assert response.data["state"] == "working"
    assert ContactAttempt.objects.get().activity == activity


def test_opportunity_and_disqualify(cast, act):
    handoff = made("accepted", cast.femke)
    fields = {"external_id": "006-1", "amount": "12500.50", "currency": "eur", "stage": "Proposal"}
    assert act(handoff, "opportunity", cast.femke, **fields).data["state"] == "converted"
    handoff.refresh_from_db()
    assert (str(handoff.opportunity_amount), handoff.opportunity_currency) == ("12500.50", "EUR")
    worked = made("working", cast.femke)
    assert act(worked, "disqualify", cast.femke, reason="not_icp").data["state"] == "disqualified"


def test_note_and_reassign(cast, act):
    handoff = made("assigned", cast.femke)
    assert act(handoff, "note", cast.otto, text="Met at the fair").status_code == 200
    assert Note.objects.get().by == cast.otto
    response = act(handoff, "reassign", cast.mia, to=cast.jonas.email, reason="Femke is at the fair")
    assert response.data["assignee"] == cast.jonas.email
    response = act(handoff, "reassign", cast.otto, to="queue:overflow", reason="Nobody is free")
    assert (response.data["state"], response.data["queue"]) == ("queued", "queue:overflow")


def test_reassigning_to_somebody_who_is_away_is_refused_with_who_covers(cast, act):
    handoff = made("assigned", cast.femke)
    Absence.objects.create(
        user=cast.jonas, cover=cast.rosa, starts_at=LONG_AGO, ends_at=LONG_AGO + timedelta(days=2)
    )
    answer = problem(act(handoff, "reassign", cast.mia, to=cast.jonas.email, reason="Knows them"), 409)
    assert (answer["code"], answer["by"]) == ("not_eligible", cast.jonas.email)
    assert answer["detail"].endswith("Rosa Lindqvist covers.")
    assert Handoff.objects.get(pk=handoff.pk).assignee == cast.femke


def test_waive_recheck_and_discard(cast, act):
    held = made("incomplete")
    assert "company_name" in held.missing
    assert act(held, "recheck", cast.otto).data["missing"] == held.missing
    response = act(held, "waive", cast.otto, check="company_name", reason="A freelancer")
    assert "company_name" not in response.data["missing"]
    assert act(made("incomplete"), "discard", cast.otto, reason="Spam").data["state"] == "discarded"


# Wrong method, wrong path


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_a_verb_is_posted(cast, act, verb):
    handoff = made("assigned", cast.femke)
    for method in ("GET", "PUT", "DELETE"):
        response = act.send(method, f"/handoffs/{handoff.pk}/{verb}")
        problem(response, 405)
        assert response["Allow"] == "POST"


@pytest.mark.parametrize("verb", ["undo", "view", "merge", "release", "Accept", "x"])
def test_other_verbs_are_not_there(cast, act, verb):
    problem(act(made("assigned", cast.femke), verb, cast.femke), 404)


# Outsiders


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_without_a_key_or_with_anothers_scope(cast, keyed, verb):
    handoff = made("assigned", cast.femke)
    body = {"on_behalf_of": cast.femke.email}
    problem(keyed().post(f"/handoffs/{handoff.pk}/{verb}", body), 401)
    assert (
        problem(keyed("intake", "read").post(f"/handoffs/{handoff.pk}/{verb}", body), 403)["scope"] == "act"
    )
    assert Event.objects.filter(handoff=handoff).count() == handoff.revision


def test_a_foreign_handoff_is_404_as_an_unknown_one(cast, act):
    handoff = made("assigned", cast.femke)
    foreign = problem(act(handoff, "accept", cast.rosa), 404)
    assert foreign == problem(act(999_999, "accept", cast.rosa), 404)
    assert foreign == problem(act("x", "accept", cast.rosa), 404)
    problem(act(handoff, "reassign", cast.nils, to=cast.rosa.email, reason="Mine now"), 404)
    handoff.refresh_from_db()
    assert handoff.state == "assigned"


def test_nobody_and_the_inactive_may_nothing(cast, act):
    handoff = made("assigned", cast.femke)
    cast.femke.is_active = False
    cast.femke.save()
    body = problem(act(handoff, "accept", cast.femke), 403)
    assert body["errors"][0]["pointer"] == "/on_behalf_of"
    assert problem(act(handoff, "accept", None, on_behalf_of="nobody@example.com"), 403) == body


# Read-only: who sees it, but may not


@pytest.mark.parametrize(
    ("verb", "fields"),
    [
        ("accept", {}),
        ("claim", {}),
        ("recheck", {}),
        ("resume", {}),
        ("note", {"text": "x"}),
        ("reject", {"reason": "not_icp"}),
        ("reassign", {"to": "queue:overflow", "reason": "x"}),
        ("discard", {"reason": "x"}),
    ],
)
def test_a_viewer_changes_nothing(cast, act, verb, fields):
    handoff = made("assigned", cast.femke)
    assert "may not" in problem(act(handoff, verb, cast.vera, **fields), 403)["detail"]
    assert Event.objects.filter(handoff=handoff).count() == handoff.revision


def test_a_verb_of_another_role(cast, act):
    handoff = made("assigned", cast.femke)
    problem(act(handoff, "reassign", cast.femke, to=cast.jonas.email, reason="Busy"), 403)
    problem(act(handoff, "accept", cast.mia), 403)
    problem(act(handoff, "waive", cast.femke, check="company_name", reason="x"), 403)


# Twice


def test_the_same_act_again_is_done_and_writes_nothing(cast, act):
    handoff = made("assigned", cast.femke)
    for verb, fields in (("accept", {}), ("reject", {"reason": "not_icp"})):
        first = act(handoff, verb, cast.femke, **fields)
        again = act(handoff, verb, cast.femke, **fields)
        assert first.status_code == again.status_code == 200 and first.data == again.data
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    queue.members.add(cast.femke)
    queued = made("queued")
    assert act(queued, "claim", cast.femke).data == act(queued, "claim", cast.femke).data


def test_a_rejection_asked_again_after_it_went_on_to_another(cast, act):
    handoff = made("assigned", cast.femke)
    first = act(handoff, "reject", cast.femke, reason="out_of_territory")
    # Nobody else is in her pool, so her manager has it now.
    assert (first.data["state"], first.data["assignee"]) == ("assigned", cast.mia.email)
    assert act(handoff, "reject", cast.femke, reason="out_of_territory").data == first.data


# Refusals


def test_a_move_that_the_state_does_not_allow_says_who_did_what_when(cast, act):
    handoff = made("rejected", cast.femke)
    body = problem(act(handoff, "accept", cast.femke), 409)
    assert (body["state"], body["by"], body["code"]) == ("rejected", cast.femke.email, "not_allowed")
    assert body["at"].endswith("Z") and "rejected by" in body["detail"]


def test_who_had_it_is_told_what_became_of_it(cast, act):
    handoff = made("accepted", cast.femke)
    lifecycle.reassign(handoff.pk, lifecycle.Act(timezone.now(), cast.mia), to=cast.jonas.email, reason="x")
    body = problem(act(handoff, "contact", cast.femke, channel="phone", outcome="reached"), 409)
    assert body["by"] == cast.mia.email and body["state"] == "assigned"
    assert not ContactAttempt.objects.exists()


def test_a_stale_revision_is_refused(cast, act):
    handoff = made("assigned", cast.femke)
    lifecycle.reassign(handoff.pk, lifecycle.Act(timezone.now(), cast.mia), to=cast.jonas.email, reason="x")
    lifecycle.reassign(handoff.pk, lifecycle.Act(timezone.now(), cast.mia), to=cast.femke.email, reason="y")
    body = problem(act(handoff, "accept", cast.femke, revision=handoff.revision), 409)
    assert body["code"] == "stale"
    handoff.refresh_from_db()
    assert act(handoff, "accept", cast.femke, revision=handoff.revision).status_code == 200


def test_a_waiver_on_an_older_revision_is_refused(cast, act):
    held = made("incomplete")
    lifecycle.waive(
        held.pk,
        lifecycle.Act(timezone.now(), cast.ada),
        check="company_size_band",
        reason="Too small to tell",
    )
    fields = {"check": "company_name", "reason": "A freelancer"}
    body = problem(act(held, "waive", cast.otto, revision=held.revision, **fields), 409)
    assert (body["code"], body["by"]) == ("stale", cast.ada.email)
    held.refresh_from_db()
    assert act(held, "waive", cast.otto, revision=held.revision, **fields).status_code == 200


@pytest.mark.parametrize(
    ("verb", "fields", "pointers"),
    [
        ("accept", {"note": "x"}, ["/note"]),
        ("accept", {"revision": "3"}, ["/revision"]),
        ("reject", {}, ["/reason"]),
        ("reject", {"reason": "no such"}, ["/reason"]),
        ("reject", {"reason": "no_such"}, ["/reason"]),
        ("reject", {"reason": "other"}, ["/note"]),
        ("reject", {"reason": "timing", "until": "2020-01-01"}, ["/until"]),
        ("reject", {"reason": "not_icp", "note": "a\x00b"}, ["/note"]),
        ("reject", {"reason": "not_icp", "note": "x" * 2001}, ["/note"]),
        ("defer", {"until": "soon", "explanation": " "}, ["/until", "/explanation"]),
        ("contact", {"channel": "fax", "outcome": "reached"}, ["/channel"]),
        ("contact", {"channel": "phone", "outcome": "reached", "at": "2200-01-01"}, ["/at"]),
        ("contact", {"channel": "phone", "outcome": "reached", "activity_id": "7"}, ["/activity_id"]),
        ("contact", {"channel": "phone", "outcome": "reached", "activity_id": "x"}, ["/activity_id"]),
        ("opportunity", {"amount": "-1", "currency": "EUR"}, ["/amount"]),
        ("opportunity", {"amount": 5}, ["/currency"]),
        ("note", {"text": "\ud800"}, ["/text"]),
    ],
)
def test_wrong_input_names_its_fields(cast, act, verb, fields, pointers):
    handoff = made("assigned", cast.femke)
    body = problem(act(handoff, verb, cast.femke, **fields), 422)
    assert [entry["pointer"] for entry in body["errors"]] == pointers
    assert Event.objects.filter(handoff=handoff).count() == handoff.revision


def test_on_behalf_of_is_required(cast, act):
    body = problem(act(made("assigned", cast.femke), "accept", None), 422)
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [("/on_behalf_of", "missing")]
    problem(act.send.post("/handoffs/1/accept", [1]), 422)
    problem(act.send.post("/handoffs/1/accept", raw=b"{"), 400)
    problem(act.send.post("/handoffs/1/accept", {}, kind="text/plain"), 415)
    problem(act.send.post("/handoffs/1/accept", raw=b" " * (1024 * 1024 + 1)), 413)


# Retries


def test_an_idempotency_key_makes_a_retry_harmless(cast, act):
    handoff = made("assigned", cast.femke)
    fields = {"channel": "phone", "outcome": "no_answer"}
    once = {"headers": {"Idempotency_Key": "k-1"}}
    first = act(handoff, "contact", cast.femke, **fields, **once)
    again = act(handoff, "contact", cast.femke, **fields, **once)
    assert first.status_code == again.status_code == 200 and first.data == again.data
    assert ContactAttempt.objects.count() == 1
    body = problem(act(handoff, "contact", cast.femke, channel="email", outcome="no_answer", **once), 422)
    assert body["errors"][0]["code"] == "key_reused"
    problem(act(handoff, "note", cast.femke, text="x", **once), 422)
    # Without a moment of its own the same again at once is one attempt, whatever the key; with one it is two.
    for moment, count in (({}, 1), ({"at": timezone.now().isoformat()}, 2)):
        other = {"headers": {"Idempotency_Key": f"k-{count + 1}"}}
        assert act(handoff, "contact", cast.femke, **fields, **moment, **other).status_code == 200
        assert ContactAttempt.objects.count() == count


def test_a_retry_is_answered_even_when_it_is_no_longer_ones_own(cast, act):
    handoff = made("assigned", cast.femke)
    once = {"headers": {"Idempotency_Key": "move"}}
    fields = {"to": "queue:overflow", "reason": "Nobody of ours has time"}
    first = act(handoff, "reassign", cast.mia, **fields, **once)
    assert first.data["queue"] == "queue:overflow"
    assert act(handoff, "reassign", cast.mia, **fields, **once).data == first.data
    problem(act(handoff, "reassign", cast.mia, **fields), 404)


def test_keys_are_each_callers_own_and_a_refusal_is_not_remembered(cast, act, keyed):
    handoff = made("rejected", cast.femke)
    once = {"headers": {"Idempotency_Key": "k"}}
    problem(act(handoff, "accept", cast.femke, **once), 409)
    assert not RememberedAnswer.objects.exists()
    other = made("assigned", cast.jonas)
    assert act(other, "accept", cast.jonas, **once).status_code == 200
    path = f"/handoffs/{other.pk}/note"
    body = {"on_behalf_of": cast.jonas.email, "text": "x"}
    assert keyed("act").post(path, body, Idempotency_Key="k").status_code == 200
    for bad in ("a b", "x" * 201, "\u00e4".encode().decode("latin-1")):
        response = act(other, "accept", cast.jonas, headers={"Idempotency_Key": bad})
        assert problem(response, 422)["errors"][0]["pointer"] == "/header/Idempotency-Key"


def test_what_breaks_is_neither_done_nor_remembered(cast, act, monkeypatch):
    handoff = made("assigned", cast.femke)

    def breaks(*args):
        raise RuntimeError

    monkeypatch.setattr("leads.api.acting.handoff_json", breaks)
    body = problem(act(handoff, "accept", cast.femke, headers={"Idempotency_Key": "k"}), 500)
    assert "RuntimeError" not in json.dumps(body)
    handoff.refresh_from_db()
    assert handoff.state == "assigned" and not RememberedAnswer.objects.exists()


def test_queries_do_not_grow_with_the_log(cast, act):
    short, long = made("assigned", cast.femke), made("assigned", cast.femke)
    for _ in range(3):
        lifecycle.note(long.pk, lifecycle.Act(timezone.now(), cast.otto), text="x")

    def queries(handoff) -> int:
        with CaptureQueriesContext(connection) as found:
            assert act(handoff, "accept", cast.femke).status_code == 200
        return len(found)

    act(made("assigned", cast.femke), "accept", cast.femke)
    assert queries(short) == queries(long)
