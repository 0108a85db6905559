"""The words of the trade, explained in a sentence each, for the help page and in place.

Owns the meanings as people read them; what a word does is decided where it is done. A page names a term by
its label, such as "Black hole". Pure.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """`slug` is its place on the help page; `also` are the labels under which pages show it."""

    slug: str
    name: str
    meaning: str
    also: tuple[str, ...] = ()


TERMS = (
    Term(
        "mql",
        "MQL",
        "Marketing-qualified lead: its score crossed the agreed threshold, it asked for a demo or about "
        "prices, or marketing flagged it. Accepted by sales it is an SAL, with an opportunity an SQL.",
    ),
    Term(
        "handoff",
        "Handoff",
        "One conversion of one lead and all that follows. Complete when it was acknowledged, an outreach "
        "attempt was logged and the outcome was recorded; passed on is not done.",
    ),
    Term(
        "trigger",
        "Trigger",
        "What made the lead qualify: the score, a demo request, a pricing inquiry or a flag by marketing. "
        "The lead's clock starts here.",
    ),
    Term(
        "enrichment",
        "Enrichment pass",
        "Nine checks of the data before a lead goes to sales. What fails waits in Completion, on "
        "marketing's clock.",
    ),
    Term(
        "routing",
        "Routing",
        "The rules in force decide who gets the lead, and the decision is kept with its reasons.",
    ),
    Term(
        "acceptance",
        "Acceptance window",
        "How long the holder has to accept, reject or defer. Each new holder gets a fair window; the lead's "
        "own clock runs on.",
        ("Acceptance",),
    ),
    Term(
        "contact",
        "First contact",
        "The first logged outreach attempt, whatever came of it. A good one refers to something the lead "
        "did.",
    ),
    Term(
        "sla",
        "SLA",
        "The times that marketing and sales agreed on: to answer, and to make the first contact, counted "
        "from the moment the lead qualified.",
    ),
    Term(
        "disposition",
        "Disposition",
        "What came of it, one of four: accepted and contacted, accepted and attempted, deferred with the "
        "lead's words, rejected with a reason. Silence is none of them.",
    ),
    Term(
        "demo",
        "Demo lead",
        "Asked for a demo or about prices. To be answered and contacted within minutes, on any day.",
        ("Demo",),
    ),
    Term(
        "black-hole",
        "Black hole",
        "Nobody in sales did anything with it within 24 hours of its assignment.",
    ),
    Term(
        "no-activity",
        "No activity",
        "Four working hours without any act of its holder. A lead that was looked at and then left is "
        "silently rejected.",
    ),
    Term(
        "weak-signals",
        "Weak signals",
        "All it has are page views and mails, which say little about interest.",
    ),
    Term(
        "hot-again",
        "Hot again",
        "It qualified another time while it was open.",
    ),
    Term(
        "duplicate",
        "Possible duplicate",
        "Somebody with the same number or a similar name is known at the same company. Marketing decides.",
        ("Duplicate?",),
    ),
    Term(
        "first-in-line",
        "First in line",
        "Put on top of the list, because it has waited for somebody else already.",
    ),
    Term(
        "generic",
        "Generic contact",
        "An attempt that refers to nothing the lead did. It counts as contact, and is counted as generic.",
        ("generic",),
    ),
    Term(
        "territory",
        "Territory",
        "Which leads belong together, by region or segment, with an owner and its people.",
    ),
    Term(
        "do-not-call",
        "Do not call",
        "They asked for no calls. A call is logged only where they asked for that very one.",
    ),
    Term(
        "no-mail",
        "No e-mail",
        "They opted out of e-mail. A mail is logged only where they asked for that very one.",
    ),
    Term(
        "cool-off",
        "Cool-off",
        "How long a rejected lead is left alone. A new demo request ends it.",
    ),
)
_BY_LABEL = {label: term for term in TERMS for label in (term.name, *term.also)}


def term_of(label: str) -> Term | None:
    """The term that a page shows under this label; None for a word that needs no explaining."""
    return _BY_LABEL.get(label)
