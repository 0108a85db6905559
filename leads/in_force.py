"""What is put in force, rules and policies, each with its entry in the access log in the same transaction.

Owns the entries; what can be put in force, and how, is `routing.publish` and `routing.policies`. Nothing that
stays as it was is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from leads import access_log
from leads.models import AccessEntry
from routing import draft, policies, sla
from routing import publish as publishing
from routing.models import Ruleset, SlaPolicy
from routing.people import User


@transaction.atomic
def publish(now: datetime, user: User, note: str = "") -> Ruleset:
    """The draft as the next version; as `routing.publish.publish`."""
    before = publishing.live()
    return _logged(before, publishing.publish(now, user, note), now, user)


@transaction.atomic
def restore(version: int, now: datetime, user: User, note: str = "") -> Ruleset:
    """An earlier document as the next version; as `routing.draft.restore`."""
    before = publishing.live()
    return _logged(before, draft.restore(version, now, user, note), now, user)


@transaction.atomic
def create(
    name: str,
    lead_type: str,
    targets: Mapping[str, sla.Target],
    steps: Sequence[sla.Step],
    user: User,
    now: datetime,
    note: str,
) -> SlaPolicy:
    """A policy that is not there yet; as `routing.policies.create`."""
    return _changed(policies.create(name, lead_type, targets, steps, user, now, note), now, user)


@transaction.atomic
def revise(
    row: SlaPolicy,
    targets: Mapping[str, sla.Target],
    steps: Sequence[sla.Step],
    user: User,
    now: datetime,
    note: str,
    *,
    name: str,
    version: int,
) -> SlaPolicy:
    """The next version of a policy, if anything differs; as `routing.policies.revise`."""
    made = policies.revise(row.slug, targets, steps, user, now, note, name=name, version=version)
    return made if made.version == row.version else _changed(made, now, user)


@transaction.atomic
def retire(slug: str, user: User, now: datetime, note: str) -> SlaPolicy:
    """Out of use; as `routing.policies.retire`."""
    before = policies.latest(slug)
    made = policies.retire(slug, user, now, note)
    return made if made.version == before.version else _changed(made, now, user, retired=True)


def _logged(before: Ruleset | None, after: Ruleset, now: datetime, user: User) -> Ruleset:
    if after != before:
        access_log.record(AccessEntry.Kind.RULES_PUBLISHED, now, user, about=("rules", after.version))
    return after


def _changed(made: SlaPolicy, now: datetime, user: User, *, retired: bool = False) -> SlaPolicy:
    kind, about = AccessEntry.Kind.POLICY_CHANGED, ("policy", made.slug)
    access_log.record(kind, now, user, about=about, version=made.version, retired=retired)
    return made
