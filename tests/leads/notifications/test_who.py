"""Who stands behind a role: named, active people, and never nobody as long as there is an admin."""

from datetime import timedelta

import pytest

from leads.models import Handoff
from leads.notifications import recipients
from routing.models import Absence, Queue, User
from tests import factories
from tests.conftest import NOW, Cast


def away(user: User, cover: User | None = None) -> None:
    Absence.objects.create(
        user=user, cover=cover, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=1)
    )


def told(handoff: Handoff, *who: str) -> list[str]:
    return [user.email.split("@")[0] for user in recipients(handoff, who, NOW)]


@pytest.fixture
def held(cast: Cast) -> Handoff:
    return factories.make_handoff("assigned", cast.femke)


def test_roles_stand_for_people(cast: Cast, held: Handoff) -> None:
    assert told(held, "rep") == ["femke"]
    assert told(held, "manager") == ["mia"]
    assert told(held, "marketing") == ["otto"]
    assert told(held, "rep", "manager", "marketing") == ["femke", "mia", "otto"]


def test_nobody_is_told_twice(cast: Cast, held: Handoff) -> None:
    assert told(held, "rep", "manager", f"person:{cast.mia.pk}", "manager") == ["femke", "mia"]


def test_nobody_watches_over_themselves(cast: Cast) -> None:
    """What a manager holds, or who covers for one, is watched by somebody else; with nobody else, by them."""
    handoff = factories.make_handoff("assigned", cast.mia)
    assert told(handoff, "rep", "manager") == ["mia", "ada"]
    away(cast.mia, cover=cast.femke)
    assert told(factories.make_handoff("assigned", cast.femke), "manager") == ["ada"]
    alone = factories.make_handoff("assigned", cast.ada)
    assert told(alone, "manager") == ["ada"]


def test_a_manager_away_is_covered(cast: Cast, held: Handoff) -> None:
    away(cast.mia, cover=cast.nils)
    assert told(held, "manager") == ["nils"]


def test_a_cover_who_is_away_or_inactive_is_none(cast: Cast, held: Handoff) -> None:
    away(cast.mia, cover=cast.nils)
    away(cast.nils, cover=cast.mia)
    assert told(held, "manager") == ["ada"]
    Absence.objects.filter(user=cast.nils).delete()
    cast.nils.is_active = False
    cast.nils.save()
    assert told(held, "manager") == ["ada"]


def test_without_a_manager_the_queues_owner_then_the_admins(cast: Cast) -> None:
    queue = Queue.objects.create(slug="emea", name="EMEA", owner=cast.nils)
    handoff = factories.make_handoff("queued", queue=queue)
    assert told(handoff, "manager") == ["nils"]
    assert told(handoff, "queue_owner") == ["nils"]
    cast.nils.is_active = False
    cast.nils.save()
    assert told(Handoff.objects.get(pk=handoff.pk), "manager") == ["ada"]


def test_a_queues_owner_away_is_covered_or_still_the_owner(cast: Cast) -> None:
    queue = Queue.objects.create(slug="emea", name="EMEA", owner=cast.nils)
    handoff = factories.make_handoff("queued", queue=queue)
    away(cast.nils)
    assert told(handoff, "queue_owner") == ["nils"]
    Absence.objects.update(cover=cast.mia)
    assert told(handoff, "queue_owner") == ["mia"]


def test_an_absent_manager_without_cover_falls_to_the_admins_for_a_rep(cast: Cast, held: Handoff) -> None:
    away(cast.mia)
    assert told(held, "manager") == ["ada"]
    cast.mia.is_active = False
    cast.mia.save()
    Absence.objects.all().delete()
    assert told(Handoff.objects.get(pk=held.pk), "manager") == ["ada"]


def test_a_rep_without_a_team_has_the_admins_for_a_manager(cast: Cast, held: Handoff) -> None:
    User.objects.filter(pk=cast.femke.pk).update(team=None)
    assert told(Handoff.objects.get(pk=held.pk), "manager") == ["ada"]


def test_inactive_people_are_never_told(cast: Cast, held: Handoff) -> None:
    User.objects.exclude(pk=cast.ada.pk).update(is_active=False)
    held = Handoff.objects.get(pk=held.pk)
    assert told(held, "rep") == []
    assert told(held, "rep", "manager", "marketing", "queue_owner") == ["ada"]


def test_what_waits_for_data_is_the_completion_queues(cast: Cast) -> None:
    Queue.objects.filter(kind=Queue.Kind.COMPLETION).update(owner=cast.otto)
    handoff = factories.make_handoff("incomplete")
    assert told(handoff, "rep") == [] and told(handoff, "queue_owner") == ["otto"]


def test_an_unknown_role_is_an_error(held: Handoff) -> None:
    with pytest.raises(KeyError):
        recipients(held, ("ceo",), NOW)


def test_a_person_may_be_named(cast: Cast, held: Handoff) -> None:
    assert told(held, f"person:{cast.vera.pk}", "rep") == ["vera", "femke"]
    # The holder's silence is not told to the holder alone.
    assert told(held, f"person:{cast.femke.pk}") == ["mia"]
    away(cast.vera)
    assert told(held, f"person:{cast.vera.pk}") == ["vera"]
    Absence.objects.update(cover=cast.otto)
    assert told(held, f"person:{cast.vera.pk}") == ["otto"]


@pytest.mark.parametrize(
    "role", ["person:", "person:x", "person:-1", "person:99999999", "person:" + "9" * 40]
)
def test_a_named_person_who_is_not_there_stands_for_the_manager(cast: Cast, held: Handoff, role: str) -> None:
    assert told(held, role) == ["mia"]


def test_a_named_person_who_left_stands_for_the_manager(cast: Cast, held: Handoff) -> None:
    User.objects.filter(pk=cast.vera.pk).update(is_active=False)
    assert told(held, f"person:{cast.vera.pk}") == ["mia"]
