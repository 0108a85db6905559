"""SLA policies: what sales and marketing promise each other, and what happens when nobody answers.

Owns the list, the page of one policy with its editor and its versions, and the taking out of use. A save
makes the next version live; what runs keeps the version it started with. What was typed is never lost:
neither by an error, nor by the editor's buttons, nor by somebody else who saved first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, OuterRef, Subquery
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from leads import in_force
from leads.drafts import Names
from leads.models import Handoff
from leads.policy_form import BASES, MEASURES, UNITS, WHAT, WHO, Editor, Rung
from leads.presenters import ladders, times
from leads.presenters.reading import Piece
from leads.roles import Can
from leads.routing_forms import NewPolicyForm, NoteForm, PolicyForm, RoutingForm, active
from leads.typed import plain
from leads.views import access
from leads.views.routes import frame
from leads.views.shell import shell_of
from routing import policies as versions
from routing import publish, sla
from routing.models import Queue, SlaPolicy

MOST_VERSIONS = 50


@dataclass(frozen=True, slots=True)
class Line:
    """A policy on the list. `running` counts open handoffs by the version they keep."""

    slug: str
    name: str
    lead_type: str
    version: int
    is_default: bool
    is_live: bool
    targets: list[tuple[str, str]]
    base: str
    steps: int
    running: list[tuple[int, int]]
    rules: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Version:
    """One version: who made it, why, and what it says differently from the one before."""

    number: int
    is_live: bool
    is_retired: bool
    by: str
    when: str
    exact: str
    note: str
    running: int
    changes: list[ladders.Change]


@dataclass(frozen=True, slots=True)
class RungInput:
    """A row of the editor as the page shows it. `says` is its sentence, [] while it is none."""

    number: int
    rung: Rung
    people: list[str]
    gone: list[str]
    says: list[Piece]

    @property
    def name(self) -> str:
        return f"l.{self.number}"

    @property
    def anchor(self) -> str:
        return f"l-{self.number}"


@require_safe
def policies(request: HttpRequest) -> HttpResponse:
    """All of them, the retired ones last, with what runs on which version."""
    frame.reader(request)
    newest = SlaPolicy.objects.filter(slug=OuterRef("slug")).order_by("-version").values("version")[:1]
    rows = SlaPolicy.objects.filter(version=Subquery(newest)).prefetch_related("steps")
    running = _running()
    wrong = versions.all_problems()
    used = _used()
    lines = [
        _line(row, running.get(row.slug, []), used.get(row.slug, []), wrong.get(row.slug, []))
        for row in sorted(rows, key=lambda row: (not row.is_live, not row.is_default, row.name, row.slug))
    ]
    return render(
        request, "leads/routing/policies.html", {"lines": lines, "may_edit": frame.may_edit(request)}
    )


@require_http_methods(["GET", "HEAD", "POST"])
def policy_new(request: HttpRequest) -> HttpResponse:
    """A policy for a segment that rules can name. It starts as the policy in `from`, else as the standard."""
    user = frame.editor(request)
    names = Names()
    if request.method != "POST":
        start = _start(request)
        values = {"lead_type": start.lead_type}
        return _page(request, None, NewPolicyForm(names=names, initial=values), Editor.of(start), names)
    editor = Editor.sent(request.POST)
    if command := _command(request):
        editor.act(command)
        return _page(request, None, NewPolicyForm.typed(request.POST, names), editor, names)
    form = NewPolicyForm(request.POST, names=names)
    found = _read(editor, (), names)
    if not form.is_valid() or found is None:
        return _page(request, None, form, editor, names, status=422)
    given, now = form.cleaned_data, shell_of(request).now
    try:
        made = in_force.create(given["name"], given["lead_type"], *found, user, now, given["note"])
    except versions.Unsound as unsound:
        return _page(request, None, form, editor, names, problems=unsound.problems, status=422)
    text = (
        f"The policy \u201c{made.name}\u201d is there now. Rules that name it use it once they are published."
    )
    return frame.done(request, text, reverse("leads:policies"))


@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: HttpRequest, slug: str) -> HttpResponse:
    """One policy; for those who do not edit, as it reads."""
    frame.reader(request)
    row = _row(slug)
    names = Names()
    if request.method == "POST":
        return _edit(request, row, names)
    values = {"name": row.name}
    form = PolicyForm(names=names, initial=values) if frame.may_edit(request) else None
    return _page(request, row, form, Editor.of(row.policy()), names)


@require_POST
def policy_retire(request: HttpRequest, slug: str) -> HttpResponse:
    """Take it out of use, with the reason."""
    frame.reader(request)
    row = _row(slug)
    user = access.act(request, Can.EDIT_ROUTING)
    names = Names()
    form = _note(names, request.POST)
    edited = PolicyForm(names=names, initial={"name": row.name})
    editor = Editor.of(row.policy())
    if not form.is_valid():
        return _page(request, row, edited, editor, names, retiring=form, status=422)
    try:
        done = in_force.retire(slug, user, shell_of(request).now, form.cleaned_data["note"])
    except versions.InUse as used:
        return _page(request, row, edited, editor, names, retiring=form, kept=used.why, status=409)
    text = f"\u201c{done.name}\u201d is out of use. What runs on it keeps it to the end."
    if drafted := versions.drafted(slug):
        text += f" The draft still points at it: {', '.join(drafted)}."
    return frame.done(request, text, reverse("leads:policies"))


def _edit(request: HttpRequest, row: SlaPolicy, names: Names) -> HttpResponse:
    user = frame.editor(request)
    editor = Editor.sent(request.POST)
    if command := _command(request):
        editor.act(command)
        return _page(request, row, PolicyForm.typed(request.POST, names), editor, names)
    form = PolicyForm(request.POST, names=names)
    found = _read(editor, row.policy().steps, names)
    if not form.is_valid() or found is None:
        return _page(request, row, form, editor, names, status=422)
    given, now = form.cleaned_data, shell_of(request).now
    try:
        made = in_force.revise(
            row,
            *found,
            user,
            now,
            given["note"],
            name=" ".join(given["name"].split()),
            version=frame.revision(request),
        )
    except versions.Unsound as unsound:
        return _page(request, row, form, editor, names, problems=unsound.problems, status=422)
    except versions.Stale as stale:
        clash = _clash(stale.current, given["name"], found, names, now)
        return _page(request, stale.current, form, editor, names, clash=clash, status=409)
    if made.version == row.version:
        text = f"Nothing differs: version {made.version} of \u201c{made.name}\u201d stays in force."
    else:
        text = (
            f"Version {made.version} of \u201c{made.name}\u201d is in force for leads that come from now on."
            " What runs keeps the version it started with."
        )
    return frame.done(request, text, reverse("leads:policies"))


def _read(
    editor: Editor, stored: Sequence[sla.Step], names: Names
) -> tuple[dict[str, sla.Target], list[sla.Step]] | None:
    """Targets and steps as they were typed; None when something is wrong, which stands at its row then."""
    people = {str(person.pk) for person in names.people if person.is_active}
    targets, steps = editor.targets(), editor.steps(stored, people, set(_queues(names)))
    return None if targets is None or steps is None else (targets, steps)


def _page(
    request: HttpRequest,
    row: SlaPolicy | None,
    form: RoutingForm | None,
    editor: Editor,
    names: Names,
    *,
    problems: Sequence[str] = (),
    clash: frame.Conflict | None = None,
    retiring: NoteForm | None = None,
    kept: Sequence[str] = (),
    status: int = 200,
) -> HttpResponse:
    now = shell_of(request).now
    stored = row.policy() if row is not None else None
    people = {str(person.pk) for person in names.people if person.is_active}
    queues = _queues(names)
    shown = []
    for number, rung in enumerate(editor.rungs):
        # Only for its sentence: what is wrong with a row is said when it is sent.
        said = replace(rung).step(people, queues)
        gone = [pk for pk in rung.people if pk not in people]
        shown.append(
            RungInput(number, rung, [*rung.people, ""], gone, ladders.says(said, names) if said else [])
        )
    history = _history(row, names, now) if row is not None else []
    values = {
        "row": row,
        "form": form,
        "editor": editor,
        "targets": ladders.targets(stored) if stored else [],
        "says": [ladders.says(step, names) for step in stored.steps] if stored else [],
        "rungs": shown,
        "offered": {
            "units": UNITS,
            "bases": BASES,
            "measures": MEASURES,
            "clocks": list(sla.CLOCKS.items()),
            "who": WHO,
            "what": WHAT,
            "people": active(names.people),
            "queues": list(queues.items()),
        },
        "problems": problems,
        "clash": clash,
        "revision": clash.revision if clash else request.POST.get("revision", row.version if row else 0),
        "history": history,
        "wrong": versions.problems(stored) if stored and row and row.is_live and not problems else [],
        "needed": versions.needed_by(row) if row is not None and row.is_live else [],
        "drafted": versions.drafted(row.slug) if row is not None else [],
        "retiring": retiring or _note(names),
        "kept": kept,
        "may_edit": frame.may_edit(request),
    }
    return render(request, "leads/routing/policy.html", values, status=status)


def _line(row: SlaPolicy, running: list[tuple[int, int]], rules: list[str], problems: list[str]) -> Line:
    policy = row.policy()
    bases = {sla.target(policy, name).business for name in ("accept", "contact")}
    return Line(
        slug=row.slug,
        name=row.name,
        lead_type=str(row.get_lead_type_display()),
        version=row.version,
        is_default=row.is_default,
        is_live=row.is_live,
        targets=ladders.targets(policy),
        base="working time and around the clock" if len(bases) > 1 else _base(bases.pop()),
        steps=len(policy.steps),
        running=sorted(running, reverse=True),
        rules=rules,
        problems=problems,
    )


def _base(is_business: bool) -> str:
    return "the holder\u2019s working time" if is_business else "around the clock"


def _history(row: SlaPolicy, name: ladders.Name, now: datetime) -> list[Version]:
    """The versions, the newest first, each beside the one before."""
    rows = SlaPolicy.objects.filter(slug=row.slug).select_related("created_by").prefetch_related("steps")
    found = list(rows.order_by("-version")[: MOST_VERSIONS + 1])
    running = dict(_running().get(row.slug, []))
    last = found[0].version
    lines = []
    for number, version in enumerate(found[:MOST_VERSIONS]):
        earlier = found[number + 1] if number + 1 < len(found) else None
        changes = (
            ladders.compared(earlier.policy(), version.policy(), (earlier.name, version.name), name)
            if earlier is not None
            else []
        )
        lines.append(
            Version(
                number=version.version,
                is_live=version.is_live,
                is_retired=not version.is_live and version.version == last,
                by=str(version.created_by) if version.created_by else "the system",
                when=times.day(version.created_at, now),
                exact=times.exact(version.created_at, now),
                note=version.note,
                running=running.get(version.version, 0),
                changes=changes,
            )
        )
    return lines


def _clash(
    current: SlaPolicy,
    name: str,
    found: tuple[Mapping[str, sla.Target], Sequence[sla.Step]],
    names: Names,
    now: datetime,
) -> frame.Conflict:
    """Their version beside what was typed."""
    targets, steps = found
    yours = sla.Policy(0, current.slug, 0, current.lead_type, **targets, steps=tuple(steps))
    changes = ladders.compared(current.policy(), yours, (current.name, name), names)
    return frame.Conflict(
        by=str(current.created_by) if current.created_by else "Somebody",
        when=times.day(current.created_at, now),
        exact=times.exact(current.created_at, now),
        revision=current.version,
        differences=[frame.Difference(one.label, one.before, one.after) for one in changes],
    )


def _running() -> dict[str, list[tuple[int, int]]]:
    """By policy: the versions that open handoffs keep, and how many each."""
    rows = (
        Handoff.objects.open()
        .filter(policy__isnull=False)
        .order_by()
        .values_list("policy__slug", "policy__version")
        .annotate(count=Count("pk"))
    )
    found: dict[str, list[tuple[int, int]]] = {}
    for slug, version, count in rows:
        found.setdefault(slug, []).append((version, count))
    return found


def _used() -> dict[str, list[str]]:
    """The names of the live rules by the policy they name."""
    live = publish.live()
    found: dict[str, list[str]] = {}
    for rule in (live.document.get("rules") or ()) if live is not None else ():
        if rule.get("policy"):
            found.setdefault(str(rule["policy"]), []).append(str(rule.get("name") or ""))
    return found


def _row(slug: str) -> SlaPolicy:
    try:
        return versions.latest(slug)
    except SlaPolicy.DoesNotExist:
        raise Http404("no such policy") from None


def _start(request: HttpRequest) -> sla.Policy:
    """The policy that a new one starts as."""
    slug = plain(request.GET.get("from"), 50)
    row = SlaPolicy.objects.filter(slug=slug, is_live=True).prefetch_related("steps").first()
    return row.policy() if row is not None else sla.default_policies()[1]


def _command(request: HttpRequest) -> str:
    return str(request.POST.get("edit", ""))[:20]


def _queues(names: Names) -> dict[str, str]:
    return {str(row.pk): row.name for row in names.queues if row.kind != Queue.Kind.COMPLETION}


def _note(names: Names, data: QueryDict | None = None) -> NoteForm:
    """The reason for taking a policy out of use; its ids are not those of the editor beside it."""
    form = NoteForm(data, names=names)
    form.auto_id = "r-%s"
    return form
