"""One Mautic contact: how it looks, and how PATCH, PUT, POST and points change it.

PATCH takes flat aliases and needs the contact; PUT empties what is not given and may create; POST /new merges
into the contact with that e-mail: 201 for a new one, 200 for a merged one [V, CommonApiController and
LeadApiControllerFunctionalTest; section 4 says 201]. A PATCH that gives another contact's e-mail merges the
two [V, preSaveEntity], and a merged contact's old id leads to the one that stayed [V, same test]. Tags are
added, `-tag` takes one away [V]. The time of change is null until the first change [R].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.doubles.clock import iso_offset
from tests.doubles.mautic import fields
from tests.doubles.records import SYSTEM, USER, Record

if TYPE_CHECKING:
    from tests.doubles.mautic.instance import Mautic

MANUAL = 3


def shown(mautic: Mautic, record: Record, for_webhook: bool = False) -> dict[str, Any]:
    """The contact object; in a webhook without tags, stage and utmtags [V]."""
    extra = record.extra
    groups: dict[str, Any] = {group: {} for group in fields.GROUPS}
    for alias, field in mautic.fields.items():
        groups[field.group][alias] = field.as_value(record.values.get(alias))
    grouped: dict[str, Any] = {group: found or [] for group, found in groups.items()}
    if not for_webhook:
        grouped["all"] = {
            "id": int(record.id),
            **{alias: record.values.get(alias) for alias in mautic.fields},
        }
    stage = mautic.stages.get(record.values.get("stage") or 0)
    return {
        "isPublished": True,
        "dateAdded": iso_offset(record.created),
        "dateModified": None if record.modified is None else iso_offset(record.modified),
        "createdBy": 1,
        "createdByUser": "API",
        "modifiedBy": None if record.modified is None else 1,
        "modifiedByUser": None if record.modified is None else "API",
        "id": int(record.id),
        "points": record.values.get("points") or 0,
        "color": None,
        "fields": grouped,
        "lastActive": iso_offset(extra["last_active"]) if extra.get("last_active") else None,
        "dateIdentified": iso_offset(record.created) if record.values.get("email") else None,
        "owner": mautic.users.get(record.values.get("owner") or 0),
        "ipAddresses": [],
        "tags": []
        if for_webhook
        else [{"tag": tag, "id": mautic.tag_id(tag)} for tag in extra.get("tags", [])],
        "utmtags": [] if for_webhook else extra.get("utmtags", []),
        "stage": None if for_webhook or stage is None else stage,
        "doNotContact": extra.get("dnc", []),
        "frequencyRules": [],
        "preferredProfileImage": None,
    }


def edit(mautic: Mautic, record: Record, given: dict[str, Any], by: str, wipe: bool = False) -> Record:
    """PATCH a contact (PUT with `wipe`), with its webhooks; the contact that it is afterwards."""
    mine = str(given.get("email") or "").lower()
    other = (
        next((found for found in mautic.contacts.having("email", mine) if found is not record), None)
        if mine
        else None
    )
    if other is not None:
        record = merged(mautic, record, other)
    if wipe:
        values = fields.replaced(mautic.fields, given)
    else:
        blank_too = bool(given.get("overwriteWithBlank")) or by == USER
        values = fields.written(mautic.fields, given, blank_too, zero_too=by == USER)
    _apply(mautic, record, values, given, by)
    return record


def create(mautic: Mautic, given: dict[str, Any], by: str) -> tuple[Record, bool]:
    """POST /new: the contact, and whether it is a new one."""
    email = str(given.get("email") or "").lower()
    found = mautic.contacts.having("email", email) if email else []
    if found:
        return edit(mautic, found[0], given, by), False
    values = {"points": 0, **fields.written(mautic.fields, given, blank_too=False)}
    record = mautic.contacts.add(mautic.next_id(), values, by)
    _apply(mautic, record, {}, given, by, new=True)
    return record, True


def merged(mautic: Mautic, first: Record, second: Record) -> Record:
    """The older of two stays, with the newer one's values where it has none; points are added [R]."""
    kept, gone = sorted((first, second), key=lambda record: int(record.id))
    values = {name: value for name, value in gone.values.items() if value and not kept.values.get(name)}
    values["points"] = (kept.values.get("points") or 0) + (gone.values.get("points") or 0)
    kept.extra["tags"] = list(dict.fromkeys([*kept.extra.get("tags", []), *gone.extra.get("tags", [])]))
    mautic.contacts.remove(gone, merged_into=kept.id)
    mautic.contacts.write(kept, values, SYSTEM)
    mautic.events.deleted(gone)
    mautic.events.updated(kept)
    return kept


