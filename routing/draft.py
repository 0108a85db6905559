"""The draft: every edit of rules, territories, lists and pools, their order, and the way back to live.

Owns edit conflicts (each row carries a revision; a save that comes from an older one is refused and shows
the stored row), the order of the rules, and the history of who changed what. Publishing is
`routing.publish`; what differs between two documents is `routing.differences`. Nothing here changes a
published version or a decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar

from django.db import transaction
from django.db.models import F
from simple_history.utils import bulk_update_with_history

from routing import publish
from routing.differences import Diff, ListChange, Part, RuleChange, TerritoryChange, diff, summary
from routing.models import Calendar, Draft, NamedList, Pool, PoolMember, Queue, Rule, Territory
from routing.people import User
from routing.publish import restore

__all__ = [
    "Diff",
    "ListChange",
    "NothingLive",
    "Part",
    "RuleChange",
    "Stale",
    "TerritoryChange",
    "current",
    "diff",
    "discard",
    "move",
    "restore",
    "save",
    "summary",
]

Row = Rule | Territory | NamedList | Pool | Queue | Draft | Calendar
R = TypeVar("R", Rule, Territory, NamedList, Pool, Queue, Draft, Calendar)

# Between two rules, so that one can be put there without touching the others.
STEP = 10
DISCARDED = "The draft was discarded"
CATCH_ALL: dict[str, Any] = {"all": []}

# What an edit never sets: the order and the reviews are written by others meanwhile, and versions,
# decisions and conditions name a row by its slug.
_NOT_EDITED: dict[type, tuple[str, ...]] = {
    Rule: ("position", "last_reviewed"),
    Territory: ("slug",),
    NamedList: ("slug",),
    Pool: ("slug",),
    Queue: ("slug",),
    Calendar: ("is_default",),
}
_SEAT = ("weight", "cap_open", "cap_day", "cap_week", "is_active")


class Stale(Exception):
    """The row was changed after the page was made that the edit comes from; nothing was saved.

    `current` is the row as stored; `by` changed it (None for the system or somebody unknown), at `at`.
    """

    def __init__(self, current: Row, by: User | None, at: datetime | None) -> None:
        super().__init__(f"{by or 'Somebody'} changed this meanwhile.")
        self.current = current
        self.by = by
        self.at = at


class NothingLive(ValueError):
    """There is no published version to go back to."""


def current() -> Draft:
    """The one row of the draft's own settings and order, made when it is missing."""
    return Draft.objects.get_or_create(pk=1)[0]


@transaction.atomic
def save(
    row: R,
    expected_revision: int,
    user: User | None,
    *,
    members: Iterable[User] | None = None,
    seats: Iterable[PoolMember] = (),
) -> R:
    """Store an edited row if it still is at the revision that the edit came from; returns it.

    A row without a key is made (its `expected_revision` is not looked at); a new rule without a position
    goes last, but ahead of a catch-all at the end. `members` are all members of a territory or queue.
    `seats` are those of a pool that are new or changed; seats that are not among them stay, and what the
    rotation keeps on them is never written. Position, last review and slug of a stored row stay. Raises
    Stale.
    """
    signed(row, user)
    if row.pk is None:
        if isinstance(row, Rule) and not row.position:
            row.position = _last_place(row, user)
        row.save()
        reordered = isinstance(row, Rule)
        if members is not None and isinstance(row, Territory | Queue):
            row.members.set(members)
    else:
        stored = _claim(row, expected_revision)
        for name in _NOT_EDITED.get(type(row), ()):
            setattr(row, name, getattr(stored, name))
        row.revision = stored.revision
        reordered = isinstance(stored, Rule) and stored.is_active != getattr(row, "is_active", None)
        if members is not None and isinstance(row, Territory | Queue):
            _set_quietly(row, members)
        row.save()
    if reordered:
        # Who moves a rule to a place counts the active ones.
        Draft.objects.filter(pk=current().pk).update(revision=F("revision") + 1)
    if isinstance(row, Pool):
        _seats(row, seats, user)
    return row


