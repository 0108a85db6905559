"""The house's law, read off the source: who may import whom, and how a room opens.

metrics -> leads -> routing -> Django; handoff_site may import all three; nobody imports handoff_site.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.processes import ROOT

# Each app and what of the project it may import.
MAY = {
    "routing": {"routing"},
    "leads": {"leads", "routing"},
    "metrics": {"metrics", "leads", "routing"},
    "handoff_site": {"handoff_site", "metrics", "leads", "routing"},
}
OURS = set(MAY)
FORBIDDEN_NAMES = {"utils", "helpers", "services", "constants"}
SIGNALS = {
    "django.dispatch",
    "django.db.models.signals",
    "django.core.signals",
    "django.contrib.auth.signals",
}
LONGEST_ROOM = 400


def rooms() -> list[Path]:
    return sorted(
        path
        for app in MAY
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.relative_to(ROOT).parts
    )


ROOMS = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in rooms()]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def optional(module: ast.Module) -> set[ast.stmt]:
    """Imports of what an extra brings, tried at the top."""
    return {
        statement
        for node in module.body
        if isinstance(node, ast.Try)
        and [ast.unparse(handler.type) for handler in node.handlers if handler.type]
        == ["ModuleNotFoundError"]
        for statement in node.body
    }


def type_checking_only(module: ast.Module) -> set[ast.AST]:
    """Imports under `if TYPE_CHECKING:`, which never run."""
    return {
        node
        for block in module.body
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import in a file, wherever it stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("path", ROOMS)
def test_imports_point_down(path: Path) -> None:
    app = path.relative_to(ROOT).parts[0]
    wrong = [
        f"line {line}: {name}"
        for line, name in imports(path)
        if (top := name.partition(".")[0]) in OURS and top not in MAY[app]
    ]
    assert wrong == []


@pytest.mark.parametrize("path", ROOMS)
def test_imports_stand_at_the_top(path: Path) -> None:
    module = tree(path)
    allowed = set(module.body) | type_checking_only(module) | optional(module)
    inline = [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.Import | ast.ImportFrom) and node not in allowed
    ]
    assert inline == []


@pytest.mark.parametrize("path", ROOMS)
def test_every_room_says_what_it_is(path: Path) -> None:
    module = tree(path)
    if not module.body:
        return
    said = ast.get_docstring(module)
    assert said, "no docstring"
    assert said[0].isupper() or said[0] == "`"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_ROOM, f"{lines} lines: a room past {LONGEST_ROOM} becomes a folder"


def test_no_room_without_an_idea_in_its_name() -> None:
    assert [str(path) for path in rooms() if path.stem in FORBIDDEN_NAMES] == []


def test_nobody_connects_a_signal() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in rooms()
        for line, name in imports(path)
        if name in SIGNALS or name == "django_q.signals"
    ]
    assert found == []


def test_the_law_would_be_seen_broken(tmp_path: Path) -> None:
    file = tmp_path / "room.py"
    file.write_text("import os\ndef f():\n    from leads.models import Lead\n    import metrics.api\n")
    assert [name for _, name in imports(file)] == ["os", "leads.models", "metrics.api"]
