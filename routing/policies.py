"""Policies over time: a change makes the next version live, and no version is ever edited.

Owns the making of versions, their retirement, and what keeps a policy from being used that the pure value
cannot know: people who are gone, queues that take no leads. A handoff keeps the version it started with, so
nothing here touches a handoff. What is due when is `routing.sla`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.text import slugify

from routing import publish, sla
from routing.models import Queue, Rule, SlaPolicy, SlaStep
from routing.people import User
from routing.publish import LONGEST_NOTE, NoReason

LONGEST_NAME = 100


class Unsound(ValueError):
    """The policy cannot be used. `problems` says why, a sentence each; nothing was stored."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Stale(Exception):
    """Another version came after the one that the edit was made from; nothing was stored. `current` is it."""

    def __init__(self, current: SlaPolicy) -> None:
        super().__init__(f"Version {current.version} was made meanwhile.")
        self.current = current


class InUse(ValueError):
    """The policy cannot be retired: `why` says what needs it, a sentence each."""

    def __init__(self, why: list[str]) -> None:
        super().__init__(" ".join(why))
        self.why = why


def latest(slug: str) -> SlaPolicy:
    """The newest version, live or retired. Raises SlaPolicy.DoesNotExist."""
    rows = SlaPolicy.objects.select_related("created_by").prefetch_related("steps__queue")
    found = rows.filter(slug=slug).order_by("-version").first()
    if found is None:
        raise SlaPolicy.DoesNotExist(f"no policy {slug}")
    return found


def problems(policy: sla.Policy) -> list[str]:
    """What keeps this policy from being used today; [] when it may be. Two queries at most."""
    return sla.problems(policy) + _gone([policy])


def all_problems() -> dict[str, list[str]]:
    """What is wrong with each live policy, by slug; those that are sound are left out."""
    rows = SlaPolicy.objects.filter(is_live=True).prefetch_related("steps").order_by("slug")
    policies = [row.policy() for row in rows]
    known = _known(policies)
    found = {policy.slug: sla.problems(policy) + _gone([policy], known) for policy in policies}
    return {slug: wrong for slug, wrong in found.items() if wrong}


@transaction.atomic
def create(
    name: str,
    lead_type: str,
    targets: Mapping[str, sla.Target],
    steps: Sequence[sla.Step],
    user: User | None,
    now: datetime,
    note: str,
) -> SlaPolicy:
    """A policy of a segment, live at once and used where a rule names it. Raises NoReason and Unsound."""
    return _make(_new_slug(name), 1, name, lead_type, False, targets, steps, user, now, note)


@transaction.atomic
def revise(
    slug: str,
    targets: Mapping[str, sla.Target],
    steps: Sequence[sla.Step],
    user: User | None,
    now: datetime,
    note: str,
    *,
    name: str = "",
    version: int | None = None,
) -> SlaPolicy:
    """Make the next version of this policy live, also of a retired one; returns the version in force.

    What says the same as the live version makes none. `version` is the one that the edit was made from: when
    another came meanwhile, Stale is raised. Raises NoReason, Unsound and SlaPolicy.DoesNotExist too.
    """
    current = _locked(slug)
    wanted = _value(slug, current.version, current.lead_type, targets, steps)
    if current.is_live and _same(current, wanted, name or current.name):
        return current
    if version is not None and version != current.version:
        raise Stale(current)
    SlaPolicy.objects.filter(slug=slug, is_live=True).update(is_live=False)
    return _make(
        slug,
        current.version + 1,
        name or current.name,
        current.lead_type,
        current.is_default,
        targets,
        steps,
        user,
        now,
        note,
    )


@transaction.atomic
def retire(slug: str, user: User | None, now: datetime, note: str) -> SlaPolicy:
    """Take a policy out of use: no new handoff starts with it, and those that run with it keep it.

    The version that says so is the last one, and is not live. Raises InUse while the live ruleset names it
    or a lead type falls back on it, NoReason, and SlaPolicy.DoesNotExist. A retired one stays as it is.
    """
    current = _locked(slug)
    if not current.is_live:
        return current
    if why := needed_by(current):
        raise InUse(why)
    reason = _reason(note, user)
    value = current.policy()
    SlaPolicy.objects.filter(slug=slug, is_live=True).update(is_live=False)
    return _store(slug, current.version + 1, current.name, value, False, False, user, now, reason)


def needed_by(row: SlaPolicy) -> list[str]:
    """Why this policy cannot be retired, a sentence each."""
    why = []
    if row.is_default:
        why.append(f"It is the default of {row.get_lead_type_display().lower()} leads.")
    live = publish.live()
    rules = (live.document.get("rules") or ()) if live is not None else ()
    names = [str(rule.get("name") or "a rule") for rule in rules if rule.get("policy") == row.slug]
    if names:
        named = ", ".join(f"\u201c{name}\u201d" for name in names)
        why.append(f"Version {live.version if live else 0} of the rules, which is live, needs it: {named}.")
    return why


