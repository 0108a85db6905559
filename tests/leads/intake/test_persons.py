"""Merges and erasures that other systems send: in any order, as often as they come."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from leads import lifecycle
from leads.choices import Why
from leads.intake import receive
from leads.models import (
    Activity,
    DuplicatePair,
    ErasedKey,
    ExternalId,
    Handoff,
    Lead,
    LeadAlias,
    Merge,
    Notification,
    PrivacyAct,
    Receipt,
)
from tests.acting import assert_sound, at, by
from tests.conftest import NOW, Cast
from tests.factories import event, make_lead, route_to

LATER = at(hours=1)


def id_of(number: int) -> dict[str, str]:
    """How `event(number)` names its person in the sender's system."""
    return {"system": "map", "object": "contact", "id": str(number)}


def merged(
    into: int, *others: dict[str, Any], id: str = "m", at: datetime = LATER, **lead: Any
) -> dict[str, Any]:
    """A merge of these others into the person with this number."""
    made = event(into, id=id, at=at, type="lead.merged", company=None, score=None, activities=None)
    made["data"] = {"lead": {"external_ids": [id_of(into)]} | lead, "merged_from": list(others)}
    return made


def erased(number: int, id: str = "e", at: datetime = LATER, **lead: Any) -> dict[str, Any]:
    made = event(number, id=id, at=at, type="lead.erased")
    made["data"] = {"lead": {"external_ids": [id_of(number)]} | lead}
    return made


def told(answers: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(answer["status"], answer["reason"]) for answer in answers]


def lead_of(number: int) -> Lead:
    return ExternalId.objects.get(value=str(number)).lead


# Merged


def test_the_others_go_into_the_lead_and_its_facts_are_the_newest(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1), event(2, type="lead.updated")], None, NOW)
    [answer] = receive([merged(2, id_of(1), job_title="CTO")], None, LATER)
    kept = lead_of(2)
    assert (answer["status"], answer["reason"], answer["lead"]["id"]) == ("processed", None, str(kept.pk))
    assert kept == lead_of(1)
    assert (kept.job_title, kept.email) == ("CTO", "adaeze2@halvorsen-2.com")
    assert answer["handoff"]["state"] == "assigned"
    assert Handoff.objects.get().lead == kept
    assert set(kept.aliases.values_list("email_key", flat=True)) == {"adaeze1@halvorsen-1.com"}
    assert Merge.objects.get().keep == kept
    assert_sound()


def test_sent_again_or_by_another_sender_it_changes_nothing(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1), event(2)], None, NOW)
    one = merged(2, id_of(1))
    first = receive([one], None, LATER)
    events = Handoff.objects.order_by("pk").values_list("revision", flat=True)
    before = list(events)
    again = receive([one, one | {"source": "/crm"}], None, at(hours=2))
    assert told(first + again) == [
        ("processed", None),
        ("duplicate", None),
        ("processed", "nothing_to_merge"),
    ]
    assert (list(events), Merge.objects.count()) == (before, 1)
    assert_sound()


def test_a_circle_ends_where_it_began(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1), event(2), event(3)], None, NOW)
    circle = [merged(2, id_of(1), id="a"), merged(3, id_of(2), id="b"), merged(1, id_of(3), id="c")]
    answers = receive([*circle, merged(1, id_of(1), id="d")], None, LATER)
    assert told(answers) == [
        ("processed", None), ("processed", None), *[("processed", "nothing_to_merge")] * 2
    ]  # fmt: skip
    assert lead_of(1) == lead_of(2) == lead_of(3)
    assert Lead.objects.filter(merged_into__isnull=True).count() == 1
    assert Handoff.objects.open().count() == 1
    assert_sound()


def test_several_at_once_by_address_and_by_id(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(number) for number in (1, 2, 3)], None, NOW)
    gone = [id_of(1), {"email": "Adaeze3@Halvorsen-3.com"}]
    [answer] = receive([merged(2, *gone)], None, LATER)
    assert answer["status"] == "processed"
    kept = lead_of(2)
    assert {lead_of(1), lead_of(3)} == {kept}
    assert Merge.objects.filter(keep=kept).count() == 2
    assert_sound()


def test_what_is_not_known_is_a_name_of_the_lead_from_now_on(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(2)], None, NOW)
    answers = receive([merged(2, id_of(1), {"email": "old@acme.com"})], None, LATER)
    assert told(answers) == [("processed", "nothing_to_merge")]
    kept = lead_of(2)
    assert set(kept.external_ids.values_list("value", flat=True)) == {"1", "2"}
    assert LeadAlias.objects.get(email_key="old@acme.com").lead == kept
    receive(
        [event(1, id="late", lead={"job_title": "CTO", "email": None}, trigger=None, at=at(hours=2))],
        None,
        at(hours=2),
    )
    kept.refresh_from_db()
    assert (kept.job_title, Lead.objects.count()) == ("CTO", 1)


