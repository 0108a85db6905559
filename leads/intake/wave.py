"""One wave: a set of events about different people, taken in together.

Owns the order: store the facts, judge them, then open and advance handoffs. A single event is a wave of
one. Runs inside a transaction that `leads.intake.receiving` opens and locks. Never moves a handoff
itself: `leads.lifecycle` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leads import cases, preflight, qualification
from leads.choices import CLOSED
from leads.identity import Match
from leads.intake.judging import judge, read_known
from leads.intake.schema import EventIn
from leads.intake.storing import store_activities, store_companies, store_leads
from leads.intake.taken import IGNORED, Taken
from leads.lifecycle.book import Book
from leads.lifecycle.opening import Opening, add_trigger, open_all
from leads.lifecycle.placing import Item, advance
from leads.lifecycle.working import record_opportunity
from leads.models import Activity, EnrichmentAttempt, Handoff, MqlDefinition, TriageItem


class Wave:
    """The events of one wave and everything they need, read once."""

    def __init__(self, events: Sequence[EventIn], matches: Sequence[Match], book: Book, quiet: bool) -> None:
        self.book, self.now, self.quiet = book, book.now, quiet
        # Facts from the future would lock a field for ever, so they count as of now.
        self.taken = [
            Taken(event, match, min(event.time, self.now))
            for event, match in zip(events, matches, strict=True)
        ]

    def run(self) -> list[Taken]:
        """Take everything in; the handoffs are saved when this returns."""
        words = preflight.placeholder_words(self.book.preflight_settings())
        self.changed_companies = store_companies(self.taken, words, self.now)
        store_leads(self.taken, words, self.now)
        store_activities(self.taken, self.now)
        self.known = read_known(self.taken)
        judge(self.taken, self.known, self.now)
        self._move()
        return self.taken

    def _move(self) -> None:
        openings: list[tuple[Taken, Opening]] = []
        again: dict[int, Item] = {}
        for item in self.taken:
            existing = self.known.open.get(item.lead.pk)
            item.handoff = existing
            definition = self._definition(item)
            carried = self._carrier(item)
            superseded = None
            if item.trigger is not None and existing is not None:
                kept = add_trigger(self.book, existing, item.trigger, definition, carried)
                if kept is not None:
                    item.trigger = None
                else:
                    superseded = existing if existing.state == "superseded" else None
            if item.trigger is not None:
                openings.append((item, self._opening(item, definition, carried, superseded)))
            elif item.handoff is not None and item.handoff.state == "incomplete":
                again[item.handoff.pk] = Item(item.handoff, cases.load([item.handoff])[0])
            if item.event.type.startswith("opportunity."):
                self._opportunity(item)
        if any(opening.re_engaged_from for _, opening in openings):
            # The old handoff must be closed in the database before the new one is inserted.
            self.book.save()
        for (item, _), handoff in zip(
            openings, open_all(self.book, [opening for _, opening in openings]), strict=True
        ):
            item.handoff = handoff
        advance(self.book, [*again.values(), *self._waiting_colleagues(again)])
        self.book.save()

    def _definition(self, item: Taken) -> MqlDefinition | None:
        at = item.score.scored_at if item.score is not None else item.at
        if item.trigger is not None and item.score is None:
            at = item.trigger.at
        return qualification.in_force(self.known.definitions, at)

    def _carrier(self, item: Taken) -> Activity | None:
        if item.trigger is None:
            return None
        named = item.trigger.activity_external_id
        for row in item.activities:
            if (named and row.external_id == named) or (not named and row.kind == item.trigger.kind):
                return row
        return None

    def _opening(
        self,
        item: Taken,
        definition: MqlDefinition | None,
        carried: Activity | None,
        superseded: Handoff | None,
    ) -> Opening:
        known = self.known.facts[item.lead.pk]
        company = item.lead.company
        if company is None or not (company.size_band or company.employee_count):
            # The company directory was asked: what is known of the domain is the row itself.
            self.book.add(
                EnrichmentAttempt(
                    lead=item.lead,
                    provider="directory",
                    result=EnrichmentAttempt.Result.NOTHING,
                    detail="no size known for the domain",
                    at=self.now,
                )
            )
            known.enrichment_attempted = True
        if item.trigger is None:
            raise ValueError("only an event with a trigger opens a handoff")
        return Opening(
            lead=item.lead,
            trigger=item.trigger,
            definition=definition,
            score=known.score,
            known=known,
            activity=carried,
            received_at=self.now,
            is_quiet=self.quiet,
            re_engaged_from=superseded,
        )

    def _waiting_colleagues(self, done: dict[int, Item]) -> list[Item]:
        """Incomplete handoffs of other leads at companies that just became better known."""
        if not self.changed_companies:
            return []
        rows = (
            Handoff.objects.incomplete()
            .filter(lead__company_id__in=self.changed_companies)
            .exclude(pk__in=done)
            .exclude(lead_id__in=[item.lead.pk for item in self.taken])
            .select_related("lead__company")
            .select_for_update(of=("self",), skip_locked=False)
            .order_by("pk")[:200]
        )
        waiting = list(rows)
        return [Item(handoff, case) for handoff, case in zip(waiting, cases.load(waiting), strict=True)]

    def _opportunity(self, item: Taken) -> None:
        given = item.event.data.opportunity
        latest = item.handoff or (
            Handoff.objects.filter(lead=item.lead)
            .select_related("assignee", "queue")
            .select_for_update(of=("self",))
            .order_by("-mql_at", "-pk")
            .first()
        )
        if latest is None or given is None:
            item.status, item.reason = IGNORED, "no_handoff"
            return
        latest.lead = item.lead
        item.handoff = latest
        stage = given.stage or item.event.type.removeprefix("opportunity.")
        when = min(item.event.time, self.now)
        if latest.state in CLOSED and latest.opportunity_at is None and not latest.is_history:
            data: dict[str, Any] = {"handoff": latest.pk, "state": str(latest.state)}
            TriageItem.objects.create(lead=item.lead, kind="won_anyway", data=data, at=self.now)
        record_opportunity(self.book, latest, given.external_id, given.amount, given.currency, stage, when)
