"""One rule of the draft: read, written, moved.

Owns the page of a rule with its condition editor, and the two buttons that move it. What was typed is
never lost: neither by an error, nor by the editor's buttons, nor by somebody else who saved first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from leads.drafts import Names
from leads.presenters import rules as reading
from leads.presenters.reading import Piece
from leads.roles import Can
from leads.routing_forms import RoutingForm, RuleForm
from leads.rule_form import Editor
from leads.views import access
from leads.views.routes import conditions, frame
from leads.views.shell import shell_of
from routing import draft
from routing.models import Rule
from routing.publish import rule_document

PAGE, FRAGMENT, ALOUD = "rule.html", "_conditions.html", "_aloud.html"


@require_http_methods(["GET", "HEAD", "POST"])
def rule_new(request: HttpRequest) -> HttpResponse:
    """A rule that is not there yet."""
    frame.editor(request)
    return _edit(request, Rule(is_active=True), conditions.blank())


@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, pk: int) -> HttpResponse:
    """A rule of the draft; for those who do not edit, as it reads."""
    frame.reader(request)
    found = Rule.objects.select_related("owner").filter(pk=pk).first()
    if found is None:
        raise Http404("no such rule")
    if request.method == "POST" or frame.may_edit(request):
        frame.editor(request)
        return _edit(request, found, Editor.of(found.conditions))
    names = Names()
    return _render(request, found, names, {"says": _says(rule_document(found), names)})


@require_POST
def rule_move(request: HttpRequest, pk: int) -> HttpResponse:
    """One place up or down in the order."""
    frame.reader(request)
    found = Rule.objects.filter(pk=pk, is_active=True).first()
    if found is None:
        raise Http404("no such rule in the draft")
    user = access.act(request, Can.EDIT_ROUTING)
    to = "up" if request.POST.get("to") == "up" else "down"
    back = f"{reverse('leads:routing')}?tab=draft&moved={pk}-{to}"
    try:
        draft.move(found, to, frame.revision(request), user)  # type: ignore[arg-type]
    except draft.Stale as stale:
        who = stale.by or "Somebody"
        return frame.done(
            request, f"Not moved: {who} changed the order meanwhile. This is how it stands now.", back
        )
    return redirect(f"{back}#rule-{pk}")


def _edit(request: HttpRequest, row: Rule, editor: Editor) -> HttpResponse:
    names = Names()
    if request.method != "POST":
        if row.pk:
            conditions.check(editor, names)
        form: RoutingForm = RuleForm(names=names, initial=RuleForm.of(row))
        return _page(request, row, form, editor, names)
    editor = conditions.sent(request)
    if command := conditions.command(request):
        editor.act(command)
        form = RuleForm.typed(request.POST, names)
        return _page(request, row, form, editor, names, command=command)
    form = RuleForm(request.POST, names=names, initial=RuleForm.of(row))
    is_sound = conditions.check(editor, names)
    if not form.is_valid() or not is_sound:
        return _page(request, row, form, editor, names, status=422)
    return _save(request, row, form, editor, names)


def _save(request: HttpRequest, row: Rule, form: RuleForm, editor: Editor, names: Names) -> HttpResponse:
    is_new = row.pk is None
    form.fill(row)
    row.conditions = editor.unless_same(row.conditions) if not is_new else editor.document()
    try:
        draft.save(row, frame.revision(request), frame.editor(request))
    except draft.Stale as stale:
        theirs, now = cast(Rule, stale.current), shell_of(request).now
        documents = (theirs.conditions, row.conditions, names.called())
        clash = frame.conflict(stale, _words(theirs, names), _words(row, names), now, documents)
        if not clash.differences:
            return _saved(request, row, is_new)
        return _page(request, row, form, editor, names, clash=clash, status=409)
    return _saved(request, row, is_new)


def _saved(request: HttpRequest, row: Rule, is_new: bool) -> HttpResponse:
    done = "added to the draft" if is_new else "saved in the draft"
    if not row.is_active:
        done = "saved, and not in the draft"
    text = f"“{row.name}” is {done}. It routes nothing before the draft is published."
    return frame.done(request, text, f"{reverse('leads:routing')}?tab=draft#rule-{row.pk}")


def _page(
    request: HttpRequest,
    row: Rule,
    form: RoutingForm,
    editor: Editor,
    names: Names,
    *,
    command: str = "",
    clash: frame.Conflict | None = None,
    status: int = 200,
) -> HttpResponse:
    document, instead, note = conditions.unfinished(editor)
    target, fallback = (_place(str(form[name].value() or "")) for name in ("target", "fallback"))
    typed = {"when": document, "target": target, "fallback": fallback}
    values = {
        "form": form,
        "says": instead or _says(typed, names),
        "says_note": note,
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.revision),
        **conditions.values(request, editor, names),
    }
    if command and request.htmx:  # type: ignore[attr-defined]
        part = ALOUD if command == conditions.ALOUD else FRAGMENT
        return render(request, f"leads/routing/{part}", values | {"oob": part == FRAGMENT})
    return _render(request, row, names, values, status)


def _render(
    request: HttpRequest, row: Rule, names: Names, values: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    now = shell_of(request).now
    shown = {
        "row": row,
        "may_edit": frame.may_edit(request),
        "changed": frame.last_change(row, now),
        "reviewed": f"{row.last_reviewed.day} {row.last_reviewed:%b %Y}" if row.last_reviewed else "",
        "policy": dict(names.policies).get(row.policy_slug, row.policy_slug) if row.policy_slug else "",
    }
    return render(request, f"leads/routing/{PAGE}", shown | dict(values), status=status)


def _says(rule: Mapping[str, Any], names: Names) -> list[Piece]:
    return reading.said(rule, names, names.called())


def _place(value: str) -> dict[str, str] | None:
    kind, _, pk = value.partition(":")
    return {"kind": kind, "id": pk} if kind else None


def _words(rule: Rule, names: Names) -> dict[str, str]:
    """A rule but for its conditions in labelled words, to lay two versions beside each other."""
    document = rule_document(rule)
    called = names.called()
    return {
        "Name": rule.name,
        "Give it to": reading.words(reading.place(document["target"], names, called)),
        "Else to": reading.words(reading.place(document["fallback"], names, called)) or "overflow",
        "SLA policy": dict(names.policies).get(rule.policy_slug, rule.policy_slug) or "the default",
        "Owner": str(names.by_id[str(rule.owner_id)]) if str(rule.owner_id) in names.by_id else "nobody",
        "In the draft": "yes" if rule.is_active else "no",
    }