def drafted(slug: str) -> list[str]:
    """The names of the draft's active rules that point at this policy."""
    rows = Rule.objects.filter(policy_slug=slug, is_active=True).order_by("position", "id")
    return list(rows.values_list("name", flat=True))


def targets_of(policy: sla.Policy) -> dict[str, sla.Target]:
    """The targets by name, as `create` and `revise` take them."""
    return {name: sla.target(policy, name) for name in sla.TARGETS}


def _locked(slug: str) -> SlaPolicy:
    """The newest version, with the whole policy locked: two editors never make one number."""
    rows = list(SlaPolicy.objects.select_for_update(no_key=True).filter(slug=slug).order_by("version"))
    if not rows:
        raise SlaPolicy.DoesNotExist(f"no policy {slug}")
    # Who waited for the lock sees what was made meanwhile.
    return SlaPolicy.objects.filter(slug=slug).order_by("-version")[0]


def _value(
    slug: str, version: int, lead_type: str, targets: Mapping[str, sla.Target], steps: Iterable[sla.Step]
) -> sla.Policy:
    return sla.Policy(0, slug, version, lead_type, **{n: targets[n] for n in sla.TARGETS}, steps=tuple(steps))


def _same(row: SlaPolicy, wanted: sla.Policy, name: str) -> bool:
    return row.name == name and replace(row.policy(), id=0) == wanted


def _make(
    slug: str,
    version: int,
    name: str,
    lead_type: str,
    is_default: bool,
    targets: Mapping[str, sla.Target],
    steps: Sequence[sla.Step],
    user: User | None,
    now: datetime,
    note: str,
) -> SlaPolicy:
    reason = _reason(note, user)
    value = _value(slug, version, lead_type, targets, steps)
    if wrong := problems(value):
        raise Unsound(wrong)
    return _store(slug, version, name, value, is_default, True, user, now, reason)


def _store(
    slug: str,
    version: int,
    name: str,
    value: sla.Policy,
    is_default: bool,
    is_live: bool,
    user: User | None,
    now: datetime,
    reason: str,
) -> SlaPolicy:
    spans: dict[str, Any] = {}
    for target, span in targets_of(value).items():
        spans |= {f"{target}_minutes": span.minutes, f"{target}_business": span.business}
    row = SlaPolicy.objects.create(
        slug=slug,
        version=version,
        name=" ".join(name.split())[:LONGEST_NAME],
        lead_type=value.lead_type,
        is_live=is_live,
        is_default=is_default,
        created_at=now,
        created_by=user,
        note=reason,
        **spans,
    )
    keep_steps(row, value.steps)
    return row


def keep_steps(row: SlaPolicy, steps: Iterable[sla.Step]) -> None:
    """Store the ladder of a policy that was just stored, in its order."""
    SlaStep.objects.bulk_create(
        SlaStep(
            policy=row,
            position=position,
            code=step.code,
            clock=step.clock,
            share=step.share,
            after_minutes=step.after.minutes if step.after else None,
            after_business=step.after.business if step.after else True,
            who=list(step.who),
            what=step.what,
            queue_id=step.queue,
        )
        for position, step in enumerate(steps, start=1)
    )


def _reason(note: str, user: User | None) -> str:
    reason = " ".join(note.split())[:LONGEST_NOTE]
    if user is not None and not reason:
        raise NoReason
    return reason


def _new_slug(name: str) -> str:
    base = slugify(name)[:40] or "policy"
    # "new" is the address of the page that makes one.
    taken = {"new", *SlaPolicy.objects.filter(slug__startswith=base).values_list("slug", flat=True)}
    number, slug = 2, base
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug


def _known(policies: Collection[sla.Policy]) -> tuple[set[int], set[int]]:
    """Which of the people and queues that these policies name are there and can be used."""
    steps = [step for policy in policies for step in policy.steps]
    named = {pk for step in steps for who in step.who if (pk := sla.person_id(who)) is not None}
    queues = {step.queue for step in steps if step.queue is not None}
    people = User.objects.filter(pk__in=named, is_active=True) if named else User.objects.none()
    takers = Queue.objects.filter(pk__in=queues).exclude(kind=Queue.Kind.COMPLETION)
    return (
        set(people.values_list("pk", flat=True)),
        set(takers.values_list("pk", flat=True)) if queues else set(),
    )


def _gone(policies: Sequence[sla.Policy], known: tuple[set[int], set[int]] | None = None) -> list[str]:
    people, queues = known if known is not None else _known(policies)
    found = []
    for policy in policies:
        for number, step in enumerate(policy.steps, start=1):
            ids = (sla.person_id(who) for who in step.who)
            if any(pk is not None and pk not in people for pk in ids):
                found.append(f"Step {number}: it tells a person who is not there any more.")
            if step.queue is not None and step.queue not in queues:
                found.append(f"Step {number}: it moves the lead to a queue that takes no leads.")
    return found
