"""Mending a drift: push ours, adopt theirs, or ignore it with a reason. Always by somebody, always logged.

Owns which of the three a check offers, and carrying them out. Ours is pushed through the outbox under a new
revision, theirs is adopted by the verbs and the intake that everything else goes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from leads import connectors, intake, lifecycle, outbox
from leads.audit.checks import Code
from leads.connectors.addresses import Forbidden
from leads.connectors.base import Seen
from leads.connectors.client import Unreachable
from leads.connectors.delivering import UNEXPECTED
from leads.connectors.keeping import Keeper
from leads.identity import normalise_email
from leads.lifecycle import Act, Invalid, Refused
from leads.models import ExternalId, Finding, Lead, RejectionReason, RemoteRecord
from leads.outbox.wanted import Status
from leads.representation import time
from leads.sealing import CannotOpen

PUSH, ADOPT, IGNORE = "push", "adopt", "ignore"
Resolution = Finding.Resolution

_ANSWERS = (Code.EXTERNAL_CHANGE, Code.CRM_OWNER_NE_APP_OWNER, Code.TIME_REGRESSION)
_FACTS = (Code.EMAIL_MISMATCH, Code.OPTED_OUT_BUT_ACTIVE)
_LINKS = (Code.RECORD_MERGED, Code.RECORD_DELETED)
_PUSHES = frozenset(Code) - {
    *_FACTS,
    Code.DUPLICATE_LINK,
    Code.STALE_CURSOR,
    Code.OUTBOX_STUCK,
    Code.DEAD_LETTER,
}


class CannotMend(Exception):
    """It can't be mended that way now. The message is fit for a page; nothing was changed."""


def choices(finding: Finding) -> tuple[str, ...]:
    """What can be done about it."""
    code = Code(finding.check_code)
    offered = []
    if code in _PUSHES and finding.handoff_id:
        offered.append(PUSH)
    if code in (*_ANSWERS, *_FACTS, *_LINKS) and finding.handoff_id:
        offered.append(ADOPT)
    return (*offered, IGNORE)


def push(finding: Finding, act: Act) -> None:
    """Write ours again, to every system, under a new revision."""
    _require(finding, PUSH)
    with transaction.atomic():
        if finding.check_code == Code.RECORD_DELETED:
            _unlink(finding)
        lifecycle.resend(finding.handoff_id or 0, act, check=finding.check_code)
        _resolve(finding, act, Resolution.PUSHED)


def ignore(finding: Finding, act: Act, note: str) -> None:
    """Leave it as it is; the note says why. It opens again when it differs otherwise."""
    note = note.strip()
    if not note or len(note) > 300:
        raise Invalid({"note": "Say why, in at most 300 characters."})
    _require(finding, IGNORE)
    _resolve(finding, act, Resolution.IGNORED, note)


def settle(
    findings: Iterable[Finding], act: Act, choice: str, note: str = ""
) -> tuple[int, list[tuple[Finding, str]]]:
    """Push or ignore many, each by itself: how many were settled, and of the others why not. Raises Invalid
    for an empty note before anything is settled."""
    done, left = 0, []
    for finding in findings:
        try:
            if choice == PUSH:
                push(finding, act)
            else:
                ignore(finding, act, note)
            done += 1
        except (CannotMend, Refused) as refused:
            left.append((finding, str(refused)))
    return done, left


def adopt(finding: Finding, act: Act, *, reason: str = "", note: str = "") -> None:
    """Take over what the other system says, as it is there now. `reason` (a code of ours) and `note` are for
    a rejection. Raises CannotMend, Invalid or Refused."""
    _require(finding, ADOPT)
    code = Code(finding.check_code)
    seen, connector = _read(finding)
    with transaction.atomic():
        if code in _LINKS:
            _relink(finding, seen, act)
        elif code in _FACTS:
            _take_fact(finding, seen, act)
        elif code == Code.CRM_OWNER_NE_APP_OWNER:
            _take_owner(finding, seen, connector, act)
        else:
            _take_answer(finding, seen, connector, act, reason, note)
        _resolve(finding, act, Resolution.ADOPTED)


def _require(finding: Finding, choice: str) -> None:
    if finding.resolved_at is not None:
        raise CannotMend("This is settled already.")
    if choice not in choices(finding):
        raise CannotMend("This can't be settled that way.")


def _resolve(finding: Finding, act: Act, resolution: Finding.Resolution, note: str = "") -> None:
    still_open = Finding.objects.filter(pk=finding.pk, resolved_at__isnull=True)
    if not still_open.update(resolved_at=act.now, resolution=resolution, resolved_by=act.user, note=note):
        raise CannotMend("This is settled already.")


def _read(finding: Finding) -> tuple[Seen, Keeper]:
    """The record as it is there at this moment."""
    want = outbox.wanted([finding.lead_id or 0]).get(finding.lead_id or 0)
    if want is None:
        raise CannotMend("This lead has no handoff any more.")
    try:
        with connectors.opened(finding.connection) as connector:
            if not isinstance(connector, Keeper):
                raise CannotMend("This connection keeps no state.")
            records = connector.fetch([want], finding.last_seen_at).get(want.lead_id, [])
    except (Unreachable, CannotOpen, Forbidden) as error:
        raise CannotMend(f"The other system could not be read: {error}") from None
    except UNEXPECTED:
        raise CannotMend("The other system's answer could not be understood.") from None
    if not records:
        return Seen("", "", {}, is_deleted=True), connector
    kept = RemoteRecord.objects.filter(connection=finding.connection, lead=finding.lead_id).first()
    known = kept.remote_id if kept else ""
    return next((one for one in records if one.remote_id == known), records[0]), connector


