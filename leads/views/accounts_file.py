"""Many accounts at once: a list pasted or uploaded, what each row would do, and then done.

Owns the page. Reading, checking and writing the rows is `leads.company_files`. Nothing is kept between the
two steps but the text itself, which stands in the form and can be corrected there.
"""

from __future__ import annotations

import io
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from leads import company_files, completion
from leads.company_files import Imported, Line
from leads.views.routes import frame
from leads.views.shell import shell_of, tell

MOST_TEXT = 1_000_000
MOST_ROWS = 5_000
MOST_SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
def accounts_file(request: HttpRequest) -> HttpResponse:
    """The form; what its rows would do; and, when asked, doing it."""
    frame.editor(request)
    if request.method != "POST":
        return _page(request, "", names=True)
    names = bool(request.POST.get("names"))
    try:
        text = _text(request)
    except ValueError as error:
        return _page(request, request.POST.get("text", "")[:MOST_TEXT], names=names, problem=str(error))
    applies = request.POST.get("do") == "apply"
    now = shell_of(request).now
    defaults = {"is_named_account": True} if names else {}
    try:
        result = company_files.import_companies(
            io.StringIO(text), now, dry_run=not applies, tell=True, defaults=defaults
        )
    except ValueError as error:
        return _page(request, text, names=names, problem=str(error))
    if applies:
        completion.recheck_domains(result.domains, now)
        tell(request, f"{_counts(result)}.")
        if not result.errors:
            return redirect("leads:accounts")
    return _page(request, text, names=names, result=result, applied=applies)


def _text(request: HttpRequest) -> str:
    """What was pasted, or the file if there is one; raises ValueError with what is wrong with it."""
    upload = request.FILES.get("file")
    text = request.POST.get("text", "")
    if upload is not None:
        if upload.size and upload.size > MOST_TEXT:
            raise ValueError("The file is larger than 1 MB; take it in parts.")
        try:
            text = upload.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError("The file is not UTF-8; save it as “CSV UTF-8”.") from None
    text = text.replace("\r\n", "\n").strip("\ufeff\n")
    if not text.strip():
        raise ValueError("Paste rows, or choose a file.")
    if len(text) > MOST_TEXT or text.count("\n") > MOST_ROWS:
        raise ValueError(f"More than {MOST_ROWS:,} rows; take them in parts, or use import_companies.")
    if "\0" in text:
        raise ValueError("This is not text.")
    return text


def _counts(result: Imported) -> str:
    parts = ((result.made, "added"), (result.changed, "changed"), (result.same, "unchanged"))
    told = [f"{count:,} {what}" for count, what in parts if count]
    if result.errors:
        told.append(f"{len(result.errors):,} left out")
    return ", ".join(told) or "No rows"


def _page(
    request: HttpRequest,
    text: str,
    *,
    names: bool,
    problem: str = "",
    result: Imported | None = None,
    applied: bool = False,
) -> HttpResponse:
    lines: list[Line] = result.lines if result is not None else []
    failed = [line for line in lines if line.kind == "failed"]
    others = [line for line in lines if line.kind != "failed"]
    values: dict[str, Any] = {
        "text": text,
        "names": names,
        "problem": problem,
        "result": result,
        "applied": applied,
        "counts": _counts(result) if result is not None else "",
        "failed": failed[:MOST_SHOWN],
        "lines": others[:MOST_SHOWN],
        "more": max(0, len(failed) - MOST_SHOWN) + max(0, len(others) - MOST_SHOWN),
        "can_apply": bool(others) and not applied,
        "columns": company_files.COLUMNS,
    }
    wrong = problem or (applied and failed)
    return render(request, "leads/routing/accounts_file.html", values, status=422 if wrong else 200)
