"""From the draft to a published ruleset: compile, check, publish, and bring an old version back.

Owns the document that `routing.engine` reads: how draft rules, territories and lists become it, what makes
it unfit, and the moving of the one pointer. A published version is never changed; bringing one back makes
a new version of its document. Never edits the draft (`routing.draft` does) and never decides on a lead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max

from routing import sla
from routing.conditions import validate
from routing.models import Draft, NamedList, Pool, Queue, Rule, Ruleset, SlaPolicy, Territory
from routing.people import User

LONGEST_NOTE = 300


@dataclass(frozen=True)
class Problem:
    """One thing that keeps a draft from being published: in which rule or territory, where (JSON pointer
    into the document), and what, as a sentence."""

    where: str
    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class NotPublishable(ValueError):
    """The draft is broken. `problems` says how, in the order of the document; nothing was published."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(str(problem) for problem in problems))
        self.problems = problems


class NoReason(ValueError):
    """A person published without saying why; nothing was published."""

    def __init__(self) -> None:
        super().__init__("Say why, in a few words: whoever reads this version later will ask.")


def live() -> Ruleset | None:
    """The ruleset in force."""
    return Ruleset.objects.filter(is_live=True).first()


def compile_draft() -> dict[str, Any]:
    """The document of the draft's active rules, territories and lists, in the shape of `engine.Ruleset`.

    Five queries; checks nothing and writes nothing.
    """
    overflow = Queue.objects.filter(kind=Queue.Kind.OVERFLOW).first()
    settings = Draft.objects.filter(pk=1).first() or Draft()
    return {
        "rules": [
            rule_document(rule) for rule in Rule.objects.filter(is_active=True).order_by("position", "id")
        ],
        "territories": {
            territory.slug: territory_document(territory)
            for territory in Territory.objects.filter(is_active=True).order_by("slug")
        },
        "lists": {row.slug: row.values for row in NamedList.objects.filter(is_active=True).order_by("slug")},
        "overflow": {"kind": "queue", "id": str(overflow.pk)} if overflow else None,
        "account_first": settings.account_first,
    }


def rule_document(rule: Rule) -> dict[str, Any]:
    """A draft rule as it stands in a document."""
    fallback = {"kind": rule.fallback_kind, "id": rule.fallback_id} if rule.fallback_kind else None
    return {
        "id": str(rule.pk),
        "name": rule.name.strip(),
        "when": rule.conditions,
        "target": {"kind": rule.target_kind, "id": rule.target_id},
        "fallback": fallback,
        "policy": rule.policy_slug or None,
    }


def territory_document(territory: Territory) -> dict[str, Any]:
    """A draft territory as it stands in a document, under its slug."""
    return {"name": territory.name, "when": territory.conditions, "owner": territory.owner_id}


