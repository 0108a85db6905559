"""No regular expression of ours takes much longer for a text that was written to make it (ReDoS).

Every pattern of the code is found, taken apart, and given texts that are made of its own parts: each repeat
pumped up, each beginning again and again, and an end that does not fit. Growth is measured, never a time.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from tests.advisories import ROOT

PACKAGES = ("handoff_site", "routing", "leads", "metrics")
ENDS = ("", "\0", "!")
FEW, MANY = 1_000, 8_000
# Eight times the text may take eight times as long, and a busy machine three times that. A square takes 64.
MOST_GROWTH = 24
# And a square takes more than so often as long as to look at each sign; the least moments only seem to grow.
MOST_STEPS = 20
ONE, ALL = ("fullmatch", "match"), ("search", "sub", "subn", "split", "findall", "finditer")


@dataclass(frozen=True)
class Used:
    """A pattern as one place uses it."""

    place: str
    pattern: re.Pattern[Any]
    how: str

    def run(self, text: str) -> float:
        given: Any = text if isinstance(self.pattern.pattern, str) else text.encode("latin-1", "replace")
        act: Callable[[Any], Any] = getattr(self.pattern, self.how)
        began = time.perf_counter()
        found = act(given)
        if self.how == "finditer":
            list(found)
        return time.perf_counter() - began


EACH_SIGN = Used("", re.compile(r"\w|\W"), "findall")


def sources() -> dict[str, str]:
    """The text of each module by its path."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files if "migrations" not in file.parts}


def ways(name: str, texts: list[str]) -> set[str]:
    called = {way for text in texts for way in re.findall(rf"\b{name}\.(\w+)\(", text)}
    found = {way for way in called if way in ONE}
    return found | {"finditer"} if called & set(ALL) or not found else found


def named(texts: dict[str, str]) -> Iterator[Used]:
    """Those that a module keeps under a name."""
    for place, text in texts.items():
        if "re.compile" in text or "Pattern" in text:
            module = importlib.import_module(
                place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            )
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern) and re.search(rf"^{name}\b.*=", text, re.MULTILINE):
                    where = [text] if name.startswith("_") else list(texts.values())
                    for way in ways(name, where):
                        yield Used(f"{place}:{name}", value, way)


def inline(texts: dict[str, str]) -> Iterator[Used]:
    """Those that stand where they are used, as `re.sub("...", ...)`."""
    for place, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
                first = node.args[0]
                if of_re and node.func.attr in ONE + ALL and isinstance(first, ast.Constant):
                    flags = [arg for arg in ast.walk(node) if isinstance(arg, ast.Attribute)]
                    flag = re.IGNORECASE if any(arg.attr == "IGNORECASE" for arg in flags) else 0
                    how = node.func.attr if node.func.attr in ONE else "finditer"
                    yield Used(f"{place}:{node.lineno}", re.compile(first.value, flag), how)


def sample(parsed: Any) -> str:
    """A text that these parts match, or nearly."""
    return "".join(piece(*item) for item in parsed)


def piece(op: Any, of: Any) -> str:
    match str(op):
        case "LITERAL":
            return chr(of)
        case "NOT_LITERAL":
            return "a" if of != ord("a") else "b"
        case "ANY":
            return "a"
        case "IN":
            return one_of(of)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return sample(of[2]) * max(1, of[0])
        case "SUBPATTERN":
            return sample(of[3])
        case "BRANCH":
            return sample(of[1][0])
        case "ATOMIC_GROUP":
            return sample(of)
    return ""


def one_of(choices: Any) -> str:
    negated = str(choices[0][0]) == "NEGATE"
    shown = "".join(
        chr(of) if str(op) == "LITERAL" else f"{chr(of[0])}-{chr(of[1])}" if str(op) == "RANGE" else str(of)
        for op, of in choices
    )
    if not negated:
        for op, of in choices:
            if str(op) == "LITERAL":
                return chr(of)
            if str(op) == "RANGE":
                return chr(of[0])
        return {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " "}.get(str(choices[0][1]), "a")
    return next((sign for sign in "a1 -.\n" if sign not in shown), "b")


def repeats(parsed: Any) -> Iterator[Any]:
    """The bodies of all that may be repeated without end, the innermost too."""
    for op, of in parsed:
        match str(op):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                if of[1] > 64:
                    yield of[2]
                yield from repeats(of[2])
            case "SUBPATTERN":
                yield from repeats(of[3])
            case "BRANCH":
                for way in of[1]:
                    yield from repeats(way)
            case "ATOMIC_GROUP":
                yield from repeats(of)


def attacks(pattern: re.Pattern[Any]) -> set[tuple[str, str]]:
    """What stands first and what is repeated after it."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    parsed = list(
        _parser.parse(text, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else 0)
    )
    begins = [sample(parsed[:count]) for count in range(len(parsed) + 1)]
    pumps = {sample(body) for body in repeats(parsed)} | set(begins[1:]) | {" ", "a", "1"}
    return {(first, pump) for first in {"", *begins} for pump in pumps if pump}


def growth(used: Used, first: str, pump: str, end: str) -> str | None:
    """What is wrong, or None."""

    def text(length: int) -> str:
        return first + pump * max(1, length // len(pump)) + end

    def takes(length: int) -> float:
        return min(used.run(text(length)) for _ in range(2))

    told = f"{used.place} by {used.how}: {first!r} + {pump!r} * n + {end!r}"
    few, more = 8 * len(pump), 16 * len(pump)
    if takes(more) > 100 * takes(few) and takes(more) > 60 * takes(few):
        return f"{told} doubles with each"
    few, many = takes(FEW), takes(MANY)
    if many > MOST_GROWTH * few and many > MOST_STEPS * EACH_SIGN.run(text(MANY)):
        return f"{told}: {FEW} signs take {few:.4f}, {MANY} {many:.4f}"
    return None


def test_no_pattern_takes_the_square_of_its_text() -> None:
    texts = sources()
    found = [*named(texts), *inline(texts)]
    assert len(found) > 90
    wrong = []
    for used in found:
        for first, pump in sorted(attacks(used.pattern)):
            problems = (growth(used, first, pump, end) for end in ENDS)
            if problem := next((one for one in problems if one), None):
                wrong.append(problem)
                break
    assert wrong == [], "\n".join(wrong)


def test_what_is_looked_for_is_found() -> None:
    """The search itself: a square, a doubling and an innocent."""
    for pattern, how, is_bad in (
        (r"\s+$", "finditer", True), (r"(a+)+b", "match", True), (r"(\d+)*x", "fullmatch", True),
        (r"[^@ ]+@x", "finditer", True), (r"<a.*?b", "finditer", True), (r"[a-z]+-\d+", "fullmatch", False),
    ):  # fmt: skip
        used = Used("here", re.compile(pattern), how)
        told = (growth(used, *attack, end) for attack in sorted(attacks(used.pattern)) for end in ENDS)
        assert any(told) == is_bad, pattern
