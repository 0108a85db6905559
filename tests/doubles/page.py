"""The doubles' own page: what each system holds, what came to it, and what a person there might do.

For somebody who wants to see sync live: `GET /` is plain HTML, its forms change a field as a user of that
system would, and let a system fail. It does what `control` does and knows nothing besides; which fields are
worth showing stands in SHOWN.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.doubles.faults import FOR_EVER
from tests.doubles.records import Book, Record
from tests.doubles.wire import Answer, Call

if TYPE_CHECKING:
    from tests.doubles.running import Doubles

PATHS = ("/", "/__page")
MOST, LAST = 40, 15


@dataclass(frozen=True)
class Table:
    """Which records of a system are shown, with which fields; `edited` are those that the form offers."""

    title: str
    book: str
    fields: Sequence[str]
    edited: Sequence[str]


SHOWN: Mapping[str, Table] = {
    "mautic": Table(
        "Mautic, contacts",
        "contacts",
        ("email", "stage", "handoff_status", "handoff_reason", "handoff_revision", "phone", "points"),
        ("phone", "position", "company"),
    ),
    "hubspot": Table(
        "HubSpot, contacts",
        "contacts",
        ("email", "lifecyclestage", "hs_lead_status", "handoff_status", "handoff_revision", "phone"),
        ("phone", "jobtitle", "lifecyclestage"),
    ),
    "salesforce": Table(
        "Salesforce, Leads",
        "leads",
        ("Email", "Status", "Handoff_Status__c", "Handoff_Reason__c", "Handoff_Revision__c", "Phone"),
        ("Phone", "Title", "Status"),
    ),
}
# How a system fails: the button, and the fault that strikes each of its calls until it is well again.
TROUBLES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "down": ("Answer 503", {"status": 503}),
    "busy": ("Ask to wait (429)", {"status": 429, "headers": {"Retry-After": "30"}}),
    "barred": ("Refuse our credentials (401)", {"status": 401}),
    "slow": ("Answer after 3 seconds", {"delay_ms": 3000}),
}
STYLE = """
body { margin: 1rem; font: 15px/1.5 system-ui, sans-serif }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { padding: 2px 10px 2px 0; text-align: left; border-bottom: 1px solid #ccc; white-space: nowrap }
form { display: inline } .bad { color: #a00 }
"""


class Pages:
    """Answers `/`, and the forms of it at `/__page`."""

    def __init__(self, doubles: Doubles) -> None:
        self.doubles = doubles

    def answer(self, call: Call) -> Answer:
        if call.method in ("GET", "HEAD"):
            return _html(200, self._page(call.query.get("q", ""), call.query.get("said", "")))
        if call.method != "POST":
            return _html(405, "<p>GET or POST</p>")
        form = call.form
        try:
            said = self._do(form)
        except (ValueError, KeyError) as error:
            said = f"Not done: {error}"
        again = urlencode({"q": form.get("q", ""), "said": said})
        return Answer(303, b"", {"Location": f"/?{again}"})

    def _do(self, form: Mapping[str, str]) -> str:
        """What a form asks for; what was done, in words. Raises ValueError and KeyError."""
        name = form.get("system", "")
        if name not in self.doubles.systems:
            raise ValueError(f"there is no system {name!r}")
        if form.get("do") == "edit":
            if form["field"] not in SHOWN[name].edited:
                raise ValueError(f"{form['field']!r} is not changed here")
            self.doubles.systems[name].act({"id": form["id"], "values": {form["field"]: form["value"]}})
            return f"{name}: {form['field']} of {form['id']} is {form['value']!r} now"
        self.doubles.faults.drop(name)
        if form.get("do") == "well":
            return f"{name}: all is well again"
        words, fault = TROUBLES[form.get("do", "")]
        self.doubles.fault(system=name, times=FOR_EVER, **fault)
        return f"{name}: {words.lower()}, to every call"

    def _page(self, words: str, said: str) -> str:
        parts = [
            f'<p role="status"><b>{escape(said)}</b></p>' if said else "",
            f'<form method="get"><label>Of whom <input name="q" value="{escape(words)}"></label> '
            "<button>Show</button></form> Reload to see what is so now.",
        ]
        for name, table in SHOWN.items():
            system = self.doubles.systems[name]
            with system.lock:
                parts += [f"<h2>{table.title}</h2>", self._troubles(name), *self._records(name, table, words)]
        parts += ["<h2>What else came</h2>", *self._came(), "<h2>Last calls</h2>", *self._calls()]
        return "".join(parts)

    def _troubles(self, name: str) -> str:
        struck = [fault for fault in self.doubles.faults.as_json() if fault["system"] == name]
        buttons = "".join(
            _button(name, do, label) for do, (label, _) in (*TROUBLES.items(), ("well", ("Be well", {})))
        )
        state = '<b class="bad">It fails.</b> ' if struck else "It is well. "
        return f"<p>{state}{buttons}</p>"

    def _records(self, name: str, table: Table, words: str) -> Iterator[str]:
        book: Book = getattr(self.doubles.systems[name], table.book)
        found = sorted((one for one in book if _fits(one, words)), key=lambda one: -one.touched)
        yield f"<p>{len(found)} of {sum(1 for _ in book)}, the last written first.</p>"
        heads = ["Id", *table.fields, "Written", "Change it there"]
        yield "<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
        for record in found[:MOST]:
            cells = [record.id, *(self._value(name, record, field) for field in table.fields)]
            by = record.history[-1].by if record.history else ""
            cells.append(f"{_time(record.touched)} by {'Handoff' if by == 'api' else by}")
            shown = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
            yield f"<tr>{shown}<td>{_editor(name, table, record, words)}</td></tr>"
        yield "</table>"

    def _value(self, name: str, record: Record, field: str) -> str:
        value = record.values.get(field)
        if name == "mautic" and field == "stage":
            value = self.doubles.mautic.stages.get(value or 0, {}).get("name")
        return "" if value is None else str(value)

    def _came(self) -> Iterator[str]:
        """Messages to channels and signed webhooks, the newest first."""
        doubles = self.doubles
        lines = [(m.at, "Slack", _cut(m.value.get("text") or m.value)) for m in doubles.slack.messages]
        lines += [(m.at, "Teams", _cut(m.value)) for m in doubles.teams.messages]
        for hook in doubles.hooks.received:
            good = {None: "no secret known", "": "signed rightly"}.get(hook.problem, hook.problem)
            lines.append(
                (hook.at, f"Webhook {hook.name}", f"{good}: {_cut(hook.body.decode(errors='replace'))}")
            )
        if not lines:
            yield "<p>Nothing.</p>"
            return
        lines.sort(key=lambda line: -line[0])
        for at, where, text in lines[:LAST]:
            yield f"<p>{_time(at)} <b>{escape(where)}</b> {escape(str(text))}</p>"

    def _calls(self) -> Iterator[str]:
        yield "<table><tr><th>When</th><th>To</th><th>Call</th><th>Answer</th></tr>"
        for entry in list(self.doubles.log.entries)[: -LAST - 1 : -1]:
            answer = f"{entry.status or 'none'}{' (a fault)' if entry.fault else ''}"
            cells = (_time(entry.at), entry.system, f"{entry.method} {_cut(entry.path, 90)}", answer)
            yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        yield "</table>"


def _fits(record: Record, words: str) -> bool:
    shown = json.dumps([record.id, record.values], default=str, ensure_ascii=False).lower()
    return all(word in shown for word in words.lower().split())


def _editor(name: str, table: Table, record: Record, words: str) -> str:
    options = "".join(f"<option>{escape(field)}</option>" for field in table.edited)
    return (
        f'<form method="post" action="/__page">{_hidden(system=name, id=record.id, do="edit", q=words)}'
        f'<select name="field" aria-label="Field of {escape(record.id)}">{options}</select> '
        f'<input name="value" size="14" aria-label="Value for {escape(record.id)}"> '
        f"<button>Change</button></form>"
    )


def _button(name: str, do: str, label: str) -> str:
    fields = _hidden(system=name, do=do)
    return f'<form method="post" action="/__page">{fields}<button>{escape(label)}</button></form> '


def _hidden(**values: str) -> str:
    pairs = ((name, escape(value)) for name, value in values.items())
    return "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in pairs)


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _cut(value: Any, most: int = 160) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= most else f"{text[:most]}…"


def _html(status: int, body: str) -> Answer:
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The doubles</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{STYLE}</style></head><body><h1>The doubles of the other systems</h1>"
        f"<p>Times are UTC. They forget everything when they end.</p>{body}</body></html>"
    )
    return Answer(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})
