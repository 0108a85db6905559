"""The subset of SOQL that the doubles answer: one object, fields, AND/OR/NOT, IN, LIKE, ORDER BY, LIMIT,
OFFSET.

Dates are bare, text is quoted with backslash escapes; a quoted date is refused as Salesforce refuses it, and
a `+` that was not encoded arrives as a blank, which makes a date malformed [R, both well known]. Keywords and
field names without regard to case. Parsing is separate from answering; nothing here touches a record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.doubles.salesforce.refusals import Trouble

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<mark><=|>=|!=|<>|[=<>(),])|(?P<word>[A-Za-z_][\w.]*))"
)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
DATES = {
    "systemmodstamp", "lastmodifieddate", "createddate", "handoff_deferred_until__c",
    "handoff_first_contact_at__c"
}  # fmt: skip
Get = Callable[[str], Any]
Test = Callable[[Get], bool]


@dataclass
class Query:
    """A parsed query; `count` for SELECT COUNT()."""

    fields: list[str]
    table: str
    test: Test = field(default=lambda get: True)
    order: list[tuple[str, bool, bool]] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    count: bool = False
    names: set[str] = field(default_factory=set)


def malformed(words: str) -> Trouble:
    return Trouble(400, "MALFORMED_QUERY", words)


class Parser:
    """Recursive descent over the tokens of one query. Raises Trouble."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.at = 0
        self.names: set[str] = set()

    def parse(self) -> Query:
        self._word("select")
        fields, count = self._fields()
        self._word("from")
        query = Query(fields, self._take("word"), count=count)
        if self._maybe("where"):
            query.test = self._either()
        if self._maybe("order"):
            self._word("by")
            query.order = [self._sort()]
            while self._mark(","):
                query.order.append(self._sort())
        if self._maybe("limit"):
            query.limit = int(self._take("number"))
        if self._maybe("offset"):
            query.offset = int(self._take("number"))
        if self.at < len(self.tokens):
            raise malformed(f"unexpected token: '{self.tokens[self.at][1]}'")
        query.names = self.names | set(fields)
        return query

    def _fields(self) -> tuple[list[str], bool]:
        fields = [self._take("word")]
        if fields[0].lower() == "count" and self._mark("("):
            if not self._mark(")"):
                raise malformed("only COUNT() is known here")
            return [], True
        while self._mark(","):
            fields.append(self._take("word"))
        return fields, False

    def _either(self) -> Test:
        tests = [self._all()]
        while self._maybe("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else lambda get: any(test(get) for test in tests)

    def _all(self) -> Test:
        tests = [self._one()]
        while self._maybe("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda get: all(test(get) for test in tests)

    def _one(self) -> Test:
        if self._maybe("not"):
            inner = self._one()
            return lambda get: not inner(get)
        if self._mark("("):
            inner = self._either()
            if not self._mark(")"):
                raise malformed("missing ')'")
            return inner
        name = self._take("word")
        self.names.add(name)
        if self._maybe("not"):
            self._word("in")
            among = self._values(name)
            return lambda get: _plain(get(name)) not in among
        if self._maybe("in"):
            among = self._values(name)
            return lambda get: _plain(get(name)) in among
        if self._maybe("like"):
            pattern = _pattern(self._take("text")[1:-1])
            return lambda get: bool(pattern.fullmatch(str(get(name) or "")))
        operator, value = self._take("mark"), self._value(name)
        if operator not in COMPARE:
            raise malformed(f"unexpected token: '{operator}'")
        compare = COMPARE[operator]
        return lambda get: compare(_as(value, get(name)), value)

    def _values(self, name: str) -> set[Any]:
        if not self._mark("("):
            raise malformed("expecting a left parenthesis")
        values = {_plain(self._value(name))}
        while self._mark(","):
            values.add(_plain(self._value(name)))
        if not self._mark(")"):
            raise malformed("expecting a right parenthesis")
        return values

    def _value(self, name: str) -> Any:
        kind, raw = self._next()
        if kind == "text":
            if name.lower() in DATES:
                words = "must be of type dateTime and should not be enclosed in quotes"
                raise Trouble(400, "INVALID_FIELD", f"value of filter criterion for field '{name}' {words}")
            return re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[1]), raw[1:-1])
        if kind == "number":
            return float(raw)
        if kind == "date":
            return moment(raw)
        if kind == "word" and raw.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[raw.lower()]
        raise malformed(f"unexpected token: '{raw}'")

    def _sort(self) -> tuple[str, bool, bool]:
        """Field, whether downwards, whether nothing comes last."""
        name = self._take("word")
        self.names.add(name)
        down = self._maybe("desc") or (self._maybe("asc") and False)
        last = False
        if self._maybe("nulls"):
            last = self._take("word").lower() == "last"
        return name, down, last

    def _next(self) -> tuple[str, str]:
        if self.at >= len(self.tokens):
            raise malformed("unexpected end of query")
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, kind: str) -> str:
        found, raw = self._next()
        if found != kind:
            raise malformed(f"unexpected token: '{raw}'")
        return raw

    def _word(self, word: str) -> None:
        if not self._maybe(word):
            raise malformed(f"expecting '{word}'")

    def _maybe(self, word: str) -> bool:
        return self._skip("word", word)

    def _mark(self, mark: str) -> bool:
        return self._skip("mark", mark)

    def _skip(self, kind: str, what: str) -> bool:
        if (
            self.at < len(self.tokens)
            and self.tokens[self.at][0] == kind
            and self.tokens[self.at][1].lower() == what
        ):
            self.at += 1
            return True
        return False


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.strip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise malformed(f"unexpected token: '{text[at : at + 12]}'")
        yield found.lastgroup, found[found.lastgroup]
        at = found.end()


def _pattern(raw: str) -> re.Pattern[str]:
    """The literal of a LIKE: % and _ stand for any text and any sign, unless a backslash is before them."""
    parts = re.findall(r"\\.|.", raw, re.DOTALL)
    meant = {"%": ".*", "_": "."}
    signs = (ESCAPES.get(part[1], part[1]) if len(part) == 2 else part for part in parts)
    found = (meant.get(part) or re.escape(sign) for part, sign in zip(parts, signs, strict=True))
    return re.compile("".join(found), re.DOTALL | re.IGNORECASE)


def moment(raw: str) -> datetime:
    """A bare date as an instant; a day begins in UTC."""
    return datetime.fromisoformat(raw if "T" in raw else raw + "T00:00:00+00:00")


def _as(value: Any, found: Any) -> Any:
    """What was found, made comparable with a literal."""
    if isinstance(value, datetime):
        return datetime.fromisoformat(found) if isinstance(found, str) and found else found or None
    return _plain(found)


def _plain(value: Any) -> Any:
    """Text without case, as Salesforce compares it."""
    return value.lower() if isinstance(value, str) else value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda found, value: found is not None and value is not None and compare(found, _plain(value))


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda found, value: bool(found == _plain(value)),
    "!=": lambda found, value: bool(found != _plain(value)),
    "<>": lambda found, value: bool(found != _plain(value)),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
}
