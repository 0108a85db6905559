"""Under which rows and by which words a person is held: what an erasure and an export have to look for.

Owns the reading of it. A person is a lead with all leads that were merged into it. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from leads import identity
from leads.erasure.keys import EVENT, event_key
from leads.models import ExternalId, Handoff, Lead, LeadAlias, Receipt

# A shorter id is no word to look for in texts: it stands in anything.
SHORTEST_WORD = 6


@dataclass(frozen=True)
class Held:
    """One person. `leads` begins with the one that the others were merged into; `keys` are as
    `Identity.keys` gives them, and those of the events that were taken in.

    `addresses`, `names`, `phones` and `words` are case-folded: whole addresses, "first last" in both orders,
    numbers as written and as compared, and other words that name nobody else.
    """

    leads: tuple[int, ...]
    handoffs: tuple[int, ...]
    keys: frozenset[str]
    addresses: frozenset[str]
    names: frozenset[str]
    phones: frozenset[str]
    words: frozenset[str]

    @property
    def events(self) -> frozenset[str]:
        """The keys of the events that were taken in: a repeat is known by them."""
        return frozenset(key for key in self.keys if key.startswith(EVENT))

    @property
    def needles(self) -> frozenset[str]:
        """Everything that, found in a text, means that the text is about this person."""
        return self.addresses | self.names | self.phones | self.words


def cluster(lead_id: int) -> list[int]:
    """The lead and all that were merged into it, whichever of them is asked for: the surviving one first."""
    root = lead_id
    while (into := Lead.objects.values_list("merged_into_id", flat=True).get(pk=root)) is not None:
        root = into
    found, todo = [root], [root]
    while todo:
        todo = list(Lead.objects.filter(merged_into__in=todo).order_by("pk").values_list("pk", flat=True))
        found += todo
    return found


def person_keys(leads: Collection[int]) -> set[str]:
    """The addresses and ids by which events may name these leads, as `Identity.keys` gives them."""
    named = Lead.objects.filter(pk__in=leads).values_list("email", "email_key")
    mails = {key or identity.normalise_email(email) for email, key in named}
    mails |= set(LeadAlias.objects.filter(lead__in=leads).values_list("email_key", flat=True))
    ids = ExternalId.objects.filter(lead__in=leads).values_list("system", "object", "value")
    known = identity.Identity("", tuple(ids))
    return set(known.keys) | {f"mail:{mail}" for mail in mails if mail}


def held_of(leads: Sequence[int]) -> Held:
    """What is held of the person these leads are, the surviving one first."""
    rows = list(Lead.objects.filter(pk__in=leads))
    keys = person_keys(leads)
    mails = {key.removeprefix("mail:") for key in keys if key.startswith("mail:")}
    addresses = mails | {row.email for row in rows if row.email}
    ids = ExternalId.objects.filter(lead__in=leads).values_list("value", flat=True)
    words = {value for value in ids if len(value) >= SHORTEST_WORD}
    words |= {row.linkedin_url for row in rows if row.linkedin_url}
    names = set()
    for row in rows:
        if row.first_name and row.last_name:
            names |= {f"{row.first_name} {row.last_name}", f"{row.last_name} {row.first_name}"}
            names.add(f"{row.last_name}, {row.first_name}")
    receipts = Receipt.objects.filter(lead__in=leads).values_list("source", "event_id")
    keys |= {event_key(source, event_id) for source, event_id in receipts}
    return Held(
        leads=tuple(leads),
        handoffs=tuple(Handoff.objects.filter(lead__in=leads).order_by("pk").values_list("pk", flat=True)),
        keys=frozenset(keys),
        addresses=_folded(addresses),
        names=_folded(names),
        phones=_folded({value for row in rows for value in (row.phone, row.phone_key) if len(value) >= 6}),
        words=_folded(words),
    )


def _folded(words: Collection[str]) -> frozenset[str]:
    return frozenset(folded for word in words if (folded := " ".join(word.casefold().split())))
