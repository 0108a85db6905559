"""The condition editor: documents to rows and back, its buttons, and problems at their rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.presenters.conditions import Offered, ShownGroup, ShownRow, shown, when_missing
from leads.rule_form import MOST_PARTS, Editor, Group, Row
from routing.conditions import validate
from routing.conditions.operators import operators_for
from routing.facts import FIELDS


def sent(**fields: Any) -> Editor:
    """The editor of a form; "c__0__field" stands for "c.0.field"."""
    data = QueryDict(mutable=True)
    for name, value in fields.items():
        data.setlist(name.replace("__", "."), value if isinstance(value, list) else [value])
    found = Editor.sent(data)
    assert found is not None
    return found


def names(group: ShownGroup) -> list[tuple[str, str]]:
    """What a browser would send for an editor that is shown."""
    pairs = [(f"{group.name}.kind", next(value for value, _, is_on in group.kinds if is_on))]
    for part in group.parts:
        if isinstance(part, ShownGroup):
            pairs += names(part)
            continue
        pairs += _row(part)
    return pairs


def _row(part: ShownRow) -> list[tuple[str, str]]:
    row, shape = part.row, part.row.shape
    chosen = [value for _, options in part.fields for value, _, is_on in options if is_on]
    pairs = [(f"{part.name}.field", chosen[0] if chosen else "")]
    pairs += [(f"{part.name}.own", row.own)] if part.is_custom else []
    pairs += [(f"{part.name}.op", value) for value, _, is_on in part.operators if is_on]
    if shape in ("line", "lines"):
        pairs.append((f"{part.name}.lines", row.lines))
    elif shape == "range":
        pairs += [(f"{part.name}.low", row.low), (f"{part.name}.high", row.high)]
    elif shape:
        pairs += [(f"{part.name}.pick", value) for value, _, is_on in part.options if is_on]
    return pairs


def through_a_browser(document: Any) -> Any:
    data = QueryDict(mutable=True)
    offered = Offered(territories=[("dach", "DACH")], lists=[("named", "Named")], people=[("7", "Ada")])
    for name, value in names(shown(Editor.of(document), offered)):
        data.appendlist(name, value)
    editor = Editor.sent(data)
    assert editor is not None
    return editor.document()


def leaf(field: str, op: str) -> dict[str, Any]:
    """A leaf of any field with any of its operators that is valid."""
    made: dict[str, Any] = {"field": field, "op": op}
    known = FIELDS.get(field)
    value: Any = (
        5 if known and known.kind == "number" else known.choices[0] if known and known.choices else "x"
    )
    if field == "account_owner":
        value = "7"
    if op in ("equals",):
        made["value"] = value
    elif op in ("in", "starts_with", "contains_word"):
        made["value"] = [value]
    elif op == "range":
        made["value"] = {"min": 3, "max": 8}
    elif op == "in_list":
        made["value"] = "named"
    return made


LEAVES = [leaf(name, op) for name in (*FIELDS, "custom.plan") for op in operators_for(name)]
LEAVES.append({"op": "in_territory", "value": ["dach"]})


@pytest.mark.parametrize("one", LEAVES, ids=lambda one: f"{one.get('field', 'territory')}-{one['op']}")
def test_every_field_and_operator_comes_back_as_it_was(one: dict[str, Any]) -> None:
    document = {"all": [one]}
    assert validate(document) == []
    assert through_a_browser(document) == document


@settings(max_examples=200)
@given(st.data())
def test_any_document_comes_back_as_it_was(data: st.DataObject) -> None:
    leaves = st.lists(st.sampled_from(LEAVES), min_size=1, max_size=4)
    groups = st.builds(lambda kind, parts: {kind: parts}, st.sampled_from(("all", "any", "none")), leaves)
    parts = data.draw(st.lists(st.one_of(st.sampled_from(LEAVES), groups), min_size=1, max_size=4))
    document = {data.draw(st.sampled_from(("all", "any", "none"))): parts}
    assert through_a_browser(document) == document


def test_the_catch_all_comes_back_as_it_was() -> None:
    assert through_a_browser({"all": []}) == {"all": []}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        7,
        "x",
        {},
        {"some": []},
        {"all": 3},
        {"all": [3, None, []], "any": []},
        {"all": [{"op": []}]},
    ],
)
def test_what_cannot_be_read_is_no_crash(document: Any) -> None:
    editor = Editor.of(document)
    shown(editor, Offered())
    assert isinstance(editor.document(), dict)


def test_a_stored_document_that_says_the_same_stays_as_it_was_written() -> None:
    stored = {
        "all": [
            {"op": "in_territory", "value": "dach"},
            {"field": "region", "op": "starts_with", "value": "B"},
        ]
    }
    assert Editor.of(stored).unless_same(stored) is stored
    other = Editor.of(stored)
    other.root.parts.pop()
    assert other.unless_same(stored) == {"all": [{"op": "in_territory", "value": ["dach"]}]}


def test_a_form_without_an_editor_is_none() -> None:
    assert Editor.sent(QueryDict("name=x")) is None


def test_lines_are_trimmed_and_taken_once() -> None:
    editor = sent(c__kind="all", c__0__field="country", c__0__op="in", c__0__lines=" DE \r\n\r\nAT\r\nDE")
    assert editor.document() == {"all": [{"field": "country", "op": "in", "value": ["DE", "AT"]}]}


def test_numbers_are_numbers_and_what_is_none_stays_as_typed() -> None:
    editor = sent(
        c__kind="all", c__0__field="score_total", c__0__op="range", c__0__low=" 65 ", c__0__high="lots"
    )
    assert editor.document() == {
        "all": [{"field": "score_total", "op": "range", "value": {"min": 65, "max": "lots"}}]
    }


def test_adding_and_removing() -> None:
    editor = sent(c__kind="all", c__0__field="country", c__0__op="equals", c__0__lines="DE")
    editor.act("add")
    assert (len(editor.root.parts), editor.focus) == (2, "c-1-field")
    editor.act("group")
    assert editor.focus == "c-2-0-field"
    group = editor.root.parts[2]
    assert isinstance(group, Group) and (group.kind, len(group.parts)) == ("any", 1)
    editor.act("add.2")
    assert (len(group.parts), editor.focus) == (2, "c-2-1-field")
    editor.act("remove.2.0")
    assert (len(group.parts), editor.focus) == (1, "c-2-add")
    editor.act("remove.1")
    assert [type(part) for part in editor.root.parts] == [Row, Group]
    editor.act("remove.1")
    assert editor.document() == {"all": [{"field": "country", "op": "equals", "value": "DE"}]}


@pytest.mark.parametrize(
    "command", ["", "x", "add.9", "add.x", "remove", "remove.9", "remove.0.0", "add.0", "renew"]
)
def test_a_command_that_means_nothing_changes_nothing(command: str) -> None:
    editor = sent(c__kind="all", c__0__field="country", c__0__op="equals", c__0__lines="DE")
    before = editor.document()
    editor.act(command)
    assert editor.document() == before


def test_problems_stand_at_their_rows() -> None:
    editor = sent(
        c__kind="all",
        c__0__field="",
        c__1__kind="any",
        c__1__0__field="score_total", c__1__0__op="equals", c__1__0__lines="many",
        c__1__1__field="custom.", c__1__1__own=" ", c__1__1__op="present",
        c__2__field="region", c__2__op="equals", c__2__lines="North\nSouth",
        c__3__field="country", c__3__op="range", c__3__low="1",
    )  # fmt: skip
    editor.place(validate(editor.document()))
    found = {part.fact: part.errors for part in editor.walk() if isinstance(part, Row)}
    assert found[""] == ["Choose a field, or remove this condition."]
    assert found["score_total"] == ["Score is a number; “many” is none."]
    assert found["custom."] == ["Write the name of the custom field."]
    assert found["region"] == ["“is” takes one value; “is one of” takes several."]
    # The operator was typed for another field: it is refused, not replaced in silence.
    assert found["country"][0].startswith("Country cannot be compared with “is between”")
    assert editor.has_errors


def test_an_empty_row_is_no_catch_all() -> None:
    editor = sent(c__kind="all", c__0__field="")
    assert validate(editor.document()) != []


def test_an_empty_group_says_so_at_the_group() -> None:
    editor = sent(c__kind="all", c__0__kind="any")
    editor.place(validate(editor.document()))
    group = editor.root.parts[0]
    assert group.errors == ["Add at least one condition to this group, or remove it."]


def test_groups_are_read_one_deep() -> None:
    editor = sent(c__kind="all", c__0__kind="any", c__0__0__kind="any", c__0__0__0__field="country")
    assert editor.document() == {"all": [{"any": []}]}


def test_a_huge_form_is_read_to_a_bound() -> None:
    fields = {f"c__{number}__field": "country" for number in range(500)}
    fields |= {f"c__{number}__op": "present" for number in range(500)}
    editor = sent(c__kind="all", **fields)
    assert len(editor.root.parts) == MOST_PARTS
    editor.place(validate(editor.document()))
    assert "at most 50 conditions" in editor.root.errors[0]


def test_what_is_not_finished_is_left_out_of_the_sentence() -> None:
    editor = sent(
        c__kind="all",
        c__0__field="country",
        c__0__op="equals",
        c__0__lines="DE",
        c__1__field="",
        c__2__kind="any",
    )
    assert editor.finished() == ({"all": [{"field": "country", "op": "equals", "value": "DE"}]}, 1)


def test_every_field_is_offered_once() -> None:
    group = shown(Editor(Group(parts=[Row()])), Offered())
    row = group.parts[0]
    assert isinstance(row, ShownRow)
    offered = [value for _, options in row.fields for value, _, _ in options]
    assert sorted(offered) == sorted([*FIELDS, "territory", "custom."])
    of_territory = shown(Editor(Group(parts=[Row()])), Offered(), of_territory=True).parts[0]
    assert isinstance(of_territory, ShownRow)
    assert "territory" not in [value for _, options in of_territory.fields for value, _, _ in options]


def test_a_value_that_is_offered_no_more_stays() -> None:
    row = shown(
        Editor.of({"all": [{"op": "in_territory", "value": ["gone"]}]}), Offered([("dach", "DACH")])
    ).parts[0]
    assert isinstance(row, ShownRow)
    assert row.options == [("dach", "DACH", False), ("gone", "gone (gone)", True)]


def test_absence_is_told_for_each_operator_and_inside_none() -> None:
    assert when_missing("equals") == "A lead whose value is not known does not match."
    assert when_missing("equals", is_negated=True) == "A lead for which this cannot be told is let through."
    assert when_missing("absent", is_negated=True) == "A lead whose value is not known does not match."
    assert when_missing("nonsense") == ""
