"""The condition editor: a condition document as rows of a form, and what was typed as a document.

Owns the names of the form's fields, the commands of its buttons (add a condition, add a group, remove) and
where each problem is shown. What may be asked and whether it makes sense is `routing.conditions`. Pure: no
database, no request; what was typed is kept as it was typed, right or wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from routing.conditions import OPERATORS, Problem, operators_for, validate
from routing.conditions.operators import CUSTOM, MAX_TEXT, MAX_VALUES, as_list, field_of
from routing.facts import Field

KINDS = (("all", "all of these"), ("any", "any of these"), ("none", "none of these"))
TERRITORY = "territory"
# Rows beyond what a document may hold are read, so that the refusal can show them; not without end.
MOST_PARTS = 60
MOST_SHOWN_PROBLEMS = 5
PREFIX = "c"

_PATH = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Sent(Protocol):
    """What a browser sent: Django's QueryDict, or anything that answers as it does."""

    def getlist(self, key: str) -> list[str]: ...
    def __contains__(self, key: object) -> bool: ...


@dataclass
class Row:
    """One condition as it is typed. `lines` holds free values, `picked` those chosen from what is offered."""

    fact: str = ""
    own: str = ""
    op: str = ""
    lines: str = ""
    picked: list[str] = field(default_factory=list)
    low: str = ""
    high: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The field as documents name it."""
        return f"{CUSTOM}{self.own.strip()}" if self.fact == CUSTOM else self.fact

    @property
    def known(self) -> Field | None:
        return Field("text", "custom field") if self.fact == CUSTOM else field_of(self.fact)

    @property
    def operators(self) -> tuple[str, ...]:
        """What the field can be compared with."""
        if self.fact == TERRITORY:
            return ("in_territory",)
        return operators_for(f"{CUSTOM}x" if self.fact == CUSTOM else self.fact)

    @property
    def shown_op(self) -> str:
        """The operator the form shows: the one typed where it fits the field."""
        fitting = self.operators
        return self.op if self.op in fitting else fitting[0] if fitting else ""

    @property
    def shape(self) -> str:
        """The input its value needs: "" for none, line, lines, one, many, range or list."""
        operator, known = OPERATORS.get(self.shown_op), self.known
        if operator is None or operator.takes == "nothing":
            return ""
        if operator.takes in ("range", "list"):
            return operator.takes
        is_closed = self.fact == TERRITORY or self.fact == "account_owner" or bool(known and known.choices)
        if operator.takes == "one":
            return "one" if is_closed else "lines" if len(self.values) > 1 else "line"
        return "many" if is_closed and self.shown_op in ("in", "in_territory") else "lines"

    @property
    def values(self) -> list[str]:
        """The lines that say something, each once."""
        found = (line.strip() for line in self.lines.splitlines())
        return list(dict.fromkeys(line for line in found if line))

    def leaf(self) -> dict[str, Any]:
        """The condition as documents write it, wrong or right."""
        op, shape = self.op or self.shown_op, self.shape
        made: dict[str, Any] = {"op": op} if self.fact == TERRITORY else {"field": self.name, "op": op}
        if shape in ("one", "list"):
            made["value"] = self.picked[0] if self.picked else ""
        elif shape == "many":
            made["value"] = list(self.picked)
        elif shape == "range":
            ends = {"min": self._number(self.low), "max": self._number(self.high)}
            made["value"] = {name: end for name, end in ends.items() if end != ""}
        elif shape:
            values = [self._number(value) if self._is_number() else value for value in self.values]
            several = OPERATORS[self.shown_op].takes == "some" or len(values) > 1
            made["value"] = values if several else values[0] if values else ""
        return made

    def _is_number(self) -> bool:
        known = self.known
        return known is not None and known.kind == "number"

    @staticmethod
    def _number(typed: str) -> int | str:
        typed = typed.strip()
        return int(typed) if _WHOLE.fullmatch(typed) else typed


@dataclass
class Group:
    """All, any or none of its parts. Only the outermost holds groups."""

    kind: str = "all"
    parts: list[Row | Group] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            self.kind: [part.document() if isinstance(part, Group) else part.leaf() for part in self.parts]
        }


@dataclass
class Editor:
    """The rows of one document. `focus` is the id of what the page puts the cursor on after a command."""

    root: Group = field(default_factory=Group)
    focus: str = ""

    @classmethod
    def of(cls, document: Any) -> Editor:
        """The rows of a stored document; what cannot be read is said, not guessed."""
        editor = cls(_group_of(document, nested=False))
        if not isinstance(document, Mapping) or len(document) != 1:
            editor.root.errors.append("What was stored here cannot be read; write the conditions anew.")
        return editor

    @classmethod
    def sent(cls, data: Sent) -> Editor | None:
        """The rows as they came from the form; None when the form held no editor at all."""
        if f"{PREFIX}.kind" not in data:
            return None
        return cls(_group_sent(data, PREFIX, nested=False))

    def document(self) -> dict[str, Any]:
        return self.root.document()

    def finished(self) -> tuple[dict[str, Any], int]:
        """The document without the conditions that are not finished, and how many those are."""
        kept, left_out = Group(self.root.kind), 0
        for part in self.root.parts:
            if isinstance(part, Row):
                left_out += not _is_finished(part)
                kept.parts += [part] if _is_finished(part) else []
                continue
            rows = [row for row in part.parts if isinstance(row, Row) and _is_finished(row)]
            left_out += len(part.parts) - len(rows)
            kept.parts += [Group(part.kind, list(rows))] if rows else []
        return kept.document(), left_out

    def unless_same(self, stored: Any) -> Any:
        """The document; the stored one itself when the rows say the same, so that looking changes nothing."""
        made = self.document()
        return stored if Editor.of(stored).document() == made else made

    def act(self, command: str) -> None:
        """What one of the editor's buttons does: "add", "add.1", "group", "remove.0", "remove.1.0"."""
        verb, _, path = command.partition(".")
        if path and not _PATH.fullmatch(path):
            return
        steps = [int(step) for step in path.split(".")] if path else []
        if verb == "add":
            group = self._group(steps)
            if group is not None:
                group.parts.append(Row())
                self.focus = _id([*steps, len(group.parts) - 1]) + "-field"
        elif verb == "group":
            kind = "any" if self.root.kind == "all" else "all"
            self.root.parts.append(Group(kind, [Row()]))
            self.focus = _id([len(self.root.parts) - 1, 0]) + "-field"
        elif verb == "remove" and steps:
            group = self._group(steps[:-1])
            if group is not None and steps[-1] < len(group.parts):
                del group.parts[steps[-1]]
                self.focus = _id(steps[:-1]) + "-add"
        elif verb == "renew" and steps:
            self.focus = _id(steps) + "-op"

    def _group(self, steps: list[int]) -> Group | None:
        if not steps:
            return self.root
        part = self.root.parts[steps[0]] if len(steps) == 1 and steps[0] < len(self.root.parts) else None
        return part if isinstance(part, Group) else None

    def place(self, problems: Iterable[Problem]) -> None:
        """Put each problem at the row or group that its pointer leads to."""
        for problem in problems:
            part = self._at(problem.pointer)
            message = _reworded(problem.message, part)
            if message not in part.errors and len(part.errors) < MOST_SHOWN_PROBLEMS:
                part.errors.append(message)

    def _at(self, pointer: str) -> Row | Group:
        found: Row | Group = self.root
        for step in pointer.split("/")[1:]:
            if isinstance(found, Row):
                break
            if step.isdigit() and int(step) < len(found.parts):
                found = found.parts[int(step)]
        return found

    @property
    def has_errors(self) -> bool:
        return any(part.errors for part in self.walk())

    def walk(self) -> Iterator[Row | Group]:
        yield self.root
        for part in self.root.parts:
            yield part
            if isinstance(part, Group):
                yield from part.parts


