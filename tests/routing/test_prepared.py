"""Queries that are written once: the same rows as the queryset gives, for any values, each time anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Lower
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from routing.models import Queue, Team, User
from routing.people import Absence
from routing.prepared import Unfit, prepared
from tests.conftest import NOW, Cast


def _away(user: int, now: datetime) -> QuerySet[Absence]:
    found = Absence.objects.filter(Q(user=user) | Q(cover=user), starts_at__lte=now, ends_at__gt=now)
    return found.select_related("user__team", "cover").order_by("pk")


away = prepared(_away)


class TestAgainstTheQueryset(TestCase):
    """Absences of two people that cover for each other."""

    @given(
        spans=st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 9), st.booleans()), max_size=6),
        asked=st.lists(st.tuples(st.booleans(), st.integers(-10, 20)), min_size=1, max_size=4),
    )
    def test_the_same_rows(self, spans: list[tuple[int, int, bool]], asked: list[tuple[bool, int]]) -> None:
        team = Team.objects.create(name="North")
        people = [User.objects.create_user(f"{n}@example.com", name=f"N {n}", team=team) for n in range(2)]
        for start, length, is_first in spans:
            Absence.objects.create(
                user=people[not is_first],
                cover=people[is_first],
                starts_at=NOW + timedelta(hours=start),
                ends_at=NOW + timedelta(hours=start + length),
            )
        for is_first, hours in asked:
            values = people[not is_first].pk, NOW + timedelta(hours=hours)
            assert _read(away(*values)) == _read(_away(*values))


def _read(rows: Any) -> list[Any]:
    return [(row, row.starts_at, row.user.name, row.user.team.name, row.cover.name) for row in rows]


def test_one_query_each_time_and_nothing_kept(cast: Cast) -> None:
    @prepared
    def members(team: int) -> QuerySet[User, str]:
        return User.objects.filter(team=team).order_by("name").values_list("name", flat=True)

    mine, other = cast.femke.team_id or 0, Team.objects.create(name="Empty").pk
    before = members(mine)
    User.objects.create_user("new@example.com", name="Zoe New", team_id=mine)
    with CaptureQueriesContext(connection) as asked:
        assert (members(mine), members(other)) == ([*before, "Zoe New"], [])
    assert len(asked) == 2


def test_values_annotations_and_queries_in_queries(cast: Cast) -> None:
    @prepared
    def teams(manager: int) -> QuerySet[Team, dict[str, Any]]:
        people = User.objects.filter(team=OuterRef("pk"), team__manager=manager)
        led = Team.objects.filter(Exists(people), manager=manager).annotate(people=Count("members"))
        return led.values("name", "people")

    assert teams(cast.mia.pk) == list(
        Team.objects.filter(manager=cast.mia).annotate(people=Count("members")).values("name", "people")
    )
    assert teams(cast.femke.pk) == []


def test_rows_are_whole_and_know_where_they_come_from(cast: Cast) -> None:
    @prepared
    def person(pk: int) -> QuerySet[User]:
        return User.objects.filter(pk=pk).select_related("team").only("name", "team__name")

    (found,) = person(cast.femke.pk)
    with CaptureQueriesContext(connection) as asked:
        assert (found.name, found.team.name) == (cast.femke.name, cast.femke.team.name)
        assert found._state.adding is False
    assert len(asked) == 0
    assert found.email == cast.femke.email


def test_without_values(cast: Cast) -> None:
    @prepared
    def queues() -> QuerySet[Queue, int]:
        return Queue.objects.order_by("pk").values_list("pk", flat=True)

    assert queues() == list(Queue.objects.order_by("pk").values_list("pk", flat=True)) != []


def test_lists_of_any_length(cast: Cast) -> None:
    @prepared
    def named(ids: list[int], but: int) -> QuerySet[User, int]:
        rows = User.objects.filter(pk__in=ids).exclude(pk=but)
        return rows.order_by("pk").values_list("pk", flat=True)

    everybody = list(User.objects.order_by("pk").values_list("pk", flat=True))
    assert len(everybody) > 4
    for length in range(len(everybody) + 1):
        assert named(everybody[:length], everybody[0]) == everybody[1:length]
    assert named([everybody[1]] * 300, 0) == [everybody[1]]
    # Longer than any that is kept.
    assert named([everybody[1]] * 16385, 0) == [everybody[1]]


def test_lists_of_texts(cast: Cast) -> None:
    @prepared
    def named(names: list[str], but: list[str]) -> QuerySet[User, str]:
        return User.objects.filter(name__in=names).exclude(email__in=but).values_list("name", flat=True)

    everybody = list(User.objects.values_list("name", flat=True))
    assert len(everybody) > 4
    for length in range(len(everybody) + 1):
        assert sorted(named(everybody[:length], [])) == sorted(everybody[:length])
    assert named([cast.femke.name], [cast.femke.email]) == []
    assert named([], [cast.femke.email]) == []


@pytest.mark.parametrize("name", ["O'Brien 100% %s", "", "Ångström \\ 东京", " a text that nobody writes 0"])
def test_texts(cast: Cast, name: str) -> None:
    @prepared
    def named(name: str, team: int) -> QuerySet[User, int]:
        return User.objects.filter(name=name, team=team).order_by("pk").values_list("pk", flat=True)

    team = cast.femke.team_id or 0
    found = User.objects.create_user("other@example.com", name=name, team_id=team)
    for _ in range(4):
        assert named(name, team) == [found.pk]
        assert named(cast.jonas.name, team) == [cast.jonas.pk]
        assert named(name, team + 1) == []


def test_true_and_false_make_statements_of_their_own(cast: Cast) -> None:
    @prepared
    def people(team: int, is_active: bool, by_name: bool) -> QuerySet[User, str]:
        rows = User.objects.filter(team=team, is_active=is_active)
        return rows.order_by("name" if by_name else "-name").values_list("name", flat=True)

    team = cast.femke.team_id or 0
    User.objects.filter(pk=cast.jonas.pk).update(is_active=False)
    User.objects.create_user("zoe@example.com", name="Zoe New", team_id=team)
    for _ in range(2):
        assert people(team, True, True) == people(team, True, False)[::-1]
        assert people(team, True, True)[-1] == "Zoe New"
        assert people(team, False, True) == [cast.jonas.name]


class TestUnfit:
    """What cannot be prepared says so, rather than to answer with the first values."""

    def test_a_value_counted_from_another(self, cast: Cast) -> None:
        since = prepared(lambda now: Absence.objects.filter(starts_at__gt=now - timedelta(days=1)))
        with pytest.raises(Unfit, match="do more than stand in the query"):
            since(NOW)

    def test_a_value_beside_what_is_counted_from_it(self, cast: Cast) -> None:
        span = prepared(
            lambda now: Absence.objects.filter(starts_at__gt=now - timedelta(days=1), starts_at__lte=now)
        )
        with pytest.raises(Unfit, match="do more than stand in the query"):
            span(NOW)

    def test_a_shape_that_a_value_decides(self, cast: Cast) -> None:
        order = prepared(lambda pk: User.objects.filter(pk=pk).order_by("name" if pk % 2 else "email"))
        with pytest.raises(Unfit, match="do more than stand in the query"):
            order(cast.femke.pk)

    def test_a_value_that_is_not_asked_for(self, cast: Cast) -> None:
        everybody = prepared(lambda pk: User.objects.order_by("pk"))
        with pytest.raises(Unfit, match="do more than stand in the query"):
            everybody(cast.femke.pk)

    @pytest.mark.parametrize("value", [1.5, None, b"femke"])
    def test_another_kind_of_value(self, cast: Cast, value: Any) -> None:
        named = prepared(lambda value: User.objects.filter(name=value))
        with pytest.raises(Unfit, match="is no whole number, no moment and no text"):
            named(value)

    @pytest.mark.parametrize("values", [["femke", 1], [1.5], [NOW], [True]])
    def test_a_list_of_anything_but_ids_and_texts(self, cast: Cast, values: list[Any]) -> None:
        named = prepared(lambda values: User.objects.filter(name__in=values))
        with pytest.raises(Unfit, match="a list holds whole numbers or texts"):
            named(values)

    def test_a_text_that_is_looked_for_within_another(self, cast: Cast) -> None:
        like = prepared(lambda words: User.objects.filter(name__contains=words))
        with pytest.raises(Unfit, match="do more than stand in the query"):
            like("emk")

    def test_a_value_by_its_name(self, cast: Cast) -> None:
        own = prepared(lambda pk: User.objects.filter(pk=pk))
        with pytest.raises(Unfit, match="by their place"):
            own(pk=cast.femke.pk)


def test_a_value_among_the_querys_own(cast: Cast) -> None:
    @prepared
    def others(pk: int) -> QuerySet[User, int]:
        return (
            User.objects.filter(pk__gt=0).exclude(pk=pk).annotate(n=F("pk") + 1).values_list("n", flat=True)
        )

    assert cast.femke.pk + 1 not in others(cast.femke.pk)
    assert cast.femke.pk + 1 in others(cast.mia.pk)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are kept by PostgreSQL")
def test_planned_once_a_connection(cast: Cast) -> None:
    @prepared
    def away(user: int, now: datetime) -> QuerySet[Absence]:
        return Absence.objects.filter(user=user, ends_at__gt=now, note="100% 'away'").order_by("pk")

    for user in (1, 2**40, cast.femke.pk, cast.mia.pk):
        away(user, NOW)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT statement FROM pg_prepared_statements WHERE statement LIKE %s", ["%100%% ''away''%"]
        )
        kept = cursor.fetchall()
    # What is constant stands in the text; one statement serves numbers of any size.
    assert len(kept) == 1
    assert "$1" in kept[0][0] and "$2" in kept[0][0] and "$3" not in kept[0][0]


def test_signs_of_the_languages_own_in_constants(cast: Cast) -> None:
    Absence.objects.create(
        user=cast.femke, starts_at=NOW, ends_at=NOW + timedelta(days=1), note="100% 'away' %s, \\ and \"so\""
    )

    @prepared
    def noted(user: int) -> QuerySet[Absence, str]:
        rows = Absence.objects.filter(user=user, note="100% 'away' %s, \\ and \"so\"")
        return rows.filter(note__contains="% 'away' %").order_by("note").values_list("note", flat=True)

    assert noted(cast.femke.pk) == ["100% 'away' %s, \\ and \"so\""]
    assert noted(cast.mia.pk) == []


def test_what_only_the_order_needs_is_not_given(cast: Cast) -> None:
    @prepared
    def teams(manager: int) -> QuerySet[Team, str]:
        led = Team.objects.filter(members__isnull=False, manager=manager).distinct()
        return led.order_by(Lower("name"), "-pk").values_list("name", flat=True)

    @prepared
    def rows(manager: int) -> QuerySet[Team]:
        return Team.objects.filter(members__isnull=False, manager=manager).distinct().order_by(Lower("name"))

    Team.objects.create(name="alpha", manager=cast.mia).members.add(cast.femke)
    assert teams(cast.mia.pk) == [team.name for team in rows(cast.mia.pk)] == ["alpha", "DACH"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no locks of rows")
@pytest.mark.django_db(transaction=True)
def test_no_lock_is_asked_for_outside_a_transaction(cast: Cast) -> None:
    @prepared
    def locked(pk: int) -> QuerySet[User]:
        return User.objects.select_for_update().filter(pk=pk).order_by()

    with pytest.raises(TransactionManagementError):
        locked(cast.femke.pk)
    with transaction.atomic():
        assert locked(cast.femke.pk) == [cast.femke]
    # Written by now, and refused all the same.
    with pytest.raises(TransactionManagementError):
        locked(cast.femke.pk)
