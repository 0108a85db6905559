"""How the agreement changes: one side proposes, the other signs, and only then it holds.

Owns the verbs (propose, comment, sign, decline, withdraw), who may do which, and which terms are in force at
a moment. Each verb is one transaction; `Refused` and `Invalid` write nothing. The same act again by the same
person is done already and writes nothing. Nobody signs their own proposal: the rows are locked while it is
looked at, and the database takes one signature a side and one a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from leads import access_log, agreement, notifications, permissions
from leads.agreement import LONGEST_DONE, LONGEST_WHY, Terms
from leads.choices import ProposalState, Side
from leads.lifecycle import Act, Invalid, Refused
from leads.lifecycle.guard import bounded
from leads.models import (
    AccessEntry,
    Agreement,
    MqlDefinition,
    Notification,
    Proposal,
    ProposalComment,
    Signature,
)
from leads.roles import MAY, Can, can
from routing.locking import locked_first, locked_one
from routing.people import User
from routing.prepared import prepared

PROPOSED, SIGNED, DECLINED = "agreement_proposed", "agreement_signed", "agreement_declined"
# As many as can wait at once: each is read by the other side, and a page lists them all.
MOST_OPEN = 20


@dataclass(frozen=True)
class Version:
    """What figures are judged by: a version, from when it holds, and by lead type within which time of the
    conversion the first contact, and of the assignment the answer, counts as in time. Elapsed."""

    number: int
    in_force_from: datetime
    contact: Mapping[str, timedelta]
    accept: Mapping[str, timedelta]


def versions() -> list[Version]:
    """All versions, newest first; one query, and the list is short."""
    found = []
    for number, since, targets in _versions():
        promises = agreement.targets_of(targets).items()
        contact = {kind: promise.within for kind, promise in promises}
        accept = {kind: timedelta(minutes=promise.accept.minutes) for kind, promise in promises}
        found.append(Version(number, since, contact, accept))
    return found


@prepared
def _versions() -> QuerySet[Agreement, tuple[int, datetime, dict[str, Any]]]:
    return Agreement.objects.order_by("-in_force_from").values_list("version", "in_force_from", "targets")


def with_terms() -> QuerySet[Agreement]:
    """Versions with what their pages need."""
    return Agreement.objects.select_related("definition", "proposal__proposed_by")


def current(now: datetime) -> Agreement | None:
    """The version in force; None before `setup` made the first."""
    rows = with_terms()
    held = rows.filter(in_force_from__lte=now).order_by("-in_force_from").first()
    return held or rows.order_by("in_force_from").first()


def newest() -> Agreement | None:
    """The version agreed last, also when its day has not come: what the next proposal changes."""
    return with_terms().order_by("-version").first()


def is_stale(proposal: Proposal, latest: Agreement | None) -> bool:
    """Whether another version was agreed on since it was made: then nobody can sign it any more."""
    return latest is not None and proposal.changes_id != latest.pk


def may_sign(user: User, proposal: Proposal, signatures: Sequence[Signature]) -> bool:
    """Whether this person can sign for the side that has not: of that side, and not the proposer."""
    return proposal.state == ProposalState.OPEN and _side_left(user, proposal, signatures) is not None


def may_withdraw(user: User, proposal: Proposal) -> bool:
    return proposal.state == ProposalState.OPEN and proposal.proposed_by_id == user.pk


def may_comment(user: User) -> bool:
    return user.is_active and can(user, Can.ACT)


def _side_left(user: User, proposal: Proposal, signatures: Sequence[Signature]) -> Side | None:
    side = Side(proposal.side).other
    if side not in permissions.sides(user) or proposal.proposed_by_id == user.pk:
        return None
    taken = any(row.person_id == user.pk or row.side == side for row in signatures)
    return None if taken else side


def signatures(version: Agreement) -> list[Signature]:
    """Who signed a version, with their person; nobody signed what was shipped."""
    if version.proposal_id is None:
        return []
    return list(Signature.objects.filter(proposal=version.proposal_id).select_related("person"))


def open_proposals() -> QuerySet[Proposal]:
    """What waits for the other side, of whatever side."""
    latest = Agreement.objects.order_by("-version").values("pk")[:1]
    return Proposal.objects.filter(state=ProposalState.OPEN, changes__in=latest)


def to_sign(user: int, sides: Sequence[Side]) -> QuerySet[Proposal]:
    """The open proposals that this person can sign for one of these sides, which are theirs."""
    others = [str(side.other) for side in sides]
    return open_proposals().filter(side__in=others).exclude(proposed_by=user).order_by()


def waiting_for(user: User) -> int:
    """How many open proposals this person can sign. None for whoever signs nothing."""
    sides = permissions.sides(user)
    return to_sign(user.pk, sides).count() if sides else 0


def propose(
    act: Act,
    base: int,
    terms: Terms,
    why: str,
    side: str = "",
    wanted_at: datetime | None = None,
    backtest: Mapping[str, Any] | None = None,
) -> Proposal:
    """Propose terms in place of those of version `base`, and sign for one's own side by it.

    `side` chooses for whoever has both roles. `wanted_at` None is as soon as the other side signs. Raises
    Invalid by field, Refused for who may not and when another version was agreed on since.
    """
    user = _person(act)
    own = permissions.sides(user)
    if not own:
        raise _refused("Marketing ops and sales managers propose; admins sign nothing.")
    if len(own) > 1 and side not in own:
        raise Invalid({"side": "You belong to both sides. Say for which one you sign."})
    mine = Side(side) if len(own) > 1 else own[0]
    why = bounded("why", why, required=True, limit=LONGEST_WHY)
    bounded("done", terms.done, required=True, limit=LONGEST_DONE)
    if found := agreement.problems(terms):
        raise Invalid(found)
    with transaction.atomic():
        latest = _lock_newest()
        if latest.version != base:
            raise _stale(latest)
        if terms == Terms.of(latest) and latest.proposal_id is not None:
            raise Invalid({"terms": f"This says what version {latest.version} says. Change something."})
        _check_day(wanted_at, latest, act.now)
        waiting = Proposal.objects.filter(changes=latest, state=ProposalState.OPEN)
        for before in waiting.filter(proposed_by=user, side=mine, why=why, wanted_at=wanted_at):
            if Terms.of(before) == terms:
                return before
        if waiting.count() >= MOST_OPEN:
            raise _refused(f"{MOST_OPEN} proposals are open. Settle one of them first.")
        made = Proposal.objects.create(
            changes=latest,
            why=why,
            side=mine,
            proposed_by=user,
            created_at=act.now,
            wanted_at=wanted_at,
            backtest=dict(backtest or {}),
            backtest_at=act.now if backtest else None,
            **terms.columns(),
        )
        Signature.objects.create(proposal=made, side=mine, person=user, at=act.now)
        _log(made, mine, user, act.now)
        _tell(_people_of(mine.other, user), PROPOSED, made, user, act.now)
    return made


def comment(proposal_id: int, act: Act, text: str) -> ProposalComment:
    """Say something about a proposal, also about one that is settled. Said again at once it stands once."""
    user = _person(act)
    if not may_comment(user):
        raise _refused("Viewers read.")
    text = bounded("text", text, required=True)
    with transaction.atomic():
        proposal = Proposal.objects.select_for_update().get(pk=proposal_id)
        last = proposal.comments.order_by("-at", "-pk").first()
        if last is not None and last.by_id == user.pk and last.text == text:
            return last
        return ProposalComment.objects.create(proposal=proposal, by=user, at=act.now, text=text)


def sign(proposal_id: int, act: Act) -> Proposal:
    """Sign for the other side. That adopts it: the new version, and the definition when it changes, hold from
    now or from the wanted day, whichever is later."""
    with _locked(proposal_id, act) as (proposal, latest, user):
        signed = list(proposal.signatures.all())
        by_me = any(row.person_id == user.pk for row in signed)
        if proposal.state == ProposalState.ADOPTED and by_me and proposal.proposed_by_id != user.pk:
            return proposal
        _require_open(proposal, "sign")
        if proposal.proposed_by_id == user.pk or by_me:
            raise _refused("Nobody signs their own proposal.")
        side = _side_left(user, proposal, signed)
        if side is None:
            raise _refused(f"Only {_other(proposal)} can sign it; admins sign nothing.")
        if is_stale(proposal, latest):
            raise _stale(latest)
        Signature.objects.create(proposal=proposal, side=side, person=user, at=act.now)
        _log(proposal, side, user, act.now)
        _adopt(proposal, latest, user, act.now)
        _settle(proposal, ProposalState.ADOPTED, user, act.now)
        _tell([proposal.proposed_by], SIGNED, proposal, user, act.now)
    return proposal


def decline(proposal_id: int, act: Act, note: str) -> Proposal:
    """The other side says no, with the reason."""
    note = bounded("note", note, required=True)
    with _locked(proposal_id, act) as (proposal, _, user):
        if proposal.state == ProposalState.DECLINED and proposal.settled_by_id == user.pk:
            return proposal
        _require_open(proposal, "decline")
        if _side_left(user, proposal, list(proposal.signatures.all())) is None:
            raise _refused(f"Only {_other(proposal)} declines it.")
        _settle(proposal, ProposalState.DECLINED, user, act.now, note)
        _tell([proposal.proposed_by], DECLINED, proposal, user, act.now)
    return proposal


def withdraw(proposal_id: int, act: Act) -> Proposal:
    """Whoever proposed it takes it back."""
    with _locked(proposal_id, act) as (proposal, _, user):
        if proposal.proposed_by_id != user.pk:
            raise _refused("Only whoever proposed it withdraws it.")
        if proposal.state == ProposalState.WITHDRAWN:
            return proposal
        _require_open(proposal, "withdraw")
        _settle(proposal, ProposalState.WITHDRAWN, user, act.now)
    return proposal


@contextmanager
def _locked(proposal_id: int, act: Act) -> Iterator[tuple[Proposal, Agreement, User]]:
    """The proposal and the newest version, locked in that one order, with who acts; one transaction."""
    user = _person(act)
    try:
        with transaction.atomic():
            latest = _lock_newest()
            rows = Proposal.objects.select_related("proposed_by", "settled_by")
            yield locked_one(rows, proposal_id), latest, user
    except IntegrityError as error:
        # The net under the locks: somebody signed in the same moment.
        raise _refused("Somebody else signed in this moment. Look again.", "stale") from error


def _adopt(proposal: Proposal, latest: Agreement, user: User, now: datetime) -> None:
    since = max(now, proposal.wanted_at) if proposal.wanted_at else now
    if since <= latest.in_force_from:
        raise _refused(f"It cannot hold before version {latest.version} does.")
    definition = latest.definition
    if agreement.changes_definition(Terms.of(latest), Terms.of(proposal)):
        last = MqlDefinition.objects.order_by("-version").values_list("version", flat=True)[0]
        definition = MqlDefinition.objects.create(
            version=last + 1,
            threshold=proposal.threshold,
            high_intent=proposal.high_intent,
            in_force_from=since,
            created_by=user,
            note=" ".join(proposal.why.split())[:300],
            proposal=proposal,
        )
        kind, about = AccessEntry.Kind.DEFINITION_CHANGED, ("definition", definition.version)
        access_log.record(kind, now, user, about=about, threshold=definition.threshold)
    Agreement.objects.create(
        version=latest.version + 1,
        done=proposal.done,
        definition=definition,
        targets=proposal.targets,
        reasons=proposal.reasons,
        in_force_from=since,
        proposal=proposal,
    )


def _log(proposal: Proposal, side: Side, user: User, now: datetime) -> None:
    kind, about = AccessEntry.Kind.SIGNED, ("proposal", proposal.pk)
    access_log.record(kind, now, user, about=about, side=str(side))


def _settle(proposal: Proposal, state: ProposalState, user: User, now: datetime, note: str = "") -> None:
    proposal.state, proposal.settled_by, proposal.settled_at = state, user, now
    proposal.settled_note = note
    proposal.save(update_fields=["state", "settled_by", "settled_at", "settled_note"])


def _lock_newest() -> Agreement:
    """The newest version, locked: whoever agrees on the next one comes after."""
    while True:
        latest = locked_first(Agreement.objects.select_related("definition").order_by("-version"))
        if latest is None:
            raise _refused("There is no agreement yet; setup makes the first version.")
        # While this waited for the lock, the next version may have been made.
        if not Agreement.objects.filter(version__gt=latest.version).exists():
            return latest


def _check_day(wanted_at: datetime | None, latest: Agreement, now: datetime) -> None:
    if wanted_at is not None and wanted_at <= now:
        raise Invalid({"wanted": "This day is past. Leave it empty for as soon as it is signed."})
    if (wanted_at or now) < latest.in_force_from:
        raise Invalid({"wanted": f"Version {latest.version} has not begun. Choose a day after it has."})


def _require_open(proposal: Proposal, wanted: str) -> None:
    if proposal.state == ProposalState.OPEN:
        return
    by = proposal.settled_by.email if proposal.settled_by else "system"
    at = proposal.settled_at
    when = f" at {at:%Y-%m-%d %H:%M} UTC" if at else ""
    raise Refused(
        f"Cannot {wanted} it: {proposal.get_state_display().lower()} by {by}{when}.",
        code="not_allowed",
        state=proposal.state,
        by=by,
        at=at,
    )


def _person(act: Act) -> User:
    if act.user is None or not act.user.is_active:
        raise _refused("Only people agree.")
    return act.user


def _other(proposal: Proposal) -> str:
    """The side that has not signed, in words: "sales"."""
    return Side(proposal.side).other.label.lower()


def _refused(message: str, code: str = "not_allowed") -> Refused:
    return Refused(message, code=code)


def _stale(latest: Agreement) -> Refused:
    return _refused(
        f"Version {latest.version} was agreed on since. Propose it again against that one.", "stale"
    )


def _people_of(side: Side, proposer: User) -> list[User]:
    """Whoever can sign for a side. Admins sign nothing, so they are not asked to."""
    roles = MAY[permissions.SIGNS[side]]
    rows = User.objects.filter(is_active=True, groups__name__in=roles).exclude(pk=proposer.pk).distinct()
    people = rows.prefetch_related("groups").order_by("pk")
    return [user for user in people if side in permissions.sides(user)]


def _tell(people: Sequence[User], kind: str, proposal: Proposal, by: User, now: datetime) -> None:
    data = {"proposal_id": proposal.pk, "by_id": by.pk, "by": str(by)}
    Notification.objects.bulk_create(
        notifications.message(user, None, kind, now, data) for user in people if user.pk != by.pk
    )
