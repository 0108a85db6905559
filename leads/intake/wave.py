"""One wave: a set of events about different people, taken in together.

Owns the order: store the facts, judge them, then open and advance handoffs. A single event is a wave of
one. Runs inside a transaction that `leads.intake.receiving` opens and locks. Never moves a handoff
itself: `leads.lifecycle` does.
"""

from __future__ import annotations

from collections.abc import Sequence

from leads import preflight, qualification
from leads.choices import State
from leads.identity import Match
from leads.intake.judging import hold_back, judge, read_known
from leads.intake.schema import EventIn
from leads.intake.storing import store_activities, store_companies, store_leads, store_words
from leads.intake.taken import IGNORED, Taken
from leads.lifecycle.answering import follow_up
from leads.lifecycle.book import Book
from leads.lifecycle.opening import Opening, add_trigger, open_all
from leads.lifecycle.placing import advance, items_of
from leads.lifecycle.working import record_opportunity
from leads.models import EnrichmentAttempt, Handoff, MqlDefinition
from routing.locking import locked

# Of a company that became better known; the rest is checked when somebody asks, or by the next event.
MOST_COLLEAGUES = 200


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
        store_words(self.taken)
        store_activities(self.taken, self.now)
        self.known = read_known(self.taken)
        for row in judge(self.taken, self.known, self.now):
            self.book.add(row)
        self._move()
        return self.taken

    def _move(self) -> None:
        self.book.remember([*self.known.open.values(), *self.known.latest.values()])
        openings: list[tuple[Taken, Opening]] = []
        for item in self.taken:
            superseded = self._add_to_open(item)
            if item.trigger is not None:
                openings.append((item, self._opening(item, superseded)))
            if item.event.type.startswith("opportunity."):
                self._opportunity(item)
        if any(opening.re_engaged_from for _, opening in openings):
            # The old handoff must be closed in the database before the new one is inserted.
            self.book.save()
        for (item, _), handoff in zip(
            openings, open_all(self.book, [opening for _, opening in openings]), strict=True
        ):
            item.handoff = handoff
        advance(self.book, items_of(self._waiting({item.lead.pk for item, _ in openings}), self.now))
        self.book.save()

    def _add_to_open(self, item: Taken) -> Handoff | None:
        """Give the event's trigger to the lead's open handoff; a trigger that is left opens a new one.

        Returns the handoff that the trigger superseded, if it did.
        """
        existing = self.known.open.get(item.lead.pk)
        if existing is not None and item.trigger is not None and existing.follow_up_at is not None:
            follow_up(self.book, existing)
            if not existing.is_open:
                # What the rejection says of the lead holds from now on, for this trigger too.
                for row in hold_back(item, self.now):
                    self.book.add(row)
                existing = None
        item.handoff = existing
        if existing is None or item.trigger is None:
            return None
        definition = self._definition(item)
        if add_trigger(self.book, existing, item.trigger, definition, self.quiet):
            item.trigger = None
            return None
        return existing

    def _definition(self, item: Taken) -> MqlDefinition | None:
        at = item.score.scored_at if item.score is not None else item.at
        if item.trigger is not None and item.score is None:
            at = item.trigger.at
        return qualification.in_force(self.known.definitions, at)

    def _opening(self, item: Taken, superseded: Handoff | None) -> Opening:
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
            definition=self._definition(item),
            score=known.score,
            known=known,
            activity=item.trigger.activity,
            received_at=self.now,
            is_quiet=self.quiet,
            re_engaged_from=superseded,
        )

    def _waiting(self, opened: set[int]) -> list[Handoff]:
        """Incomplete handoffs that may have got what they waited for: of the wave's leads, and of others at
        companies that just became better known."""
        own = [item.handoff for item in self.taken if item.handoff and item.lead.pk not in opened]
        own = [handoff for handoff in own if handoff.state == State.INCOMPLETE]
        if not self.changed_companies:
            return own
        rows = (
            Handoff.objects.incomplete()
            .filter(lead__company_id__in=self.changed_companies)
            .exclude(lead_id__in=[item.lead.pk for item in self.taken])
            .select_related("lead__company")
            .order_by("pk")
        )
        colleagues = locked(rows, most=MOST_COLLEAGUES)
        self.book.remember(colleagues)
        return own + colleagues

    def _opportunity(self, item: Taken) -> None:
        given, latest = item.event.data.opportunity, self.known.latest.get(item.lead.pk)
        if latest is None or given is None:
            item.status, item.reason = IGNORED, "no_handoff"
            return
        item.handoff = latest
        stage = given.stage or item.event.type.removeprefix("opportunity.")
        when = min(item.event.time, self.now)
        record_opportunity(self.book, latest, given.external_id, given.amount, given.currency, stage, when)
