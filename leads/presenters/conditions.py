"""The condition editor as it is shown: for each row the fields, operators and inputs to choose from.

Owns the order and grouping of the fields, the hints beside the inputs and the words for what absence means.
What was typed is `leads.rule_form`; what an operator means is `routing.conditions`. Pure: names come in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from leads.rule_form import KINDS, PREFIX, TERRITORY, Editor, Group, Row
from routing.conditions import OPERATORS
from routing.conditions.operators import CUSTOM, MAX_LEAVES
from routing.facts import FIELDS

Option = tuple[str, str, bool]  # value, label, whether it is chosen

FIELD_GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Lead", ("lead_type", "trigger", "source", "channel", "campaign", "email_domain", "language")),
    ("Score", ("score_total", "score_band", "score_fit", "score_intent", "score_behavior")),
    ("Place", (TERRITORY, "country", "region", "postal_code")),
    (
        "Company",
        (
            "company_name", "company_domain", "industry", "size_band", "employees", "revenue", "technologies",
            "company_stage", "named_account", "account_owner",
        ),
    ),
)  # fmt: skip
HINTS = {
    "country": "Two letters, such as DE",
    "language": "Two letters, such as de",
    "postal_code": "As it begins, such as 10 for Berlin’s centre",
    "email_domain": "Such as example.com",
    "company_domain": "Such as example.com",
    "revenue": "A year, in the organisation’s currency",
}


@dataclass(frozen=True, slots=True)
class Offered:
    """What rows can refer to, as (value, name)."""

    territories: Sequence[tuple[str, str]] = ()
    lists: Sequence[tuple[str, str]] = ()
    people: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One condition. `name` begins the names of its inputs, `id` their ids; commands call it by `path`."""

    path: str
    name: str
    id: str
    number: str
    row: Row
    fields: list[tuple[str, list[Option]]]
    operators: list[Option]
    options: list[Option]
    hint: str
    missing: str
    height: int
    is_custom: bool
    is_group: bool = False


@dataclass(frozen=True, slots=True)
class ShownGroup:
    """A group with its rows. `note` says what it means while it is empty."""

    path: str
    name: str
    id: str
    number: str
    kinds: list[Option]
    parts: list[ShownRow | ShownGroup]
    errors: list[str] = field(default_factory=list)
    is_full: bool = False
    is_group: bool = True


def shown(editor: Editor, offered: Offered, *, of_territory: bool = False) -> ShownGroup:
    """The editor for a template. `of_territory`: the conditions of a territory cannot ask for one."""
    leaves = sum(isinstance(part, Row) for part in editor.walk())
    return _group(editor.root, (), offered, of_territory, leaves >= MAX_LEAVES)


def _group(
    group: Group, steps: tuple[int, ...], offered: Offered, of_territory: bool, is_full: bool
) -> ShownGroup:
    parts: list[ShownRow | ShownGroup] = []
    for position, part in enumerate(group.parts):
        here = (*steps, position)
        if isinstance(part, Group):
            parts.append(_group(part, here, offered, of_territory, is_full))
        else:
            parts.append(_row(part, here, offered, of_territory, group.kind == "none"))
    return ShownGroup(
        path=".".join(map(str, steps)),
        name=".".join([PREFIX, *map(str, steps)]),
        id="-".join([PREFIX, *map(str, steps)]),
        number=_number(steps),
        kinds=[(value, label, value == group.kind) for value, label in KINDS],
        parts=parts,
        errors=group.errors,
        is_full=is_full,
    )


def _row(
    row: Row, steps: tuple[int, ...], offered: Offered, of_territory: bool, is_negated: bool
) -> ShownRow:
    return ShownRow(
        path=".".join(map(str, steps)),
        name=".".join([PREFIX, *map(str, steps)]),
        id="-".join([PREFIX, *map(str, steps)]),
        number=_number(steps),
        row=row,
        fields=_fields(row, of_territory),
        operators=[(op, OPERATORS[op].label, op == row.shown_op) for op in row.operators],
        options=_options(row, offered),
        hint=_hint(row),
        missing=when_missing(row.shown_op, is_negated),
        height=min(8, max(3, len(row.values) + 1)),
        is_custom=row.fact == CUSTOM,
    )


def _number(steps: Sequence[int]) -> str:
    return ".".join(str(step + 1) for step in steps)


def when_missing(op: str, is_negated: bool = False) -> str:
    """What absence means for this condition; `is_negated` within a "none of these"."""
    operator = OPERATORS.get(op)
    if operator is None:
        return ""
    if not is_negated:
        return operator.when_missing
    if op == "absent":
        return "A lead whose value is not known does not match."
    return "A lead for which this cannot be told is let through."


def _fields(row: Row, of_territory: bool) -> list[tuple[str, list[Option]]]:
    grouped = {name for _, names in FIELD_GROUPS for name in names}
    groups = [*FIELD_GROUPS, ("More", tuple(name for name in FIELDS if name not in grouped))]
    found: list[tuple[str, list[Option]]] = []
    for label, names in groups:
        options = [
            (name, _label(name), name == row.fact)
            for name in names
            if name in FIELDS or (name == TERRITORY and not (of_territory and row.fact != TERRITORY))
        ]
        if options:
            found.append((label, options))
    found.append(("Your own", [(CUSTOM, "custom field", row.fact == CUSTOM)]))
    if row.fact and row.fact != CUSTOM and not any(is_on for _, some in found for _, _, is_on in some):
        found.append(("No longer there", [(row.fact, row.fact, True)]))
    return found


def _label(name: str) -> str:
    return "territory" if name == TERRITORY else FIELDS[name].label


def _options(row: Row, offered: Offered) -> list[Option]:
    """What can be picked, with what was picked and is offered no more at the end."""
    if row.shape == "list":
        known = list(offered.lists)
    elif row.shape not in ("one", "many"):
        return []
    elif row.fact == TERRITORY:
        known = list(offered.territories)
    elif row.fact == "account_owner":
        known = list(offered.people)
    else:
        known = [(value, value.replace("_", " ")) for value in (row.known.choices if row.known else ())]
    values = {value for value, _ in known}
    folded = {value.lower() for value in row.picked}
    gone = [(value, f"{value} (gone)") for value in row.picked if value.lower() not in map(str.lower, values)]
    return [(value, label, value.lower() in folded) for value, label in [*known, *gone]]


def _hint(row: Row) -> str:
    words = [HINTS[row.fact]] if row.fact in HINTS and row.shape in ("line", "lines", "range") else []
    if row.shape == "lines":
        words.append("one a line")
    return ", ".join(words)[:1].upper() + ", ".join(words)[1:]
