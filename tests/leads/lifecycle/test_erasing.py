"""A person erased: what is open ends, nothing goes on by itself, and it cannot be undone or written about."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from leads import editing, enrichment, escalation, lifecycle, notifications, triaging
from leads.choices import Why
from leads.erasure.door import door
from leads.erasure.log import CODES, redacted
from leads.lifecycle import Act, Invalid, Refused
from leads.models import (
    DuplicatePair,
    EnrichmentAttempt,
    Event,
    Handoff,
    Lead,
    LeadAlias,
    Merge,
    Note,
    Notification,
    PrivacyAct,
    RedactionDoor,
    SearchWord,
)
from routing.models import Turn
from tests.acting import assert_sound, at, by, fresh
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_company, make_handoff, make_lead, open_handoff, route_to
from tests.leads.test_projection import STATES


def erase(lead: Lead, cast: Cast, **span: float) -> PrivacyAct:
    return lifecycle.erase(lead.pk, by(cast.otto, **(span or {"hours": 1})), Why.ASKED)


@pytest.mark.parametrize("state", STATES)
def test_from_every_state(cast: Cast, state: str) -> None:
    handoff = make_handoff(state, None if state in ("incomplete", "queued") else cast.femke)
    was_open = handoff.is_open
    columns = ("kind", "stage", "occurred_at", "data")
    log = list(handoff.events.order_by("number").values_list(*columns))
    erase(handoff.lead, cast, minutes=10)
    after = fresh(handoff)
    assert after.state == ("erased" if was_open else state)
    assert after.closed_at is not None
    assert (after.follow_up_at, after.next_step_at, after.next_due_at) == (None, None, None)
    assert not Turn.objects.filter(released_at__isnull=True).exists()
    # Of a log that names nobody nothing is lost.
    assert (
        list(after.events.order_by("number").values_list("kind", "stage", "occurred_at", "data"))[:-1] == log
    )
    last = after.events.order_by("number").last()
    assert last is not None
    assert (last.kind, last.user) == ("erased", cast.otto)
    assert_sound()
    assert escalation.sweep(at(days=90)) == []
    assert_sound()


def test_the_holder_is_told_and_of_the_rest_no_message_is_left(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    queued = make_handoff("queued")
    for lead in (handoff.lead, queued.lead):
        erase(lead, cast)
    told = Notification.objects.order_by("pk").values_list("user__email", "kind", "handoff")
    assert list(told) == [
        (cast.femke.email, "erased", handoff.pk), (cast.ada.email, "erased", queued.pk)
    ]  # fmt: skip


def test_its_mail_has_no_word_about_the_person(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lead, company = handoff.lead, handoff.lead.company
    notifications.deliver_due(at(minutes=5))
    erase(lead, cast)
    mail.outbox.clear()
    notifications.deliver_due(at(hours=2))
    [sent] = mail.outbox
    assert "A lead that you held was erased" in sent.body
    for words in (lead.first_name, lead.last_name, lead.email, company.name, company.domain):
        assert words not in f"{sent.subject} {sent.body} {sent.alternatives}"


def test_a_second_time_does_nothing(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    first = erase(handoff.lead, cast)
    events = Event.objects.count()
    assert lifecycle.erase(handoff.lead_id, by(cast.ada, hours=2), Why.NO_BASIS) == first
    assert (PrivacyAct.objects.count(), Event.objects.count()) == (1, events)


def test_it_reaches_the_whole_person_from_whichever_lead(cast: Cast) -> None:
    first, second, third = make_lead(), make_lead(), make_lead()
    lifecycle.merge(second, first, by(cast.otto))
    lifecycle.merge(third, second, by(cast.otto, minutes=1))
    act = erase(first, cast)
    assert act.lead == third
    assert set(Lead.objects.values_list("erased_at", flat=True)) == {at(hours=1)}
    assert not LeadAlias.objects.exists()
    assert not SearchWord.objects.filter(lead__isnull=False).exists()
    assert list(Merge.objects.values_list("memory", flat=True)) == [{}, {}]
    with pytest.raises(Refused, match="no longer known"):
        lifecycle.unmerge(Merge.objects.latest("pk").pk, by(cast.otto, hours=2))


def test_of_two_that_were_parted_again_only_one_goes(cast: Cast) -> None:
    keep, gone = make_lead(), make_lead()
    lifecycle.merge(keep, gone, by(cast.otto))
    lifecycle.unmerge(Merge.objects.get().pk, by(cast.otto, minutes=1))
    name = keep.full_name
    erase(gone, cast)
    keep.refresh_from_db()
    assert (keep.full_name, keep.erased_at, Merge.objects.get().memory) == (name, None, {})


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("Jane Doe", "number of the case"),
        ("jane@x.com", "number of the case"),
        ("case-doe", "names the person"),
        ("x" * 41, "at most 40"),
    ],
)
def test_a_reference_is_a_number_and_names_nobody(cast: Cast, reference: str, said: str) -> None:
    lead = make_lead(first_name="Jane", last_name="Doe")
    with pytest.raises(Invalid, match=said):
        lifecycle.erase(lead.pk, by(cast.otto), Why.ASKED, reference=reference)
    lead.refresh_from_db()
    assert lead.full_name == "Jane Doe"


VERBS: dict[str, Callable[[Handoff, Cast], object]] = {
    "note": lambda h, c: lifecycle.note(h.pk, by(c.femke, hours=2), text="x"),
    "report": lambda h, c: lifecycle.report(h.pk, by(c.femke, hours=2), text="x"),
    "opportunity": lambda h, c: lifecycle.opportunity(h.pk, by(c.femke, hours=2)),
    "recycle": lambda h, c: lifecycle.recycle(h.pk, by(c.otto, hours=2), until=at(days=5)),
    "suppress": lambda h, c: lifecycle.suppress(h.pk, by(c.otto, hours=2)),
    "send_back": lambda h, c: lifecycle.send_back(h.pk, by(c.otto, hours=2), text="x"),
    "hand_on": lambda h, c: lifecycle.hand_on(h.pk, by(c.otto, hours=2), to=c.jonas.email, reason="x"),
    "undo": lambda h, c: lifecycle.undo(h.pk, by(c.femke, seconds=65)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_nothing_more_is_done_or_written(cast: Cast, verb: str) -> None:
    route_to(cast.femke)
    handoff = open_handoff()
    lifecycle.reject(handoff.pk, by(cast.femke, minutes=1), reason="other", note="Knows us", undoable=True)
    lifecycle.erase(handoff.lead_id, by(cast.otto, seconds=62), Why.ASKED)
    before = fresh(handoff).revision
    with pytest.raises(Refused):
        VERBS[verb](handoff, cast)
    assert (fresh(handoff).revision, set(Note.objects.values_list("text", flat=True))) == (before, set())
    assert not triaging.rejections().exists()
    assert triaging.waiting().count() == 0
    assert_sound()


def test_a_rejection_that_waited_to_be_followed_up_is_not(cast: Cast) -> None:
    route_to(cast.femke, cast.jonas)
    handoff = open_handoff()
    holder = handoff.assignee
    lifecycle.reject(handoff.pk, by(holder, minutes=1), reason="out_of_territory", undoable=True)
    lifecycle.erase(handoff.lead_id, by(cast.otto, seconds=62), Why.ASKED)
    escalation.sweep(at(hours=1))
    assert (fresh(handoff).state, fresh(handoff).assignee) == ("rejected", holder)
    assert_sound()


def test_who_waited_for_a_decision_on_the_two_goes_on(cast: Cast) -> None:
    route_to(cast.femke)
    gone, other = make_lead(), make_lead()
    DuplicatePair.objects.create(first=gone, second=other, found_at=NOW)
    waits = open_handoff(other)
    assert (waits.state, waits.missing) == ("incomplete", ["deduplication"])
    erase(gone, cast)
    assert (fresh(waits).state, DuplicatePair.objects.exists()) == ("assigned", False)
    assert_sound()


def test_nobody_is_merged_into_edited_or_enriched_afterwards(cast: Cast) -> None:
    lead, other = make_lead(), make_lead()
    attempt = EnrichmentAttempt.objects.create(lead=lead, provider="http", result="failed", at=NOW)
    erase(lead, cast)
    for one, two in ((lead, other), (other, lead)):
        with pytest.raises(Invalid, match="erased"):
            lifecycle.merge(one, two, by(cast.otto, hours=2))
    with pytest.raises(Invalid, match="erased"):
        editing.edit(lead, {"first_name": "Back"}, by(cast.otto, hours=2))
    assert enrichment.finish(attempt, {"lead.phone": "+49301234567"}) == []
    assert Lead.objects.get(pk=lead.pk).phone == ""
    # Whoever else writes is stopped by the database.
    with pytest.raises(IntegrityError), transaction.atomic():
        Lead.objects.filter(pk=lead.pk).update(first_name="Back")


def test_the_company_of_others_stays_and_one_that_was_only_a_name_goes(cast: Cast) -> None:
    shared, own = make_company(), make_company(domain=None, name="Jane Doe Consulting")
    account = make_company(domain=None, name="Acme", owner=cast.femke)
    for company in (shared, own, account):
        erase(make_lead(company=company), cast)
    assert {shared.pk, account.pk} == set(type(shared).objects.values_list("pk", flat=True))


def test_the_log_stays_shut_but_for_the_one_door(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    act = erase(handoff.lead, cast)
    for change in (
        lambda: Event.objects.update(data={}),
        lambda: PrivacyAct.objects.filter(pk=act.pk).update(rows=0),
        lambda: PrivacyAct.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    assert not RedactionDoor.objects.exists()
    with pytest.raises(ZeroDivisionError), door("x"):
        Event.objects.filter(handoff=handoff).update(data={})
        raise ZeroDivisionError
    with pytest.raises(DatabaseError), transaction.atomic():
        Event.objects.update(data={})
    assert fresh(handoff).events.first().data != {}


def test_of_an_event_only_what_is_known_to_name_nobody_stays() -> None:
    data = {
        "set": {"state": "converted", "opportunity_id": "Jane-7", "opportunity_stage": "won by Jane"},
        "was": {"opportunity_id": ""},
        "reason": "timing",
        "words": "Jane said so",
    }
    assert redacted(data) == {
        "set": {"state": "converted", "opportunity_id": "", "opportunity_stage": ""},
        "was": {"opportunity_id": ""},
        "reason": "timing",
    }
    assert redacted(redacted(data)) == redacted(data)
    assert redacted("nonsense") == {}
    assert "words" not in CODES


def test_a_decision_says_that_its_facts_are_gone_and_is_not_made_again(cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    erase(handoff.lead, cast)
    facts = handoff.decisions.get().facts
    assert (facts["erased"], facts["country"], "email_domain" in facts) == (True, "DE", False)
    out = StringIO()
    call_command("explain", str(handoff.pk), stdout=out)
    assert "The person was erased since" in out.getvalue()
    assert "not possible any more" in out.getvalue()
    out = StringIO()
    call_command("backtest", "--days", "30", "--ruleset", "live", "--format", "json", stdout=out)
    assert json.loads(out.getvalue())["replayed"] == 0


def test_a_history_file_does_not_bring_them_back(cast: Cast, tmp_path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(
        "external_id,email,first_name,last_name,mql_at\nrow-7,jane@acme.com,Jane,Doe,2026-01-10T10:00:00Z\n"
    )
    call_command("import_history", str(file), stdout=StringIO())
    lead = Lead.objects.get()
    erase(lead, cast)
    assert Handoff.objects.get().history_key != "row-7"
    file.write_text(file.read_text() + "row-8,jane@acme.com,Jane,Doe,2026-01-12T10:00:00Z\n")
    out = StringIO()
    call_command("import_history", str(file), stdout=out)
    assert (Lead.objects.count(), Handoff.objects.count()) == (1, 1)
    call_command("rebuild_projection", "--check", stdout=StringIO())
    assert_sound()


def test_queries_do_not_grow_with_what_is_held(cast: Cast) -> None:
    def taken(count: int) -> int:
        lead = make_lead()
        for number in range(count):
            at_ = at(days=-20 - number)
            handoff = make_handoff("disqualified", cast.femke, lead=lead, at=at_)
            lifecycle.note(handoff.pk, Act(at_ + timedelta(hours=1), cast.otto), text="x")
            make_activity(lead, at=at_, title="x")
        with CaptureQueriesContext(connection) as found:
            erase(lead, cast)
        return len(found)

    taken(1)
    assert taken(3) == taken(1)
