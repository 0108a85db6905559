"""Acts on many handoffs: chosen, looked at, done once each; what was refused or changed meanwhile is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError
from django.test import Client

from leads import bulk, invariants, lifecycle, tasks
from leads.bulk import verbs
from leads.models import BulkRow, BulkRun, Event, Handoff, Lead, Note, TriageItem, Waiver
from routing.models import Absence, Queue, User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in

LATER = NOW + timedelta(minutes=10)
WHY = {"reason": "Rebalancing after the fair"}


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # However busy the machine is, what is asked for is done before the answer.
    monkeypatch.setattr(bulk, "WAITED_SECONDS", 600)
    with time_machine.travel(LATER, tick=False):
        yield


def choose(client: Client, *handoffs: Handoff, verb: str = "reassign", **more: object) -> BulkRun:
    for handoff in handoffs:
        handoff.refresh_from_db()
    picks = [f"{handoff.pk}.{handoff.revision}" for handoff in handoffs]
    response = client.post("/handoffs/bulk/", {"verb": verb, "pick": picks, **more})
    assert response.status_code == 302 and response["Location"].startswith("/handoffs/bulk/"), (
        response.content
    )
    return BulkRun.objects.latest("pk")


def confirm(client: Client, run: BulkRun, **options: str) -> None:
    response = client.post(f"/handoffs/bulk/{run.pk}/", {"do": "confirm", **options})
    assert (response.status_code, response["Location"]) == (302, f"/handoffs/bulk/{run.pk}/")


def ends(run: BulkRun) -> dict[int, str]:
    return dict(run.rows.values_list("handoff_id", "status"))


def looked(client: Client, run: BulkRun, status: int = 200, **options: str) -> dict[int, tuple[str, str]]:
    url = f"/handoffs/bulk/{run.pk}/"
    response = client.post(url, {"do": "look", **options}) if options else client.get(url)
    assert response.status_code == status
    return {row["id"]: (row["status"], row["why"]) for row in response.context["rows"]}


def test_many_are_given_to_somebody_and_each_says_why_not(as_: SignIn, cast: Cast) -> None:
    free = make_handoff("assigned", cast.femke)
    queued = make_handoff("queued")
    hers = make_handoff("assigned", cast.jonas)
    worked = make_handoff("working", cast.femke)
    client = as_(cast.otto)
    run = choose(client, free, queued, hers, worked)
    assert not Event.objects.filter(kind="reassigned").exists()
    preview = looked(client, run, to=cast.jonas.email, **WHY)
    assert preview[free.pk] == preview[queued.pk] == ("", "")
    assert preview[hers.pk] == ("same", "Jonas Keller has it already.")
    assert preview[worked.pk][0] == "refused" and "contact attempt by femke@" in preview[worked.pk][1]
    assert "Goes to Jonas Keller" in html(client.get(f"/handoffs/bulk/{run.pk}/"))
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert ends(run) == {free.pk: "done", queued.pk: "done", hers.pk: "same", worked.pk: "refused"}
    # What was said before is what happened.
    assert {pk: why for pk, (why, _) in preview.items() if why} == {
        pk: status for pk, status in ends(run).items() if status != "done"
    }
    for handoff in (free, queued):
        handoff.refresh_from_db()
        assert (handoff.assignee, handoff.state) == (cast.jonas, "assigned")
        assert Note.objects.get(handoff=handoff).text == WHY["reason"]
        assert handoff.events.get(kind="reassigned").user == cast.otto
    page = html(client.get(f"/handoffs/bulk/{run.pk}/"))
    assert "<b>2</b> done" in page and "Given to Jonas Keller." in page and WHY["reason"] in page
    assert (
        page.count('<span class="row-sub">Jonas Keller</span>') == 3 and 'href="/handoffs/bulk/">past' in page
    )
    [line] = client.get("/handoffs/bulk/").context["lines"]
    assert (line["what"], line["count"]) == ("Reassign", 4)
    assert list(invariants.violations(LATER)) == []


def test_twice_posted_is_once_done(as_: SignIn, cast: Cast) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.otto)
    run = choose(client, handoff)
    confirm(client, run, to=cast.jonas.email, **WHY)
    events = Event.objects.count()
    confirm(client, run, to=cast.rosa.email, **WHY)
    handoff.refresh_from_db()
    assert (handoff.assignee, Event.objects.count()) == (cast.jonas, events)
    run.refresh_from_db()
    assert run.options["to"] == cast.jonas.email


def test_what_somebody_else_did_meanwhile_is_said_and_not_undone(as_: SignIn, cast: Cast) -> None:
    handoff, other = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.femke)
    client = as_(cast.otto)
    run = choose(client, handoff, other)
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    assert looked(client, run, to=cast.jonas.email, **WHY)[handoff.pk][0] == "changed"
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert ends(run) == {handoff.pk: "changed", other.pk: "done"}
    assert "accepted by femke@handoff.example.com" in run.rows.get(handoff=handoff).message
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke


def test_between_the_look_and_the_lock_the_verb_itself_refuses(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.otto)
    run = choose(client, handoff)
    lifecycle.accept(handoff.pk, lifecycle.Act(LATER, cast.femke))
    monkeypatch.setattr(bulk.running, "_objections", lambda *args: {})
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert ends(run) == {handoff.pk: "changed"}
    handoff.refresh_from_db()
    assert handoff.assignee == cast.femke


def test_who_rejected_it_gets_it_only_if_that_is_meant(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.jonas)
    lifecycle.reject(handoff.pk, lifecycle.Act(NOW, cast.jonas), reason="out_of_territory")
    client = as_(cast.otto)
    run = choose(client, handoff)
    assert looked(client, run, to=cast.jonas.email, **WHY)[handoff.pk] == (
        "refused",
        "Jonas Keller rejected this lead: out of territory, and the place is the same.",
    )
    assert looked(client, run, to=cast.jonas.email, anyway="1", **WHY)[handoff.pk] == ("", "")
    confirm(client, run, to=cast.jonas.email, anyway="1", **WHY)
    assert ends(run) == {handoff.pk: "done"}


def test_a_no_to_an_earlier_handoff_of_the_lead_holds_and_one_that_has_passed_does_not(
    as_: SignIn, cast: Cast
) -> None:
    earlier = make_handoff("assigned", cast.jonas)
    lifecycle.reject(earlier.pk, lifecycle.Act(NOW, cast.jonas), reason="not_icp")
    lead = Lead.objects.get(pk=earlier.lead_id)
    again, client = make_handoff("assigned", cast.femke, lead=lead), as_(cast.otto)
    run = choose(client, again)
    status, words = looked(client, run, to=cast.jonas.email, **WHY)[again.pk]
    assert (status, words[:32]) == ("refused", "Jonas Keller rejected this lead:")
    Lead.objects.filter(pk=lead.pk).update(country_code="NL")
    assert looked(client, run, to=cast.jonas.email, **WHY)[again.pk] == ("", "")


def test_what_is_missing_is_said_and_what_was_typed_stays(as_: SignIn, cast: Cast) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.otto)
    Absence.objects.create(user=cast.rosa, starts_at=NOW, ends_at=NOW + timedelta(days=3))
    run = choose(client, handoff)
    url = f"/handoffs/bulk/{run.pk}/"
    for options, words in (
        ({"to": "", **WHY}, "Choose who gets them."),
        ({"to": "nobody@example.com", **WHY}, "Choose somebody of a team you lead"),
        ({"to": cast.rosa.email, **WHY}, "Rosa Lindqvist: away until"),
        ({"to": cast.jonas.email, "reason": " "}, "Write why"),
    ):
        page = html(client.post(url, {"do": "confirm", **options}), 422)
        assert words in page
    assert f'<option value="{cast.jonas.email}" selected>' in page
    assert not BulkRow.objects.exclude(status="").exists()


def test_a_manager_moves_work_within_the_teams_they_lead(as_: SignIn, cast: Cast) -> None:
    hers, foreign = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.rosa)
    client = as_(cast.mia)
    run = choose(client, hers, foreign)
    assert list(ends(run)) == [hers.pk]
    page = html(client.post(f"/handoffs/bulk/{run.pk}/", {"do": "look", "to": cast.rosa.email, **WHY}), 422)
    assert "Choose somebody of a team you lead" in page
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert ends(run) == {hers.pk: "done"}


def test_what_is_no_longer_theirs_is_refused_when_it_is_done(as_: SignIn, cast: Cast) -> None:
    handoff, client = make_handoff("assigned", cast.femke), as_(cast.mia)
    run = choose(client, handoff)
    User.objects.filter(pk=cast.femke.pk).update(team=cast.rosa.team)
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert run.rows.get().message == "It is not yours to see any more."
    # The name of the lead neither.
    assert f"Handoff {handoff.pk}" in html(client.get(f"/handoffs/bulk/{run.pk}/"))


def test_all_that_match_as_far_as_one_run_takes(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk.running, "MOST", 2)
    made = [make_handoff("assigned", cast.femke, at=NOW - timedelta(minutes=n)) for n in range(3)]
    make_handoff("queued")
    client = as_(cast.otto)
    run = choose(client, all="1", query=f"holder={cast.femke.pk}&view=all")
    assert (list(ends(run)), run.left_out) == ([made[0].pk, made[1].pk], 1)
    assert "1 or more that match are left out" in html(client.get(f"/handoffs/bulk/{run.pk}/"))


def test_checks_are_waived_and_run_again(as_: SignIn, cast: Cast) -> None:
    waits, other = make_handoff("incomplete"), make_handoff("assigned", cast.femke)
    named = make_handoff("incomplete", lead=make_lead(first_name=""))
    client = as_(cast.otto)
    run = choose(client, waits, other, named, verb="waive")
    assert "Choose the check." in html(
        client.post(f"/handoffs/bulk/{run.pk}/", {"do": "confirm", **WHY}), 422
    )
    confirm(client, run, check="company_name", **WHY)
    assert ends(run) == {waits.pk: "done", other.pk: "refused", named.pk: "same"}
    assert Waiver.objects.get().reason == WHY["reason"]
    assert run.rows.get(handoff=waits).message.startswith("Still missing: company size")
    Lead.objects.filter(pk=named.lead_id).update(first_name="Ada")
    run = choose(client, named, other, verb="recheck")
    confirm(client, run)
    assert ends(run) == {named.pk: "done", other.pk: "refused"}
    assert run.rows.get(handoff=named).message.startswith("Complete; it is with ")


def test_rejections_are_settled(as_: SignIn, cast: Cast) -> None:
    waits, other = make_handoff("assigned", cast.femke), make_handoff("rejected", cast.femke)
    lifecycle.reject(waits.pk, lifecycle.Act(NOW, cast.femke), reason="existing_customer")
    client = as_(cast.otto)
    run = choose(client, waits, other, verb="settle")
    confirm(client, run)
    assert ends(run) == {waits.pk: "done", other.pk: "same"}
    assert TriageItem.objects.get().data == {"handoff": waits.pk}


def test_the_selection_as_a_file(as_: SignIn, cast: Cast) -> None:
    mine, other = make_handoff("assigned", cast.femke), make_handoff("assigned", cast.rosa)
    picks = [f"{mine.pk}.1", f"{other.pk}.1", "x", f"{mine.pk}", "9.9.9", f"{'9' * 30}.1"]
    lines = file_of(as_(cast.femke).post("/handoffs/bulk/", {"verb": "export", "pick": picks}))
    assert [line.split(",")[0] for line in lines[1:]] == [str(mine.pk)]
    assert not BulkRun.objects.exists()


def test_what_takes_long_goes_on_in_the_worker(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_handoff("assigned", cast.femke) for _ in range(3)]
    client, asked = as_(cast.otto), []
    monkeypatch.setattr("leads.queueing.put", asked.append)
    monkeypatch.setattr(bulk, "WAITED_SECONDS", 0)
    run = choose(client, *made)
    confirm(client, run, to=cast.jonas.email, **WHY)
    assert asked == ["leads.tasks.bulk_acts"]
    page = html(client.get(f"/handoffs/bulk/{run.pk}/"))
    assert 'hx-trigger="every 2s"' in page and "3 left." in page
    assert tasks.bulk_acts() == 0
    assert set(ends(run).values()) == {"done"}
    assert 'hx-trigger="every 2s"' not in html(client.get(f"/handoffs/bulk/{run.pk}/"))
    assert tasks.bulk_acts() == 0 and len(asked) == 1


def test_a_row_that_was_cut_off_is_done_by_the_next(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [make_handoff("assigned", cast.femke) for _ in range(2)]
    run = choose(as_(cast.otto), *made)
    bulk.set_options(run, {"to": cast.jonas.email, **WHY})
    bulk.start(run, LATER)
    reassign, calls = lifecycle.reassign, []

    def failing(pk: int, *args: object, **more: object) -> Handoff:
        calls.append(pk)
        after = reassign(pk, *args, **more)  # type: ignore[arg-type]
        if len(calls) == 2:
            raise OperationalError("gone for a moment")
        return after

    monkeypatch.setattr(verbs.lifecycle, "reassign", failing)
    assert bulk.work(run, LATER) and ends(run) == {made[0].pk: "done", made[1].pk: ""}
    made[1].refresh_from_db()
    assert made[1].assignee == cast.femke
    assert not bulk.work(run, LATER) and ends(run)[made[1].pk] == "done"
    assert Event.objects.filter(kind="reassigned").count() == 2


def test_who_may_not(as_: SignIn, client: Client, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    run = choose(as_(cast.otto), handoff)
    url = f"/handoffs/bulk/{run.pk}/"
    sent_to_sign_in(client, "/handoffs/bulk/", url)
    refuses(as_(cast.ada), 404, get=(url,), post=(url,))
    pick = {"pick": f"{handoff.pk}.1"}
    for user, verb in (
        (cast.femke, "reassign"),
        (cast.vera, "reassign"),
        (cast.mia, "waive"),
        (cast.ada, "settle"),
    ):
        assert as_(user).post("/handoffs/bulk/", {"verb": verb, **pick}).status_code == 403, verb
    assert as_(cast.otto).put("/handoffs/bulk/").status_code == 405
    response = as_(cast.otto).post("/handoffs/bulk/", {"verb": "accept", **pick}, follow=True)
    assert "Choose what to do with them." in html(response)
    response = as_(cast.otto).post("/handoffs/bulk/", {"verb": "recheck", "query": "state=open"}, follow=True)
    assert (
        "Nothing was selected" in html(response) and response.redirect_chain[0][0] == "/handoffs/?state=open"
    )
    # A role that was lost in between.
    run = choose(as_(cast.mia), handoff)
    cast.mia.groups.clear()
    assert as_(cast.mia).post(f"/handoffs/bulk/{run.pk}/", {"do": "confirm"}).status_code == 403


def test_queries_do_not_grow_with_the_rows(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)

    def asked(count: int) -> tuple[int, int]:
        rows = [make_handoff("assigned", cast.femke) for _ in range(count)]
        rows += [make_handoff("working", cast.rosa) for _ in range(count)]
        run = choose(client, *rows, make_handoff("queued"))
        looked(client, run, to=cast.jonas.email, **WHY)
        before = queries(client, f"/handoffs/bulk/{run.pk}/")
        confirm(client, run, to=cast.jonas.email, **WHY)
        return before, queries(client, f"/handoffs/bulk/{run.pk}/")

    assert asked(1) == asked(3)


def test_old_runs_are_forgotten(as_: SignIn, cast: Cast) -> None:
    run = choose(as_(cast.otto), make_handoff("assigned", cast.femke))
    BulkRun.objects.filter(pk=run.pk).update(created_at=NOW - bulk.KEPT - timedelta(hours=1))
    tasks.prune()
    assert not BulkRun.objects.exists() and not BulkRow.objects.exists() and Handoff.objects.exists()


def test_a_queue_is_given_what_is_chosen(as_: SignIn, cast: Cast) -> None:
    handoff, queued = make_handoff("assigned", cast.femke), make_handoff("queued")
    queue = Queue.objects.get(kind=Queue.Kind.OVERFLOW)
    client = as_(cast.otto)
    run = choose(client, handoff, queued)
    to = f"queue:{queue.slug}"
    assert looked(client, run, to=to, **WHY)[queued.pk] == ("same", f"It waits in {queue} already.")
    confirm(client, run, to=to, **WHY)
    handoff.refresh_from_db()
    assert (handoff.state, handoff.queue) == ("queued", queue)


def test_rejections_are_recycled_and_suppressed(as_: SignIn, cast: Cast) -> None:
    one, two, other = (make_handoff("rejected", cast.femke) for _ in range(3))
    held = make_handoff("assigned", cast.femke)
    client = as_(cast.otto)
    run = choose(client, one, two, held, verb="recycle")
    for until in ("", "2026-03-10", "2029-01-01", "soon", "2026-13-01"):
        page = html(client.post(f"/handoffs/bulk/{run.pk}/", {"do": "confirm", "until": until}), 422)
        assert "Choose the day on which they may come back" in page, until
    assert "Back to marketing until 1 Jun 2026" in html(
        client.post(f"/handoffs/bulk/{run.pk}/", {"do": "look", "until": "2026-06-01"})
    )
    confirm(client, run, until="2026-06-01")
    assert ends(run) == {one.pk: "done", two.pk: "done", held.pk: "refused"}
    one.lead.refresh_from_db()
    assert f"{one.lead.cool_off_until:%Y-%m-%d %H:%M}" == "2026-06-01 09:00"
    run = choose(client, two, other, verb="suppress")
    lifecycle.recycle(other.pk, lifecycle.Act(LATER, cast.ada), until=LATER + timedelta(days=9))
    confirm(client, run)
    assert ends(run) == {two.pk: "done", other.pk: "changed"}
    assert Lead.objects.filter(suppressed_at__isnull=False).get() == two.lead
    # What can still be taken back is not decided yet.
    fresh = make_handoff("assigned", cast.femke)
    lifecycle.reject(fresh.pk, lifecycle.Act(LATER, cast.femke), reason="not_icp", undoable=True)
    run = choose(client, fresh, verb="suppress")
    assert looked(client, run)[fresh.pk][0] == "refused"


def test_null_characters_are_left_out_of_what_is_kept(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke)
    client = as_(cast.mia)
    run = choose(client, handoff, query="q=\x00x")
    confirm(client, run, to=cast.jonas.email, reason="In a\x00 meeting")
    run.refresh_from_db()
    assert (run.query, run.options["reason"], ends(run)) == ("q=x", "In a meeting", {handoff.pk: "done"})
