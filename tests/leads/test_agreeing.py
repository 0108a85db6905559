"""Agreeing: one side proposes, the other signs; nobody signs for both, and the database holds it too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from leads import agreeing, agreement, permissions, qualification
from leads.agreement import Terms
from leads.choices import Side
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Agreement, MqlDefinition, Notification, Proposal, ProposalComment, Signature
from leads.notifications import words
from routing.models import User
from routing.people import MANAGER, MARKETING
from routing.sla import Target
from tests.conftest import NOW, Cast
from tests.factories import agree, make_proposal

LATER = NOW + timedelta(hours=1)
DAY = timedelta(days=1)


def refused(do: Callable[[], Any], code: str = "not_allowed") -> str:
    """The words of a refusal, after which everything is as it was."""
    before = [list(model.objects.order_by("pk").values()) for model in (Agreement, Proposal, Signature)]
    with pytest.raises(Refused) as error:
        do()
    assert error.value.code == code
    assert [list(m.objects.order_by("pk").values()) for m in (Agreement, Proposal, Signature)] == before
    return error.value.message


def with_both_roles(name: str) -> User:
    user = User.objects.create_user(f"{name}@handoff.example.com", name=name)
    user.groups.set(Group.objects.filter(name__in=[MARKETING, MANAGER]))
    return user


# The way


def test_a_proposal_changes_nothing_until_the_other_side_signs(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    assert (made.side, made.state, made.changes.version) == ("marketing", "open", 1)
    assert [(row.side, row.person) for row in made.signatures.all()] == [("marketing", cast.otto)]
    assert Agreement.objects.count() == MqlDefinition.objects.count() == 1
    signed = agreeing.sign(made.pk, Act(LATER, cast.mia))
    assert (signed.state, signed.settled_by, signed.settled_at) == ("adopted", cast.mia, LATER)
    row = Agreement.objects.get(version=2)
    assert (row.proposal, row.in_force_from) == (signed, LATER)
    assert (row.definition.version, row.definition.threshold, row.definition.proposal) == (2, 70, signed)
    assert row.definition.in_force_from == LATER and row.definition.created_by == cast.mia
    versions = qualification.definitions()
    assert qualification.in_force(versions, LATER) == row.definition
    assert qualification.in_force(versions, LATER - timedelta(seconds=1)).threshold == 65


def test_sales_proposes_and_marketing_signs(cast: Cast) -> None:
    made = make_proposal(cast.nils, done="Done is done")
    agreeing.sign(made.pk, Act(LATER, cast.otto))
    row = Agreement.objects.get(version=2)
    assert row.done == "Done is done"
    # What makes an MQL stays, and so does its version.
    assert row.definition.version == 1 and MqlDefinition.objects.count() == 1


def test_terms_are_adopted_as_they_were_proposed(cast: Cast) -> None:
    latest = Terms.of(Agreement.objects.get())
    demo = replace(latest.targets["demo"], disposition=Target(60, False), figure=10)
    wanted = replace(latest, targets={**latest.targets, "demo": demo}, reasons=latest.reasons[:3])
    made = agreeing.propose(Act(NOW, cast.otto), 1, wanted, " Why \r\n not ", backtest={"since": "then"})
    assert (made.why, made.backtest, made.backtest_at) == ("Why \n not", {"since": "then"}, NOW)
    agreeing.sign(made.pk, Act(LATER, cast.mia))
    assert Terms.of(Agreement.objects.get(version=2)) == wanted == Terms.of(made)


def test_it_holds_from_the_wanted_day_when_that_is_later(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70, wanted_at=NOW + 7 * DAY)
    agreeing.sign(made.pk, Act(LATER, cast.mia))
    row = Agreement.objects.get(version=2)
    assert row.in_force_from == row.definition.in_force_from == NOW + 7 * DAY
    assert agreeing.current(LATER).version == 1 and agreeing.newest() == row
    assert agreeing.current(NOW + 7 * DAY) == row
    # Signed late, it holds from its signature on.
    other = make_proposal(cast.otto, NOW + 8 * DAY, threshold=75, wanted_at=NOW + 9 * DAY)
    agreeing.sign(other.pk, Act(NOW + 10 * DAY, cast.mia))
    assert Agreement.objects.get(version=3).in_force_from == NOW + 10 * DAY


def test_what_is_agreed_on_but_not_begun_is_what_the_next_one_changes(cast: Cast) -> None:
    agreeing.sign(make_proposal(cast.otto, threshold=70, wanted_at=NOW + 7 * DAY).pk, Act(LATER, cast.mia))
    with pytest.raises(Invalid, match="wanted: Version 2 has not begun"):
        make_proposal(cast.otto, LATER, threshold=75)
    made = make_proposal(cast.otto, LATER, threshold=75, wanted_at=NOW + 8 * DAY)
    assert made.changes.version == 2


def test_the_first_version_can_be_signed_as_it_is(cast: Cast) -> None:
    made = agree(cast.mia, cast.otto)
    assert (made.version, made.definition.version) == (2, 1)
    with pytest.raises(Invalid, match="terms: This says what version 2 says"):
        make_proposal(cast.mia, LATER)


# Who may


def test_sides_are_those_of_the_roles_and_admins_have_none(cast: Cast) -> None:
    sides = {user.get_short_name(): permissions.sides(user) for user in cast}
    assert sides == {
        "Femke": (), "Jonas": (), "Rosa": (), "Mia": (Side.SALES,), "Nils": (Side.SALES,),
        "Otto": (Side.MARKETING,), "Vera": (), "Ada": (),
    }  # fmt: skip
    cast.ada.groups.add(Group.objects.get(name=MANAGER))
    assert permissions.sides(User.objects.get(pk=cast.ada.pk)) == ()


@pytest.mark.parametrize("who", ["femke", "vera", "ada"])
def test_who_has_no_side_neither_proposes_nor_signs_nor_declines(cast: Cast, who: str) -> None:
    user = getattr(cast, who)
    made = make_proposal(cast.otto, threshold=70)
    for do in (
        lambda: make_proposal(user, threshold=80),
        lambda: agreeing.sign(made.pk, Act(LATER, user)),
        lambda: agreeing.decline(made.pk, Act(LATER, user), "No"),
        lambda: agreeing.withdraw(made.pk, Act(LATER, user)),
    ):
        refused(do)


def test_nobody_signs_or_declines_their_own(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    assert refused(lambda: agreeing.sign(made.pk, Act(LATER, cast.otto))) == (
        "Nobody signs their own proposal."
    )
    refused(lambda: agreeing.decline(made.pk, Act(LATER, cast.otto), "No"))


def test_a_second_of_the_same_side_signs_nothing(cast: Cast) -> None:
    made = make_proposal(cast.mia, threshold=70)
    assert "Only marketing can sign it" in refused(lambda: agreeing.sign(made.pk, Act(LATER, cast.nils)))
    refused(lambda: agreeing.withdraw(made.pk, Act(LATER, cast.nils)))


def test_whoever_has_both_roles_signs_for_one_side_only(cast: Cast) -> None:
    both = with_both_roles("Bo")
    terms = replace(Terms.of(Agreement.objects.get()), threshold=70)
    for side in ("", "both"):
        with pytest.raises(Invalid, match="side: You belong to both sides"):
            agreeing.propose(Act(NOW, both), 1, terms, "Why", side)
    made = agreeing.propose(Act(NOW, both), 1, terms, "Why", "sales")
    assert made.side == "sales"
    refused(lambda: agreeing.sign(made.pk, Act(LATER, both)))
    refused(lambda: agreeing.sign(made.pk, Act(LATER, cast.mia)))
    other = with_both_roles("Cy")
    assert agreeing.sign(made.pk, Act(LATER, other)).state == "adopted"
    assert Signature.objects.get(proposal=made, person=other).side == "marketing"


def test_people_who_left_agree_to_nothing(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    cast.mia.is_active = False
    refused(lambda: agreeing.sign(made.pk, Act(LATER, cast.mia)))
    refused(lambda: agreeing.sign(made.pk, Act(LATER)))


# Stale, settled, twice


def test_a_proposal_against_an_older_version_is_refused(cast: Cast) -> None:
    one, other = make_proposal(cast.otto, threshold=70), make_proposal(cast.otto, threshold=80)
    agreeing.sign(one.pk, Act(LATER, cast.mia))
    said = refused(lambda: agreeing.sign(other.pk, Act(LATER, cast.mia)), "stale")
    assert said.startswith("Version 2 was agreed on since")
    terms = replace(Terms.of(one), threshold=90)
    refused(lambda: agreeing.propose(Act(LATER, cast.otto), 1, terms, "Why"), "stale")
    assert not agreeing.waiting_for(cast.mia)
    # What cannot be signed any more can still be cleared away.
    assert agreeing.withdraw(other.pk, Act(LATER, cast.otto)).state == "withdrawn"


def test_what_is_settled_stays_so_and_says_by_whom(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    agreeing.decline(made.pk, Act(LATER, cast.mia), "Too high")
    made.refresh_from_db()
    assert (made.state, made.settled_by, made.settled_note) == ("declined", cast.mia, "Too high")
    for do in (
        lambda: agreeing.sign(made.pk, Act(LATER, cast.nils)),
        lambda: agreeing.withdraw(made.pk, Act(LATER, cast.otto)),
    ):
        assert "declined by mia@handoff.example.com at 2026-03-10 11:00 UTC" in refused(do)
    assert Agreement.objects.count() == 1


def test_the_same_act_again_writes_nothing(cast: Cast) -> None:
    first, again = make_proposal(cast.otto, threshold=70), make_proposal(cast.otto, LATER, threshold=70)
    assert again == first and Proposal.objects.count() == 1
    said = [agreeing.comment(first.pk, Act(LATER, cast.mia), " So be it ") for _ in range(2)]
    assert said[0] == said[1] and said[0].text == "So be it"
    for _ in range(2):
        assert agreeing.sign(first.pk, Act(LATER, cast.mia)).settled_at == LATER
    assert Signature.objects.count() == 2 and Agreement.objects.count() == 2
    taken = make_proposal(cast.otto, LATER, threshold=75)
    for later in (0, 1):
        agreeing.withdraw(taken.pk, Act(LATER + later * DAY, cast.otto))
    no = make_proposal(cast.otto, LATER, threshold=76)
    for later in (0, 1):
        agreeing.decline(no.pk, Act(LATER + later * DAY, cast.mia), "No")
    assert {Proposal.objects.get(pk=p.pk).settled_at for p in (taken, no)} == {LATER}


def test_proposals_do_not_pile_up(cast: Cast) -> None:
    for number in range(agreeing.MOST_OPEN):
        make_proposal(cast.otto, threshold=100 + number)
    assert "20 proposals are open" in refused(lambda: make_proposal(cast.otto, threshold=70))


# Bad input


@pytest.mark.parametrize(
    ("changed", "why", "field"),
    [
        ({"threshold": 70}, "  ", "why"),
        ({"threshold": 70}, "x" * 2001, "why"),
        ({"threshold": 70}, "nul\x00", "why"),
        ({"done": " "}, "Why", "done"),
        ({"done": "x" * 4001}, "Why", "done"),
        ({"threshold": -1}, "Why", "threshold"),
    ],
)
def test_what_is_wrong_is_named(cast: Cast, changed: dict[str, Any], why: str, field: str) -> None:
    with pytest.raises(Invalid) as error:
        make_proposal(cast.otto, why=why, **changed)
    assert list(error.value.errors) == [field] and not Proposal.objects.exists()


def test_a_day_in_the_past_is_refused(cast: Cast) -> None:
    for at in (NOW, NOW - DAY):
        with pytest.raises(Invalid, match="wanted: This day is past"):
            make_proposal(cast.otto, threshold=70, wanted_at=at)


def test_declining_takes_a_reason_and_comments_take_words(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    with pytest.raises(Invalid, match="note"):
        agreeing.decline(made.pk, Act(LATER, cast.mia), " ")
    for text in ("", "x" * 2001, "\x07"):
        with pytest.raises(Invalid, match="text"):
            agreeing.comment(made.pk, Act(LATER, cast.femke), text)
    refused(lambda: agreeing.comment(made.pk, Act(LATER, cast.vera), "May I?"))
    assert agreeing.comment(made.pk, Act(LATER, cast.femke), "Please do").by == cast.femke


# Telling


def test_the_other_side_is_told_and_then_the_proposer(cast: Cast) -> None:
    cast.ada.groups.add(Group.objects.get(name=MANAGER))
    made = make_proposal(cast.otto, threshold=70)
    told = Notification.objects.order_by("user__email")
    assert [(n.user, n.kind) for n in told] == [
        (cast.mia, "agreement_proposed"), (cast.nils, "agreement_proposed"),
    ]  # fmt: skip
    said = words(told[0])
    assert said.text.startswith("Otto Maier proposes a change of the agreement.")
    assert said.url == f"/agreement/proposals/{made.pk}/"
    told.delete()
    agreeing.sign(made.pk, Act(LATER, cast.mia))
    other = make_proposal(cast.mia, LATER, threshold=75)
    agreeing.decline(other.pk, Act(LATER, cast.otto), "No")
    assert [(n.user, n.kind) for n in told.order_by("pk")] == [
        (cast.otto, "agreement_signed"), (cast.otto, "agreement_proposed"), (cast.mia, "agreement_declined"),
    ]  # fmt: skip


def test_what_waits_for_whom(cast: Cast) -> None:
    assert not agreeing.waiting_for(cast.mia)
    made = make_proposal(cast.otto, threshold=70)
    waits = {user.get_short_name(): agreeing.waiting_for(user) for user in cast}
    assert waits == {
        "Femke": 0, "Jonas": 0, "Rosa": 0, "Mia": 1, "Nils": 1, "Otto": 0, "Vera": 0, "Ada": 0,
    }  # fmt: skip
    both = with_both_roles("Bo")
    assert agreeing.waiting_for(both) == 1
    agreeing.decline(made.pk, Act(LATER, cast.mia), "No")
    assert not agreeing.waiting_for(cast.nils)


# For the figures


def test_the_figures_get_every_version_the_newest_first(cast: Cast) -> None:
    latest = Terms.of(Agreement.objects.get())
    targets = {kind: replace(promise, figure=30) for kind, promise in latest.targets.items()}
    agree(cast.otto, cast.mia, NOW, targets=targets)
    with CaptureQueriesContext(connection) as found:
        versions = agreeing.versions()
    assert len(found) == 1
    minute = timedelta(minutes=1)
    assert [version.number for version in versions] == [2, 1]
    assert versions[0].in_force_from == NOW
    assert versions[0].contact == {"demo": 30 * minute, "standard": 30 * minute}
    assert versions[1].contact == {"demo": 5 * minute, "standard": 60 * minute}


# What the database holds


@pytest.fixture
def signed(cast: Cast) -> Proposal:
    made = make_proposal(cast.otto, threshold=70)
    agreeing.comment(made.pk, Act(LATER, cast.mia), "Good")
    return agreeing.sign(made.pk, Act(LATER, cast.mia))


def broken(do: Callable[[], Any]) -> str:
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        do()
    return str(error.value)


@pytest.mark.parametrize("model", [Agreement, MqlDefinition, Signature, ProposalComment])
def test_rows_are_never_edited_or_deleted(signed: Proposal, model: Any) -> None:
    rows = model.objects.all()
    field = {"version": 99} if model in (Agreement, MqlDefinition) else {"id": 99}
    assert "append-only" in broken(lambda: rows.filter(pk=rows.last().pk).update(**field))
    # By the shortest way, which asks no foreign key.
    assert "append-only" in broken(lambda: rows._raw_delete(rows.db))


def test_a_settled_proposal_and_its_terms_stay(signed: Proposal, cast: Cast) -> None:
    rows = Proposal.objects.filter(pk=signed.pk)
    broken(lambda: rows.update(state="open", settled_at=None, settled_by=None))
    broken(lambda: rows._raw_delete(rows.db))
    made = make_proposal(cast.otto, LATER, threshold=75)
    other = Proposal.objects.filter(pk=made.pk)
    for changed in (
        {"threshold": 40}, {"done": "Whatever"}, {"targets": {}}, {"high_intent": []}, {"side": "sales"},
        {"proposed_by": cast.mia}, {"wanted_at": LATER}, {"backtest": {}, "backtest_at": LATER},
    ):  # fmt: skip
        assert "stay" in broken(lambda changed=changed: other.update(**changed))
    broken(lambda: other.update(state="adopted"))


def test_one_signature_a_side_and_one_a_person(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    for side, person in (("sales", cast.otto), ("marketing", cast.mia), ("admin", cast.ada)):
        broken(lambda s=side, p=person: Signature.objects.create(proposal=made, side=s, person=p, at=NOW))


def test_no_definition_or_agreement_past_the_signatures(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    first = Agreement.objects.get()
    definition = {"version": 2, "threshold": 70, "in_force_from": NOW}
    version = {
        "version": 2, "done": "x", "definition": first.definition, "targets": first.targets, "reasons": [],
        "in_force_from": NOW,
    }  # fmt: skip
    for create in (
        lambda: MqlDefinition.objects.create(**definition),
        lambda: MqlDefinition.objects.create(**definition, predates_agreement=True),
        lambda: MqlDefinition.objects.create(**definition, proposal=made),
        lambda: Agreement.objects.create(**version),
        lambda: Agreement.objects.create(**version, proposal=made),
    ):
        broken(create)
    Signature.objects.create(proposal=made, side="sales", person=cast.mia, at=NOW)
    # Signed, but for another threshold.
    broken(lambda: MqlDefinition.objects.create(**definition | {"threshold": 10}, proposal=made))
    broken(lambda: MqlDefinition.objects.create(**definition, high_intent=[], proposal=made))
    kinds = agreement.ordered(made.high_intent)
    assert MqlDefinition.objects.create(**definition, high_intent=list(kinds), proposal=made).version == 2
