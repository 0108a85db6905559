"""What nobody answers for, in words: what is wrong, and what somebody has to do when the sweep cannot.

Owns the sentences. Pure but for the queue's and the holder's names, which come with the orphan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse

from leads.escalation import Orphan
from routing.models import Queue

_BY_ITSELF = "The sweep moves them on each minute. What stays here it could not move: reassign it by hand."


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line of the red list: what is wrong, what to do, and where."""

    what: str
    todo: str
    href: str = ""
    link: str = ""


def trouble(orphan: Orphan, held: Mapping[int, int], may_configure: bool) -> Trouble:
    """`held` counts what each of the people holds of it; `may_configure` is whether the reader can change
    queues and roles."""
    if orphan.queue is not None:
        href = reverse("admin:routing_queue_change", args=[orphan.queue.pk]) if may_configure else ""
        return Trouble(
            f"The queue {orphan.queue} has no owner who can answer: {orphan.queue.owner} is {orphan.why}.",
            "The sweep gives it to their manager or an admin. If it stays here there is none: give it another"
            " owner.",
            href,
            "Open the queue" if href else "",
        )
    if orphan.kind:
        name = Queue.Kind(orphan.kind).label.lower()
        href = reverse("admin:routing_queue_add") if may_configure else ""
        return Trouble(
            f"There is no {name} queue, and there are open leads.",
            "An administrator has to add one, or run manage.py setup.",
            href,
            "Add a queue" if href else "",
        )
    if orphan.handoff_id is not None:
        return Trouble(
            f"Handoff {orphan.handoff_id} has nobody who holds it, or not the deadline that its clocks say.",
            "The sweep mends it each minute. If it stays here, run manage.py rebuild_projection and look into"
            " the worker's log.",
            reverse("leads:handoff", args=[orphan.handoff_id]),
            "Open it",
        )
    user = orphan.user
    count = held.get(user.pk, 0) if user is not None else 0
    what = f"{user} is {orphan.why} and holds {count} open lead{'' if count == 1 else 's'}."
    href = f"?rep={user.pk}" if user is not None and user.is_active else ""
    return Trouble(what, _BY_ITSELF, href, "Show them" if href else "")
