"""Pages are compressed on the way, and two answers of the same page are never the same size and secret."""

from __future__ import annotations

import gzip
import re

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.conftest import Cast
from tests.factories import make_handoff

TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture
def answers(client: Client, cast: Cast) -> list[HttpResponse]:
    handoff = make_handoff("assigned", cast.femke)
    client.force_login(cast.femke, backend="handoff_site.sessions.Backend")
    url = f"/handoffs/{handoff.pk}/"
    return [client.get(url, headers={"Accept-Encoding": "gzip"}) for _ in range(8)]


def test_a_page_is_a_third_of_its_size_or_less(answers: list[HttpResponse]) -> None:
    page = answers[0]
    assert page["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page["Vary"]
    assert len(page.content) * 3 < len(gzip.decompress(page.content))


def test_sizes_say_nothing_about_secrets(answers: list[HttpResponse]) -> None:
    tokens = [set(TOKEN.findall(gzip.decompress(answer.content))) for answer in answers]
    assert all(len(found) == 1 for found in tokens)
    assert len(set.union(*tokens)) == len(answers)
    assert len({len(answer.content) for answer in answers}) > 1


def test_whoever_does_not_ask_gets_it_plain(client: Client, cast: Cast) -> None:
    assert "Content-Encoding" not in client.get("/login/")
