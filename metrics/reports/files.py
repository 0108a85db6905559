"""A report as files for a spreadsheet: one flat CSV, one workbook with a sheet a subject.

Made of the kept content alone, so the same report gives the same rows. Names and notes come from outside:
every cell is made harmless on its way (`leads.exports.cell`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from leads import exports
from metrics.models import Report
from metrics.reports.calls import Said
from metrics.reports.tabled import HIT
from metrics.words import SHOWN

Row = Sequence[Any]
HEADER = ("section", "name", "week", "numerator", "denominator", "value", "mature", "note")
WIDTHS = (30, 12, 12, 12, 12, 12, 12, 12, 12)


def lines(kept: dict[str, Any], said: Iterable[Said] = ()) -> Iterator[Row]:
    """The rows of the CSV, in the columns of HEADER. Shares are between 0 and 1, times in minutes."""
    yield ("MQLs", "", kept["week"], kept["mqls"], None, kept["mqls"], True, "")
    for row in _figures(kept):
        yield ("Figure", *row, "")
    for name, mqls, n, of, week_n, week_of in _sources(kept):
        yield ("Rejection by source", name, "all weeks", n, of, _value(n, of), None, f"{mqls} MQLs")
        yield (
            "Rejection by source",
            name,
            kept["anchor"],
            week_n,
            week_of,
            _value(week_n, week_of),
            True,
            "",
        )
    for label, count in _reasons(kept):
        yield ("Reason", label, "all weeks", count, None, count, None, "")
    for kind, n, median, p90, mean, within, target in _contact(kept):
        for name, value in (("median", median), ("90th percentile", p90), ("mean", mean)):
            yield ("First contact, minutes", f"{kind}, {name}", kept["anchor"], None, n, value, True, "")
        note = f"target {target:g} minutes"
        yield ("First contact within target", kind, kept["anchor"], within, n, _value(within, n), True, note)
    for rep, n, of in _holes(kept):
        yield ("Black holes", rep, None, n, of, _value(n, of), True, "")
    for stage, count, median in _funnel(kept):
        yield (
            "Funnel",
            stage,
            kept["anchor"],
            count,
            None,
            median,
            True,
            "value: median minutes of the step",
        )
    for each in kept["decisions"]:
        until = f"{each['owner']}, until {each['until']}{', done' if each['is_done'] else ''}"
        yield ("Decision before", each["text"], each["week"], None, None, None, None, until)
    for who, when, kind, text, owner, until_day, done in _said(said):
        note = ", ".join(part for part in (who, when, owner and f"{owner} until {until_day}", done) if part)
        yield (f"This call: {kind.lower()}", text, kept["week"], None, None, None, None, note)


def workbook(report: Report, kept: dict[str, Any], said: Iterable[Said] = ()) -> bytes:
    """The report as an XLSX file. Text is never a formula, numbers stay numbers."""
    book = Workbook(write_only=True)
    made = report.made_at.replace(tzinfo=None, microsecond=0)
    book.properties.created = book.properties.modified = made
    book.properties.creator = "Handoff"
    about = [
        ("Week", kept["week"]),
        ("Edition", report.edition),
        ("Made", report.made_at),
        ("Time zone", kept["zone"]),
        ("SHA-256 of what is kept", report.digest),
    ]
    share = ("Numerator", "Denominator", "Value")
    _sheet(book, "Report", ("", ""), about)
    _sheet(book, "Figures", ("Figure", "Week", *share, "Mature"), _figures(kept))
    sources = ((*row[:4], _value(row[2], row[3]), *row[4:]) for row in _sources(kept))
    head = ("Source", "MQLs", "Rejected", "Decided", "Rate", "Rejected, week", "Decided, week")
    _sheet(book, "Sources", head, sources)
    _sheet(book, "Reasons", ("Reason", "Rejections"), _reasons(kept))
    head = ("Type", "Contacted", "Median min", "90th percentile", "Mean", "Within target", "Target min")
    _sheet(book, "First contact", head, _contact(kept))
    _sheet(book, "Black holes", ("Rep", "Black holes", "Assigned"), _holes(kept))
    _sheet(book, "Funnel", ("Stage", "Handoffs", "Median minutes of the step"), _funnel(kept))
    before = (
        (each["text"], each["owner"], each["until"], "done" if each["is_done"] else "open", each["week"])
        for each in kept["decisions"]
    )
    _sheet(book, "Decisions before", ("Decision", "Who", "Until", "State", "Call"), before)
    _sheet(book, "This call", ("By", "At", "Kind", "Text", "Who", "Until", "State"), _said(said))
    _sheet(book, "Handoffs", _LISTED, _listed(kept))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sheet(book: Workbook, title: str, header: Row, rows: Iterable[Row]) -> None:
    sheet = book.create_sheet(title)
    for column, width in zip("ABCDEFGHI", WIDTHS, strict=True):
        sheet.column_dimensions[column].width = width
    sheet.freeze_panes = "A2"
    heads = [WriteOnlyCell(sheet, exports.cell(name)) for name in header]
    for head in heads:
        head.font = Font(bold=True)
    sheet.append(heads)
    for row in rows:
        sheet.append([exports.cell(value) for value in row])


def _figures(kept: dict[str, Any]) -> Iterator[Row]:
    for metric in kept["metrics"]:
        for week in metric["weeks"]:
            value = week["value"] if metric["is_time"] else _value(week["n"], week["of"])
            title = SHOWN[metric["key"]].title
            yield (title, week["week"], week["n"], week["of"], value, week["mature"])


def _sources(kept: dict[str, Any]) -> Iterator[Row]:
    for each in kept["sources"]:
        yield tuple(each[name] for name in ("name", "mqls", "n", "of", "week_n", "week_of"))


def _reasons(kept: dict[str, Any]) -> Iterator[Row]:
    return ((each["label"], each["count"]) for each in kept["reasons"])


def _contact(kept: dict[str, Any]) -> Iterator[Row]:
    for each in kept["contact"]:
        yield tuple(each[name] for name in ("type", "n", "median", "p90", "mean", "within", "target"))


def _holes(kept: dict[str, Any]) -> Iterator[Row]:
    return ((each["rep"] or "Nobody in person", each["n"], each["of"]) for each in kept["black_holes"])


def _funnel(kept: dict[str, Any]) -> Iterator[Row]:
    return ((each["stage"], each["count"], each["median"]) for each in kept["funnel"])


def _said(said: Iterable[Said]) -> Iterator[Row]:
    for each in said:
        row = each.now
        state = ("done" if each.done else "open") if each.is_decision else ""
        owner, until = (str(row.owner), str(row.until)) if each.is_decision else ("", "")
        yield (str(row.by), exports.cell(row.at), row.get_kind_display(), row.text, owner, until, state)


_FACTS = ("type", "source", "mql_at", "holder", "assigned_at", "accepted_at", "rejected_at", "reason")
_LISTED = ("Figure", "Handoff", "Hit", *_FACTS)


def _listed(kept: dict[str, Any]) -> Iterator[Row]:
    for key, rows in sorted(kept["lists"]["counted"].items()):
        for number, is_hit in rows:
            facts = kept["lists"]["facts"].get(str(number), {})
            yield (key, number, is_hit == HIT, *(facts.get(name, "") for name in _FACTS))


def _value(hits: int, of: int) -> float | None:
    return round(hits / of, 6) if of else None