@transaction.atomic
def move(rule: Rule, to: Literal["up", "down"] | int, expected_revision: int, user: User | None) -> Draft:
    """Move an active rule one place up or down, or to a place among the active rules (from 1); returns the
    draft's row. `expected_revision` is the draft's. A move past an end stays there. Raises Stale, and
    ValueError for a rule that is switched off."""
    draft = current()
    stored = _claim(draft, expected_revision)
    signed(stored, user, reason=f"Moved \u201c{rule.name}\u201d"[:100])
    stored.save()
    rows = list(Rule.objects.select_for_update().filter(is_active=True).order_by("position", "id"))
    at = next((place for place, row in enumerate(rows) if row.pk == rule.pk), None)
    if at is None:
        raise ValueError("A rule that is switched off has no place in the order.")
    place = at - 1 if to == "up" else at + 1 if to == "down" else int(to) - 1
    rows.insert(min(max(place, 0), len(rows) - 1), rows.pop(at))
    _number(rows, user)
    return stored


@transaction.atomic
def discard(now: datetime, user: User | None) -> int:
    """Make the draft what is live again; returns how many rows that changed. Raises NothingLive.

    Rules, territories and lists that are gone are made again under their id or slug; those that the live
    version does not have are switched off, not deleted. What no version holds (members, owners of rules,
    reviews) stays.
    """
    live = publish.live()
    if live is None:
        raise NothingLive("There is no published version to go back to.")
    draft = Draft.objects.select_for_update().get(pk=current().pk)
    changed = _rules_as(live.document, now, user) + _territories_as(live.document, now, user)
    changed += _lists_as(live.document, now, user)
    wanted = live.document.get("account_first", Draft.AccountFirst.OWNED)
    if changed or draft.account_first != wanted:
        changed += draft.account_first != wanted
        draft.account_first = wanted
        _put(draft, now, user)
    return changed


def signed(row: Any, user: User | None, at: datetime | None = None, reason: str = "") -> None:
    """Say in the history of the row's next save who changed it, when (else: at that time) and why."""
    row._history_user = user
    if at is not None:
        row._history_date = at
    if reason:
        row._change_reason = reason


def changed_last(row: Row) -> tuple[User | None, datetime | None]:
    """Who changed this row last, and when, by its history; for a pool also its seats'."""
    entries = [row.history.select_related("history_user").first()]
    if isinstance(row, Pool):
        seats = PoolMember.history.filter(pool_id=row.pk).select_related("history_user")
        entries.append(seats.order_by("-history_date", "-history_id").first())
    last = max((entry for entry in entries if entry), key=lambda entry: entry.history_date, default=None)
    return (last.history_user, last.history_date) if last is not None else (None, None)


def _claim(row: R, expected_revision: int) -> R:
    """The stored row at its next revision, which is this edit's alone: a second editor finds none."""
    rows = type(row)._default_manager.filter(pk=row.pk)
    if not rows.filter(revision=expected_revision).update(revision=expected_revision + 1):
        stored = rows.get()
        raise Stale(stored, *changed_last(stored))
    return rows.get()


def _set_quietly(row: Territory | Queue, members: Iterable[User]) -> None:
    """Set the members without an entry of their own: the one that the row's save makes shows them too."""
    row.skip_history_when_saving = True  # type: ignore[union-attr]
    try:
        row.members.set(members)
    finally:
        del row.skip_history_when_saving  # type: ignore[union-attr]


def _seats(pool: Pool, seats: Iterable[PoolMember], user: User | None) -> None:
    known = dict(pool.seats.values_list("user_id", "pk"))
    for seat in seats:
        seat.pool = pool
        signed(seat, user)
        if seat.user_id in known:
            # The router counts turns on these rows meanwhile.
            seat.pk = known[seat.user_id]
            seat._state.adding = False
            seat.save(update_fields=_SEAT)
        else:
            seat.save()


def _last_place(rule: Rule, user: User | None) -> int:
    """The position of a new rule: the end, but a catch-all that stands there stays the last."""
    rows = list(Rule.objects.select_for_update().filter(is_active=True).order_by("position", "id"))
    catch_all = rows.pop() if rows and rows[-1].conditions == CATCH_ALL != rule.conditions else None
    place = (rows[-1].position if rows else 0) + STEP
    if catch_all is not None and catch_all.position <= place:
        catch_all.position = place + STEP
        bulk_update_with_history([catch_all], Rule, ["position"], default_user=user)
    return place


