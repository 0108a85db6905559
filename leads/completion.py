"""The work on handoffs that wait for data: ask the HTTP provider, and have them checked again.

Owns who is asked about and when. Sits above `leads.lifecycle`, whose `recheck` moves what has become
complete; the asking itself is `leads.enrichment`, outside of any transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, Q

from leads import enrichment, identity, lifecycle
from leads.enrichment import ASK_AGAIN, HTTP, RETRY, Provider, ProviderFailed
from leads.models import EnrichmentAttempt, Handoff, Lead

logger = logging.getLogger(__name__)

# A task has 60 seconds, and the last question may take 20 of them.
ASKING_SECONDS = 30.0
# A provider that fails this often in a row is down; the rest waits for the next run.
MOST_FAILURES = 3


def enrich_waiting(now: datetime, limit: int = 50) -> int:
    """Ask the HTTP provider about leads whose handoff waits for data, the longest waiting first, and
    check those again. Returns how many were asked about; none when no provider is set up.

    Each lead is asked about once a day, or an hour after a failure.
    """
    provider = enrichment.http_provider()
    if provider is None:
        return 0
    lately = EnrichmentAttempt.objects.filter(lead=OuterRef("lead"), provider=HTTP).filter(
        Q(at__gt=now - RETRY) | Q(at__gt=now - ASK_AGAIN) & ~Q(result=EnrichmentAttempt.Result.FAILED)
    )
    waiting = Handoff.objects.incomplete().filter(~Exists(lately)).order_by("completion_due_at", "pk")
    started, asked, failures = time.monotonic(), 0, 0
    for handoff_id in list(waiting.values_list("pk", flat=True)[:limit]):
        if failures >= MOST_FAILURES or time.monotonic() - started > ASKING_SECONDS:
            break
        attempt = enrich(handoff_id, provider, now)
        if attempt is None:
            continue
        asked += 1
        failures = failures + 1 if attempt.result == EnrichmentAttempt.Result.FAILED else 0
    return asked


def enrich(
    handoff_id: int, provider: Provider, now: datetime, *, again: bool = False
) -> EnrichmentAttempt | None:
    """Ask a provider about the lead of one handoff, write what it brings and run the checks again.

    None when it was asked lately; `again` asks anyway. Call it outside of a transaction: it waits for
    another machine.
    """
    handoff = Handoff.objects.select_related("lead__company").get(pk=handoff_id)
    attempt = enrichment.begin(handoff.lead_id, provider, now, again=again)
    if attempt is None:
        return None
    fields, problem = {}, ""
    try:
        fields = provider.look_up(handoff.lead, handoff.lead.company)
    except ProviderFailed as error:
        problem = str(error)
        logger.warning("enrichment of handoff %s by %s: %s", handoff_id, provider.name, problem)
    filled = enrichment.finish(attempt, fields, problem)
    # An attempt alone can be what the size check waited for.
    lead_ids = {handoff.lead_id}
    if any(name.startswith("company.") for name in filled):
        company_id = Lead.objects.values_list("company_id", flat=True).get(pk=handoff.lead_id)
        others = Handoff.objects.incomplete().filter(lead__company_id=company_id)
        lead_ids |= set(others.values_list("lead_id", flat=True))
    lifecycle.recheck_leads(lead_ids, lifecycle.Act(now))
    return attempt


def recheck_domains(domains: Collection[str], now: datetime) -> int:
    """Have the leads of these companies that wait for data looked up in the directory and checked again.

    For a file of companies that came after the leads. Returns how many handoffs were checked.
    """
    if not domains:
        return 0
    waiting = Handoff.objects.incomplete().select_related("lead__company").order_by("lead_id")
    leads = [
        handoff.lead
        for handoff in waiting
        if (handoff.lead.company and handoff.lead.company.domain in domains)
        or identity.company_domain(handoff.lead.email_key or "", "") in domains
    ]
    identity.find_duplicates(enrichment.consult_directory(leads, now), now)
    return len(lifecycle.recheck_leads([lead.pk for lead in leads], lifecycle.Act(now)))
