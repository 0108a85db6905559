"""What is in force, what the draft would put in force, and how the two differ: read once for a page.

Owns the names that routing pages need, each table read once and only when it is asked for. Changes nothing:
edits go through `routing.draft`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from leads import permissions
from leads.presenters.conditions import Offered
from leads.presenters.reading import Called
from routing import differences, publish
from routing.models import Calendar, NamedList, Pool, Queue, Ruleset, SlaPolicy, Territory, User
from routing.people import MANAGER, REP

Choice = tuple[str, str]
HELD = {"domains": "domains", "postal": "postal prefixes", "words": "words"}


class State:
    """The live ruleset and the draft beside it. Six queries when all of it is asked for."""

    @cached_property
    def live(self) -> Ruleset | None:
        return publish.live()

    @cached_property
    def document(self) -> dict[str, Any]:
        """What publishing now would put in force."""
        return publish.compile_draft()

    @cached_property
    def diff(self) -> differences.Diff:
        return differences.diff(self.live_document, self.document)

    @property
    def live_document(self) -> Mapping[str, Any]:
        return self.live.document if self.live is not None else {}

    @property
    def changes(self) -> int:
        """How many things differ: rules, territories, lists and settings."""
        found = self.diff
        return len(found.rules) + len(found.territories) + len(found.lists) + len(found.settings)


class Names:
    """Everything that rules point at, by name and as choices."""

    @cached_property
    def people(self) -> list[User]:
        """Everybody, in the order of their names."""
        return list(User.objects.only("name", "email", "is_active").order_by("name", "email"))

    @cached_property
    def sellers(self) -> list[User]:
        """Active people in sales, who can be members."""
        in_sales = User.objects.filter(is_active=True, groups__name__in=(REP, MANAGER)).distinct()
        return list(in_sales.only("name", "email", "is_active").order_by("name", "email"))

    @cached_property
    def owners(self) -> list[User]:
        """People who can answer for a queue."""
        able = User.objects.filter(permissions.can_act())
        return list(able.only("name", "email", "is_active").order_by("name", "email"))

    @cached_property
    def pools(self) -> list[Pool]:
        return list(Pool.objects.all())

    @cached_property
    def queues(self) -> list[Queue]:
        return list(Queue.objects.select_related("owner"))

    @cached_property
    def territories(self) -> list[Territory]:
        return list(Territory.objects.select_related("owner"))

    @cached_property
    def lists(self) -> list[NamedList]:
        return list(NamedList.objects.all())

    @cached_property
    def policies(self) -> list[Choice]:
        live = SlaPolicy.objects.filter(is_live=True).order_by("slug")
        return list(live.values_list("slug", "name"))

    @cached_property
    def calendars(self) -> list[Choice]:
        return [(str(pk), name) for pk, name in Calendar.objects.values_list("pk", "name")]

    @cached_property
    def by_id(self) -> dict[str, User]:
        return {str(person.pk): person for person in self.people}

    def __call__(self, kind: str, pk: str) -> str:
        """The name of a rep, pool or queue, as `routing.differences` asks for it."""
        if kind == "pool":
            return next((f"the pool {row}" for row in self.pools if str(row.pk) == pk), "a pool that is gone")
        if kind == "queue":
            found = (f"the queue {row}" for row in self.queues if str(row.pk) == pk)
            return next(found, "a queue that is gone")
        return str(self.by_id[pk]) if pk in self.by_id else "a person who is gone"

    def called(self, document: Mapping[str, Any] | None = None) -> Called:
        """The names for reading conditions aloud; a document's own territories and lists come first."""
        territories = {row.slug: row.name for row in self.territories}
        counts = {row.slug: len(row.values) for row in self.lists}
        if document is not None:
            own = document.get("territories") or {}
            territories |= {slug: str(row.get("name") or slug) for slug, row in own.items()}
            counts |= {slug: len(values) for slug, values in (document.get("lists") or {}).items()}
        names = {row.slug: (row.name, HELD.get(row.kind, "values")) for row in self.lists}
        lists = {}
        for slug, count in counts.items():
            name, held = names.get(slug, (slug, "values"))
            lists[slug] = f"{name}, {count:,} {held}"
        return Called(territories, lists, {pk: str(person) for pk, person in self.by_id.items()})

    def offered(self) -> Offered:
        """What a condition can be given to choose from."""
        return Offered(
            territories=[(row.slug, row.name) for row in self.territories if row.is_active],
            lists=[(row.slug, f"{row.name}, {len(row.values):,}") for row in self.lists if row.is_active],
            people=[(str(row.pk), str(row)) for row in self.people if row.is_active],
        )

    def places(self) -> list[tuple[str, list[Choice]]]:
        """What a rule can point at, as "kind:id", grouped."""
        queues = [row for row in self.queues if row.kind != Queue.Kind.COMPLETION]
        owned = [row for row in self.territories if row.is_active and row.owner_id]
        grouped = [
            ("Pools", [(f"pool:{row.pk}", row.name) for row in self.pools]),
            ("Queues", [(f"queue:{row.pk}", row.name) for row in queues]),
            (
                "Owners",
                [
                    ("account_owner:", "The owner of the account"),
                    ("territory_owner:", "The owner of the lead’s territory"),
                    *((f"territory_owner:{row.slug}", f"The owner of {row.name}") for row in owned),
                ],
            ),
            ("People", [(f"rep:{row.pk}", f"{row} ({row.email})") for row in self.sellers]),
        ]
        return [(label, choices) for label, choices in grouped if choices]
