"""Rows that are made of what was read are the rows that Django makes."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models.signals import post_init, pre_init

from leads.models import Handoff
from routing.lean import Lean
from routing.models import User
from tests import factories
from tests.conftest import Cast

OURS = [
    model
    for label in ("routing", "leads", "metrics", "handoff_site")
    for model in apps.get_app_config(label).get_models()
    if not model.__name__.startswith("Historical")
]


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_all_models_are_lean_and_nothing_hangs_on_their_constructor(model: type[models.Model]) -> None:
    assert issubclass(model, Lean)
    assert model.__init__ is models.Model.__init__
    assert model.from_db.__func__ is Lean.from_db.__func__  # type: ignore[attr-defined]
    assert not pre_init.has_listeners(model)
    assert not post_init.has_listeners(model)


def djangos(row: Any, *names: str) -> Any:
    """The same row as Django's own way makes it."""
    names = names or tuple(field.attname for field in row._meta.concrete_fields)
    values = [row.__dict__[name] for name in names]
    return models.Model.from_db.__func__(type(row), "default", names, values)  # type: ignore[attr-defined]


def state(row: Any) -> dict[str, Any]:
    return {**row.__dict__, "_state": (row._state.adding, row._state.db)}


def test_a_row_is_as_django_makes_it(cast: Cast) -> None:
    pk = factories.make_handoff(assignee=cast.femke).pk
    row = Handoff.objects.get(pk=pk)
    assert state(row) == state(djangos(row))
    assert row == Handoff(pk=pk)
    assert not row._state.adding


def test_what_was_not_read_is_read_when_it_is_asked(cast: Cast, django_assert_num_queries: Any) -> None:
    made = factories.make_handoff(assignee=cast.femke)
    row = Handoff.objects.only("id", "state").get(pk=made.pk)
    assert state(row) == state(djangos(row, "id", "state"))
    assert row.get_deferred_fields() == djangos(row, "id", "state").get_deferred_fields()
    with django_assert_num_queries(1):
        assert row.revision == made.revision


def test_what_was_joined_is_at_hand_and_what_is_not_there_is_none(
    cast: Cast, django_assert_num_queries: Any
) -> None:
    made = factories.make_handoff(assignee=cast.femke)
    lead, company = made.lead, made.lead.company
    with django_assert_num_queries(1):
        row = Handoff.objects.select_related("lead__company", "queue").get(pk=made.pk)
        assert (row.lead, row.lead.company, row.queue) == (lead, company, None)


def test_a_row_is_saved_and_read_again(cast: Cast) -> None:
    row = User.objects.get(pk=cast.femke.pk)
    row.name = "Adaeze Okonkwo"
    row.save(update_fields=["name"])
    row.name = "nobody"
    row.refresh_from_db()
    assert row.name == "Adaeze Okonkwo"
