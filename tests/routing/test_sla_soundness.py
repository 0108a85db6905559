"""Whether silence ends at a human: what a ladder as a whole may not be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing.sla import CLOCKS, Policy, Step, Target, default_policies, problems

DEMO, STANDARD = default_policies()
HOUR = Target(60, business=True)


def ladder(*more: Step, drop: tuple[str, ...] = (), **changed: object) -> Policy:
    """The standard ladder without some codes, with one step changed (code=...), and with more."""
    steps = []
    for step in STANDARD.steps:
        if step.code not in drop:
            change = changed.get(step.code)
            steps.append(replace(step, **change) if isinstance(change, dict) else step)
    return replace(STANDARD, steps=(*steps, *more))


def test_the_shipped_policies_are_sound() -> None:
    assert [problems(policy) for policy in (DEMO, STANDARD)] == [[], []]


@pytest.mark.parametrize(
    ("clock", "code"),
    [
        ("acceptance", "accept_breach"),
        ("contact", "contact_breach"),
        ("idle", "no_activity"),
        ("completion", "completion_breach"),
    ],
)
def test_each_clock_ends_at_a_human(clock: str, code: str) -> None:
    silent = [f"Nobody is told when {CLOCKS[clock]} is over."]
    if clock == "acceptance":
        silent = [f"Nobody is told when {CLOCKS[clock]} is over: its last step comes before that."]
    assert problems(ladder(drop=(code,))) == silent
    [only_the_rep] = problems(ladder(**{code: {"who": ("rep",), "what": "tell"}}))
    assert CLOCKS[clock] in only_the_rep and "silence ends at a human" in only_the_rep
    early = problems(ladder(**{code: {"share": 99, "what": "tell"}}))
    assert early == [f"Nobody is told when {CLOCKS[clock]} is over: its last step comes before that."]
    for who in ("manager", "queue_owner", "marketing", "person:7"):
        assert problems(ladder(**{code: {"who": ("rep", who)}})) == []


def test_a_later_step_must_end_it_then() -> None:
    late = Step("late", "contact", None, HOUR, ("rep",), "tell")
    [wrong] = problems(ladder(late))
    assert "The last step on the time to the first contact" in wrong
    assert problems(ladder(replace(late, who=("rep", "marketing")))) == []
    # At one moment it is enough that one of them tells a human.
    assert problems(ladder(replace(late, share=100, after=None))) == []


def test_to_be_acknowledged_may_go_unsaid_but_not_end_at_the_rep() -> None:
    assert problems(ladder(drop=("unacknowledged",))) == []
    [wrong] = problems(ladder(unacknowledged={"who": ("rep",)}))
    assert "the time to be acknowledged" in wrong
    assert problems(ladder(drop=("black_hole",))) == []
    assert problems(ladder(black_hole={"who": ()})) == []


def test_only_the_holders_own_window_takes_a_lead_away() -> None:
    def taking(**changes: object) -> list[str]:
        step = Step("taken", "acceptance", 100, None, ("manager",), "reassign")
        return problems(ladder(replace(step, **changes)))  # type: ignore[arg-type]

    away = "Step 9: a lead is taken away only when its holder\u2019s time to answer is over, or later."
    assert taking() == taking(what="queue", queue=3) == taking(share=None, after=HOUR) == []
    for clock in ("contact", "unacknowledged", "idle", "black_hole", "completion"):
        assert away in taking(clock=clock)
    assert away in taking(share=80)
    assert problems(ladder(Step("up", "contact", 50, None, ("rep",), "raise")))[0].startswith(
        "Step 9: it comes"
    )


def test_flag_and_mark_stand_where_their_words_are_true() -> None:
    for change in ({"clock": "contact"}, {"share": 50}):
        assert any("the flag says" in words for words in problems(ladder(no_activity=change)))
    for change in ({"clock": "idle"}, {"share": 50}, {"share": None, "after": HOUR}):
        assert any("the mark says" in words for words in problems(ladder(black_hole=change)))


def test_steps_stand_in_the_order_of_their_time() -> None:
    swapped = replace(STANDARD, steps=(STANDARD.steps[1], STANDARD.steps[0], *STANDARD.steps[2:]))
    assert problems(swapped) == [
        "Step 2: it comes after a later step on the time to answer; put them in order."
    ]
    first = Step("first", "contact", None, Target(30, business=True), ("manager",), "tell")
    assert problems(ladder(replace(first, after=HOUR), replace(first, code="second"))) == [
        "Step 10: it comes after a later step on the time to the first contact; put them in order."
    ]


def test_what_tells_nobody_is_no_step() -> None:
    assert "Step 1: it tells nobody." in problems(ladder(accept_50={"who": ()}))
    assert problems(ladder(accept_50={"who": (), "what": "raise"})) == []


@pytest.mark.parametrize(
    "name", ["accept", "contact", "unacknowledged", "no_activity", "black_hole", "completion"]
)
def test_targets_are_bounded(name: str) -> None:
    for minutes in (0, 366 * 24 * 60 + 1):
        [wrong] = problems(replace(STANDARD, **{name: Target(minutes, business=True)}))  # type: ignore[arg-type]
        assert "between one minute and 366 days" in wrong
    for minutes in (1, 366 * 24 * 60):
        assert problems(replace(STANDARD, **{name: Target(minutes, business=True)})) == []  # type: ignore[arg-type]
    assert any(
        "after the end" in words
        for words in problems(
            ladder(Step("late", "contact", None, Target(0, business=True), ("manager",), "tell"))
        )
    )


def test_a_ladder_has_an_end() -> None:
    many = [Step(f"s{n}", "contact", 100, None, ("manager",), "tell") for n in range(40)]
    assert problems(ladder(*many)) == ["At most 40 steps; this ladder has 48."]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"who": ("person:0",)}, "nobody is called person:0"),
        ({"who": ("person:x",)}, "nobody is called person:x"),
        ({"who": ("person:7\n",)}, "nobody is called"),
        ({"what": "queue"}, "names a queue"),
        ({"queue": 3}, "names a queue"),
    ],
)
def test_malformed_steps_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(STANDARD.steps[0], **change)  # type: ignore[arg-type]
