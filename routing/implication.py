"""What can be proved of conditions without any lead: that one implies another, that no lead meets both.

Owns the proof, over the meaning that `routing.conditions` gives to operators, lists and missing facts. It
says yes only where it holds for every lead that could ever come; where it does not know, it says no. Pure
and bounded: a document with too many alternatives counts as not known.

A document becomes the cases in which it holds, and those in which it fails, each a set of claims that hold
together. "A implies B" is then: every case of A contradicts every case in which B fails.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from routing.conditions.operators import CUSTOM, as_list, number, postal, text, words
from routing.conditions.validation import is_sound
from routing.facts import FIELDS

# A document with more alternatives is not judged, nor are values that are so many one by one.
MOST_CASES = 64
MOST_VALUES = 2_000


class Claim(NamedTuple):
    """One leaf in comparable form, and whether it holds or not. `kind` is "known", "missing", "one_of",
    "starts", "words" (of values) or "range" (low to high)."""

    field: str
    kind: str
    values: frozenset[Any] = frozenset()
    low: Decimal | None = None
    high: Decimal | None = None
    holds: bool = True


Case = frozenset[Claim]
# None: too many to look at.
Cases = tuple[Case, ...] | None
_ALWAYS: Cases = (frozenset(),)
_NEVER: Cases = ()


class Meaning(NamedTuple):
    """A document made ready: the cases in which it holds, and those in which it fails."""

    holds: Cases
    fails: Cases

    @property
    def is_impossible(self) -> bool:
        """Proved: no lead meets it."""
        return self.holds == _NEVER

    @property
    def is_everything(self) -> bool:
        """Proved: every lead meets it."""
        return self.fails == _NEVER


def implies(first: Meaning, second: Meaning) -> bool:
    """Proved: every lead that meets `first` meets `second`."""
    return _never_together(first.holds, second.fails)


def disjoint(first: Meaning, second: Meaning) -> bool:
    """Proved: no lead meets both."""
    return _never_together(first.holds, second.holds)


class Reader:
    """Makes the documents of one version ready; each of its lists is made comparable once."""

    def __init__(
        self,
        territories: Mapping[str, Mapping[str, Any]] | None = None,
        lists: Mapping[str, Collection[Any]] | None = None,
    ) -> None:
        self._territories = territories or {}
        self._lists = lists or {}
        self._kept: dict[tuple[str, str], frozenset[Any]] = {}

    def meaning(self, doc: Any) -> Meaning:
        """The meaning of a document; one that cannot be read is met by no lead."""
        return self._group(doc, self._territories) if is_sound(doc) else Meaning(_NEVER, _ALWAYS)

    def _group(self, group: Mapping[str, Any], territories: Mapping[str, Any]) -> Meaning:
        kind, parts = next(iter(group.items()))
        meanings = [
            self._leaf(part, territories) if "op" in part else self._group(part, territories)
            for part in parts
        ]
        if kind == "all":
            return _all(meanings)
        found = _any(meanings)
        return found if kind == "any" else Meaning(found.fails, found.holds)

    def _leaf(self, leaf: Mapping[str, Any], territories: Mapping[str, Any]) -> Meaning:
        if leaf["op"] == "in_territory":
            return _any([self._within(slug, territories) for slug in as_list(leaf["value"])])
        claim = self._claim(leaf)
        if claim.kind in ("one_of", "starts", "words") and not claim.values:
            return Meaning(_NEVER, _ALWAYS)
        return Meaning((frozenset((claim,)),), (frozenset((claim._replace(holds=False),)),))

    def _within(self, slug: str, territories: Mapping[str, Any]) -> Meaning:
        conditions = territories.get(slug, {}).get("when")
        # Inside a territory no other is known, so that none can lead back to itself.
        return self._group(conditions, {}) if is_sound(conditions) else Meaning(_NEVER, _ALWAYS)

    def _claim(self, leaf: Mapping[str, Any]) -> Claim:
        name, op = leaf["field"], leaf["op"]
        value: Any = leaf.get("value")
        if op in ("present", "absent"):
            return Claim(name, "known" if op == "present" else "missing")
        if op == "range":
            return Claim(name, "range", low=number(value.get("min")), high=number(value.get("max")))
        if op == "contains_word":
            return Claim(
                name, "words", frozenset(word for word in map(words, as_list(value)) if word.strip())
            )
        values = self._list(value, name) if op == "in_list" else _comparable(as_list(value), name)
        by_start = op == "starts_with" or (op == "in_list" and name == "postal_code")
        if by_start and name.startswith(CUSTOM):
            values = frozenset(part for part in values if isinstance(part, str))
        return Claim(name, "starts" if by_start else "one_of", values)

    def _list(self, slug: str, name: str) -> frozenset[Any]:
        kind = name if name == "postal_code" else CUSTOM if name.startswith(CUSTOM) else "text"
        if (slug, kind) not in self._kept:
            self._kept[slug, kind] = _comparable(self._lists.get(slug) or (), name)
        return self._kept[slug, kind]


def _comparable(values: Iterable[Any], name: str) -> frozenset[Any]:
    """Values as the facts of this field are compared; a custom field is compared as text and as number."""
    if name.startswith(CUSTOM):
        made = {text(value) for value in values} | {number(value) for value in values}
    elif FIELDS[name].kind == "number":
        made = {number(value) for value in values}
    else:
        made = {postal(value) if name == "postal_code" else text(value) for value in values}
    return frozenset(made - {None, ""})


def _all(parts: list[Meaning]) -> Meaning:
    return Meaning(_product([part.holds for part in parts]), _sum([part.fails for part in parts]))


def _any(parts: list[Meaning]) -> Meaning:
    return Meaning(_sum([part.holds for part in parts]), _product([part.fails for part in parts]))


def _sum(parts: list[Cases]) -> Cases:
    """The cases of one of them or another."""
    if _ALWAYS in parts:
        return _ALWAYS
    found: dict[Case, None] = {}
    for part in parts:
        if part is None:
            return None
        found.update(dict.fromkeys(part))
    return tuple(found) if len(found) <= MOST_CASES else None


def _product(parts: list[Cases]) -> Cases:
    """The cases of all of them at once, without those that contradict themselves."""
    if _NEVER in parts:
        return _NEVER
    found: Cases = _ALWAYS
    for part in parts:
        if part is None or found is None or len(found) * len(part) > MOST_CASES * MOST_CASES:
            return None
        joined = dict.fromkeys(case | other for case in found for other in part)
        found = tuple(case for case in joined if not _contradicts_itself(case))
        if len(found) > MOST_CASES:
            return None
    return found


def _never_together(first: Cases, second: Cases) -> bool:
    if first == _NEVER or second == _NEVER:
        return True
    if first is None or second is None:
        return False
    return all(_contradict(case, other) for case in first for other in second)


def _contradict(case: Case, other: Case) -> bool:
    # Neither contradicts itself, so only a field that both speak of can make them.
    shared = {claim.field for claim in case} & {claim.field for claim in other}
    return any(_clash([claim for claim in case | other if claim.field == name]) for name in shared)


def _contradicts_itself(case: Case) -> bool:
    names = [claim.field for claim in case]
    return any(
        _clash([claim for claim in case if claim.field == name])
        for name in set(names)
        if names.count(name) > 1
    )


def _clash(claims: list[Claim]) -> bool:
    """Proved: no value of the field, nor its absence, is what all these claims say."""
    said, denied = [c for c in claims if c.holds], [c for c in claims if not c.holds]
    is_missing = any(c.kind == "missing" for c in said) or any(c.kind == "known" for c in denied)
    is_known = any(c.kind != "missing" for c in said) or any(c.kind == "missing" for c in denied)
    if is_missing or is_known:
        if is_missing and is_known:
            return True
        if is_missing:
            # Nothing else holds for a missing fact, so what is denied is denied already.
            return False
    name = claims[0].field
    if not name.startswith(CUSTOM) and FIELDS[name].kind != "list" and _no_value_left(said, denied):
        return True
    low, high = _span(said)
    if low is not None and high is not None and low > high:
        return True
    if any(_implied(claim, other) for claim in said for other in denied):
        return True
    spans = [c for c in said if c.kind == "range"]
    if spans and any(_covers(c, low, high) for c in denied if c.kind == "range"):
        return True
    starts = [c.values for c in said if c.kind == "starts"]
    return any(not _have_common_text(one, two) for one in starts for two in starts)


def _no_value_left(said: list[Claim], denied: list[Claim]) -> bool:
    """Whether the field must be one of some values and each of them is ruled out. For fields of one value."""
    sets = [claim.values for claim in said if claim.kind == "one_of"]
    if not sets:
        return False
    out = [claim.values for claim in denied if claim.kind == "one_of"]
    others = [claim for claim in (*said, *denied) if claim.kind in ("starts", "words", "range")]
    # The common shapes stop at the first value that decides, and copy no long list.
    if not others and len(sets) == 2 and not out:
        return sets[0].isdisjoint(sets[1])
    if not others and len(sets) == 1 and len(out) == 1:
        return sets[0] <= out[0]
    left = frozenset.intersection(*sets).difference(*out)
    if others and len(left) > MOST_VALUES:
        return False
    return not any(all(_meets(value, claim) == claim.holds for claim in others) for value in left)


def _meets(value: Any, claim: Claim) -> bool:
    if claim.kind == "range":
        return (claim.low is None or claim.low <= value) and (claim.high is None or value <= claim.high)
    if claim.kind == "words":
        return any(word in words(value) for word in claim.values)
    return any(value.startswith(start) for start in claim.values)


def _span(said: list[Claim]) -> tuple[Decimal | None, Decimal | None]:
    """What all the ranges leave."""
    lows = [claim.low for claim in said if claim.low is not None]
    highs = [claim.high for claim in said if claim.high is not None]
    return max(lows, default=None), min(highs, default=None)


def _covers(claim: Claim, low: Decimal | None, high: Decimal | None) -> bool:
    from_below = claim.low is None or (low is not None and claim.low <= low)
    return from_below and (claim.high is None or (high is not None and high <= claim.high))


def _implied(claim: Claim, other: Claim) -> bool:
    """Whether a value that meets the claim meets the other too, by their values alone."""
    if other.kind == "known":
        return claim.kind != "missing"
    if claim.kind == other.kind == "one_of":
        return claim.values <= other.values
    if len(claim.values) * len(other.values) > MOST_VALUES:
        return claim.kind == other.kind and claim.values <= other.values
    if claim.kind == other.kind == "starts":
        return all(any(start.startswith(wider) for wider in other.values) for start in claim.values)
    if claim.kind == other.kind == "words":
        return all(any(wider in word for wider in other.values) for word in claim.values)
    if claim.kind == "one_of" and other.kind == "words" and not claim.field.startswith(CUSTOM):
        return all(any(word in words(value) for word in other.values) for value in claim.values)
    return False


def _have_common_text(one: frozenset[str], two: frozenset[str]) -> bool:
    """Whether one text can start with one of each; yes where they are too many to look at."""
    if len(one) * len(two) > MOST_VALUES:
        return True
    return any(a.startswith(b) or b.startswith(a) for a in one for b in two)
