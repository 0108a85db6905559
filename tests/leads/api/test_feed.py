"""The list of handoffs while they change: nothing is left out, nothing comes twice unchanged, polling ends up
with what is there; and the places that cursors name, pure."""

import json
import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import lifecycle
from leads.api import feed
from leads.api.feed import Place
from leads.models import Event, Handoff
from tests.conftest import NOW
from tests.factories import make_handoff
from tests.storm.test_storm import run_threads

numbers = st.integers(0, 10**18 - 1)


@given(numbers, numbers)
def test_a_cursor_is_read_as_it_was_written(after, sure):
    place = Place(max(after, sure), min(after, sure))
    assert Place.read(str(place)) == place


places = st.tuples(st.integers(0, 1000), st.integers(0, 1000))
pages = st.lists(st.tuples(st.integers(0, 50), st.none() | st.integers(0, 2000)), max_size=8)


@given(places, pages)
def test_what_is_sure_is_never_beyond_what_was_settled_and_never_goes_back(start, pages):
    """Pages further and further on, each with what was settled then, or nothing was."""
    place = Place(max(start), min(start))
    for step, settled in pages:
        moved = place.moved(place.after + step, settled)
        assert moved.after == place.after + step and place.sure <= moved.sure <= moved.after
        if moved.sure > place.sure:
            # Only from a place that was sure, and only as far as the log was complete.
            assert place.sure == place.after and settled is not None and moved.sure <= settled
        place = moved


class Reader:
    """Reads pages of the list and remembers the revisions that it was shown, in order."""

    def __init__(self, get, query=""):
        self.get, self.query, self.cursor, self.seen = get, query, "", []

    def page(self, limit):
        """Whether there are more."""
        answer = self.get(f"/handoffs?limit={limit}&cursor={self.cursor}{self.query}")
        assert answer.status_code == 200, answer.content
        self.seen += [(int(row["id"]), row["revision"]) for row in answer.data["results"]]
        self.cursor = answer.data["next"] or answer.data["latest"]
        return answer.data["next"] is not None

    def to_the_end(self, limit=50):
        while self.page(limit):
            pass


WRITES = st.sampled_from(["new", "note", "accept", "reassign"])
TURNS = st.lists(st.tuples(st.integers(1, 3), st.lists(WRITES, max_size=3)), min_size=1, max_size=6)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(turns=TURNS, dice=st.randoms(use_true_random=False), back=st.lists(st.integers(0, 90), max_size=18))
def test_a_list_that_changes_while_it_is_read(cast, keyed, turns, dice, back):
    """Pages with writes between them, some of moments long before they are written."""
    read, now, moments = keyed("read").get, NOW + timedelta(hours=1), iter(back)
    with transaction.atomic():
        made = [make_handoff("assigned", cast.femke).pk for _ in range(3)]
        reader, polled = Reader(read), {}
        for limit, writes in turns:
            reader.page(limit)
            for write in writes:
                now += timedelta(seconds=30)
                act = lifecycle.Act(now - timedelta(seconds=next(moments, 0)), cast.mia)
                if write == "new":
                    made.append(make_handoff("assigned", cast.jonas, at=act.now).pk)
                    continue
                pk = dice.choice(made)
                holder = Handoff.objects.get(pk=pk).assignee
                if write == "note":
                    lifecycle.note(pk, act, text=f"at {now}")
                elif write == "accept":
                    lifecycle.accept(pk, lifecycle.Act(act.now, holder))
                elif Handoff.objects.get(pk=pk).state == "assigned":
                    to = cast.jonas if holder == cast.femke else cast.femke
                    lifecycle.reassign(pk, act, to=to.email, reason="In turn")
        reader.to_the_end()
        # Nothing twice that did not change, and in the end everything as it is.
        assert max(Counter(reader.seen).values()) == 1
        polled = dict(reader.seen)
        assert polled == dict(Handoff.objects.values_list("pk", "revision"))
        transaction.set_rollback(True)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(turns=TURNS, dice=st.randoms(use_true_random=False))
