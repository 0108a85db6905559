"""The table of what is held against harm names tests that there are, each line of the standard once."""

from __future__ import annotations

import ast
import re
from functools import cache

from tests.advisories import ROOT

TABLE = ROOT / "tests" / "site" / "asvs.md"
ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| ([123]) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@cache
def named_in(path: str) -> frozenset[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def wrong(text: str) -> list[str]:
    """One line for each thing that is wrong with a table."""
    found, numbers = [], []
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    for line in table:
        row = ROW.match(line)
        if row is None:
            found.append(f"no row: {line}")
            continue
        numbers.append(tuple(int(part) for part in row[1].split(".")))
        named = TEST.findall(row[5])
        if not named or TEST.sub("", row[5]).replace("<br>", "").strip():
            found.append(f"{row[1]} names no test, or something else: {row[5]}")
        found += [f"{row[1]}: {path} has no {name}" for path, name in named if name not in named_in(path)]
    if numbers != sorted(set(numbers)):
        found.append("a line stands twice, or out of its order")
    return found


def test_every_line_is_shown_by_tests_that_there_are() -> None:
    text = TABLE.read_text()
    assert wrong(text) == []
    assert sum(bool(ROW.match(line)) for line in text.splitlines()) > 75


def test_a_table_that_is_wrong_is_seen() -> None:
    head = "| line | level | what it asks | how it is held | shown by |\n| --- |\n"
    right = "| 1.2.3 | 1 | Words | Held | `tests/site/test_asvs.py::test_a_table_that_is_wrong_is_seen` |"
    assert wrong(head + right) == []
    assert len(wrong(f"{head}{right}\n{right}")) == 1
    assert len(wrong(head + right.replace("test_a_table", "test_no_table"))) == 1
    assert len(wrong(head + right.replace("test_asvs.py", "test_nowhere.py"))) == 1
    assert len(wrong(head + "| 1.2.4 | 1 | Words | Held | by reading |")) == 1
    assert len(wrong(head + "| 1.2 | 1 | Words | Held |")) == 1
