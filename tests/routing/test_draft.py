"""The draft: two editors see each other, the order, who changed what, and the way back to live."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from leads.models import Handoff
from routing import draft, publish
from routing.models import Draft, NamedList, Pool, PoolMember, Queue, Rule, Ruleset, Territory, User
from tests import factories
from tests.conftest import NOW, Cast

GERMANY = {"all": [{"field": "country", "op": "equals", "value": "DE"}]}
LATER = NOW + timedelta(days=1)


def rule(name: str, **fields: Any) -> Rule:
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    return Rule(
        **{"name": name, "conditions": GERMANY, "target_kind": "queue", "target_id": str(overflow.pk)}
        | fields
    )


def order() -> list[str]:
    return [row.name for row in Rule.objects.filter(is_active=True)]


@pytest.fixture
def rules(cast: Cast) -> list[Rule]:
    """A, B and C ahead of the catch-all that ships."""
    return [draft.save(rule(name), 0, cast.otto) for name in "ABC"]


# Saving


def test_a_new_rule_goes_last_but_ahead_of_the_catch_all(cast: Cast, rules: list[Rule]) -> None:
    assert order() == ["A", "B", "C", "Everything else"]
    Rule.objects.filter(name="Everything else").update(position=40)
    draft.save(rule("D"), 0, cast.otto)
    assert order() == ["A", "B", "C", "D", "Everything else"]
    draft.save(rule("Rest", conditions={"all": []}), 0, cast.otto)
    draft.save(rule("First", position=1), 0, cast.otto)
    assert order() == ["First", "A", "B", "C", "D", "Everything else", "Rest"]


def test_a_save_names_who_it_was_and_raises_the_revision(cast: Cast, rules: list[Rule]) -> None:
    mine = Rule.objects.get(pk=rules[0].pk)
    mine.name = "A, renamed"
    saved = draft.save(mine, 1, cast.ada)
    assert saved.revision == 2
    stored = Rule.objects.get(pk=mine.pk)
    assert (stored.name, stored.revision) == ("A, renamed", 2)
    assert [(entry.name, entry.history_user) for entry in stored.history.all()] == [
        ("A, renamed", cast.ada), ("A", cast.otto),
    ]  # fmt: skip


def test_the_second_of_two_editors_is_shown_the_first_and_loses_nothing(
    cast: Cast, rules: list[Rule]
) -> None:
    ottos, adas = Rule.objects.get(pk=rules[0].pk), Rule.objects.get(pk=rules[0].pk)
    ottos.name, adas.name = "By Otto", "By Ada"
    draft.save(ottos, 1, cast.otto)
    with pytest.raises(draft.Stale, match="Otto Maier changed this meanwhile") as caught:
        draft.save(adas, 1, cast.ada)
    stale = caught.value
    assert stale.current.name == "By Otto" and stale.current.revision == 2  # type: ignore[union-attr]
    assert stale.by == cast.otto and stale.at == ottos.history.first().history_date
    assert adas.name == "By Ada" and Rule.objects.get(pk=adas.pk).name == "By Otto"
    # Having seen it, Ada saves hers over it.
    assert draft.save(adas, 2, cast.ada).revision == 3


def test_an_edit_keeps_what_others_write_meanwhile(cast: Cast, rules: list[Rule]) -> None:
    mine = Rule.objects.get(pk=rules[0].pk)
    Rule.objects.filter(pk=mine.pk).update(position=77, last_reviewed=NOW.date())
    mine.name = "Mine"
    draft.save(mine, 1, cast.otto)
    stored = Rule.objects.get(pk=mine.pk)
    assert (stored.name, stored.position, stored.last_reviewed) == ("Mine", 77, NOW.date())
    assert stored.history.first().position == 77


def test_territories_keep_slug_and_take_members(cast: Cast) -> None:
    made = draft.save(
        Territory(slug="dach", name="DACH", conditions=GERMANY, owner=cast.rosa),
        0,
        cast.otto,
        members=[cast.femke],
    )
    made.slug, made.name = "other", "D-A-CH"
    draft.save(made, 1, cast.ada, members=[cast.femke, cast.jonas])
    stored = Territory.objects.get()
    assert (stored.slug, stored.name, stored.revision) == ("dach", "D-A-CH", 2)
    assert set(stored.members.all()) == {cast.femke, cast.jonas}
    last = stored.history.first()
    assert last.history_user == cast.ada
    assert {entry.user_id for entry in last.members.all()} == {cast.femke.pk, cast.jonas.pk}
    with pytest.raises(draft.Stale):
        draft.save(made, 1, cast.otto, members=[])
    assert stored.members.count() == 2


def test_a_pool_is_saved_with_its_seats_and_loses_no_turn(cast: Cast) -> None:
    pool = draft.save(
        Pool(slug="dach", name="DACH"), 0, cast.otto,
        seats=[PoolMember(user=cast.femke, weight=2), PoolMember(user=cast.jonas)],
    )  # fmt: skip
    seat = PoolMember.objects.get(user=cast.femke)
    PoolMember.objects.update(taken=5, accrued="4.5")
    seat.weight, seat.cap_day = 3, 4
    pool.cap_week = 20
    draft.save(pool, 1, cast.ada, seats=[seat, PoolMember(user=cast.rosa, cap_open=1)])
    stored = Pool.objects.get()
    assert (stored.cap_week, stored.revision) == (20, 2)
    rows = {row.user: (row.weight, row.cap_open, row.cap_day, row.taken) for row in stored.seats.all()}
    assert rows == {cast.femke: (3, None, 4, 5), cast.jonas: (1, None, None, 5), cast.rosa: (1, 1, None, 0)}
    entry = seat.history.first()
    assert (entry.weight, entry.history_user) == (3, cast.ada) and not hasattr(entry, "taken")
    with pytest.raises(draft.Stale) as caught:
        draft.save(pool, 1, cast.otto)
    assert caught.value.by == cast.ada


def test_lists_queues_and_the_settings_are_saved_the_same_way(cast: Cast) -> None:
    named = draft.save(NamedList(slug="big", name="Big", values=["a.com"]), 0, cast.otto)
    named.values = ["a.com", "b.com"]
    assert draft.save(named, 1, cast.otto).revision == 2
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    draft.save(queue, queue.revision, cast.otto, members=[cast.femke])
    assert list(queue.members.all()) == [cast.femke]
    settings = draft.current()
    settings.account_first = "never"
    before = settings.revision
    draft.save(settings, before, cast.otto)
    with pytest.raises(draft.Stale):
        draft.save(settings, before, cast.ada)
    assert Draft.objects.get().account_first == "never"


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_of_four_editors_at_once_one_wins(cast: Cast) -> None:
    row = draft.save(rule("A"), 0, cast.otto)

    def edit(number: int) -> bool:
        try:
            mine = Rule.objects.get(pk=row.pk)
            mine.name = f"By {number}"
            draft.save(mine, 1, cast.otto)
            return True
        except draft.Stale:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        won = [future.result() for future in [workers.submit(edit, n) for n in range(4)]]
    stored = Rule.objects.get(pk=row.pk)
    assert won.count(True) == 1 and stored.revision == 2
    assert stored.name == f"By {won.index(True)}" and stored.history.count() == 2


# The order


@pytest.mark.parametrize(
    ("which", "to", "expected"),
    [
        (0, "up", "ABC"), (1, "up", "BAC"), (0, "down", "BAC"), (0, 3, "BCA"), (2, 1, "CAB"), (1, 2, "ABC"),
    ],
)  # fmt: skip
def test_a_rule_moves(cast: Cast, rules: list[Rule], which: int, to: Any, expected: str) -> None:
    revision = draft.current().revision
    moved = draft.move(rules[which], to, revision, cast.otto)
    assert moved.revision == revision + 1
    assert order() == [*expected, "Everything else"]
    changed = [row for row, old in zip(rules, "ABC", strict=True) if expected.index(old) != "ABC".index(old)]
    if changed:
        assert changed[0].history.first().history_user == cast.otto


def test_the_order_of_two_editors(cast: Cast, rules: list[Rule]) -> None:
    revision = draft.current().revision
    draft.move(rules[0], 3, revision, cast.otto)
    with pytest.raises(draft.Stale) as caught:
        draft.move(rules[1], 99, revision, cast.ada)
    assert caught.value.by == cast.otto and isinstance(caught.value.current, Draft)
    assert order() == ["B", "C", "A", "Everything else"]
    # A place past the end is the end; a rule that is made or switched off meanwhile counts as another order.
    draft.move(rules[1], 99, revision + 1, cast.ada)
    assert order() == ["C", "A", "Everything else", "B"]
    sleeping = Rule.objects.get(pk=rules[2].pk)
    sleeping.is_active = False
    draft.save(sleeping, 1, cast.otto)
    assert draft.current().revision == revision + 3
    with pytest.raises(ValueError, match="switched off"):
        draft.move(sleeping, "up", revision + 3, cast.otto)


# Back to what is live


def state() -> tuple[Any, ...]:
    return (
        publish.compile_draft(),
        [(row.pk, row.name, row.position, row.is_active) for row in Rule.objects.all()],
    )


def test_a_discarded_draft_is_what_is_live(cast: Cast, rules: list[Rule]) -> None:
    draft.save(Territory(slug="dach", name="DACH", conditions=GERMANY, owner=cast.rosa), 0, cast.otto)
    draft.save(NamedList(slug="big", name="Big accounts", kind="domains", values=["a.com"]), 0, cast.otto)
    live = publish.publish(NOW, cast.otto, "first")
    before = state()
    owned = Rule.objects.get(pk=rules[0].pk)
    owned.owner, owned.name, owned.is_active = cast.mia, "Edited", False
    draft.save(owned, 1, cast.otto)
    draft.move(rules[2], 1, draft.current().revision, cast.otto)
    extra = draft.save(rule("Extra"), 0, cast.otto)
    draft.save(Territory(slug="new", name="New", conditions=GERMANY), 0, cast.otto)
    Territory.objects.filter(slug="dach").delete()
    NamedList.objects.get(slug="big").delete()
    settings = draft.current()
    settings.account_first = "never"
    draft.save(settings, settings.revision, cast.otto)
    lost = rules[1].pk
    Rule.objects.get(pk=lost).delete()
    assert publish.compile_draft() != live.document

    revisions = dict(Rule.objects.values_list("pk", "revision"))
    assert draft.discard(LATER, cast.ada) > 0
    assert publish.compile_draft() == live.document
    assert Rule.objects.get(pk=rules[0].pk).owner == cast.mia
    assert Rule.objects.get(pk=lost).name == "B"
    assert not Rule.objects.get(pk=extra.pk).is_active
    assert not Territory.objects.get(slug="new").is_active
    big = NamedList.objects.get(slug="big")
    assert (big.name, big.kind, big.values) == ("Big accounts", "domains", ["a.com"])
    # By number: the clock of this test is not that of the entries before.
    entry = Rule.objects.get(pk=extra.pk).history.order_by("-history_id").first()
    assert (entry.history_user, entry.history_date, entry.history_change_reason) == (
        cast.ada, LATER, "The draft was discarded",
    )  # fmt: skip
    assert Rule.objects.get(pk=extra.pk).revision == revisions[extra.pk] + 1
    assert [row[1] for row in state()[1] if row[3]] == [row[1] for row in before[1] if row[3]]
    # Nothing differs any more: nothing is written.
    entries = Rule.history.count(), Draft.history.count()
    assert draft.discard(LATER, cast.ada) == 0
    assert (Rule.history.count(), Draft.history.count()) == entries
    assert publish.publish(LATER, cast.otto, "again") == live


def test_an_owner_who_is_gone_is_left_out(cast: Cast, rules: list[Rule]) -> None:
    draft.save(Territory(slug="dach", name="DACH", conditions=GERMANY, owner=cast.rosa), 0, cast.otto)
    publish.publish(NOW, cast.otto, "first")
    Territory.objects.all().delete()
    User.objects.filter(pk=cast.rosa.pk).delete()
    assert draft.discard(LATER, cast.ada) == 1
    assert Territory.objects.get().owner is None


def test_without_a_live_version_there_is_nothing_to_go_back_to(cast: Cast, rules: list[Rule]) -> None:
    Ruleset.objects.update(is_live=False)
    with pytest.raises(draft.NothingLive):
        draft.discard(NOW, cast.otto)
    assert order() == ["A", "B", "C", "Everything else"]


def test_renaming_and_reordering_disturb_no_handoff_that_runs(cast: Cast) -> None:
    running = factories.make_handoff("assigned", cast.femke)
    before = Handoff.objects.filter(pk=running.pk).values().get()
    decision = running.decisions.get()
    events = running.events.count()
    row = Rule.objects.get(pk=int(decision.rule_id))
    row.name = "Quite another name"
    draft.save(row, row.revision, cast.otto)
    draft.move(row, 99, draft.current().revision, cast.otto)
    made = publish.publish(LATER, cast.otto, "renamed")
    assert publish.live() == made and made.pk != decision.ruleset_id
    assert Handoff.objects.filter(pk=running.pk).values().get() == before
    decision.refresh_from_db()
    assert decision.rule_id == str(row.pk) and running.events.count() == events
    assert [entry["name"] for entry in decision.ruleset.document["rules"]] == ["All leads"]
