"""Completion: marketing ops put data right, waive, enrich, discard; the handoff then goes on by itself.

Owns the page and the way from its forms to `leads.editing`, `leads.completion` and the lifecycle verbs.
What was typed and not saved stays in the form, whatever else was done meanwhile. The queries are `waiting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from leads import completion as asking
from leads import editing, enrichment, exports, identity, lifecycle
from leads.choices import State
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Complaint, DuplicatePair, EnrichmentAttempt, Handoff
from leads.presenters import clocks, consent, repair, rows
from leads.roles import Can, can
from leads.views import access, held, inbox, proof, waiting
from leads.views.shell import Toast, shell_of, tell
from leads.views.waiting import Params, Typed

Result = EnrichmentAttempt.Result
MOST_EXPORTED = 10_000
HEADER = (
    "handoff", "due", "name", "company", "e-mail", "no e-mail", "do not call", "source", "type", "missing",
    "why",
)  # fmt: skip


@require_safe
def completion(request: HttpRequest) -> HttpResponse:
    """The page, with one handoff opened (`h`); for htmx the list alone."""
    access.page(request, Can.READ_COMPLETION)
    params, open_id = Params.of(request.GET), inbox.number(request.GET.get("h"))
    if inbox.wants(request, "board"):
        values = _values(request, waiting.load(params, shell_of(request).now, open_id))
        return inbox.fragment(request, "leads/completion/_board.html", values)
    return _page(request, params, open_id)


@require_safe
def as_file(request: HttpRequest) -> StreamingHttpResponse:
    """The list as CSV, with its filter."""
    access.page(request, Can.READ_COMPLETION)
    proof.for_export(request)
    return exports.download("completion.csv", HEADER, _lines(Params.of(request.GET)))


def _lines(params: Params) -> Iterator[tuple[Any, ...]]:
    for handoff in waiting.export(params)[:MOST_EXPORTED]:
        known = repair.by_check(waiting.findings_of(handoff))
        missing = [str(code) for code in handoff.missing]
        yield (
            handoff.pk,
            handoff.completion_due_at,
            rows.name_of(handoff),
            str(handoff.lead.company or ""),
            handoff.lead.email,
            consent.yes(handoff.lead.email_opt_out),
            consent.yes(handoff.lead.do_not_call),
            handoff.lead_source,
            handoff.effective_type,
            ", ".join(repair.label_of(code) for code in missing),
            " ".join(repair.detail_of(code, known) for code in missing),
        )


@require_POST
def save(request: HttpRequest, pk: int) -> HttpResponse:
    """Write what was typed about the lead and its company; the checks then run by themselves.

    Enter in the field of a reason sends this too: what still fails and has its reason written is waived.
    """
    handoff = _handoff(request, pk)
    act = _act(request)
    try:
        changed = editing.edit(handoff.lead, editing.typed(request.POST), act)
    except Invalid as invalid:
        return _again(request, handoff, invalid.errors, 422)
    if not changed:
        lifecycle.recheck(pk, act)
    done = ["saved"] if changed else []
    for check in _reasoned(request, pk):
        try:
            lifecycle.waive(pk, act, check=check, reason=request.POST[f"reason_{check}"])
        except Refused as refused:
            return _refused(request, handoff, refused)
        except Invalid as invalid:
            return _again(request, handoff, invalid.errors, 422, check)
        done.append(f"{repair.label_of(check).lower()} waived")
    begun = bool(request.POST.get("reason_discard", "").strip())
    return _done(request, handoff, ", ".join(done) or "checked again", keeps=begun)


def _reasoned(request: HttpRequest, pk: int) -> list[str]:
    """The checks that this handoff still fails and may go without, for the reason written beside each."""
    missing = Handoff.objects.incomplete().filter(pk=pk).values_list("missing", flat=True).first() or []
    return [check for check in missing if request.POST.get(f"reason_{check}", "").strip()]


@require_POST
def recheck(request: HttpRequest, pk: int) -> HttpResponse:
    """Run the checks again, with nothing changed by hand."""
    handoff = _handoff(request, pk)
    lifecycle.recheck(pk, _act(request))
    return _done(request, handoff, "checked again", keeps=True)


@require_POST
def waive(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one check pass for this handoff, with the reason in writing."""
    handoff = _handoff(request, pk)
    check = request.POST.get("check", "")[:40]
    reason = request.POST.get(f"reason_{check}") or request.POST.get("reason", "")

    def act() -> None:
        lifecycle.waive(pk, _act(request), check=check, reason=reason)

    what = f"{repair.label_of(check).lower()} waived"
    return _after_saving(request, handoff, act, what, check, "this lead may go without it")


