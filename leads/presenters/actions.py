"""The buttons of a lead: which verbs the state allows, in a fixed order, with their keys.

Owns order, labels and keys. What a person may do comes in (`leads.permissions`); what the state allows
is repeated here only to leave out buttons that would be refused. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from leads.choices import OPEN, NextStep, State
from leads.models import Handoff, RejectionReason

# How a form's fields are called on the page.
LABELS = {
    "asked_for": "Consent",
    "at": "When",
    "activity_id": "What it referred to",
    "channel": "How",
    "currency": "Currency",
    "day": "Another day",
    "explanation": "What they said",
    "external_id": "Number in the CRM",
    "hour": "At",
    "next_touch": "Next touch",
    "outcome": "What came of it",
    "reason": "Reason",
    "stage": "Stage",
    "text": "Note",
    "to": "To",
    "until": "Comes back",
}


class Typed(dict[str, str]):
    """What was typed or is wrong, by field; "" for all others. A template asks for each field of each form,
    and takes longer to find that something is not there than to write what is."""

    def __missing__(self, name: str) -> str:
        return ""


@dataclass
class Panel:
    """A verb's form as it was typed, with what is wrong with it; the key "" is a refusal of the whole."""

    verb: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    # Filled by `settle`: what is said above all forms, and typed words whose form is gone.
    alert: str = ""
    kept: str = ""

    def settle(self, open_forms: Collection[str]) -> None:
        """Decide what is said above the forms: a refusal, and any error that has no form to stand in."""
        said = [self.errors[""]] if "" in self.errors else []
        if self.verb not in open_forms:
            said += [words for name, words in self.errors.items() if name]
            if self.errors:
                typed = (
                    self.values.get(name, "").strip() for name in ("explanation", "text", "note", "reason")
                )
                self.kept = next((words for words in typed if " " in words or len(words) > 12), "")
        self.alert = " ".join(said)


@dataclass(frozen=True, slots=True)
class Action:
    """A verb as a button. `is_panel` opens a form; otherwise pressing it is the act.

    An open form has the values that were typed, the errors by field, and the same with their labels.
    """

    verb: str
    label: str
    key: str
    is_panel: bool = True
    is_primary: bool = False
    is_open: bool = False
    # Whether it stands in the row of buttons; one that does not is opened from where it belongs.
    in_bar: bool = True
    values: Typed = field(default_factory=Typed)
    errors: Typed = field(default_factory=Typed)

    @property
    def template(self) -> str:
        """The fields of its form."""
        return f"leads/_panel_{self.verb}.html"

    @property
    def is_own(self) -> bool:
        """Whether its form is made of the lead, even while nothing is typed in it."""
        return self.verb in OF_THE_LEAD

    @property
    def problems(self) -> list[tuple[str, str]]:
        return [
            (LABELS.get(name, name.replace("_", " ").capitalize()), words)
            for name, words in self.errors.items()
            if name
        ]


@dataclass(frozen=True, slots=True)
class ReasonChip:
    """A rejection reason as a button. `needs` is "note" or "until" when one press is not enough."""

    code: str
    label: str
    key: str
    gives_turn_back: bool
    needs: str = ""


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """Reasons by what happens next."""

    label: str
    chips: tuple[ReasonChip, ...]


# verb: label, key, is_panel, the states that allow it
BUTTONS: dict[str, tuple[str, str, bool, frozenset[str]]] = {
    "claim": ("Claim", "", False, frozenset({State.QUEUED})),
    "accept": ("Accept", "a", False, frozenset({State.ASSIGNED, State.QUEUED})),
    "resume": ("Take it up now", "a", False, frozenset({State.DEFERRED})),
    "reject": ("Reject", "r", True, frozenset({State.ASSIGNED, State.ACCEPTED})),
    "defer": ("Defer", "d", True, frozenset({State.ASSIGNED, State.ACCEPTED, State.WORKING})),
    "contact": (
        "Contact",
        "c",
        True,
        frozenset({State.ASSIGNED, State.ACCEPTED, State.DEFERRED, State.WORKING}),
    ),
    "opportunity": ("Opportunity", "o", True, frozenset({State.ACCEPTED, State.WORKING})),
    "disqualify": ("Disqualify", "x", True, frozenset({State.WORKING})),
    "reassign": (
        "Reassign",
        "",
        True,
        frozenset({State.ASSIGNED, State.ACCEPTED, State.QUEUED, State.DEFERRED}),
    ),
    "note": ("Note", "n", True, frozenset(State)),
    "report": ("Wrong data", "w", True, frozenset(OPEN)),
}
NOT_IN_BAR = frozenset({"report"})
# Whose form names what this lead did and how it is reached.
OF_THE_LEAD = frozenset({"contact"})
# The one primary button of a state: the next right thing.
PRIMARY = {
    State.ASSIGNED: "accept",
    State.QUEUED: "accept",
    State.ACCEPTED: "contact",
    State.WORKING: "contact",
    State.DEFERRED: "contact",
}
GROUPS = (
    ("Back to marketing", (NextStep.RECYCLED,)),
    ("Someone puts it right", (NextStep.COMPLETION, NextStep.REROUTED)),
    ("Never again", (NextStep.SUPPRESSED,)),
    ("Marketing decides", (NextStep.TRIAGE,)),
)
CHIP_KEYS = "1234567890o"


def actions(handoff: Handoff, allowed: Collection[str], panel: Panel) -> list[Action]:
    """The buttons for a person who may do `allowed`; the panel's verb has its form open."""
    found = []
    primary = PRIMARY.get(State(handoff.state), "")
    for verb, (label, key, is_panel, states) in BUTTONS.items():
        if verb not in allowed or handoff.state not in states or handoff.is_history:
            continue
        is_open = is_panel and verb == panel.verb
        found.append(
            Action(
                verb,
                label,
                key,
                is_panel,
                is_primary=verb == primary,
                is_open=is_open,
                in_bar=verb not in NOT_IN_BAR,
                values=Typed(panel.values if is_open else {}),
                errors=Typed(panel.errors if is_open else {}),
            )
        )
    panel.settle([action.verb for action in found if action.is_panel])
    return found


def reason_groups(reasons: Iterable[RejectionReason]) -> list[ReasonGroup]:
    """The reasons in force grouped by what follows, numbered for the keyboard in their order."""
    by_step: dict[str, list[RejectionReason]] = {}
    for reason in reasons:
        by_step.setdefault(reason.next_step, []).append(reason)
    keys = iter(CHIP_KEYS)
    groups = []
    for label, steps in GROUPS:
        chips = tuple(
            ReasonChip(
                code=reason.code,
                label=reason.label,
                key=next(keys, ""),
                gives_turn_back=reason.gives_turn_back,
                needs="note" if reason.note_required else "until" if reason.asks_until else "",
            )
            for step in steps
            for reason in by_step.get(step, ())
        )
        if chips:
            groups.append(ReasonGroup(label, chips))
    return groups