def test_asking_for_what_changed_since_the_last_time_loses_nothing(cast, keyed, turns, dice):
    """The other loop: each round asks with the moment at which the round before began."""
    read, now = keyed("read").get, NOW + timedelta(hours=1)
    with transaction.atomic():
        made = [make_handoff("assigned", cast.femke).pk for _ in range(3)]
        known, since = {}, NOW - timedelta(days=1)
        for limit, writes in [*turns, (3, []), (3, [])]:
            reader = Reader(read, f"&updated_since={since.strftime('%Y-%m-%dT%H:%M:%SZ')}")
            since, left = now, list(writes)
            more = True
            while more or left:
                more = reader.page(limit) if more else False
                if left:
                    left.pop()
                    now += timedelta(seconds=30)
                    lifecycle.note(dice.choice(made), lifecycle.Act(now, cast.mia), text=f"at {now}")
            known |= dict(reader.seen)
        assert known == dict(Handoff.objects.values_list("pk", "revision"))
        transaction.set_rollback(True)


def test_few_and_many_are_in_the_same_order(cast, keyed, monkeypatch):
    read = keyed("read").get
    made = [make_handoff("assigned", cast.femke).pk for _ in range(4)]
    lifecycle.note(made[1], lifecycle.Act(NOW + timedelta(hours=1), cast.mia), text="Later")
    orders = []
    for few in (1000, 2):
        monkeypatch.setattr(feed, "FEW", few)
        reader = Reader(read, "&state=assigned")
        reader.to_the_end(limit=3)
        orders.append(reader.seen)
    assert orders[0] == orders[1] and [pk for pk, _ in orders[0]] == [made[0], made[2], made[3], made[1]]


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_polling_while_six_write_at_once(cast, keyed):
    """Writers whose moments lie before those of others that are written already, rolled back now and then."""
    made = [make_handoff("assigned", cast.femke).pk for _ in range(12)]
    api = keyed("read")
    done = threading.Event()
    reader = Reader(api.get)

    def write(number):
        dice = random.Random(number)
        for round_ in range(15):
            at = NOW + timedelta(hours=1, seconds=dice.randrange(600))
            with transaction.atomic():
                lifecycle.note(dice.choice(made), lifecycle.Act(at, cast.mia), text=f"{number}-{round_}")
                transaction.set_rollback(dice.random() < 0.2)

    def work(number):
        if number < 6:
            write(number)
            return
        while not done.is_set():
            reader.page(limit=2)

    def watch():
        try:
            run_threads(6, write)
        finally:
            done.set()

    writers = threading.Thread(target=watch)
    writers.start()
    work(6)
    writers.join()
    reader.to_the_end()
    assert dict(reader.seen) == dict(Handoff.objects.values_list("pk", "revision"))
    assert dict(reader.seen) == {pk: Event.objects.filter(handoff=pk).count() for pk in made}


@pytest.mark.django_db(transaction=True)
def test_whoever_takes_too_long_is_listened_for_again(cast, keyed, monkeypatch):
    """On PostgreSQL: an event with a smaller id is committed after a larger one was shown."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    monkeypatch.setattr(feed, "LONGEST_WAIT", 0.05)
    slow, quick = (make_handoff("assigned", cast.femke).pk for _ in range(2))
    read = keyed("read").get
    reader = Reader(read)
    reader.to_the_end()
    wrote, go = threading.Event(), threading.Event()

    def write() -> None:
        try:
            with transaction.atomic():
                lifecycle.note(slow, lifecycle.Act(NOW, cast.mia), text="Slow")
                wrote.set()
                assert go.wait(30)
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert wrote.wait(30)
    lifecycle.note(quick, lifecycle.Act(NOW, cast.mia), text="Quick")
    before = len(reader.seen)
    reader.page(limit=1)
    assert reader.seen[before:] == [(quick, Handoff.objects.get(pk=quick).revision)]
    go.set()
    thread.join()
    reader.to_the_end()
    revisions = dict(Handoff.objects.values_list("pk", "revision"))
    # The quick one comes again, unchanged; the slow one comes at all.
    assert sorted(reader.seen[before + 1 :]) == sorted(revisions.items())
    after = json.dumps(reader.cursor)
    reader.to_the_end()
    assert json.dumps(reader.cursor) == after and len(reader.seen) == before + 3