def test_a_lead_that_nobody_knows_is_made_and_the_others_go_into_it(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    [answer] = receive([merged(9, id_of(1), email="new@acme.com", first_name="Ada")], None, LATER)
    kept = lead_of(9)
    assert (answer["status"], answer["reason"]) == ("processed", None)
    assert (kept, kept.first_name, kept.email) == (lead_of(1), "Ada", "new@acme.com")
    assert answer["handoff"]["id"] == str(Handoff.objects.get(lead=kept).pk)
    assert_sound()


def test_the_address_of_the_other_one_becomes_the_leads_when_the_sender_says_so(cast: Cast) -> None:
    receive([event(1), event(2)], None, NOW)
    receive([merged(2, id_of(1), email="adaeze1@halvorsen-1.com")], None, LATER)
    kept = lead_of(2)
    assert kept.email == "adaeze1@halvorsen-1.com"
    assert "adaeze2@halvorsen-2.com" in kept.aliases.values_list("email_key", flat=True)
    assert not DuplicatePair.objects.filter(status="open").exists()
    assert_sound()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_any_order_it_comes_out_the_same(cast: Cast, order: tuple[int, ...]) -> None:
    route_to(cast.femke)
    sent = [
        event(1, lead={"job_title": "Clerk"}, trigger=None),
        merged(2, id_of(1), at=at(hours=1)),
        event(1, id="new", type="lead.updated", at=at(hours=2), lead={"job_title": "CTO"}, trigger=None),
    ]
    for hours, place in enumerate(order, start=3):
        receive([sent[place]], None, at(hours=hours))
    kept = lead_of(2)
    assert (kept, kept.job_title) == (lead_of(1), "CTO")
    assert Lead.objects.filter(merged_into__isnull=True).count() == 1
    assert_sound()


def test_in_one_batch_with_what_comes_before_and_after(cast: Cast) -> None:
    route_to(cast.femke)
    batch = [event(1), event(2), merged(2, id_of(1)), event(1, id="x", type="lead.updated", at=at(hours=2))]
    answers = receive(batch, None, at(hours=2))
    assert [answer["status"] for answer in answers] == ["processed"] * 4
    assert len({answer["lead"]["id"] for answer in answers[1:]}) == 1


# Erased


def test_everything_goes_and_the_holder_hears_no_name(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    lead = lead_of(1)
    [answer] = receive([erased(1)], None, LATER)
    assert told([answer]) == [("processed", None)]
    assert answer["lead"]["id"] == str(lead.pk)
    lead.refresh_from_db()
    assert (lead.erased_at, lead.full_name, lead.email, lead.country_code) == (LATER, "", "", "DE")
    assert not ExternalId.objects.exists()
    assert Handoff.objects.get().state == "erased"
    [message] = Notification.objects.filter(user=cast.femke)
    assert (message.kind, message.data) == ("erased", {})
    act = PrivacyAct.objects.get()
    assert (act.kind, act.why, act.lead, act.by) == ("erased", "sender", lead, None)
    assert_sound()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        # Sent before it, by whichever name.
        ({"type": "lead.updated"}, ("ignored", "erased")),
        ({"type": "lead.updated", "lead": {"external_ids": []}}, ("ignored", "erased")),
        ({"type": "lead.qualified"}, ("ignored", "erased")),
        # Sent after it by a system that still has the person.
        ({"type": "lead.updated", "at": at(hours=2)}, ("ignored", "erased")),
        ({"type": "lead.scored", "at": at(hours=2), "lead": {"email": None}}, ("ignored", "erased")),
        ({"type": "lead.activity", "at": at(hours=2)}, ("ignored", "erased")),
    ],
)
def test_what_systems_go_on_saying_is_ignored(
    cast: Cast, sent: dict[str, Any], expected: tuple[str, str]
) -> None:
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    receive([erased(1)], None, LATER)
    late = event(1, id="late", **({"trigger": None} | sent)) if "at" in sent else event(1, id="late", **sent)
    answers = receive([late, late], None, at(hours=3))
    assert told(answers) == [expected, ("duplicate", "erased")]
    assert [(answer["lead"], answer["handoff"]) for answer in answers] == [(None, None)] * 2
    assert Lead.objects.count() == 1
    assert not Receipt.objects.filter(event_id="late").exists()


def test_a_repeat_of_what_was_taken_in_before_is_a_repeat(cast: Cast) -> None:
    first = event(1)
    receive([first], None, NOW)
    receive([erased(1)], None, LATER)
    assert told(receive([first, erased(1)], None, at(hours=2))) == [("duplicate", "erased")] * 2
    assert (Receipt.objects.count(), Lead.objects.count()) == (2, 1)