def _number(rows: list[Rule], user: User | None) -> None:
    """Give the rules positions in this order, a step apart."""
    moved = []
    for number, row in enumerate(rows, start=1):
        if row.position != number * STEP:
            row.position = number * STEP
            moved.append(row)
    if moved:
        bulk_update_with_history(moved, Rule, ["position"], default_user=user)


def _put(row: Any, now: datetime, user: User | None) -> None:
    """Store a row as the live version has it. Who edits it meanwhile is told, by the revision."""
    row.revision += not row._state.adding
    signed(row, user, now, DISCARDED)
    row.save()


def _rules_as(document: Mapping[str, Any], now: datetime, user: User | None) -> int:
    stored = {str(row.pk): row for row in Rule.objects.select_for_update()}
    wanted = {str(rule["id"]): rule for rule in document.get("rules") or ()}
    order = sorted((row for row in stored.values() if str(row.pk) in wanted), key=_place)
    in_order = [str(row.pk) for row in order] == list(wanted)
    changed = 0
    for number, (pk, rule) in enumerate(wanted.items(), start=1):
        row = stored.get(pk) or _gone(Rule, {"pk": int(pk)}, ("owner_id", "last_reviewed"))
        place = row.position if in_order else number * STEP
        stands = not row._state.adding and row.is_active and row.position == place
        if stands and publish.rule_document(row) == rule:
            continue
        target, fallback = rule["target"], rule.get("fallback") or {}
        row.position, row.is_active = place, True
        row.name, row.conditions = rule["name"], rule["when"]
        row.target_kind, row.target_id = target["kind"], target.get("id") or ""
        row.fallback_kind, row.fallback_id = fallback.get("kind") or "", fallback.get("id") or ""
        row.policy_slug = rule.get("policy") or ""
        _put(row, now, user)
        changed += 1
    return changed + _switch_off((row for pk, row in stored.items() if pk not in wanted), now, user)


def _place(rule: Rule) -> tuple[int, int]:
    return rule.position, rule.pk


def _territories_as(document: Mapping[str, Any], now: datetime, user: User | None) -> int:
    stored = {row.slug: row for row in Territory.objects.select_for_update()}
    wanted = document.get("territories") or {}
    changed = 0
    for slug, territory in wanted.items():
        row = stored.get(slug) or _gone(Territory, {"slug": slug})
        if not row._state.adding and row.is_active and publish.territory_document(row) == territory:
            continue
        owner = User.objects.filter(pk=territory["owner"]).first() if territory["owner"] else None
        row.name, row.conditions, row.owner = territory["name"], territory["when"], owner
        row.is_active = True
        _put(row, now, user)
        changed += 1
    return changed + _switch_off((row for slug, row in stored.items() if slug not in wanted), now, user)


def _lists_as(document: Mapping[str, Any], now: datetime, user: User | None) -> int:
    stored = {row.slug: row for row in NamedList.objects.select_for_update()}
    wanted = document.get("lists") or {}
    changed = 0
    for slug, values in wanted.items():
        row = stored.get(slug) or _gone(NamedList, {"slug": slug, "name": slug}, ("name", "kind"))
        if not row._state.adding and row.is_active and row.values == values:
            continue
        row.values, row.is_active = values, True
        _put(row, now, user)
        changed += 1
    return changed + _switch_off((row for slug, row in stored.items() if slug not in wanted), now, user)


def _gone(model: Any, key: dict[str, Any], kept: tuple[str, ...] = ()) -> Any:
    """A row to be made again under its key, with what its history still knows and no version holds."""
    row = model(**key)
    identity = {"id": key["pk"]} if "pk" in key else {"slug": key["slug"]}
    last = model.history.filter(**identity).order_by("-history_date", "-history_id").first()
    for name in kept if last is not None else ():
        value = getattr(last, name)
        if name != "owner_id" or User.objects.filter(pk=value).exists():
            setattr(row, name, value)
    return row


def _switch_off(rows: Iterable[Any], now: datetime, user: User | None) -> int:
    changed = 0
    for row in rows:
        if row.is_active:
            row.is_active = False
            _put(row, now, user)
            changed += 1
    return changed