@require_POST
def clear(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody has looked at what a rep said was wrong, and it is settled."""
    access.page(request, Can.READ_COMPLETION)
    complaint = Complaint.objects.filter(pk=pk).first()
    if complaint is None:
        raise Http404("no such report")
    handoff = _handoff(request, complaint.handoff_id)

    def act() -> None:
        lifecycle.clear_complaint(pk, _act(request))

    return _after_saving(request, handoff, act, "report cleared")


@require_POST
def different(request: HttpRequest, pk: int, pair: int) -> HttpResponse:
    """This lead and the other of the pair are two people."""
    handoff = _handoff(request, pk)
    own = Q(first=handoff.lead_id) | Q(second=handoff.lead_id)
    found = DuplicatePair.objects.filter(own, pk=pair).first()
    if found is None:
        raise Http404("no such pair")
    row = found

    def act() -> None:
        lifecycle.different(row, _act(request))

    return _after_saving(request, handoff, act, "not the same person")


def _after_saving(
    request: HttpRequest, handoff: Handoff, act: Callable[[], None], what: str, check: str = "", why: str = ""
) -> HttpResponse:
    """Write what else was typed, then act: if that sends the lead on, it goes with all that was put right."""
    try:
        changed = editing.edit(handoff.lead, editing.typed(request.POST), _act(request))
    except Invalid as invalid:
        return _again(request, handoff, invalid.errors, 422)
    if changed and not Handoff.objects.incomplete().filter(pk=handoff.pk).exists():
        return _done(request, handoff, "saved")
    try:
        act()
    except Refused as refused:
        return _refused(request, handoff, refused)
    except Invalid as invalid:
        return _again(request, handoff, _why(invalid, why), 422, check)
    return _done(request, handoff, what, keeps=True)


@require_POST
def discard(request: HttpRequest, pk: int) -> HttpResponse:
    """Give it up: it will never go to sales."""
    handoff = _handoff(request, pk)
    reason = request.POST.get("reason_discard") or request.POST.get("reason", "")
    revision = inbox.number(request.POST.get("revision"))
    try:
        lifecycle.discard(pk, _act(request), reason=reason, revision=revision)
    except Refused as refused:
        return _refused(request, handoff, refused)
    except Invalid as invalid:
        return _again(request, handoff, _why(invalid, "it is given up"), 422, "discard")
    return _done(request, handoff, "discarded")


@require_POST
def enrich(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask the provider now, whatever was asked before; without one, the company directory."""
    handoff = _handoff(request, pk)
    now = shell_of(request).now
    provider = enrichment.http_provider()
    if provider is not None:
        attempt = asking.enrich(pk, provider, now, again=True)
        text = _came_of(attempt)
    else:
        with transaction.atomic():
            linked = enrichment.consult_directory([handoff.lead], now)
            identity.find_duplicates(linked, now)
        lifecycle.recheck(pk, _act(request))
        text = "the directory knows the company" if linked else "the directory knows nothing new"
    return _done(request, handoff, text, keeps=True)


def _act(request: HttpRequest) -> Act:
    frame = shell_of(request)
    return Act(frame.now, frame.user)


def _handoff(request: HttpRequest, pk: int) -> Handoff:
    """The handoff with its lead, for somebody who completes data: foreign is 404, reading only is 403."""
    user = access.page(request, Can.READ_COMPLETION)
    found = Handoff.objects.visible_to(user).select_related("lead__company").filter(pk=pk).first()
    if found is None:
        raise Http404("no such handoff")
    access.act(request, Can.COMPLETE)
    return found


def _why(invalid: Invalid, what: str) -> dict[str, str]:
    """The same errors; an empty reason says what it is for."""
    errors = dict(invalid.errors)
    if errors.get("reason") == "This is needed.":
        errors["reason"] = f"Write why {what}."
    return errors


def _came_of(attempt: EnrichmentAttempt | None) -> str:
    if attempt is None:
        return "was asked about a moment ago"
    if attempt.result == Result.FAILED:
        return f"the provider failed: {attempt.detail}"
    names = ", ".join(str(name).split(".")[-1].replace("_", " ") for name in attempt.fields)
    return f"enrichment brought {names}" if names else "the provider knows nothing new"


def _done(request: HttpRequest, handoff: Handoff, what: str, *, keeps: bool = False) -> HttpResponse:
    """Says what came of it; the same handoff again while it still waits, else the one below it.

    `keeps` leaves what was typed into the form and not sent to be saved.
    """
    frame = shell_of(request)
    params = Params.of(request.POST)
    fresh = Handoff.objects.select_related("lead", "assignee", "queue").get(pk=handoff.pk)
    text = f"{rows.name_of(fresh)}: {what}{_and_now(fresh, frame.now)}"
    href = reverse("leads:handoff", args=[fresh.pk]) if fresh.state != State.INCOMPLETE else ""
    still = fresh.state == State.INCOMPLETE
    if keeps and not still:
        text += _kept(request, fresh)
    open_id = fresh.pk if still else waiting.after(handoff, params)
    if not request.htmx:  # type: ignore[attr-defined]
        tell(request, text)
        return redirect(f"{reverse('leads:completion')}{params.query(h=open_id)}")
    typed = Typed(_typed(request)) if keeps and still else None
    board = waiting.load(params, frame.now, open_id, typed)
    values = _values(request, board) | {"oob": True, "toasts": [Toast(text, href=href, link="Open")]}
    response = inbox.fragment(request, "leads/completion/_after.html", values)
    response["HX-Push-Url"] = f"{reverse('leads:completion')}{params.query(h=board.open_id)}"
    return response


def _kept(request: HttpRequest, handoff: Handoff) -> str:
    """Writes what was typed beside an act that sent the lead on; what could not be written, in words."""
    try:
        editing.edit(handoff.lead, editing.typed(request.POST), _act(request))
    except Invalid as invalid:
        return f" Not saved: {' '.join(invalid.errors.values())}"
    return ""


def _and_now(handoff: Handoff, now: Any) -> str:
    """What became of it, in words."""
    if handoff.state == State.INCOMPLETE:
        missing = ", ".join(repair.label_of(str(code)).lower() for code in handoff.missing)
        return f". Still missing: {missing}."
    if handoff.state == State.DISCARDED:
        return "."
    if handoff.state in (State.ASSIGNED, State.QUEUED):
        to = handoff.assignee or f"the queue {handoff.queue}"
        due = f", due {clocks.answer_by(handoff, now)}" if handoff.accept_due_at else ""
        return f". It went to {to}{due}."
    return f". It is {handoff.get_state_display().lower()} now."


def _typed(request: HttpRequest) -> dict[str, str]:
    """What stands in the form and differs from what the page had shown, and the reasons begun."""
    reasons = {name: str(value) for name, value in request.POST.items() if name.startswith("reason_")}
    return editing.typed(request.POST) | reasons


def _again(
    request: HttpRequest, handoff: Handoff, errors: dict[str, str], status: int, check: str = ""
) -> HttpResponse:
    """The same repair as it was typed, with what is wrong with it."""
    params = Params.of(request.POST)
    typed = Typed(_typed(request), errors, check)
    if request.htmx:  # type: ignore[attr-defined]
        board = waiting.load(params, shell_of(request).now, handoff.pk, typed)
        values = _values(request, board)
        return inbox.fragment(request, "leads/completion/_board.html", values, status=status)
    return _page(request, params, handoff.pk, typed, status=status)


def _refused(request: HttpRequest, handoff: Handoff, refused: Refused) -> HttpResponse:
    """Somebody else was there first: who and when, and what had been typed."""
    params = Params.of(request.POST)
    board = waiting.load(params, shell_of(request).now, None)
    board.notice = refused.message
    board.kept = "; ".join(words.strip() for words in _typed(request).values() if words.strip())
    values = _values(request, board)
    if request.htmx:  # type: ignore[attr-defined]
        return inbox.fragment(request, "leads/completion/_board.html", values, status=409)
    now = shell_of(request).now
    values |= {"beside": held.beside(now), "reports": waiting.reports(now)}
    return render(request, "leads/completion/completion.html", values, status=409)


def _page(
    request: HttpRequest,
    params: Params,
    open_id: int | None,
    typed: Typed | None = None,
    *,
    status: int = 200,
) -> HttpResponse:
    now = shell_of(request).now
    values = _values(request, waiting.load(params, now, open_id, typed))
    values |= {"beside": held.beside(now), "reports": waiting.reports(now)}
    return render(request, "leads/completion/completion.html", values, status=status)


def _values(request: HttpRequest, board: waiting.Board) -> dict[str, Any]:
    return {
        "board": board,
        "params": board.params,
        "may_complete": can(shell_of(request).user, Can.COMPLETE),
        "has_provider": enrichment.http_provider() is not None,
    }
