"""GET /api/v1/metrics: the contract's shape, its parameters, and who may."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from leads import keys
from tests.conftest import Cast
from tests.factories import make_handoff

PATH = "/api/v1/metrics"


@pytest.fixture
def ask(db: None) -> Any:
    """ask(query, scope) calls the API with a key of this scope; gives status and body."""

    def ask(query: str = "", scope: str | None = "read") -> tuple[int, Any]:
        headers = {}
        if scope:
            _, plain = keys.make_key(f"test {scope}", [scope], timezone.now())
            headers["Authorization"] = f"Bearer {plain}"
        response = Client().get(f"{PATH}{query}", headers=headers)
        return response.status_code, json.loads(response.content)

    return ask


def test_the_shape_of_the_contract(cast: Cast, ask: Any) -> None:
    make_handoff("accepted", cast.femke, at=timezone.now() - timedelta(hours=2))
    status, body = ask()
    assert status == 200
    assert list(body) == [
        "as_of", "total", "by_source", "by_rep", "by_team", "by_type", "by_week", "rejections_by_reason"
    ]  # fmt: skip
    assert body["as_of"].endswith("Z")
    total = body["total"]
    assert list(total) == [
        "mqls",
        "acceptance_rate",
        "mql_to_opportunity",
        "rejection_rate",
        "black_hole_rate",
        "clean_handoff_rate",
        "time_to_first_contact",
    ]
    assert total["acceptance_rate"] == {"numerator": 1, "denominator": 1, "rate": 1.0}
    assert total["black_hole_rate"] == {"numerator": 0, "denominator": 0, "rate": None}
    assert total["time_to_first_contact"]["demo"] == {
        "n": 0,
        "mean_minutes": None,
        "median_minutes": None,
        "p90_minutes": None,
        "within_target": {"numerator": 0, "denominator": 0, "rate": None},
    }
    assert list(body["by_rep"]) == ["femke@handoff.example.com"]


def test_one_group_and_some_weeks(cast: Cast, ask: Any) -> None:
    now = timezone.now()
    make_handoff("accepted", cast.femke, at=now - timedelta(minutes=5))
    make_handoff("accepted", cast.femke, at=now - timedelta(days=40))
    assert list(ask("?by=team")[1]) == ["as_of", "total", "by_team"]
    assert ask("?weeks=1")[1]["total"]["mqls"] in (0, 1)  # 0 in the first minutes of a Monday
    assert ask("?weeks=2")[1]["total"]["mqls"] == 1
    assert ask("?weeks=8")[1]["total"]["mqls"] == 2
    back = (now - timedelta(days=30)).isoformat().replace("+00:00", "Z")
    assert ask(f"?as_of={back}")[1]["total"]["mqls"] == 1
    assert ask(f"?as_of={back}")[1]["as_of"] == back
    assert ask(f"?as_of={back}&weeks=1")[1]["total"]["mqls"] == 0


@pytest.mark.parametrize(
    "query",
    ["?weeks=0", "?weeks=521", "?weeks=x", "?by=luck", "?as_of=yesterday", "?as_of=0001-01-01", "?as_of=1"],
)
def test_nonsense_is_422(ask: Any, query: str) -> None:
    status, body = ask(query)
    assert status == 422
    assert body["errors"]


def test_only_a_key_that_reads(ask: Any) -> None:
    assert ask(scope=None)[0] == 401
    assert ask(scope="intake")[0] == 403
    assert Client().post(PATH).status_code == 405


@pytest.mark.parametrize(
    "options",
    [
        ("--weeks", "0"),
        ("--weeks", "2", "--from", "2026-01-01"),
        ("--from", "2026-02-01", "--to", "2026-01-01"),
        ("--from", "soon"),
        ("--as-of", "soon"),
        ("--by", "luck"),
        ("--format", "xml"),
    ],
)
def test_the_command_says_what_it_does_not_take(db: None, options: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        call_command("metrics", *options)
