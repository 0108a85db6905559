"""What two documents differ in, as data and in words."""

from typing import Any

from routing.draft import Part, diff, summary

DE = {"all": [{"field": "country", "op": "equals", "value": "DE"}]}
FR = {"all": [{"field": "country", "op": "equals", "value": "FR"}]}
POOL, OTHER = {"kind": "pool", "id": "1"}, {"kind": "pool", "id": "2"}


def rule(pk: str, **parts: Any) -> dict[str, Any]:
    return {
        "id": pk,
        "name": f"Rule {pk}",
        "when": DE,
        "target": POOL,
        "fallback": None,
        "policy": None,
    } | parts


def document(*rules: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "rules": list(rules), "territories": {}, "lists": {}, "overflow": {"kind": "queue", "id": "9"},
        "account_first": "owned",
    } | parts  # fmt: skip


def called(kind: str, who: str) -> str:
    return {"1": "the pool One", "2": "the pool Two", "9": "the queue Rest", "5": "Femke"}.get(who, kind)


def test_nothing_differs() -> None:
    same = document(rule("a"), rule("b"))
    found = diff(same, document(rule("a"), rule("b")))
    assert not found and summary(found) == "No difference"


def test_each_part_of_a_rule_is_told_before_and_after() -> None:
    before = document(rule("a"), territories={"x": {"name": "X land", "when": DE, "owner": None}})
    changed = rule(
        "a", name="New", when=FR, target=OTHER, fallback={"kind": "territory_owner", "id": "x"}, policy="gold"
    )
    found = diff(before, before | {"rules": [changed]}, called)
    [change] = found.rules
    assert (change.id, change.name, change.kind, change.before, change.after) == ("a", "New", "changed", 1, 1)
    assert change.parts == (
        Part("name", "Name", "Rule a", "New"),
        Part("when", "Conditions", "country is DE", "country is FR"),
        Part("target", "Goes to", "the pool One", "the pool Two"),
        Part("fallback", "Else to", "", "the owner of X land"),
        Part("policy", "SLA policy", "", "gold"),
    )
    assert not change.moved and summary(found) == "1 rule changed"


def test_added_and_removed_rules_hold_all_they_say() -> None:
    found = diff(document(rule("a"), rule("b")), document(rule("c", policy="gold"), rule("a")), called)
    added, removed = found.rules
    assert (added.kind, added.before, added.after) == ("added", None, 1)
    assert [part.after for part in added.parts] == ["Rule c", "country is DE", "the pool One", "gold"]
    assert (removed.id, removed.kind, removed.before, removed.after) == ("b", "removed", 2, None)
    assert summary(found) == "1 rule added, 1 removed"


def test_only_the_rules_that_moved_are_said_to_move() -> None:
    before = document(*map(rule, "abcde"))
    found = diff(before, document(*map(rule, "eabcd")))
    assert [(change.id, change.kind, change.before, change.after) for change in found.rules] == [
        ("e", "moved", 5, 1)
    ]
    found = diff(before, document(rule("b", policy="gold"), *map(rule, "adce")))
    assert {(change.id, change.kind, change.moved) for change in found.rules if change.moved} <= {
        ("b", "changed", True), ("a", "moved", True), ("d", "moved", True), ("c", "moved", True),
    }  # fmt: skip
    assert len([change for change in found.rules if change.moved]) == 2
    # A rule before the others goes; they did not move by it.
    assert [change.kind for change in diff(before, document(*map(rule, "bcde"))).rules] == ["removed"]


def test_territories_lists_and_settings() -> None:
    before = document(
        territories={
            "x": {"name": "X", "when": DE, "owner": 5},
            "y": {"name": "Y", "when": DE, "owner": None},
        },
        lists={"big": ["a.com", "b.com"], "same": ["x"], "old": ["z"]},
    )
    after = document(
        territories={
            "x": {"name": "X", "when": FR, "owner": None},
            "z": {"name": "Z", "when": DE, "owner": 5},
        },
        lists={"big": ["b.com", "c.com", "d.com"], "same": ["x"], "new": []},
        account_first="never",
        overflow=None,
    )
    found = diff(before, after, called)
    assert [(row.slug, row.kind, [part.name for part in row.parts]) for row in found.territories] == [
        ("x", "changed", ["when", "owner"]), ("y", "removed", ["name", "when"]),
        ("z", "added", ["name", "when", "owner"]),
    ]  # fmt: skip
    assert found.territories[0].parts[1] == Part("owner", "Owner", "Femke", "")
    lists = [(row.slug, row.kind, row.added, row.removed, row.some_added) for row in found.lists]
    assert lists == [
        ("big", "changed", 2, 1, ("c.com", "d.com")), ("new", "added", 0, 0, ()),
        ("old", "removed", 0, 1, ()),
    ]  # fmt: skip
    assert [(part.name, part.before, part.after) for part in found.settings] == [
        ("account_first", "every company that has an owner", "no company, the rules alone decide"),
        ("overflow", "the queue Rest", ""),
    ]
    assert summary(found) == (
        "1 territory changed, 1 added, 1 removed; 1 list changed, 1 added, 1 removed;"
        " account owners first and overflow changed"
    )


def test_many_values_of_a_list_are_counted_and_some_shown() -> None:
    found = diff(document(lists={"x": []}), document(lists={"x": [f"v{n}" for n in range(1000)]}))
    assert found.lists[0].added == 1000 and len(found.lists[0].some_added) == 20


def test_an_empty_document_can_be_compared() -> None:
    assert summary(diff({}, document(rule("a")))) == "1 rule added; overflow changed"
