"""Rows are locked with what they name in one way. That it reads what is new is tried in tests/storm."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from leads.models import Lead
from routing.locking import locked, locked_first, locked_one
from tests.factories import make_lead
from tests.processes import ROOT
from tests.site.test_import_law import rooms, tree


@pytest.mark.django_db
@pytest.mark.parametrize("count", [1, 3])
def test_one_query_as_long_as_nothing_was_waited_for(
    count: int, django_assert_num_queries: Callable[[int], Any]
) -> None:
    leads = [make_lead() for _ in range(count)][::-1]
    rows = Lead.objects.select_related("company").order_by("-pk")
    with transaction.atomic(), django_assert_num_queries(4):
        assert locked(rows) == leads
        assert locked(rows, most=2) == leads[:2]
        assert locked_first(rows) == leads[0]
        assert locked_one(rows, leads[-1].pk).company == leads[-1].company


@pytest.mark.django_db
def test_what_is_not_there_is_said() -> None:
    with transaction.atomic():
        assert locked_first(Lead.objects.select_related("company")) is None
        with pytest.raises(Lead.DoesNotExist, match="no Lead 7"):
            locked_one(Lead.objects.select_related("company"), 7)


def test_nobody_locks_a_row_beside_others_in_another_way() -> None:
    """But `routing.locking`, and `guard._locked`, which reads what it found by `whole`."""
    found = [
        f"{path.relative_to(ROOT)}: {function.name}"
        for path in rooms()
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef) and _locks_beside(function)
    ]
    assert found == ["leads/lifecycle/guard.py: _locked"]


def _locks_beside(function: ast.FunctionDef) -> bool:
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for node in (call.func for call in calls)
    }
    only = any(word.arg == "of" for call in calls for word in call.keywords)
    return "select_for_update" in names and only and bool(names & {"select_related", "with_all"})