def add_points(mautic: Mautic, record: Record, operator: str, delta: int, by: str) -> None:
    """`plus`, `minus`, `times`, `divide` or `set`."""
    was = record.values.get("points") or 0
    now = {
        "plus": was + delta,
        "minus": was - delta,
        "times": was * delta,
        "divide": was // delta if delta else was,
        "set": delta,
    }[operator]
    _apply(mautic, record, {"points": now}, {}, by)


def set_stage(mautic: Mautic, record: Record, stage: int | None, by: str) -> None:
    """Move to a stage or out of one; there is no webhook for it [V]."""
    mautic.contacts.write(record, {"stage": stage}, by)
    label = mautic.stages[stage]["name"] if stage else "no stage"
    mautic.note_activity(record, "stage.changed", label)


def set_dnc(mautic: Mautic, record: Record, channel: str, reason: int | None, by: str) -> bool:
    """Set or (None) lift do-not-contact; whether something changed."""
    dnc = [entry for entry in record.extra.get("dnc", []) if entry["channel"] != channel]
    had = len(dnc) != len(record.extra.get("dnc", []))
    if reason:
        dnc.append(
            {
                "id": int(record.id) * 10,
                "reason": reason,
                "comments": "",
                "channel": channel,
                "channelId": None,
            }
        )
    record.extra["dnc"] = dnc
    mautic.contacts.write(record, {"dnc_" + channel: reason}, by)
    names = (
        ("unsubscribed" if reason == 1 else "bounced" if reason == 2 else "manual")
        if reason
        else "contactable"
    )
    mautic.events.subscription(record, channel, "manual" if had else "contactable", names)
    return had


def _apply(
    mautic: Mautic, record: Record, values: dict[str, Any], given: dict[str, Any], by: str, new: bool = False
) -> None:
    """Write values, tags, owner, stage of one request as one write, and say so."""
    was = record.values.get("points") or 0
    values = dict(values)
    if "owner" in given:
        owner = int(given["owner"] or 0)
        values["owner"] = owner if owner in mautic.users else None
    if given.get("stage"):
        stage = int(given["stage"])
        values["stage"] = stage if stage in mautic.stages else None
    if given.get("tags"):
        record.extra["tags"] = _tagged(record.extra.get("tags", []), given["tags"])
        values["tags"] = list(record.extra["tags"])
    if given.get("lastActive"):
        record.extra["last_active"] = mautic.clock.now()
    if values and new:
        # Still the creation: a contact that was never changed has no time of change.
        record.values.update(values)
        record.history[-1].values.update(values)
    elif not new:
        mautic.contacts.write(record, values, by)
    if new:
        mautic.events.created(record)
    else:
        mautic.events.updated(record)
    now = record.values.get("points") or 0
    if now != was and not new:
        mautic.events.points(record, was, now)


def _tagged(tags: list[str], given: Any) -> list[str]:
    """Tags with those given added, and those with a minus in front taken away."""
    asked = given if isinstance(given, list) else str(given).split(",")
    found = list(tags)
    for each in (str(tag).strip() for tag in asked):
        if each.startswith("-"):
            found = [tag for tag in found if tag != each[1:]]
        elif each and each not in found:
            found.append(each)
    return found
