"""The figures in plain words, and what to do about each that is wrong.

Owns the limits past which a figure is wrong, and the words. The example alert rules go by the same figures
(`alerts.yml`). Pure: from figures to lines; where a line leads is the address of a page that is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.urls import reverse

from handoff_site.health import DELIVERY_LATE, WORKER_LATE
from handoff_site.monitoring.figures import MOST, Figures, Link, Recent
from leads.presenters import audits, times

# The sweep comes each minute; what it leaves for the third is not of bad luck.
SWEEP_LATE = timedelta(minutes=3)
# It runs once a day, and may take its time.
AUDIT_LATE = timedelta(hours=30)
QUEUE_LONG = 200
_OUTCOMES = {"rep": "to people", "queue": "to queues", "nobody": "to nobody"}
_NO_WORDS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Line:
    """A figure in words. `todo` says what to do, "" while it is well; `href` is the page to do it on."""

    name: str
    value: str
    note: str = ""
    todo: str = ""
    href: str = ""
    link: str = ""

    @property
    def is_wrong(self) -> bool:
        return bool(self.todo)


@dataclass(frozen=True, slots=True)
class Part:
    """A table of the page."""

    title: str
    slug: str
    lines: Sequence[Line]


def parts(figures: Figures) -> list[Part]:
    """The page, but for its connections."""
    return [
        Part("Background work", "work", list(_work(figures))),
        Part("Handoffs", "handoffs", list(_handoffs(figures))),
        Part("The last minutes", "recent", list(_recent(figures))),
    ]


def _work(figures: Figures) -> Iterator[Line]:
    beat = figures.heartbeat
    is_dead = beat is None or beat > WORKER_LATE
    yield Line(
        "Worker's last sign of life",
        "never" if beat is None else _ago(beat),
        todo=_if(
            is_dead, "Nothing fires, no mail and no delivery leaves. Start it: manage.py start --only worker."
        ),
    )
    lag = figures.sweep_lag
    yield Line(
        "Oldest step that is due",
        "none" if lag is None else f"{_capped(figures.due)} due, the oldest for {times.length(lag)}",
        todo=_if(
            lag is not None and lag > SWEEP_LATE,
            "Deadlines are told late. See that a worker runs; give it more processes (WORKERS).",
        ),
    )
    yield Line(
        "Tasks that wait",
        "unknown" if figures.queued is None else f"{figures.queued:,}",
        todo=_if(figures.queued is None, "The Redis of QUEUE_URL does not answer. Start it again.")
        or _if(
            (figures.queued or 0) > QUEUE_LONG,
            "More comes than is worked off. Give the worker more processes (WORKERS), or start another.",
        ),
    )
    yield Line(
        "Tasks that failed in the last hour",
        _capped(figures.failed) if figures.failed else "none",
        todo=_if(figures.failed > 0, "Each is tried three times. Read why:"),
        href=reverse("admin:django_q_failure_changelist"),
        link="Failed tasks",
    )
    oldest = figures.mail_oldest
    yield Line(
        "E-mails that may go out",
        "none" if oldest is None else f"{figures.mail:,}, the oldest for {times.length(oldest)}",
        todo=_if(
            oldest is not None and oldest > DELIVERY_LATE,
            "The mail server takes none. Check EMAIL_URL and what the worker's log says.",
        ),
    )
    copy = figures.replica
    if copy is not None:
        yield Line(
            "Copy of the database for figures",
            "is read" if copy.is_used else "is not read",
            "" if copy.lag is None else f"{copy.lag:.0f} s behind at most",
            todo=_if(
                not copy.is_used,
                f"The primary answers instead. {copy.why} Look at the server of DATABASE_REPLICA_URL.",
            ),
        )


def _handoffs(figures: Figures) -> Iterator[Line]:
    states = ", ".join(f"{count:,} {state}" for state, count in figures.open.items() if count)
    yield Line("Open", f"{sum(figures.open.values()):,}", states)
    yield Line("Past their deadline", f"{figures.past_due:,}" if figures.past_due else "none")
    yield Line(
        "Without a holder or a deadline",
        _capped(figures.astray) if figures.astray else "none",
        todo=_if(
            figures.astray > 0,
            "The sweep mends these within a minute. If it stays, manage.py check_invariants says which.",
        ),
    )
    violations = {code: count for code, count in figures.violations.items() if count}
    if figures.inspected is not None:
        each = [f"{count:,} {code}" for code, count in violations.items()]
        yield Line(
            "Violations that the last full check found",
            f"{sum(violations.values()):,}" if violations else "none",
            ", ".join([_ago(figures.inspected), *each]),
            todo=_if(bool(violations), "manage.py check_invariants says which."),
        )


def _recent(figures: Figures) -> Iterator[Line]:
    yield Line("Events taken in", *_counted(figures.intake))
    yield Line("From conversion until here", *_lags(figures.arrivals))
    yield Line("From here until a holder or a queue", *_lags(figures.routed))
    yield Line("Routing decisions", *_counted(figures.decisions, _OUTCOMES))
    nobody = figures.decisions.counts.get("nobody", 0)
    yield Line(
        "Routed to nobody",
        f"{nobody:,}" if nobody else "none",
        todo=_if(nobody > 0, "They wait under Completion. A rule or a queue is missing:"),
        href=reverse("leads:routing"),
        link="Routing",
    )
    yield Line("Steps fired", *_counted(figures.steps))
    yield Line("From due until fired", *_lags(figures.steps))


def connection(link: Link) -> Line:
    """What is wrong with a connection, and what to do there; the first thing, for it causes the others."""
    href = reverse("leads:connection", args=[link.slug])
    value, todo = state(link), ""
    if link.tone == "late":
        todo = "Nothing reaches it. Read why, and start it again:"
    elif link.dead:
        value = f"{link.dead:,} dead letter{'' if link.dead == 1 else 's'}"
        todo = "Read the dead letters, and replay or discard them:"
    elif link.is_running and link.oldest is not None and link.oldest > DELIVERY_LATE:
        value = f"owed {owed(link)}"
        todo = "It takes less than it is owed. Look at its last attempts:"
    elif link.agreement is not None and link.agreement * 100 < settings.SYNC_AGREEMENT_PERCENT:
        return Line(
            link.name, f"{agreement(link)} agree",
            todo="It says something else. Settle what the audit found:",
            href=reverse("leads:sync_audits"), link="Sync audit",
        )  # fmt: skip
    return Line(link.name, value, todo=todo, href=href, link="The connection")


def state(link: Link) -> str:
    """How it is in a word, and why where it does not work."""
    return link.state if not link.why or link.is_running else f"{link.state}: {link.why}"


def audit(figures: Figures) -> Line | None:
    """When the systems were last compared; None where none is connected that could be."""
    if figures.audited is None:
        return None
    is_late = figures.audited > AUDIT_LATE and any(link.is_running for link in figures.links)
    return Line(
        "Last compared",
        _ago(figures.audited),
        todo=_if(is_late, "It runs once a day. See that a worker runs, or compare now:"),
        href=reverse("leads:sync_audits"),
        link="Sync audit",
    )


def owed(link: Link) -> str:
    if not link.owed:
        return "nothing"
    return f"{link.owed:,}, for {times.length(link.oldest)}" if link.oldest is not None else f"{link.owed:,}"


def agreement(link: Link) -> str:
    return audits.percent(link.agreement)


def wrong(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.is_wrong]


def _counted(recent: Recent, words: Mapping[str, str] = _NO_WORDS) -> tuple[str, str]:
    """How many in which span, and how many of each; `words` for codes that do not say it."""
    counts = [
        f"{count:,} {words.get(name, name.replace('_', ' '))}"
        for name, count in recent.counts.items()
        if count
    ]
    return f"{recent.all:,} in {times.length(recent.span)}", ", ".join(counts)


def _lags(recent: Recent) -> tuple[str, str]:
    half, most, worst = (recent.lag(part) for part in (0.5, 0.95, 1))
    if half is None or most is None or worst is None:
        return "–", ""
    return (
        f"half within {times.length(half)}",
        f"95 % within {times.length(most)}, all within {times.length(worst)}",
    )


def _ago(age: timedelta) -> str:
    return f"{times.length(age)} ago"


def _capped(count: int) -> str:
    return f"{MOST:,} or more" if count >= MOST else f"{count:,}"


def _if(is_so: bool, words: str) -> str:
    return words if is_so else ""
