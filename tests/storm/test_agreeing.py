"""Many sign at once: of one proposal comes one version, of two proposals one is adopted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection

from leads import agreeing
from leads.lifecycle import Act, Refused
from leads.models import Agreement, MqlDefinition, Proposal, Signature
from routing.models import User
from routing.people import MANAGER, MARKETING
from tests.conftest import NOW, Cast
from tests.factories import make_proposal
from tests.storm.test_storm import run_threads

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]

LATER = NOW + timedelta(hours=1)


def many() -> int:
    return 16 if connection.vendor == "postgresql" else 6


def both_roles(count: int) -> list[int]:
    groups = list(Group.objects.filter(name__in=[MARKETING, MANAGER]))
    made = [User.objects.create_user(f"both{number}@handoff.example.com") for number in range(count)]
    for user in made:
        user.groups.set(groups)
    return [user.pk for user in made]


def at_once(count: int, do: Callable[[int], object]) -> list[str]:
    """The refusals' codes of so many at once; whatever else goes wrong is raised."""
    codes: list[str] = []

    def one(number: int) -> None:
        try:
            do(number)
        except Refused as error:
            codes.append(error.code)

    run_threads(count, one)
    return codes


def test_one_proposal_is_adopted_once(cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    ids = [*both_roles(many()), cast.otto.pk, cast.mia.pk, cast.ada.pk]
    refused = at_once(len(ids), lambda n: agreeing.sign(made.pk, Act(LATER, User.objects.get(pk=ids[n]))))
    assert len(refused) == len(ids) - 1
    assert sorted(Signature.objects.values_list("side", flat=True)) == ["marketing", "sales"]
    assert Signature.objects.filter(person=cast.otto).count() == 1
    assert (Agreement.objects.count(), MqlDefinition.objects.count()) == (2, 2)


def test_of_two_proposals_for_one_version_one_is_adopted(cast: Cast) -> None:
    made = [make_proposal(cast.otto, threshold=70 + number) for number in range(many())]
    signers = (cast.mia, cast.nils)
    refused = at_once(
        len(made), lambda n: agreeing.sign(made[n].pk, Act(LATER, User.objects.get(pk=signers[n % 2].pk)))
    )
    assert refused == ["stale"] * (len(made) - 1)
    assert Agreement.objects.count() == 2
    [adopted] = Proposal.objects.filter(state="adopted")
    assert Agreement.objects.get(version=2).definition.threshold == adopted.threshold


def test_signing_declining_and_withdrawing_end_in_one_of_them(cast: Cast) -> None:
    for round_ in range(many() // 3):
        made = make_proposal(cast.otto, LATER + round_ * timedelta(hours=1), threshold=70 + round_)
        act = LATER + (round_ + 0.5) * timedelta(hours=1)
        verbs: tuple[Callable[[], object], ...] = (
            lambda: agreeing.sign(made.pk, Act(act, User.objects.get(pk=cast.mia.pk))),
            lambda: agreeing.decline(made.pk, Act(act, User.objects.get(pk=cast.nils.pk)), "No"),
            lambda: agreeing.withdraw(made.pk, Act(act, User.objects.get(pk=cast.otto.pk))),
        )
        assert len(at_once(3, lambda n: verbs[n]())) == 2
        made.refresh_from_db()
        is_adopted = Agreement.objects.filter(proposal=made).exists()
        assert (made.state == "adopted") is is_adopted
        assert made.signatures.count() == 1 + is_adopted


def test_without_the_locks_the_database_still_takes_one(cast: Cast) -> None:
    """The net: all look before any of them writes."""
    made = make_proposal(cast.otto, threshold=70)
    ids = both_roles(many())
    fresh = Proposal.objects.get(pk=made.pk)

    def write(number: int) -> None:
        user = User.objects.get(pk=ids[number])
        try:
            Signature.objects.create(proposal=fresh, side="sales", person=user, at=LATER)
        except IntegrityError as error:
            raise Refused(str(error), code="net") from error

    assert at_once(len(ids), write) == ["net"] * (len(ids) - 1)
    assert Signature.objects.filter(proposal=made, side="sales").count() == 1
