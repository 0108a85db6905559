"""The condition editor on a page: what its buttons do, and what is wrong with what it holds.

Owns the parts that a rule's page and a territory's page share. The rows are `leads.rule_form`, their looks
`leads.presenters.conditions`, the checking `routing.conditions`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from leads.drafts import Names
from leads.presenters import conditions
from leads.presenters.reading import Piece
from leads.rule_form import Editor, Group, Row
from routing.conditions import validate

COMMAND = "edit"
# Says only how the rule reads now; the rows stay as they are.
ALOUD = "aloud"


def sent(request: HttpRequest) -> Editor:
    """The rows of the form. A form that came without any is no catch-all but a mistake."""
    editor = Editor.sent(request.POST)
    if editor is None:
        return Editor(Group(errors=["The form came without its conditions; nothing was saved."]))
    return editor


def command(request: HttpRequest) -> str:
    """The editor's button that was pressed, "" for none."""
    return str(request.POST.get(COMMAND, ""))[:40]


def blank() -> Editor:
    """The rows of something new: one condition to fill in."""
    return Editor(Group(parts=[Row()]))


def check(editor: Editor, names: Names, *, of_territory: bool = False) -> bool:
    """Whether the conditions may be saved; what is wrong is put at its row."""
    if editor.has_errors:
        return False
    territories = {row.slug for row in names.territories if row.is_active}
    lists = {row.slug for row in names.lists if row.is_active}
    editor.place(validate(editor.document(), territories=territories, lists=lists, of_territory=of_territory))
    return not editor.has_errors


def values(
    request: HttpRequest, editor: Editor, names: Names, *, of_territory: bool = False
) -> dict[str, Any]:
    """What the editor's template needs."""
    # Swapped in place, the cursor stays on the field that was chosen: arrow keys go on through the choices.
    is_renewed = bool(request.htmx) and editor.focus.endswith("-op")  # type: ignore[attr-defined]
    return {
        "editor": conditions.shown(editor, names.offered(), of_territory=of_territory),
        "focus": "" if is_renewed else editor.focus,
        "here": request.path,
        "of_territory": of_territory,
    }


def unfinished(editor: Editor) -> tuple[dict[str, Any], list[Piece] | None, str]:
    """The document as far as it is finished; what to say in place of a sentence that would mislead, None
    where it does not; and a note on what the sentence leaves out."""
    document, left_out = editor.finished()
    is_empty = not next(iter(document.values()))
    instead = None
    if is_empty and (left_out or document != {"all": []}):
        instead = [Piece("Nothing to read aloud yet: finish a condition.")]
    note = ""
    if left_out and not is_empty:
        be, them = ("is", "it is") if left_out == 1 else ("are", "they are")
        plural = "" if left_out == 1 else "s"
        note = f"{left_out} condition{plural} {be} not finished; {them} left out here."
    return document, instead, note
