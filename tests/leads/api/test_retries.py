"""Idempotency-Key as a header: quoted and bare, whose it is, at once, and after a week."""

import re
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from leads import tasks
from leads.api import retries
from leads.models import Note, RememberedAnswer
from tests.factories import make_handoff
from tests.leads.api.conftest import Api, problem
from tests.storm.test_storm import run_threads

VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


@given(st.text(VISIBLE, min_size=1, max_size=80))
def test_a_quoted_key_is_what_was_quoted(key):
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", key) + '"'
    assert re.fullmatch(retries.PATTERN, quoted)
    assert retries.bare(quoted) == key


@given(st.text(VISIBLE, max_size=12))
def test_what_is_neither_quoted_nor_bare_is_no_key(header):
    quoted = re.fullmatch(r'"([^"\\]|\\["\\])+"', header) is not None
    bare = header != "" and " " not in header and not header.startswith('"')
    assert (re.fullmatch(retries.PATTERN, header) is not None) == (quoted or bare)


@pytest.fixture
def note(cast, keyed):
    """note(header, text) writes a note on a handoff of Femke's."""
    handoff = make_handoff("assigned", cast.femke, at=timezone.now() - timedelta(minutes=3))
    api = keyed("act")

    def send(header, text="Call after two", by=api):
        body = {"on_behalf_of": cast.femke.email, "text": text}
        return by.post(f"/handoffs/{handoff.pk}/note", body, Idempotency_Key=header)

    send.key = api.key
    return send


def test_quoted_or_not_it_is_the_same_key(note):
    first = note('"8e03978e-40d5-43dd-bc93-6894a57f9324"')
    assert note("8e03978e-40d5-43dd-bc93-6894a57f9324").data == first.data
    body = problem(note("8e03978e-40d5-43dd-bc93-6894a57f9324", "Something else"), 422)
    assert [(e["pointer"], e["code"]) for e in body["errors"]] == [("/header/Idempotency-Key", "key_reused")]
    assert note('"with a space"').status_code == 200
    assert list(RememberedAnswer.objects.order_by("pk").values_list("idempotency_key", flat=True)) == [
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        "with a space",
    ]


@pytest.mark.parametrize("header", ['"', '""', '"a', "a b", '"a"b', '"a\\b"', '"a";p=1', "x" * 201])
def test_what_is_no_key_is_named(note, header):
    body = problem(note(header), 422)
    assert [entry["pointer"] for entry in body["errors"]] == ["/header/Idempotency-Key"]
    assert not Note.objects.exists()


def test_a_week_later_the_key_is_free_again(note, cast):
    note("k")
    RememberedAnswer.objects.update(at=timezone.now() - timedelta(days=6, hours=23))
    tasks.prune()
    assert problem(note("k", "Other words"), 422)
    RememberedAnswer.objects.update(at=timezone.now() - timedelta(days=7, minutes=1))
    tasks.prune()
    assert note("k", "Other words").status_code == 200
    assert Note.objects.count() == 2


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_the_same_call_eight_times_at_once_is_done_once_and_all_are_answered(note):
    answers = []
    run_threads(8, lambda n: answers.append(note('"at once"', by=Api(note.key))))
    assert Counter(answer.status_code for answer in answers) == {200: 8}
    assert all(answer.data == answers[0].data for answer in answers)
    assert Note.objects.count() == RememberedAnswer.objects.count() == 1


@pytest.mark.storm
@pytest.mark.django_db(transaction=True)
def test_of_two_calls_with_one_key_at_once_one_is_done(note):
    answers = []
    run_threads(6, lambda n: answers.append(note("both", f"Words {n % 2}", by=Api(note.key))))
    assert Counter(answer.status_code for answer in answers) == {200: 3, 422: 3}
    assert Note.objects.count() == 1
