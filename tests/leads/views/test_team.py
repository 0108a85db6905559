"""Team: who needs help, who holds how much, and giving a lead to somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from leads import escalation, lifecycle
from leads.models import Handoff
from leads.presenters import teams
from routing.models import Absence, PoolMember, Queue, User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.views.asking import HTMX, SignIn, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def groups(client: Client, url: str = "/team/") -> dict[str, list[int]]:
    """Ids by section; what is empty is left out."""
    found = client.get(url).context["overview"].groups
    return {group.key: [row.id for row in group.rows] for group in found if group.rows}


def whys(client: Client) -> dict[int, str]:
    """What each row says is wrong."""
    found = client.get("/team/").context["overview"].groups
    return {row.id: row.why for group in found for row in group.rows}


def queue(cast: Cast) -> Queue:
    return Queue.objects.create(slug="dach", name="DACH desk", owner=cast.mia)


# What stands where


def test_silence_after_a_look_is_told_apart_from_never_having_looked(as_: SignIn, cast: Cast) -> None:
    """Reached sales at 10:00; looked at 10:05, or not at all; flagged at 14:00, when nobody had acted."""
    seen, unseen = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    lifecycle.view(seen.pk, lifecycle.Act(NOW + timedelta(minutes=5), cast.femke))
    for pk in (seen.pk, unseen.pk):
        lifecycle.fire(pk, NOW + timedelta(hours=4))
    with time_machine.travel(NOW + timedelta(hours=4, minutes=4), tick=False):
        told = whys(as_(cast.mia))
    assert told[seen.pk].startswith("Looked at today") and told[seen.pk].endswith("nothing since")
    assert told[unseen.pk].startswith("Black hole in the making: never looked at since today")
    with time_machine.travel(NOW + timedelta(hours=4, minutes=5), tick=False):
        assert whys(as_(cast.mia))[seen.pk].startswith("Silent rejection: looked at today")


def test_the_look_of_an_earlier_holder_does_not_count(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.view(handoff.pk, lifecycle.Act(NOW + timedelta(minutes=5), cast.femke))
    manager = lifecycle.Act(NOW + timedelta(minutes=10), cast.mia)
    lifecycle.reassign(handoff.pk, manager, to=cast.jonas.email, reason="Femke is ill")
    lifecycle.view(handoff.pk, lifecycle.Act(NOW + timedelta(minutes=11), cast.femke))
    later = NOW + timedelta(hours=4, minutes=30)
    lifecycle.fire(handoff.pk, later)
    with time_machine.travel(later, tick=False):
        assert "never looked at" in whys(as_(cast.mia))[handoff.pk]


def test_an_act_after_the_look_ends_the_silence(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.view(handoff.pk, lifecycle.Act(NOW + timedelta(minutes=5), cast.femke))
    lifecycle.note(handoff.pk, lifecycle.Act(NOW + timedelta(minutes=6), cast.femke), text="Not at her desk")
    later = NOW + timedelta(hours=4, minutes=30)
    lifecycle.fire(handoff.pk, later)
    with time_machine.travel(later, tick=False):
        assert whys(as_(cast.mia))[handoff.pk] == "No activity for 4 h 24"


def test_each_kind_of_trouble_has_its_section(as_: SignIn, cast: Cast) -> None:
    late = make_handoff("assigned", cast.femke, kind="demo_request")
    risk = make_handoff("assigned", cast.jonas, at=NOW - timedelta(minutes=45))
    silent = make_handoff("assigned", cast.femke)
    hole = make_handoff("assigned", cast.jonas)
    unowned = make_handoff("queued", queue=queue(cast))
    fine = make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=silent.pk).update(no_activity_at=LATER)
    Handoff.objects.filter(pk=hole.pk).update(black_hole_at=LATER)
    found = groups(as_(cast.mia))
    assert found == {
        "late": [late.pk],
        "hole": [hole.pk],
        "unseen": [silent.pk],
        "risk": [risk.pk],
        "unowned": [unowned.pk],
    }
    assert all(fine.pk not in ids for ids in found.values())


def test_what_nobody_can_answer_for_stands_on_top(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    type(cast.femke).objects.filter(pk=cast.femke.pk).update(is_active=False)
    overview = as_(cast.mia).get("/team/").context["overview"]
    assert overview.groups[0].key == "lost"
    assert [row.id for row in overview.groups[0].rows] == [handoff.pk]


def troubles(client: Client) -> list[str]:
    return [f"{line.what} {line.todo}" for line in client.get("/team/").context["overview"].troubles]


def test_what_nobody_answers_for_is_named_in_red_with_what_to_do(as_: SignIn, cast: Cast) -> None:
    """Found as the page is opened; whoever leads no team of theirs is not asked to do anything."""
    for _ in range(2):
        make_handoff("accepted", cast.femke)
    make_handoff("deferred", cast.jonas)
    User.objects.filter(pk=cast.jonas.pk).update(is_active=False)
    Absence.objects.create(user=cast.femke, starts_at=NOW, ends_at=LATER + timedelta(days=2))
    gone, away = troubles(as_(cast.mia))
    assert gone.startswith("Jonas Keller is inactive and holds 1 open lead. The sweep moves them on")
    assert away.startswith("Femke de Boer is away and holds 2 open leads.") and "reassign" in away
    assert troubles(as_(cast.otto)) == troubles(as_(cast.ada)) == [gone, away]
    assert troubles(as_(cast.nils)) == []
    page = html(as_(cast.mia).get("/team/"))
    assert "Nobody answers for this" in page and f'href="?rep={cast.femke.pk}"' in page
    escalation.repair(LATER)
    assert troubles(as_(cast.mia)) == []
    assert "Nobody answers for this" not in html(as_(cast.mia).get("/team/"))


def test_what_the_sweep_cannot_repair_stays_on_the_page(as_: SignIn, cast: Cast) -> None:
    astray = make_handoff("accepted", cast.rosa)
    Queue.objects.filter(kind="completion").delete()
    Handoff.objects.filter(pk=astray.pk).update(next_due_at=None)
    [missing, lost] = troubles(as_(cast.otto))
    assert missing.startswith("There is no data completion queue") and "setup" in missing
    assert lost.startswith(f"Handoff {astray.pk} has nobody who holds it, or not the deadline")
    # Of another team than hers; the queue is everybody's.
    assert troubles(as_(cast.mia)) == [missing]
    escalation.repair(LATER)
    assert troubles(as_(cast.otto)) == [missing]


def test_a_queue_that_nobody_can_own_is_named(as_: SignIn, cast: Cast) -> None:
    Queue.objects.filter(kind="overflow").update(owner=cast.femke)
    User.objects.filter(pk__in=[cast.femke.pk, cast.mia.pk, cast.ada.pk]).update(is_active=False)
    assert escalation.repair(LATER) == []
    [said] = [line for line in troubles(as_(cast.otto)) if "Overflow" in line]
    assert said.startswith("The queue Overflow has no owner who can answer: Femke de Boer is inactive.")
    assert "give it another owner" in said


def test_a_queue_whose_owner_only_reads_is_named(as_: SignIn, cast: Cast) -> None:
    Queue.objects.filter(kind="overflow").update(owner=cast.vera)
    [said] = troubles(as_(cast.otto))
    assert "no owner who can answer: Vera Costa is no more than a viewer." in said


def test_the_worst_stand_first() -> None:
    assert list(teams.groups()) == ["lost", "hole", "silent", "unseen", "late", "risk", "unowned"]


def test_a_persons_work_is_by_its_deadline_then_its_next_touch(as_: SignIn, cast: Cast) -> None:
    touched, answered = make_handoff("working", cast.femke), make_handoff("assigned", cast.femke)
    Handoff.objects.filter(pk=touched.pk).update(next_touch_at=LATER + timedelta(days=14))
    never = make_handoff("working", cast.femke)
    Handoff.objects.filter(pk=never.pk).update(next_touch_at=None)
    response = as_(cast.mia).get(f"/team/?rep={cast.femke.pk}")
    work = [row.id for row in response.context["overview"].work]
    assert work == [answered.pk, touched.pk, never.pk]
    assert f"/handoffs/?holder={cast.femke.pk}&amp;state=open&amp;sort=due" in html(response)


def test_nothing_to_do_is_said_with_its_reason(as_: SignIn, cast: Cast) -> None:
    page = html(as_(cast.mia).get("/team/"))
    assert "No lead waits in a queue: each has a person." in page
    assert "Nothing is past its deadline." in page
    assert "Nobody answers for these" not in page


def test_a_manager_sees_only_the_teams_they_lead(as_: SignIn, cast: Cast) -> None:
    own = make_handoff("assigned", cast.femke, kind="demo_request")
    other = make_handoff("assigned", cast.rosa, kind="demo_request")
    assert groups(as_(cast.mia)) == {"late": [own.pk]}
    assert groups(as_(cast.nils)) == {"late": [other.pk]}
    assert groups(as_(cast.mia), f"/team/?team={cast.rosa.team_id}") == {}
    names = [line.name for line in as_(cast.mia).get("/team/").context["overview"].lines]
    assert sorted(names) == ["Femke de Boer", "Jonas Keller", "Mia Brandt"]


def test_marketing_and_admins_see_every_team(as_: SignIn, cast: Cast) -> None:
    own = make_handoff("assigned", cast.femke, kind="demo_request")
    other = make_handoff("assigned", cast.rosa, kind="demo_request")
    for user in (cast.otto, cast.ada):
        assert groups(as_(user)) == {"late": [own.pk, other.pk]}
        assert groups(as_(user), f"/team/?team={cast.rosa.team_id}") == {"late": [other.pk]}


def test_load_is_what_holds_a_turn_beside_the_cap(as_: SignIn, cast: Cast) -> None:
    for state in ("assigned", "accepted", "deferred", "working"):
        make_handoff(state, cast.femke)
    PoolMember.objects.filter(user=cast.femke).update(cap_open=6)
    Absence.objects.create(
        user=cast.jonas, starts_at=NOW - timedelta(days=1), ends_at=NOW + timedelta(days=3)
    )
    lines = {line.name: line for line in as_(cast.mia).get("/team/").context["overview"].lines}
    femke = lines["Femke de Boer"]
    assert (femke.answer, femke.contact, femke.deferred, femke.follow) == (1, 1, 1, 1)
    assert (femke.load, femke.cap, femke.share) == (3, "6", 50)
    assert lines["Jonas Keller"].note == "away until Fri 10:00"


def test_more_people_than_are_shown_begin_with_who_needs_help(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the latest leads is there, however long ago the others joined; and the cut is said."""
    client = as_(cast.otto)
    page = html(client.get("/team/"))
    assert "who need help first; there are more" not in page and '<th scope="row">All</th>' in page
    make_handoff("working", cast.femke)
    make_handoff("assigned", cast.jonas)
    for _ in range(2):
        make_handoff("assigned", cast.nils, kind="demo_request")
    make_handoff("assigned", cast.rosa, kind="demo_request")
    everybody = queries(client, "/team/")
    monkeypatch.setattr("leads.views.loads.MOST_PEOPLE", 3)
    assert queries(client, "/team/") == everybody
    response = client.get("/team/")
    lines = response.context["overview"].lines
    assert [(line.name, line.late) for line in lines] == [
        ("Nils Holm", 2), ("Rosa Lindqvist", 1), ("Jonas Keller", 0),
    ]  # fmt: skip
    page = html(response)
    assert "Shown are the 3 who need help first; there are more. Choose a team" in page
    assert '<th scope="row">Shown</th>' in page
    # Those who hold nothing fill up what is left, and a team that fits is whole.
    response = client.get(f"/team/?team={cast.femke.team_id}")
    names = [line.name for line in response.context["overview"].lines]
    assert names == ["Jonas Keller", "Femke de Boer", "Mia Brandt"]
    assert "there are more" not in html(response)


