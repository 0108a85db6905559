"""The parts of the dashboard below the fold: for whom, that figures open their lists, and the chooser."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads import history
from leads.models import Handoff
from metrics import beside
from metrics.address import BY
from metrics.measures import BESIDE
from metrics.tables import DIMENSIONS
from metrics.words import Reading
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.metrics.test_dashboard import LONG_AGO, PART, PARTS, some, total

SignIn = Callable[[User], Client]
__all__ = ["some"]


@pytest.fixture(autouse=True)
def _frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def part(client: Client, name: str, query: str = "") -> Any:
    return client.get(f"{PART}{name}/{query}", headers={"HX-Request": "true"})


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_a_fragment_or_a_page(cast: Cast, some: list[Handoff], as_: SignIn, name: str) -> None:
    client = as_(cast.vera)
    fragment, page = part(client, name), client.get(f"{PART}{name}/")
    assert (fragment.status_code, page.status_code) == (200, 200)
    assert f'id="part-{name}"' in fragment.content.decode()
    assert "<html" not in fragment.content.decode()
    assert page.content.decode().count("<h1>") == 1
    # Asked twice it says the same.
    assert part(client, name).content == fragment.content


def test_there_is_no_such_part(cast: Cast, as_: SignIn) -> None:
    assert part(as_(cast.otto), "luck").status_code == 404


def test_a_part_is_of_what_one_may_see(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    def mqls(user: User, name: str) -> list[str]:
        return [row.mqls.value for row in part(as_(user), "by", f"?by={name}").context["groups"].rows]

    assert mqls(cast.otto, "source") == ["6"]
    assert mqls(cast.nils, "source") == ["1"]
    assert mqls(cast.otto, "rep") == ["3", "2", "1"]
    assert mqls(cast.jonas, "rep") == ["2"]


def test_beside_the_five_compares_mature_weeks_with_those_before(
    cast: Cast, some: list[Handoff], as_: SignIn
) -> None:
    for _ in range(6):
        make_handoff("accepted", cast.femke, at=NOW - timedelta(weeks=20))
    client = as_(cast.otto)
    rows = {row.shown.key: row for row in part(client, "beside").context["rows"]}
    assert list(rows) == ["clean_handoff_rate", *BESIDE]
    clean = rows["clean_handoff_rate"]
    # The lead of today is in no mature week.
    assert (clean.value, clean.numerator, clean.denominator) == ("20 %", "1", "5")
    assert (clean.before, clean.before_of, clean.between) == ("0 %", "0 of 6", "4 to 62 %")
    assert clean.change == "no clear change"
    assert rows["personalised"].change == "nothing to compare"
    late = rows["rejected_after_acceptance"]
    assert (late.value, late.change) == ("0 of 3", "too few to compare")
    for row in rows.values():
        for href, count in ((row.all_href, row.denominator), (row.hits_href, row.numerator)):
            assert bool(href) == (count != "0")
            if href:
                assert client.get(href).context["count"] == count


def test_a_change_is_named_only_where_the_intervals_lie_apart() -> None:
    def read(hits: int, of: int) -> Reading:
        return Reading(hits / of if of else None, hits, of)

    assert beside.change(read(80, 100), read(50, 100)) == "up 30 points"
    assert beside.change(read(50, 100), read(80, 100)) == "down 30 points"
    assert beside.change(read(55, 100), read(50, 100)) == "no clear change"
    assert beside.change(read(4, 4), read(0, 400)) == "too few to compare"
    assert beside.change(read(0, 0), read(5, 10)) == "nothing to compare"


def test_more_groups_than_fit_are_counted_and_in_the_file(cast: Cast, as_: SignIn) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["external_id", "first_name", "company", "lead_source", "mql_at"])
    for number in range(60):
        writer.writerow([f"s-{number}", "Ada", "Co", f"Source {number:02d}", LONG_AGO.isoformat()])
    out.seek(0)
    history.import_history(out, NOW)
    client = as_(cast.otto)
    response = part(client, "by", "?by=source")
    groups = response.context["groups"]
    assert (len(groups.rows), groups.left_out, groups.left_mqls) == (50, 10, 10)
    assert "10 more with 10 MQLs together have no room here" in response.content.decode()
    csv_rows = list(csv.DictReader(io.StringIO(client.get(response.context["csv"]).content.decode())))
    assert len({row["group"] for row in csv_rows if row["group"].startswith("source=")}) == 60


@pytest.mark.parametrize("by", [*BY])
def test_each_dimension_narrows_and_lists(cast: Cast, some: list[Handoff], as_: SignIn, by: str) -> None:
    client = as_(cast.otto)
    rows = part(client, "by", f"?by={by}").context["groups"].rows
    assert sum(int(row.mqls.value) for row in rows) == 6
    for row in rows:
        assert client.get(row.mqls.href).context["count"] == row.mqls.value
        narrowed = client.get(row.href)
        total = next(csv.DictReader(io.StringIO(client.get(narrowed.context["csv"]).content.decode())))
        assert (total["measure"], total["numerator"]) == ("mqls", row.mqls.value)
        chips = [chip.text for chip in narrowed.context["chips"]]
        assert chips == ([] if by in ("team", "rep", "source") else [f"{DIMENSIONS[by][0]}: {row.name}"])
        for chip in narrowed.context["chips"]:
            assert client.get(chip.href).context["chips"] == []
    assert client.get(f"/dashboard/figures.csv?by={by}").content.decode().count(f"{by}=") > len(rows)


def test_raised_is_a_filter(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    Handoff.objects.filter(pk=some[0].pk).update(raised_at=LONG_AGO)
    client = as_(cast.otto)
    assert [total(client, "mqls", f"?raised={each}")[0] for each in ("yes", "no", "")] == [1, 5, 6]
    text = client.get("/dashboard/?raised=yes").content.decode()
    assert '<option value="yes" selected>Raised to demo</option>' in text


def test_the_form_keeps_what_was_chosen_elsewhere(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    response = as_(cast.otto).get(
        "/dashboard/?week=2026-W10&campaign=X&by=rep&metric=contact_demo&rep=(none)"
    )
    assert response.context["sent"] == [("campaign", "X"), ("metric", "contact_demo"), ("by", "rep")]
    assert response.context["unfiltered"] == "/dashboard/?week=2026-W10&metric=contact_demo&by=rep"
