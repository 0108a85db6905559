"""How the models of migrations are put together for a fresh database: each anew when it changed itself.

Owns that saving, for the tests' own databases. Django puts every model that is somehow related together anew
at each step, here eighty for most, which is most of the time that a fresh database takes. What a step asks of
the others, their tables and columns, is the same in the old ones; a step in Python sees all of them whole, as
ever. Never used where migrations are tried on their way forth: there the tables of both are compared.
"""

from __future__ import annotations

import django
import pytest
from django.core.management import call_command
from django.db.migrations.state import ProjectState


def spare(patch: pytest.MonkeyPatch) -> None:
    """From now on, until `patch` is undone."""

    def itself(
        state: ProjectState, app_label: str, model_name: str, delay: bool = False
    ) -> set[tuple[str, str]]:
        # A step in Python puts all together first.
        state.is_delayed = True
        return {(app_label, model_name)}

    patch.setattr(ProjectState, "_find_reload_model", itself)


if __name__ == "__main__":
    # For the database that DATABASE_URL names.
    django.setup()
    with pytest.MonkeyPatch.context() as at_once:
        spare(at_once)
        call_command("migrate", verbosity=0)