def check(document: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a compiled document, against the people, pools and queues of this moment; []
    when it may be published."""
    known = _Known(document)
    problems: list[Problem] = []
    rules = document.get("rules") or []
    if not rules:
        problems.append(Problem("The ruleset", "/rules", "There is no active rule."))
    if not document.get("overflow"):
        problems.append(
            Problem("The ruleset", "/overflow", "There is no overflow queue; make one and give it an owner.")
        )
    if document.get("account_first", Draft.AccountFirst.OWNED) not in Draft.AccountFirst.values:
        message = f"Whose account comes first is one of: {', '.join(Draft.AccountFirst.values)}."
        problems.append(Problem("The ruleset", "/account_first", message))
    for position, rule in enumerate(rules):
        problems += known.of_rule(rule, position)
    for slug, territory in (document.get("territories") or {}).items():
        where, pointer = f"Territory \u201c{territory['name'] or slug}\u201d", f"/territories/{slug}"
        for found in validate(territory["when"], lists=known.lists, of_territory=True):
            problems.append(Problem(where, f"{pointer}/when{found.pointer}", found.message))
        if territory["owner"] is not None and str(territory["owner"]) not in known.people:
            problems.append(Problem(where, f"{pointer}/owner", "Its owner is no longer active."))
    return problems


class _Known:
    """What a document may refer to, read once. Ids as text, as documents hold them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.lists = set(document.get("lists") or {})
        self.territories = set(document.get("territories") or {})
        self.owned = {
            slug for slug, territory in (document.get("territories") or {}).items() if territory["owner"]
        }
        self.people = _ids(User.objects.filter(is_active=True))
        self.inactive = _ids(User.objects.filter(is_active=False))
        self.pools = _ids(Pool.objects.all())
        self.queues = _ids(Queue.objects.exclude(kind=Queue.Kind.COMPLETION))
        live = SlaPolicy.objects.filter(is_live=True).prefetch_related("steps")
        # What is wrong with each, so that silence ends at a human under every rule.
        self.policies = {row.slug: sla.problems(row.policy()) for row in live}

    def of_rule(self, rule: Mapping[str, Any], position: int) -> list[Problem]:
        pointer = f"/rules/{position}"
        where = f"Rule {position + 1} \u201c{rule['name']}\u201d" if rule["name"] else f"Rule {position + 1}"
        found = []
        if not rule["name"]:
            found.append(Problem(where, f"{pointer}/name", "It has no name."))
        found += [
            Problem(where, f"{pointer}/when{problem.pointer}", problem.message)
            for problem in validate(rule["when"], territories=self.territories, lists=self.lists)
        ]
        for place in ("target", "fallback"):
            if rule[place] is None:
                continue
            if message := self._target(rule[place], "fallback" if place == "fallback" else "target"):
                found.append(Problem(where, f"{pointer}/{place}", message))
        if rule["policy"] and rule["policy"] not in self.policies:
            message = f"There is no live SLA policy called \u201c{rule['policy']}\u201d."
            found.append(Problem(where, f"{pointer}/policy", message))
        for wrong in self.policies.get(rule["policy"], ()):
            message = f"Its SLA policy \u201c{rule['policy']}\u201d cannot be used. {wrong}"
            found.append(Problem(where, f"{pointer}/policy", message))
        return found

    def _target(self, target: Mapping[str, Any], place: str) -> str:
        """Why nobody can be reached at this target; "" when somebody can."""
        kind, pk = target["kind"], target["id"]
        wrong = {
            "rep": "" if pk in self.people else "a person who does not exist",
            "pool": "" if pk in self.pools else "a pool that does not exist",
            "queue": "" if pk in self.queues else "a queue that does not exist or takes no leads",
            "territory_owner": self._territory(pk),
            "account_owner": "",
        }.get(kind, "of no known kind")
        if kind == "rep" and pk in self.inactive:
            wrong = "a person who is no longer active"
        return f"Its {place} is {wrong}." if wrong else ""

    def _territory(self, slug: str) -> str:
        if not slug or slug in self.owned:
            return ""
        exists = slug in self.territories
        return f"the owner of a territory that {'has none' if exists else 'does not exist'}"


def _ids(rows: Any) -> set[str]:
    return {str(pk) for pk in rows.values_list("pk", flat=True)}


@transaction.atomic
def publish(now: datetime, user: User | None, note: str = "") -> Ruleset:
    """Publish the draft as the next version and make it the one in force; returns the ruleset in force.

    A person says why in `note`; only the system (user None) may leave it empty. A draft that compiles to
    what is live publishes nothing. Raises NoReason, and NotPublishable for a broken draft.
    """
    reason = _reason(note, user)
    _one_at_a_time()
    return _put_in_force(compile_draft(), now, user, reason, None)


@transaction.atomic
def restore(version: int, now: datetime, user: User | None, note: str = "") -> Ruleset:
    """Publish the document of an old version again, as the next version; returns the ruleset in force.

    It is checked against the people, pools and queues of today. The draft stays as it is (`draft.discard`
    brings it to what is live). Raises Ruleset.DoesNotExist, NoReason, and NotPublishable when it no
    longer fits.
    """
    reason = _reason(note, user)
    old = Ruleset.objects.get(version=version)
    _one_at_a_time()
    return _put_in_force(old.document, now, user, reason, old)


def _reason(note: str, user: User | None) -> str:
    reason = " ".join(note.split())[:LONGEST_NOTE]
    if user is not None and not reason:
        raise NoReason
    return reason


def _one_at_a_time() -> None:
    # Two publishers at once would make the same version; the row that every ruleset needs is their lock.
    list(Queue.objects.select_for_update(no_key=True).filter(kind=Queue.Kind.OVERFLOW).order_by("pk"))


def _put_in_force(
    document: dict[str, Any], now: datetime, user: User | None, note: str, old: Ruleset | None
) -> Ruleset:
    if problems := check(document):
        raise NotPublishable(problems)
    current = live()
    if current is not None and current.document == document:
        return current
    version = (Ruleset.objects.aggregate(last=Max("version"))["last"] or 0) + 1
    Ruleset.objects.filter(is_live=True).update(is_live=False)
    return Ruleset.objects.create(
        version=version,
        document=document,
        published_at=now,
        published_by=user,
        note=note,
        restored_from=old,
        is_live=True,
    )
