"""`Lean`: what all our models are made of, so that rows come out of the database for a third of the time.

Owns how an instance is made of a row that was read. Django makes it by the constructor, which goes through
all columns of the table, also those that were not read, and tells whoever listens; here it is made of what
was read and nothing else. So no model of ours has a constructor, or a field that listens for one.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Self

from django.db import models
from django.db.models.base import ModelState


class Lean(models.Model):
    class Meta:
        abstract = True

    @classmethod
    def from_db(  # type: ignore[override]  # whose stubs are those of Django 6
        cls, db: str | None, field_names: Collection[str], values: Collection[Any]
    ) -> Self:
        """The row with these columns; whatever else is asked of it is read then, as with Django's own."""
        made = cls.__new__(cls)
        state = made._state = ModelState()
        state.adding, state.db = False, db
        made.__dict__.update(zip(field_names, values, strict=True))
        return made
