"""Policies: what the page shows, what it refuses, and that a save makes a version and edits none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from leads.models import Handoff
from routing import policies, publish, sla
from routing.models import Queue, Rule, SlaPolicy, SlaStep
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, open_handoff, route_to
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

ALL, NEW, STANDARD = "/routing/policies/", "/routing/policies/new/", "/routing/policies/standard/"
RETIRE = f"{STANDARD}retire/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=30), tick=False):
        yield


def form_of(page: str) -> dict[str, Any]:
    """What a browser would send of the editor as it stands."""
    start = page.index('class="route-form route-wide"')
    form = page[start : page.index("</form>", start)]
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        known = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if known.get("type") == "checkbox":
            if " checked" in tag:
                sent.setdefault(known["name"], []).append(known["value"])
        elif known.get("name") != "csrfmiddlewaretoken" and "name" in known:
            sent[known["name"]] = known.get("value", "")
    for name, body in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        value = chosen.group(1) if chosen else ""
        sent[name] = [*sent.get(name, []), value] if name.endswith(".person") else value
    return sent


def typed(client: Client, url: str = STANDARD, **fields: Any) -> dict[str, Any]:
    return form_of(html(client.get(url))) | {"note": "Agreed in March", "save": "1"} | fields


def test_the_list_says_what_is_promised_and_what_runs(as_: SignIn, cast: Cast) -> None:
    make_handoff("assigned", cast.femke)
    make_handoff("incomplete", kind="demo_request")
    standard = SlaPolicy.objects.get(slug="standard")
    policies.revise("standard", *_as_it_is(standard, accept=30), cast.otto, NOW, "Half an hour")
    open_handoff()
    found = {line.slug: line for line in as_(cast.mia).get(ALL).context["lines"]}
    assert found["standard"].targets[:2] == [
        ("Answer", "30 min of working time"),
        ("First contact", "1 h of working time"),
    ]
    assert (found["standard"].version, found["standard"].running) == (2, [(2, 1), (1, 1)])
    assert (found["demo"].running, found["demo"].targets[0]) == (
        [(1, 1)],
        ("Answer", "5 min around the clock"),
    )
    page = html(as_(cast.otto).get(ALL))
    assert "<b>1 open</b> on version 2, <b>1 open</b> on version 1" in page and "Add a policy" in page


def _as_it_is(
    row: SlaPolicy, accept: int | None = None
) -> tuple[dict[str, sla.Target], tuple[sla.Step, ...]]:
    targets = policies.targets_of(row.policy())
    if accept is not None:
        targets["accept"] = sla.Target(accept, business=True)
    return targets, row.policy().steps


def test_looking_and_saving_changes_nothing(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    for slug in ("standard", "demo"):
        before = SlaPolicy.objects.get(slug=slug).policy()
        url = f"{ALL}{slug}/"
        assert client.post(url, typed(client, url))["Location"] == ALL
        assert SlaPolicy.objects.get(slug=slug).policy() == before
    assert SlaStep.objects.count() == 16


def test_a_save_makes_the_next_version_and_what_runs_keeps_its_own(as_: SignIn, cast: Cast) -> None:
    running = make_handoff("assigned", cast.femke)
    client = as_(cast.otto)
    sent = typed(client, **{"t.accept.number": "90", "t.accept.unit": "minutes"})
    assert client.post(STANDARD, sent)["Location"] == ALL
    first, second = SlaPolicy.objects.filter(slug="standard").order_by("version")
    assert (first.accept_minutes, first.is_live, first.is_default) == (120, False, True)
    assert (second.accept_minutes, second.accept_business, second.is_live, second.is_default) == (
        90, True, True, True,
    )  # fmt: skip
    assert (second.created_by, second.note, second.created_at) == (
        cast.otto, "Agreed in March", NOW + timedelta(minutes=30),
    )  # fmt: skip
    assert [step.code for step in second.policy().steps] == [step.code for step in first.policy().steps]
    running.refresh_from_db()
    assert (running.policy, running.accept_due_at) == (first, NOW + timedelta(hours=2))
    later = open_handoff(at=NOW + timedelta(minutes=30))
    assert (later.policy, later.accept_due_at) == (second, NOW + timedelta(hours=2))
    page = html(client.get(STANDARD))
    assert '<del><span class="sr">removed: </span>2 h of working time</del>' in page
    assert '<ins><span class="sr">added: </span>1 h 30 of working time</ins>' in page
    assert "Otto Maier" in page and "Agreed in March" in page


def test_the_ladder_is_read_aloud(as_: SignIn, cast: Cast) -> None:
    page = re.sub(r"</?mark>", "", html(as_(cast.mia).get(STANDARD)))
    assert "At 50 % of the time to answer, the rep is told." in page
    assert "When the time to answer is over, the rep and their manager are told." in page
    assert "the lead is flagged as lying still, and their manager is told." in page


def test_steps_are_added_moved_and_removed_without_a_script(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    sent = typed(client, name="Typed, not saved")
    del sent["save"]
    page = html(client.post(STANDARD, sent | {"edit": "add"}))
    grown = form_of(page)
    assert grown["l.8.clock"] == "acceptance" and 'value="Typed, not saved"' in page
    moved = form_of(html(client.post(STANDARD, sent | {"edit": "down.0"})))
    assert (moved["l.0.number"], moved["l.1.number"], moved["l.1.code"]) == ("80", "50", "accept_50")
    back = form_of(html(client.post(STANDARD, moved | {"edit": "up.1"})))
    assert (back["l.0.number"], back["l.1.number"]) == ("50", "80")
    fewer = form_of(html(client.post(STANDARD, sent | {"edit": "remove.0"})))
    assert (fewer["l.0.number"], "l.7.number" in fewer) == ("80", False)
    for odd in ("up.0", "down.7", "remove.99", "remove.x", "drop", "add.1"):
        assert form_of(html(client.post(STANDARD, sent | {"edit": odd})))["l.0.number"] == "50"
    assert SlaPolicy.objects.filter(slug="standard").count() == 1


def test_a_step_that_reassigns_and_one_that_tells_a_person(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    overflow = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    sent = typed(client)
    sent |= {
        "l.8.code": "", "l.8.number": "100", "l.8.measure": "share", "l.8.clock": "acceptance",
        "l.8.base": "business", "l.8.who": ["manager"], "l.8.person": [str(cast.nils.pk)],
        "l.8.what": "reassign", "l.8.queue": "",
        "l.9.code": "accept_50", "l.9.number": "3", "l.9.measure": "hours", "l.9.clock": "acceptance",
        "l.9.base": "elapsed", "l.9.who": ["queue_owner"], "l.9.person": "", "l.9.what": "queue",
        "l.9.queue": str(overflow.pk),
    }  # fmt: skip
    assert client.post(STANDARD, sent).status_code == 302
    *_, moves, queues = SlaPolicy.objects.get(slug="standard", is_live=True).policy().steps
    assert moves == sla.Step(
        "acceptance_at_100", "acceptance", 100, None, ("manager", f"person:{cast.nils.pk}"), "reassign"
    )
    assert queues == sla.Step(
        "acceptance_after_180",
        "acceptance",
        None,
        sla.Target(180, False),
        ("queue_owner",),
        "queue",
        overflow.pk,
    )
    page = re.sub(r"</?mark>", "", html(client.get(STANDARD)))
    assert (
        "the lead goes to the next person who can take it, else to the overflow queue, and their manager and"
        " Nils Holm are told." in page
    )
    assert (
        "3 h around the clock after the time to answer is over, the lead moves to the queue Overflow" in page
    )
    assert client.post(STANDARD, typed(client)).status_code == 302
    assert SlaPolicy.objects.filter(slug="standard").count() == 2


def test_a_step_that_is_moved_in_time_is_another_step(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert client.post(STANDARD, typed(client, **{"l.0.number": "60"})).status_code == 302
    first = SlaPolicy.objects.get(slug="standard", is_live=True).policy().steps[0]
    # Histories and messages call accept_50 "half of the time".
    assert (first.code, first.share) == ("acceptance_at_60", 60)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"t.accept.number": "x"}, "Write a whole number from 1."),
        ({"t.accept.number": "0"}, "Write a whole number from 1."),
        ({"t.accept.number": "²"}, "Write a whole number from 1."),
        ({"t.accept.number": "3", "t.accept.unit": "days"}, "Working time is counted in minutes or hours"),
        ({"t.black_hole.number": "400", "t.black_hole.unit": "days"}, "At most 366 days."),
        ({"l.0.number": "101"}, "Write a percentage from 1 to 100."),
        ({"l.0.number": "-5"}, "Write a percentage from 1 to 100."),
        ({"l.0.person": "99999"}, "Choose people who are active"),
        ({"l.2.what": "queue", "l.2.queue": ""}, "Choose the queue it moves to."),
        ({"l.2.what": "queue", "l.2.queue": "99999"}, "Choose the queue it moves to."),
        ({"l.0.what": "reassign"}, "Step 1: a lead is taken away only when"),
        ({"l.5.what": "reassign"}, "Step 6: a lead is taken away only when"),
        ({"l.0.number": "90"}, "Step 2: it comes after a later step on the time to answer"),
        ({"l.2.who": ["rep"]}, "silence ends at a human"),
        ({"l.0.who": []}, "Step 1: it tells nobody."),
        ({"l.7.number": "90"}, "its last step comes before that"),
        ({"name": ""}, "Give it a name."),
        ({"note": " "}, "Write why"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_lost(
    as_: SignIn, cast: Cast, fields: dict[str, Any], words: str
) -> None:
    client = as_(cast.otto)
    sent = typed(client, **{"name": "As typed", "t.contact.number": "7"} | fields)
    page = html(client.post(STANDARD, sent), 422)
    assert words in page and "Not saved yet" in page
    after = form_of(page)
    kept = {name: value for name, value in sent.items() if name not in ("save", "note")}
    assert {name: after.get(name, "") or [] for name in kept if name.endswith(".who")} == {
        name: value for name, value in kept.items() if name.endswith(".who")
    }
    same = [name for name in kept if not name.endswith((".who", ".person", ".queue"))]
    assert {name: after[name] for name in same} == {name: kept[name] for name in same}
    assert SlaPolicy.objects.filter(slug="standard").count() == 1


def test_somebody_who_left_must_be_replaced(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    client.post(STANDARD, typed(client, **{"l.2.person": str(cast.nils.pk)}))
    cast.nils.is_active = False
    cast.nils.save()
    page = html(client.get(STANDARD))
    assert "it tells a person who is not there any more" in page and "Somebody who is gone" in page
    assert "Choose people who are active" in html(client.post(STANDARD, typed(client, name="X")), 422)
    assert "not there any more" in html(client.get(ALL))


def test_two_editors_see_each_other(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    sent = typed(client, **{"t.accept.number": "3", "name": "Mine"})
    standard = SlaPolicy.objects.get(slug="standard")
    policies.revise("standard", *_as_it_is(standard, accept=30), cast.ada, NOW, "First", name="Theirs")
    page = html(client.post(STANDARD, sent), 409)
    assert "Ada Admin saved this" in page and "<td>Theirs</td><td><b>Mine</b></td>" in page
    assert "<td>30 min of working time</td><td><b>3 h of working time</b></td>" in page
    assert 'value="Mine"' in page and SlaPolicy.objects.filter(slug="standard").count() == 2
    again = form_of(page) | {"note": "Mine after all", "save": "1"}
    assert again["revision"] == "2" and client.post(STANDARD, again).status_code == 302
    third = SlaPolicy.objects.get(slug="standard", is_live=True)
    assert (third.version, third.name, third.accept_minutes) == (3, "Mine", 180)


def test_the_same_twice_is_one_version(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    sent = typed(client, **{"t.accept.number": "3"})
    for _ in range(2):
        assert client.post(STANDARD, sent).status_code == 302
    assert SlaPolicy.objects.filter(slug="standard").count() == 2


def test_a_policy_for_a_segment_is_named_by_a_rule(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    sent = typed(client, f"{NEW}?from=demo", name="Named accounts", lead_type="demo")
    assert sent["t.accept.number"] == "5" and "lead_type" in sent
    assert client.post(NEW, sent | {"t.accept.number": "15"})["Location"] == ALL
    made = SlaPolicy.objects.get(slug="named-accounts")
    assert (made.version, made.is_live, made.is_default, made.lead_type) == (1, True, False, "demo")
    assert client.post(NEW, sent | {"name": "New"}).status_code == 302
    # "new" is an address.
    assert SlaPolicy.objects.filter(slug="new-2").exists()
    Rule.objects.update(policy_slug="named-accounts")
    publish.publish(NOW, cast.otto, "For the named")
    handoff = open_handoff(kind="demo_request")
    assert (handoff.policy, handoff.accept_due_at) == (made, NOW + timedelta(minutes=15))
    assert "Named by Everything else." in html(client.get(ALL))


def test_a_wrong_new_policy_keeps_what_was_typed(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    sent = typed(client, NEW, name="Long", lead_type="nonsense")
    assert "Choose one of them." in html(client.post(NEW, sent), 422)
    sent |= {"lead_type": "demo", "l.2.who": ["rep"]}
    page = html(client.post(NEW, sent), 422)
    assert 'value="Long"' in page and "silence ends at a human" in page
    assert '<option value="demo" selected' in html(client.post(NEW, sent | {"edit": "add"}))
    assert SlaPolicy.objects.count() == 2


def test_a_policy_is_taken_out_of_use_and_brought_back(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    client.post(NEW, typed(client, NEW, name="Side", lead_type="standard"))
    Rule.objects.update(policy_slug="side")
    publish.publish(NOW, cast.otto, "With it")
    running, side = open_handoff(), f"{ALL}side/"
    assert "It cannot be taken out of use." in html(client.get(side))
    page = html(client.post(f"{side}retire/", {"note": "Over"}), 409)
    assert "which is live, needs it: “Everything else”." in page
    Rule.objects.update(policy_slug="")
    publish.publish(NOW, cast.otto, "Without it")
    assert "Write why" in html(client.post(f"{side}retire/", {"note": ""}), 422)
    for _ in range(2):
        assert client.post(f"{side}retire/", {"note": "Over"})["Location"] == ALL
    first, last = SlaPolicy.objects.filter(slug="side").order_by("version")
    assert (first.is_live, last.is_live, last.note, last.created_by) == (False, False, "Over", cast.otto)
    running.refresh_from_db()
    assert (running.policy, running.accept_due_at) == (first, NOW + timedelta(hours=2))
    assert open_handoff().policy.slug == "standard"
    assert "Out of use" in html(client.get(ALL)) and "A save above brings it back." in html(client.get(side))
    assert client.post(side, typed(client, side)).status_code == 302
    assert SlaPolicy.objects.get(slug="side", is_live=True).version == 3


def test_a_default_stays(as_: SignIn, cast: Cast) -> None:
    assert "It is the default of standard leads." in html(as_(cast.otto).post(RETIRE, {"note": "x"}), 409)
    assert SlaPolicy.objects.get(slug="standard").is_live


def test_who_may(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, ALL, NEW, STANDARD)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=(ALL, NEW, STANDARD), post=(NEW, STANDARD, RETIRE))
    for user in (cast.mia, cast.ada):
        refuses(as_(user), 403, post=(NEW, STANDARD, RETIRE))
        refuses(as_(user), 404, get=(NEW,))
        page = html(as_(user).get(STANDARD))
        assert "Marketing ops edit the policies." in page and "Add a step" not in page
    refuses(as_(cast.otto), 405, get=(RETIRE,), post=(ALL,))
    refuses(as_(cast.otto), 404, get=(f"{ALL}nothing/",), post=(f"{ALL}nothing/", f"{ALL}nothing/retire/"))


def test_hostile_input_is_bounded_and_shown_as_text(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    name = "<script>x</script>"
    User = type(cast.mia)
    User.objects.filter(pk=cast.nils.pk).update(name=name)
    sent = typed(client, name=name, note=f"{name} why", **{"l.0.person": str(cast.nils.pk)})
    sent |= {"l.0.code": f"'{name}", "revision": "9" * 40, "l.0.clock": "nonsense"}
    page = html(client.post(STANDARD, sent), 409)
    assert "<script>x" not in page
    assert client.post(STANDARD, sent | {"revision": "1"}).status_code == 302
    for url in (ALL, STANDARD):
        assert "<script>x" not in html(client.get(url))
    many = sent | {f"l.{number}.number": "1" for number in range(8, 200)}
    page = html(client.post(STANDARD, many | {"edit": "show"}))
    assert "l.59.number" in page and "l.60.number" not in page
    assert "Not saved yet" in html(client.post(STANDARD, typed(client, name="n" * 101)), 422)


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    route_to(cast.femke)
    open_handoff()
    before = [queries(client, url) for url in (ALL, STANDARD)]
    for number in range(3):
        standard = SlaPolicy.objects.get(slug="standard", is_live=True)
        policies.revise("standard", *_as_it_is(standard, accept=30 + number), cast.ada, NOW, "Again")
        policies.create(f"P{number}", "demo", *_as_it_is(standard), cast.ada, NOW, "More")
        open_handoff()
    assert Handoff.objects.count() == 4
    assert [queries(client, url) for url in (ALL, STANDARD)] == before


def test_a_null_character_where_one_starts_names_no_policy(as_: Any, cast: Cast) -> None:
    assert as_(cast.otto).get(NEW, {"from": "standard\x00s"}).status_code == 200