def _is_finished(row: Row) -> bool:
    return not validate({"all": [row.leaf()]})


def _id(steps: list[int]) -> str:
    return "-".join([PREFIX, *map(str, steps)])


def _reworded(message: str, part: Row | Group) -> str:
    """The message as a form says it, where it speaks of how documents are written."""
    if isinstance(part, Group):
        return message
    if not part.fact:
        return "Choose a field, or remove this condition."
    if part.fact == CUSTOM and not part.own.strip():
        return "Write the name of the custom field."
    if part.shown_op == "equals" and len(part.values) > 1:
        return f"\u201cis\u201d takes one value; \u201c{OPERATORS['in'].label}\u201d takes several."
    return message


def _group_of(document: Any, nested: bool) -> Group:
    if not isinstance(document, Mapping) or not document:
        return Group()
    kind, parts = next(iter(document.items()))
    group = Group(kind if kind in dict(KINDS) else "all")
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, Mapping) or len(group.parts) >= MOST_PARTS:
            continue
        if "op" not in part and not nested and any(kind in part for kind, _ in KINDS):
            group.parts.append(_group_of(part, nested=True))
        else:
            group.parts.append(_row_of(part))
    return group


def _row_of(leaf: Mapping[str, Any]) -> Row:
    op, name, value = str(leaf.get("op") or ""), str(leaf.get("field") or ""), leaf.get("value")
    row = Row(op=op)
    if op == "in_territory":
        row.fact = TERRITORY
    elif name.startswith(CUSTOM):
        row.fact, row.own = CUSTOM, name[len(CUSTOM) :]
    else:
        row.fact = name
    if isinstance(value, Mapping):
        row.low, row.high = _text(value.get("min")), _text(value.get("max"))
    else:
        words = [_text(item) for item in as_list(value) if item is not None]
        row.lines, row.picked = "\n".join(words), words
    return row


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split("\n"))


def _group_sent(data: Sent, name: str, nested: bool) -> Group:
    kind = _last(data, f"{name}.kind")
    group = Group(kind if kind in dict(KINDS) else "all")
    for number in range(MOST_PARTS):
        part = f"{name}.{number}"
        if f"{part}.kind" in data and not nested:
            group.parts.append(_group_sent(data, part, nested=True))
        elif f"{part}.field" in data:
            group.parts.append(_row_sent(data, part))
        else:
            break
    return group


def _last(data: Sent, key: str) -> str:
    return "".join(data.getlist(key)[-1:])


def _row_sent(data: Sent, name: str) -> Row:
    def text(part: str, most: int = MAX_TEXT) -> str:
        return _last(data, f"{name}.{part}")[: most + 1]

    return Row(
        fact=text("field"),
        own=text("own"),
        op=text("op"),
        lines=text("lines", MAX_VALUES * 100),
        picked=[value for value in data.getlist(f"{name}.pick") if value][: MAX_VALUES + 1],
        low=text("low"),
        high=text("high"),
    )
