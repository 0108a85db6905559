"""What rejections say, and how sure that is."""

from __future__ import annotations

import pytest

from leads.patterns import Said, interval, patterns


def said(group: str, **counts: int) -> list[Said]:
    return [
        Said(group, code, code.replace("_", " ").capitalize()) for code, n in counts.items() for _ in range(n)
    ]


def test_enough_of_them_are_told_in_per_cent_with_counts_and_a_span() -> None:
    [found] = patterns(said("Webinar", wrong_title=12, timing=10, other=9, not_icp=9), "from ")
    assert found.text == (
        "30 % of rejections from Webinar say wrong title: 12 of 40 (true share between 18 and 45 %)."
    )
    assert (found.code, found.count, found.total) == ("wrong_title", 12, 40)


def test_few_are_told_as_they_are() -> None:
    [found] = patterns(said("Webinar", wrong_title=3, timing=1), "from ")
    assert found.text == "3 of 4 rejections from Webinar say wrong title: too few to be sure."


@pytest.mark.parametrize("counts", [{"timing": 1}, {f"r{n}": 1 for n in range(12)}, {}])
def test_no_pattern_is_made_of_nothing(counts: dict[str, int]) -> None:
    assert patterns(said("Webinar", **counts), "from ") == []


def test_what_is_sure_comes_first_and_no_more_than_asked_for() -> None:
    acts = [*said("Few", timing=9), *said("Many", timing=10), *said("Most", timing=30), *said("", timing=8)]
    found = patterns(acts, "from ", most=3)
    assert [row.group for row in found] == ["Most", "Many", "Few"]
    assert "from no source" in patterns(said("", timing=8), "from ")[0].text


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, table I: 15 of 148, and none of 20.
    assert interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert interval(0, 0) == (0.0, 1.0)
