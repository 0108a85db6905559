"""The sentences of each kind of message, as data.

Owns the table: what happened, in which words, what to do about it and which deadline matters. Fills nothing
in: that is `leads.notifications.words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Todo(StrEnum):
    """What a message asks for, the most urgent first: a digest is grouped by it."""

    ANSWER = "Accept or reject it"
    CONTACT = "Make the first contact"
    STEP_IN = "Ask for it, or give it to somebody else"
    LOOK = "Look at it now"
    HAND_OUT = "Claim it, or give it to somebody"
    HAND_ON = "Hand out what waits there"
    TAKE_UP = "Take it up where it was left"
    COMPLETE = "Put the data right"
    TALK = "Talk to your customer"
    REVIEW = "Look at the rule"
    AGREE = "Sign it, decline it, or say what is missing"
    KNOW = "Nothing: it is good to know"


@dataclass(frozen=True)
class Wording:
    """What happened in a few words, and the text of a kind. Fields: lead, holder, answer, by, rule, kind,
    trigger, missing, due (of the step), accept_due, contact_due, completion_due. What fills them is never
    read as a template again.

    `step_in` is what a reader is to do who does not hold the lead; `clock` the deadline that matters.
    """

    head: str
    text: str
    todo: Todo
    clock: str = ""
    step_in: Todo | None = None


ANSWER, CONTACT, DATA = "accept_due", "contact_due", "completion_due"
CLOCKS = {ANSWER: "Answer due", CONTACT: "Contact due", DATA: "Data due", "due": "Was due"}

WORDINGS: dict[str, Wording] = {
    "assigned": Wording(
        "New lead for you", "{lead} is yours. Your answer is due {accept_due}.", Todo.ANSWER, ANSWER
    ),
    "reassigned": Wording(
        "Handed to you",
        "{lead} was handed to you{by}. Your answer is due {accept_due}.",
        Todo.ANSWER,
        ANSWER,
    ),
    "claimed": Wording("Claimed", "{lead} was claimed for {holder}.", Todo.KNOW),
    "repaired": Wording(
        "Now yours",
        "{lead} had nobody to answer for it and is now yours, due {accept_due}.",
        Todo.ANSWER,
        ANSWER,
    ),
    "queued": Wording(
        "Waiting in your queue", "{lead} waits for somebody to claim it.", Todo.HAND_OUT, ANSWER
    ),
    "incomplete": Wording(
        "Data missing",
        "{lead} cannot go to sales yet. Missing: {missing}. Due {completion_due}.",
        Todo.COMPLETE,
        DATA,
    ),
    "bad_data": Wording(
        "Bad data reported",
        "A rep sent {lead} back because of its data. Due {completion_due}.",
        Todo.COMPLETE,
        DATA,
    ),
    "triggered_again": Wording("New signal", "{lead} did it again: {trigger}.", Todo.KNOW),
    "raised": Wording(
        "Now urgent",
        "{lead} asked for a conversation. The first contact is due {contact_due}.",
        Todo.CONTACT,
        CONTACT,
        Todo.HAND_OUT,
    ),
    "accept_50": Wording(
        "Half the time is gone", "{answer} is due {accept_due}.", Todo.ANSWER, ANSWER, Todo.STEP_IN
    ),
    "accept_80": Wording("Nearly due", "{answer} is due {accept_due}.", Todo.ANSWER, ANSWER, Todo.STEP_IN),
    "accept_breach": Wording(
        "Not answered in time",
        "The answer on {lead} was due {due}. It is with {whom}.",
        Todo.ANSWER,
        "due",
        Todo.STEP_IN,
    ),
    "unacknowledged": Wording(
        "Nobody has answered",
        "{lead} is still not acknowledged. It is with {whom}.",
        Todo.ANSWER,
        ANSWER,
        Todo.STEP_IN,
    ),
    "contact_breach": Wording(
        "Not contacted in time",
        "The first contact with {lead} was due {due}. It is with {whom}.",
        Todo.CONTACT,
        "due",
        Todo.STEP_IN,
    ),
    "contact_soon": Wording(
        "First contact nearly due",
        "The first contact with {lead} is due {contact_due}. It is with {whom}.",
        Todo.CONTACT,
        CONTACT,
        Todo.STEP_IN,
    ),
    "taken_away": Wording(
        "With somebody else now",
        "The answer on {lead} was due {due} and did not come. It is with {whom} now.",
        Todo.KNOW,
        "due",
    ),
    "put_first": Wording(
        "First in line",
        "{lead} comes before others now. It is with {whom}.",
        Todo.CONTACT,
        "",
        Todo.STEP_IN,
    ),
    "no_activity": Wording(
        "Nothing happens",
        "{who_has} not touched {lead} for too long.",
        Todo.CONTACT,
        CONTACT,
        Todo.STEP_IN,
    ),
    "black_hole": Wording(
        "Black hole",
        "Nobody in sales has done anything about {lead} since it was assigned.",
        Todo.CONTACT,
        CONTACT,
        Todo.STEP_IN,
    ),
    "completion_breach": Wording(
        "Data still missing",
        "The data of {lead} was due {due}. Missing: {missing}.",
        Todo.COMPLETE,
        "due",
    ),
    "completion_soon": Wording(
        "Data nearly due",
        "The data of {lead} is due {completion_due}. Missing: {missing}.",
        Todo.COMPLETE,
        DATA,
    ),
    "delivered_late": Wording(
        "Delivered late",
        "{lead} reached sales after its first deadlines. It is with {whom}.",
        Todo.CONTACT,
        CONTACT,
        Todo.STEP_IN,
    ),
    "resumed": Wording(
        "Back from a deferral",
        "The time {lead} asked for is over. Your answer is due {accept_due}.",
        Todo.ANSWER,
        ANSWER,
    ),
    "converted_elsewhere": Wording(
        "Opportunity recorded",
        "{lead} has an opportunity that was recorded in another system.",
        Todo.KNOW,
    ),
    "stale": Wording("Closed after silence", "{lead} had no activity for 60 days and was closed.", Todo.KNOW),
    "merged": Wording(
        "Closed by a merge", "{lead} turned out to be somebody else's lead as well and is closed.", Todo.KNOW
    ),
    "erased": Wording(
        "A lead was erased",
        "A lead that you held was erased, with everything about the person. Nothing is left to do.",
        Todo.KNOW,
    ),
    "out_of_territory": Wording(
        "Rule to review",
        "A rep called {lead} out of territory. Review the rule{rule}.",
        Todo.REVIEW,
    ),
    "parted": Wording(
        "Yours again",
        "{lead} had been closed by a merge, which was undone. Your answer is due {accept_due}.",
        Todo.ANSWER,
        ANSWER,
    ),
    "released": Wording(
        "Taken over",
        "{lead} is now with {whom}, because the one who held it no longer can.",
        Todo.TAKE_UP,
    ),
    "existing_customer": Wording(
        "Your customer came in as a lead",
        "Sales says that {lead} is already a customer of yours.",
        Todo.TALK,
    ),
}
UNKNOWN = Wording("News", "Something happened to {lead}: {kind}. It is with {whom}.", Todo.KNOW)
# A step that somebody added to the ladder: its name says what it is about.
STEP = Wording(
    "Needs a look",
    "{lead} has come to the step \u201c{kind}\u201d, due {due}. It is with {whom}.",
    Todo.LOOK,
    "due",
    Todo.STEP_IN,
)
