"""Five minutes for each role: where to go first, what to do there, and why.

Owns the words and which pages they lead to, by the names of their addresses. Whether somebody may open a page
is the page's to say; a tour only names those of its role. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from routing.people import ADMIN, MANAGER, MARKETING, REP, VIEWER


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop of a tour; `view` is the name of a page's address, `place` what stands behind it."""

    title: str
    text: str
    view: str
    place: str


TOURS: dict[str, tuple[Stop, ...]] = {
    REP: (
        Stop(
            "Answer what is on top",
            "The lead that is due soonest stands first. Press a to accept it, r and a digit to reject it "
            "with a reason. Then the next one is open.",
            "leads:inbox",
            "Inbox",
        ),
        Stop(
            "Read three answers before you call",
            "Each lead says why it qualified, what is known of the company and what the person did. The "
            "opening lines beside it are drawn from the strongest signals; a click shows the evidence.",
            "leads:inbox",
            "Inbox",
        ),
        Stop(
            "Log the contact",
            "Press c, then a digit for what came of it. Say what you referred to: that is the difference "
            "between a personal contact and a generic one. The next touch is proposed, and the lead comes "
            "back for it.",
            "leads:inbox",
            "Inbox",
        ),
        Stop(
            "Later, or wrong",
            "d defers to a day with the lead's own words. w tells marketing that the data is wrong, and you "
            "keep the lead. u takes back what you did, for ten seconds.",
            "leads:inbox",
            "Inbox",
        ),
        Stop(
            "Say when you are away",
            "Your open leads go to whoever covers, and no new ones come. Quiet hours, mail and single keys "
            "are set there too.",
            "leads:profile",
            "Profile",
        ),
        Stop(
            "Read what both sides agreed on",
            "What done means, what makes an MQL, by when leads are answered, and who signed it.",
            "metrics:agreement",
            "Agreement",
        ),
    ),
    MANAGER: (
        Stop(
            "See who needs help",
            "What is past due, silent or without an answer stands on top, with who holds it and since when.",
            "leads:team",
            "Team",
        ),
        Stop(
            "Move what waits",
            "Open a lead and reassign it, with the reason: the new holder reads it and gets a fair window.",
            "leads:team",
            "Team",
        ),
        Stop(
            "Read the rules",
            "Each rule is a sentence: who gets what, how often it fired, and whether it is healthy.",
            "leads:routing",
            "Routing",
        ),
        Stop(
            "Look at the week",
            "Five figures against their targets. Each opens the handoffs behind it.",
            "metrics:dashboard",
            "Dashboard",
        ),
        Stop(
            "Decide on the weekly call",
            "The report of the week stands as it was made. Write notes and decisions under it, with who does "
            "what by when; the next report asks what became of them.",
            "metrics:reports",
            "Reports",
        ),
        Stop(
            "Sign for sales",
            "Marketing changes the score threshold only by a proposal that you sign, with what the last "
            "90 days say about it. You can propose too; nobody signs their own.",
            "metrics:agreement",
            "Agreement",
        ),
        Stop("Answer yourself", "What you take over stands in your own inbox.", "leads:inbox", "Inbox"),
    ),
    MARKETING: (
        Stop(
            "Complete what waits",
            "Leads that failed a check, the most urgent first: put the data right in place, waive with a "
            "reason, or discard. The lead's clock is marketing's until then.",
            "leads:completion",
            "Completion",
        ),
        Stop(
            "Decide what came back",
            "Rejections that need a decision, and what happened to leads nobody should call.",
            "leads:triage",
            "Triage",
        ),
        Stop(
            "One person, once",
            "Possible duplicates side by side: merge them, or say that they are two people.",
            "leads:duplicates",
            "Duplicates",
        ),
        Stop(
            "Change a rule safely",
            "Edits go to a draft. Try a lead through it, replay the last months, then publish.",
            "leads:routing",
            "Routing",
        ),
        Stop(
            "Bring leads in",
            "A CSV or a workbook, with a preview of what each row would become.",
            "leads:imports",
            "Imports",
        ),
        Stop(
            "Agree with sales",
            "The score threshold and the targets change by a proposal. Try it on the last 90 days, say why, "
            "and a sales manager signs or declines it.",
            "metrics:agreement",
            "Agreement",
        ),
        Stop(
            "Bring the week to the call",
            "Each week's report is made by itself and never changes. Say when it comes, get it by mail, and "
            "write down what the call decides.",
            "metrics:reports",
            "Reports",
        ),
    ),
    VIEWER: (
        Stop(
            "Five figures",
            "This week against the targets, with twelve weeks of trend.",
            "metrics:dashboard",
            "Dashboard",
        ),
        Stop(
            "The handoffs behind a figure",
            "Press a figure: each one names its numerator and denominator, and lists them.",
            "metrics:dashboard",
            "Dashboard",
        ),
        Stop(
            "The week in one page",
            "The report as it was made for the weekly call, with what was decided. It comes by mail too.",
            "metrics:reports",
            "Reports",
        ),
        Stop("Every lead", "Without personal addresses and numbers.", "leads:leads", "Leads"),
        Stop(
            "What both sides agreed on",
            "What done means, what makes an MQL, the targets, and who signed them when.",
            "metrics:agreement",
            "Agreement",
        ),
    ),
    ADMIN: (
        Stop(
            "People and roles",
            "Who signs in, with which role, in which team, with which manager.",
            "admin:routing_user_changelist",
            "People",
        ),
        Stop(
            "Keys",
            "What other systems may do: send leads, read, act. A key is shown once.",
            "admin:leads_apikey_changelist",
            "Keys",
        ),
        Stop("Is anything nobody's?", "What should not be stands on top in red.", "leads:team", "Team"),
        Stop(
            "Is routing healthy?",
            "Rules that never fire or point at somebody away.",
            "leads:routing_health",
            "Routing health",
        ),
        Stop(
            "How other systems send leads",
            "Every call and every field, with examples.",
            "api:openapi-view",
            "the API",
        ),
    ),
}