def test_one_persons_work_is_listed(as_: SignIn, cast: Cast) -> None:
    own = make_handoff("working", cast.femke)
    make_handoff("assigned", cast.jonas)
    response = as_(cast.mia).get(f"/team/?rep={cast.femke.pk}")
    assert "Everything open" in html(response)
    assert [row.id for row in response.context["overview"].work] == [own.pk]
    foreign = as_(cast.mia).get(f"/team/?rep={cast.rosa.pk}").context["overview"]
    assert foreign.rep is None


def test_a_long_section_is_cut_and_shown_whole_when_asked(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leads.views.staff.MOST_ROWS", 2)
    made = [make_handoff("assigned", cast.femke, kind="demo_request").pk for _ in range(3)]
    client = as_(cast.mia)
    page = html(client.get("/team/"))
    assert '<a href="?show=late">Show all 3</a>' in page
    assert groups(client) == {"late": made[:2]}
    assert groups(client, "/team/?show=late") == {"late": made}
    assert groups(client, "/team/?show=<x>") == {"late": made[:2]}
    assert "Nobody sits on a lead in silence." in html(client.get("/team/?show=silent"))


def test_imported_history_is_not_on_it(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    Handoff.objects.filter(pk=handoff.pk).update(is_history=True)
    assert groups(as_(cast.mia)) == {}


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    first = make_handoff("assigned", cast.femke, kind="demo_request")
    make_handoff("queued", queue=queue(cast))
    client = as_(cast.mia)
    urls = ("/team/", f"/team/?rep={cast.femke.pk}", f"/team/?h={first.pk}")
    one = [queries(client, url) for url in urls]
    for _ in range(2):
        make_handoff("assigned", cast.femke, kind="demo_request")
        make_handoff("assigned", cast.jonas)
        make_handoff("queued", queue=Queue.objects.get(slug="dach"))
    assert [queries(client, url) for url in urls] == one


# Whose page it is


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/team/")


def test_it_is_not_there_for_reps_and_viewers(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 404, get=("/team/",), post=(f"/team/{handoff.pk}/reassign/",))


def test_the_page_is_read_and_the_act_is_posted(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    refuses(as_(cast.mia), 405, get=(f"/team/{handoff.pk}/reassign/",), post=("/team/",))


# Reassigning


def give(client: Client, handoff: Handoff, to: str, reason: str = "On leave soon", **more: str) -> object:
    sent = {"to": to, "reason": reason, "revision": str(handoff.revision)} | more
    return client.post(f"/team/{handoff.pk}/reassign/", sent, follow=True)


def test_one_lead_is_given_with_its_reason(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    response = give(as_(cast.mia), handoff, "jonas@handoff.example.com")
    assert "given to Jonas Keller." in html(response)  # type: ignore[arg-type]
    handoff.refresh_from_db()
    assert handoff.assignee == cast.jonas
    assert handoff.notes.get().text == "On leave soon"


def test_htmx_gets_the_page_again_with_what_was_done(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    sent = {"to": "queue:overflow", "reason": "Nobody is free"}
    response = as_(cast.mia).post(f"/team/{handoff.pk}/reassign/", sent, headers=HTMX)
    page = html(response)
    assert page.lstrip().startswith("{#") is False
    assert "given to the queue Overflow." in page
    assert response["HX-Push-Url"] == "/team/?"


def test_the_form_stands_under_its_row_and_names_the_eligible(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    make_handoff("assigned", cast.jonas)
    response = as_(cast.mia).get(f"/team/?h={handoff.pk}")
    form = response.context["overview"].form
    assert [(row.label, row.load) for row in form.receivers] == [
        ("Me", 0),
        ("Jonas Keller", 1),
        ("Queue Overflow", 0),
    ]
    assert 'name="to" autofocus' in html(response)


def test_what_is_missing_is_said_and_what_was_typed_stays(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    for headers in ({}, HTMX):
        sent = {"to": "", "reason": "Because"}
        page = html(as_(cast.mia).post(f"/team/{handoff.pk}/reassign/", sent, headers=headers), 422)
        assert "Choose who gets it." in page
        assert ">Because</textarea>" in page
    sent = {"to": "jonas@handoff.example.com", "reason": " "}
    page = html(as_(cast.mia).post(f"/team/{handoff.pk}/reassign/", sent), 422)
    assert "Write why" in page
    assert '<option value="jonas@handoff.example.com" selected>' in page


@pytest.mark.parametrize(
    "to", ["rosa@handoff.example.com", "vera@handoff.example.com", "queue:completion", "x"]
)
def test_a_manager_gives_only_within_the_teams_they_lead(as_: SignIn, cast: Cast, to: str) -> None:
    handoff = make_handoff("assigned", cast.femke)
    page = html(
        as_(cast.mia).post(f"/team/{handoff.pk}/reassign/", {"to": to, "reason": "x", "anyway": "1"}), 422
    )
    assert "Choose somebody of a team you lead, or a queue." in page
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke


def test_marketing_gives_it_to_any_team(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    give(as_(cast.otto), handoff, "rosa@handoff.example.com")
    handoff.refresh_from_db()
    assert handoff.assignee == cast.rosa


def test_who_is_away_does_not_get_it_and_who_covers_is_said(as_: SignIn, cast: Cast) -> None:
    """Not even when asked twice: the next minute would take it from them again without a word."""
    handoff = make_handoff("assigned", cast.femke)
    span = {"starts_at": NOW, "ends_at": NOW + timedelta(days=3)}
    Absence.objects.create(user=cast.jonas, cover=cast.rosa, **span)
    client = as_(cast.mia)
    for anyway in ({}, {"anyway": "1"}):
        sent = {"to": "jonas@handoff.example.com", "reason": "Knows them", **anyway}
        page = html(client.post(f"/team/{handoff.pk}/reassign/", sent), 422)
        assert "Jonas Keller is away until 13 Mar, Rosa Lindqvist covers." in page
        assert "Give it anyway" not in page and ">Knows them</textarea>" in page
    # Who covers for somebody while away too covers nobody.
    Absence.objects.create(user=cast.rosa, **span)
    page = html(client.get(f"/team/?h={handoff.pk}"))
    assert "Jonas Keller, away until 13 Mar, nobody covers</option>" in page
    Absence.objects.create(user=cast.mia, **span)
    sent = {"to": cast.mia.email, "reason": "Mine"}
    assert "You are away until 13 Mar" in html(client.post(f"/team/{handoff.pk}/reassign/", sent), 422)
    handoff.refresh_from_db()
    assert (handoff.assignee, handoff.events.filter(kind="reassigned").count()) == (cast.femke, 0)


def test_who_rejected_it_does_not_get_it_back_unasked(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.reject(handoff.pk, lifecycle.Act(LATER, cast.femke), reason="out_of_territory")
    handoff.refresh_from_db()
    assert handoff.assignee != cast.femke
    sent = {"to": "femke@handoff.example.com", "reason": "Try again"}
    page = html(as_(cast.otto).post(f"/team/{handoff.pk}/reassign/", sent), 422)
    assert "Femke de Boer rejected this lead: out of territory, and the place is the same." in page
    assert "Give it anyway" in page
    as_(cast.otto).post(f"/team/{handoff.pk}/reassign/", sent | {"anyway": "1"})
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke


def test_a_foreign_lead_is_not_there(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.rosa)
    refuses(as_(cast.mia), 404, get=(f"/team/?h={handoff.pk}",), post=(f"/team/{handoff.pk}/reassign/",))
    refuses(as_(cast.otto), 404, post=("/team/987654/reassign/",))


def test_a_stale_page_says_who_was_first(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    sent = {"to": "jonas@handoff.example.com", "reason": "A long story", "revision": str(handoff.revision)}
    for headers in ({}, HTMX):
        page = html(as_(cast.mia).post(f"/team/{handoff.pk}/reassign/", sent, headers=headers), 409)
        assert "accepted by femke@handoff.example.com" in page
        assert "You had typed: A long story" in page


def test_the_same_twice_writes_nothing_more(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.mia)
    give(client, handoff, "jonas@handoff.example.com")
    events = handoff.events.count()
    assert "given to Jonas Keller." in html(give(client, handoff, "jonas@handoff.example.com"))  # type: ignore[arg-type]
    assert (handoff.events.count(), handoff.notes.count()) == (events, 1)


def test_hostile_names_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, kind="demo_request")
    type(handoff.lead).objects.filter(pk=handoff.lead_id).update(first_name="<b onclick=x>")
    assert "<b onclick=x>" not in html(as_(cast.mia).get(f"/team/?h={handoff.pk}"))


def test_who_looked_and_who_never_did_stand_apart(as_: SignIn, cast: Cast) -> None:
    seen, unseen = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    lifecycle.view(seen.pk, lifecycle.Act(NOW + timedelta(minutes=5), cast.femke))
    later = NOW + timedelta(hours=9)
    Handoff.objects.update(no_activity_at=LATER, next_due_at=later)
    found = groups(as_(cast.mia))
    assert (found["silent"], found["unseen"]) == ([seen.pk], [unseen.pk])
    # The counts stand on top of the page, each with a way to its section.
    page = html(as_(cast.mia).get("/team/"))
    assert '<a class="chip" href="#w-unseen" data-state="late">Never looked at <b>1</b></a>' in page


def test_a_reps_page_says_what_they_answered_and_when_they_are_away(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke)
    make_handoff("accepted", cast.femke)
    Absence.objects.create(
        user=cast.femke, starts_at=NOW + timedelta(days=3), ends_at=NOW + timedelta(days=9), cover=cast.jonas
    )
    Absence.objects.create(
        user=cast.femke, starts_at=NOW - timedelta(days=9), ends_at=NOW - timedelta(days=3)
    )
    response = as_(cast.mia).get(f"/team/?rep={cast.femke.pk}")
    beside = response.context["overview"].beside
    assert beside.tally == "1 accepted, 1 rejected"
    assert [(row.id, row.what) for row in beside.answers][-1] == (
        handoff.pk,
        "Rejected: not our customer profile",
    )
    assert [(away.cover, away.is_now) for away in beside.aways] == [("Jonas Keller", False)]
    assert "Jonas Keller covers" in html(response)


def test_a_reps_page_takes_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client, url = as_(cast.mia), f"/team/?rep={cast.femke.pk}"
    make_handoff("rejected", cast.femke)
    make_handoff("accepted", cast.femke)
    one = queries(client, url)
    for _ in range(2):
        make_handoff("rejected", cast.femke)
        make_handoff("accepted", cast.femke)
    assert queries(client, url) == one


def test_who_said_no_to_the_lead_before_is_marked_with_the_reason(as_: SignIn, cast: Cast) -> None:
    first = make_handoff("rejected", cast.femke)
    again = make_handoff("assigned", cast.jonas, lead=first.lead, kind="demo_request")
    response = as_(cast.mia).get(f"/team/?h={again.pk}")
    found = {row.value: row.why_not for row in response.context["overview"].form.receivers}
    assert found[cast.femke.email] == (
        "rejected this lead: not our customer profile, and the company is the same"
    )
