"""Events about who somebody is: two leads that are one person, and a person who is to be erased.

Owns `lead.merged` and `lead.erased`. Each comes alone, in the transaction and under the locks of
`leads.intake.receiving`, and is safe in any order and as often as it comes. The moves are `leads.lifecycle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q

from leads import erasure, identity, lifecycle
from leads.choices import Why
from leads.erasure.held import cluster, person_keys
from leads.identity import Identity
from leads.intake import late
from leads.intake.schema import ERASED, MERGED, EventIn
from leads.intake.taken import DUPLICATE, IGNORED, Outcome
from leads.intake.wave import Wave
from leads.lifecycle import Act
from leads.lifecycle.book import Book
from leads.models import ExternalId, Handoff, Lead, LeadAlias, PrivacyAct

ALONE = frozenset({MERGED, ERASED})
NOTHING_TO_MERGE, NOTHING_HELD, STALE = "nothing_to_merge", "nothing_held", "stale"


def keys(event: EventIn) -> set[str]:
    """All by which whoever this event is about is known: what must not happen to them at the same time."""
    found = set(event.identity().keys).union(*(other.keys for other in event.others()))
    if event.type == ERASED:
        for lead_id in _named(event.identity()):
            found |= person_keys(cluster(lead_id))
    return found


def _named(who: Identity) -> set[int]:
    """Ids of the leads that this names, merged ones too; without a lock."""
    same = Q(pk__in=())
    for system, kind, value in who.external_ids:
        same |= Q(system=system, object=kind, value=value)
    found = set(ExternalId.objects.filter(same).values_list("lead_id", flat=True))
    if who.email_key:
        found |= set(Lead.objects.filter(email_key=who.email_key).values_list("pk", flat=True))
        found |= set(LeadAlias.objects.filter(email_key=who.email_key).values_list("lead_id", flat=True))
    return found


def take(event: EventIn, act: Act, quiet: bool) -> Outcome:
    """Carry out one of these events."""
    return _erase(event, act) if event.type == ERASED else _merge(event, act, quiet)


def _merge(event: EventIn, act: Act, quiet: bool) -> Outcome:
    """The lead is upserted, each known other one becomes part of it, and by what is not known yet it is known
    from now on: an event that comes later under such an id is this lead's."""
    others = event.others()
    found = identity.find([event.identity(), *others])
    [verdict] = late.verdicts([event], found[:1])
    if verdict:
        return Outcome(event, verdict, late.REASON)
    kept = found[0].lead
    gone = {match.lead.pk: match.lead for match in found[1:] if match.lead is not None}
    merged = 0
    if kept is not None:
        merged = _into(kept, gone.values(), act)
        found = identity.find([event.identity()])
    [taken] = Wave([event], found[:1], Book(act), quiet).run()
    if kept is None:
        merged = _into(taken.lead, gone.values(), act)
    _know_by(taken.lead.pk, others, act)
    lead = Lead.objects.select_related("company").get(pk=taken.lead.pk)
    opened = Handoff.objects.open().filter(lead=lead).select_related("assignee", "queue", "ruleset").first()
    return Outcome(event, reason="" if merged else NOTHING_TO_MERGE, lead=lead, handoff=opened)


def _into(keep: Lead, gone: Iterable[Lead], act: Act) -> int:
    """Merge these into that one, but for itself; how many were."""
    merged = 0
    for lead in gone:
        if lead.pk != keep.pk:
            lifecycle.merge(keep, lead, act)
            merged += 1
    return merged


def _know_by(lead_id: int, others: Sequence[Identity], act: Act) -> None:
    """Ids and addresses that nobody had are the kept lead's; those of somebody erased stay forgotten."""
    forgotten = erasure.erased_since({key for other in others for key in other.keys})
    found = {key for other in others for key in other.external_ids}
    ids = [key for key in sorted(found) if f"id:{':'.join(key)}" not in forgotten]
    named = {other.email_key for other in others} - {""}
    mails = {mail for mail in named if f"mail:{mail}" not in forgotten}
    taken = set(Lead.objects.filter(email_key__in=mails).values_list("email_key", flat=True))
    ExternalId.objects.bulk_create(
        [ExternalId(lead_id=lead_id, system=s, object=o, value=v) for s, o, v in ids],
        ignore_conflicts=True,
    )
    LeadAlias.objects.bulk_create(
        [LeadAlias(lead_id=lead_id, email_key=mail, added_at=act.now) for mail in sorted(mails - taken)],
        ignore_conflicts=True,
    )


def _erase(event: EventIn, act: Act) -> Outcome:
    """Everybody whom the event names is erased, as of its time: what was sent before it and comes later is
    known by then. Who was erased before and has come anew since the request is left alone."""
    as_of = min(event.time, act.now)
    who, own = event.identity(), late.own_key(event)
    since = erasure.erased_since({*who.keys, own})
    if own in since:
        return Outcome(event, DUPLICATE, late.REASON)
    [match] = identity.find([who])
    named = [lead for lead in (match.lead, *match.others) if lead is not None]
    doomed = [lead for lead in named if not since or lead.created_at <= as_of]
    for lead in doomed:
        lifecycle.erase(lead.pk, act, Why.SENDER, as_of=as_of)
    erasure.remember(who.keys, as_of)
    if named and not doomed:
        return Outcome(event, IGNORED, STALE, named[0])
    if not named:
        _note_nobody(act)
    return Outcome(event, reason="" if doomed else NOTHING_HELD, lead=doomed[0] if doomed else None)


def _note_nobody(act: Act) -> None:
    """The request is in the privacy log although nothing was held."""
    PrivacyAct.objects.create(
        kind=PrivacyAct.Kind.ERASED, at=act.now, by=act.user, api_key=act.api_key, why=Why.SENDER
    )
