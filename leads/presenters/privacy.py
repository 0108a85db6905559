"""What is said of a person's data as such: what an erasure would empty, and what was done so far.

Owns the words of the privacy log and of the page that erases. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leads.choices import Why
from leads.models import Lead, PrivacyAct
from leads.presenters import times

# The reasons that a person can give; the others are the system's.
REASONS = [(str(why), str(why.label)) for why in (Why.ASKED, Why.NO_BASIS)]


@dataclass(frozen=True, slots=True)
class ActLine:
    """One entry of the privacy log, in a sentence."""

    text: str
    exact: str


def act_line(act: PrivacyAct, now: datetime) -> ActLine:
    """An entry whose person and key are loaded."""
    by = str(act.by) if act.by else f"key {act.api_key.name}" if act.api_key else "the system"
    text = f"{act.get_kind_display()} by {by}, {times.day(act.at, now)}"
    if act.why:
        text += f": {act.get_why_display().lower()}"
    if act.reference:
        text += f", case {act.reference}"
    rows = f"{act.rows:,} row{'' if act.rows == 1 else 's'}"
    return ActLine(f"{text}. {rows}.", times.exact(act.at, now))


def erased_words(lead: Lead, now: datetime) -> str:
    """That and when a lead was erased; "" for one that was not."""
    if lead.erased_at is None:
        return ""
    return f"This person was erased, {times.day(lead.erased_at, now)}. What is left names nobody."


def counted(counts: Mapping[str, int]) -> Sequence[str]:
    """How much there is of each thing, as "3 activities"; what there is nothing of is left out."""
    return [f"{count:,} {one if count == 1 else many}" for (one, many), count in _named(counts) if count]


_WORDS = {
    "handoffs": ("handoff", "handoffs"),
    "activities": ("activity", "activities"),
    "scores": ("score with its reasons", "scores with their reasons"),
    "texts": ("note or explanation", "notes and explanations"),
    "receipts": ("message from another system", "messages from other systems"),
    "notifications": ("message to a colleague", "messages to colleagues"),
    "merges": ("merged lead", "merged leads"),
}


def _named(counts: Mapping[str, int]) -> list[tuple[tuple[str, str], int]]:
    return [(_WORDS[name], counts.get(name, 0)) for name in _WORDS]