def _take_answer(finding: Finding, seen: Seen, connector: Keeper, act: Act, reason: str, note: str) -> None:
    status = connector.mapping.status_of(seen.values, connector.keeps(seen))
    if status == Status.OPPORTUNITY:
        lifecycle.opportunity(finding.handoff_id or 0, act)
        return
    if status not in (Status.ACCEPTED, Status.REJECTED):
        raise CannotMend(_not_adopted(status, connector, seen))
    if status == Status.REJECTED and not reason:
        theirs = seen.values.get(connector.mapping.fields.get("reason", ""), "")
        known = RejectionReason.objects.filter(code=theirs, is_active=True).exists()
        reason = theirs if known else ""
        if not reason:
            raise Invalid({"reason": "Choose the reason: the other system names none that we know."})
    lifecycle.adopt(finding.handoff_id or 0, act, status=str(status), reason=reason, note=note)


# What only whoever holds it can say.
_ASK: Mapping[Status, str] = {
    Status.DEFERRED: "It is deferred there. Until when, and why, only whoever holds it can say: ask them to"
    " defer it here, or push ours.",
    Status.CONTACTED: "It is contacted there. When and how only whoever holds it can say: ask them to log the"
    " contact here, or push ours.",
    Status.DISQUALIFIED: "It is disqualified there. Why only whoever holds it can say: ask them to disqualify"
    " it here, or push ours.",
}


def _not_adopted(status: Status | None, connector: Keeper, seen: Seen) -> str:
    """What to do about a status that is not taken over."""
    if status is not None and status in _ASK:
        return _ASK[status]
    if status is not None:
        return f"“{status}” can't be adopted: that is what we decide here. Push ours, or ignore it."
    shown = ", ".join(seen.values.get(name) or "nothing" for name in connector.mapping.status_fields)
    return f"“{shown or 'nothing'}” stands for no status of ours. Add it to the mapping, or push ours."


def _take_owner(finding: Finding, seen: Seen, connector: Keeper, act: Act) -> None:
    theirs = seen.values.get(connector.mapping.fields.get("owner", ""), "")
    email = next((ours for ours, value in connector.mapping.owners.items() if value == theirs), "")
    if not email:
        raise CannotMend(f"Owner {theirs or 'nobody'} there is nobody here: map them first.")
    words = f"{finding.connection.name} has this owner."
    lifecycle.reassign(finding.handoff_id or 0, act, to=email, reason=words)


def _take_fact(finding: Finding, seen: Seen, act: Act) -> None:
    """The address or the refusal of mail, by the way that every fact comes in."""
    lead = Lead.objects.get(pk=finding.lead_id or 0)
    data: dict[str, Any] = {"external_ids": _ids(finding, seen)}
    if finding.check_code == Code.EMAIL_MISMATCH:
        if not seen.email or normalise_email(seen.email) is None:
            raise CannotMend("The record there has no address any more.")
        data["email"] = seen.email
    else:
        data |= {"email": lead.email, "consent": {"email_opt_out": bool(seen.opted_out)}}
    event = {
        "specversion": "1.0",
        "id": f"finding-{finding.pk}-{finding.times_seen}",
        "source": f"/connections/{finding.connection.slug}/adopted",
        "type": "lead.updated",
        "time": time(act.now),
        "data": {"lead": data},
    }
    [answer] = intake.receive([event], None, act.now, user=act.user)
    if answer["status"] not in ("processed", "duplicate"):
        raise CannotMend(f"It was not taken: {answer.get('reason') or answer['status']}.")


def _ids(finding: Finding, seen: Seen) -> list[dict[str, str]]:
    known = ExternalId.objects.filter(lead=finding.lead_id).values_list("system", "object", "value")
    ids = [{"system": system, "object": kind, "id": value} for system, kind, value in known]
    if not ids and finding.connection.id_system and seen.remote_id:
        ids = [{"system": finding.connection.id_system, "object": seen.object, "id": seen.remote_id}]
    return ids


def _relink(finding: Finding, seen: Seen, act: Act) -> None:
    """Follow a merge there, and write ours into the record that is left; forget a record that is gone."""
    if not seen.merged_into:
        _unlink(finding)
        return
    records = RemoteRecord.objects.filter(connection=finding.connection, lead=finding.lead_id)
    records.update(remote_id=seen.merged_into, written={}, revision=0)
    known = ExternalId.objects.filter(
        lead=finding.lead_id, system=finding.connection.id_system, object=seen.object
    )
    if not ExternalId.objects.filter(
        system=finding.connection.id_system, object=seen.object, value=seen.merged_into
    ).exists():
        known.filter(value=seen.remote_id).update(value=seen.merged_into)
    lifecycle.resend(finding.handoff_id or 0, act, check=finding.check_code)


def _unlink(finding: Finding) -> None:
    records = RemoteRecord.objects.filter(connection=finding.connection, lead=finding.lead_id)
    gone = list(records.exclude(remote_id="").values_list("object", "remote_id"))
    for kind, value in gone:
        ExternalId.objects.filter(
            lead=finding.lead_id, system=finding.connection.id_system, object=kind, value=value
        ).delete()
    records.delete()
