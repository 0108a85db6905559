"""The policies that a new installation starts with, and their ladder. All of it may be edited afterwards."""

from routing.sla.values import Policy, Step, Target

HOUR = 60


def default_steps() -> tuple[Step, ...]:
    """The ladder both default policies ship with."""
    return (
        Step("accept_50", "acceptance", 50, None, ("rep",), "tell"),
        Step("accept_80", "acceptance", 80, None, ("rep",), "tell"),
        Step("accept_breach", "acceptance", 100, None, ("rep", "manager"), "tell"),
        Step("unacknowledged", "unacknowledged", 100, None, ("manager",), "tell"),
        Step("contact_breach", "contact", 100, None, ("rep", "manager"), "tell"),
        Step("no_activity", "idle", 100, None, ("manager",), "flag"),
        Step("black_hole", "black_hole", 100, None, ("manager",), "mark"),
        Step("completion_breach", "completion", 100, None, ("queue_owner",), "tell"),
    )


def default_policies() -> tuple[Policy, ...]:
    """The policies a new installation starts with, `demo` and `standard`; id 0, for they are not stored."""
    unacknowledged = Target(2 * HOUR, business=True)
    no_activity = Target(4 * HOUR, business=True)
    black_hole = Target(24 * HOUR, business=False)
    demo = Policy(
        id=0,
        slug="demo",
        version=1,
        lead_type="demo",
        accept=Target(5, business=False),
        contact=Target(5, business=False),
        unacknowledged=unacknowledged,
        no_activity=no_activity,
        black_hole=black_hole,
        completion=Target(1 * HOUR, business=False),
        steps=default_steps(),
    )
    standard = Policy(
        id=0,
        slug="standard",
        version=1,
        lead_type="standard",
        accept=Target(2 * HOUR, business=True),
        contact=Target(60, business=True),
        unacknowledged=unacknowledged,
        no_activity=no_activity,
        black_hole=black_hole,
        completion=Target(4 * HOUR, business=True),
        steps=default_steps(),
    )
    return demo, standard