def test_a_new_form_opens_a_new_lead_without_what_was_before(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1)], None, NOW)
    receive([erased(1)], None, LATER)
    form = event(1, id="form", at=at(hours=2), type="lead.activity", trigger=None, score=None)
    form["data"]["activities"] = [
        {"id": "old", "kind": "chat", "occurred_at": NOW.isoformat()},
        {"id": "new", "kind": "demo_request", "occurred_at": at(hours=2).isoformat()},
    ]
    [answer] = receive([form], None, at(hours=2))
    assert (answer["status"], answer["handoff"]["state"]) == ("processed", "incomplete")
    lead = lead_of(1)
    assert (lead.erased_at, Lead.objects.count()) == (None, 2)
    assert list(Activity.objects.filter(lead=lead).values_list("external_id", flat=True)) == ["new"]
    # From now on they are known again, but not for what was sent before they were erased.
    update = event(1, id="u", at=at(hours=3), type="lead.updated", lead={"job_title": "CTO"})
    older = event(1, id="o", at=at(minutes=5), type="lead.updated", lead={"job_title": "Clerk"})
    assert told(receive([update, older], None, at(hours=3))) == [("processed", None), ("ignored", "erased")]
    lead.refresh_from_db()
    assert lead.job_title == "CTO"
    assert_sound()


def test_an_erasure_that_comes_first_holds_for_what_comes_later(cast: Cast) -> None:
    answers = receive([erased(1, email="adaeze1@halvorsen-1.com")], None, LATER)
    assert told(answers) == [("processed", "nothing_held")]
    assert told(receive([event(1)], None, at(hours=2))) == [("ignored", "erased")]
    assert (Lead.objects.count(), PrivacyAct.objects.get().lead) == (0, None)


def test_a_request_of_before_does_not_reach_whoever_came_anew(cast: Cast) -> None:
    receive([event(1)], None, NOW)
    receive([erased(1)], None, LATER)
    receive([event(1, id="form", at=at(hours=3))], None, at(hours=3))
    answers = receive([erased(1, id="slow", at=at(hours=2))], None, at(hours=4))
    assert told(answers) == [("ignored", "stale")]
    assert lead_of(1).erased_at is None
    # A request of after it does.
    assert told(receive([erased(1, id="again", at=at(hours=5))], None, at(hours=5))) == [("processed", None)]
    assert Lead.objects.filter(erased_at__isnull=True).count() == 0


def test_whoever_was_merged_is_erased_along(cast: Cast) -> None:
    route_to(cast.femke)
    receive([event(1), event(2), merged(2, id_of(1))], None, LATER)
    receive([erased(1, at=at(hours=2))], None, at(hours=2))
    assert set(Lead.objects.values_list("erased_at", flat=True)) == {at(hours=2)}
    assert Merge.objects.get().memory == {}
    assert told(receive([event(2, id="late")], None, at(hours=3))) == [("ignored", "erased")]
    assert_sound()


def test_everybody_whom_a_request_names_is_erased(cast: Cast) -> None:
    receive([event(1), event(2)], None, NOW)
    receive([erased(1, email="adaeze2@halvorsen-2.com")], None, LATER)
    assert Lead.objects.filter(erased_at=LATER).count() == 2


def test_a_merge_with_somebody_erased_brings_nobody_back(cast: Cast) -> None:
    receive([event(1), event(2)], None, NOW)
    receive([erased(1)], None, LATER)
    answers = receive(
        [merged(1, id_of(2), id="a", at=at(hours=2)), merged(2, id_of(1), id="b", at=at(hours=2))],
        None,
        at(hours=2),
    )
    assert told(answers) == [("ignored", "erased"), ("processed", "nothing_to_merge")]
    assert list(ExternalId.objects.values_list("value", flat=True)) == ["2"]


def test_only_hashes_are_kept(cast: Cast) -> None:
    receive([event(1)], None, NOW)
    receive([erased(1)], None, LATER)
    # The address, the id, and two events.
    digests = list(ErasedKey.objects.values_list("digest", flat=True))
    assert [len(digest) for digest in digests] == [64] * 4
    assert all(set(digest) <= set("0123456789abcdef") for digest in digests)


def test_kept_for_long_enough_is_no_wish_of_the_persons(cast: Cast) -> None:
    first = event(1)
    receive([first], None, NOW)
    lifecycle.erase(lead_of(1).pk, by(None, hours=1), Why.RETENTION)
    assert told(receive([first], None, at(hours=2))) == [("duplicate", "erased")]
    assert told(receive([event(1, id="new", at=at(hours=2))], None, at(hours=2))) == [("processed", None)]
    assert lead_of(1).erased_at is None


def test_another_person_with_the_same_name_stays(cast: Cast) -> None:
    other = make_lead(first_name="Same", last_name="Name")
    lead = make_lead(first_name="Same", last_name="Name", company=other.company)
    lifecycle.erase(lead.pk, by(cast.otto), Why.ASKED)
    other.refresh_from_db()
    assert (other.full_name, other.erased_at, other.company.leads.count()) == ("Same Name", None, 1)
