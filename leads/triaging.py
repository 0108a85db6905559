"""What opens no handoff and must not vanish: marketing looks at it and settles it.

Owns which rejections and items wait, and the record that somebody settled them. A rejection whose reason
says "triage" waits until a `TriageItem` of the kind "rejected" stands for its closing. Never moves a
handoff or a lead.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from leads.choices import NextStep, State
from leads.lifecycle import Act
from leads.models import Handoff, Lead, TriageItem

REJECTED = "rejected"


def rejections() -> QuerySet[Handoff]:
    """Rejected handoffs that marketing has to decide on and that nobody has settled, newest first."""
    settled = TriageItem.objects.filter(
        lead=OuterRef("lead"), kind=REJECTED, at=OuterRef("closed_at"), settled_at__isnull=False
    )
    return (
        Handoff.objects.live()
        # One that can still be undone is not decided yet.
        .filter(state=State.REJECTED, next_step=NextStep.TRIAGE, follow_up_at__isnull=True)
        .filter(~Exists(settled))
    )


def items() -> QuerySet[TriageItem]:
    """Forms and flags of suppressed leads, and opportunities on what had ended otherwise; oldest first."""
    return TriageItem.objects.filter(settled_at__isnull=True).order_by("at", "pk")


@transaction.atomic
def settle_rejection(handoff: Handoff, act: Act) -> bool:
    """Somebody has looked at the rejection and it stands. False when it was settled before."""
    Lead.objects.select_for_update(of=("self",)).get(pk=handoff.lead_id)
    closed_at = rejections().filter(pk=handoff.pk).values_list("closed_at", flat=True).first()
    if closed_at is None:
        return False
    TriageItem.objects.create(
        lead_id=handoff.lead_id,
        kind=REJECTED,
        data={"handoff": handoff.pk},
        at=closed_at,
        settled_at=act.now,
        settled_by=act.user,
    )
    return True


def settle_item(item: TriageItem, act: Act) -> bool:
    """Somebody has dealt with it. False when it was settled before."""
    done: dict[str, Any] = {"settled_at": act.now, "settled_by": act.user}
    return bool(TriageItem.objects.filter(pk=item.pk, settled_at__isnull=True).update(**done))
