"""The sync audit's pages: the last run, what is open by cause, one finding and its ends; who may do what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leads import audit
from leads.models import Connection, Delivery, Finding, Handoff, SyncRun
from tests.factories import make_handoff, make_lead
from tests.leads.audit.test_running import LATER, Played, records, run, synced
from tests.leads.connectors.conftest import make_connection
from tests.leads.views.asking import HTMX, file_of, html, queries, refuses, sent_to_sign_in
from tests.leads.views.integrations.made import PAGE

__all__ = ["records"]

pytestmark = pytest.mark.django_db
URL = f"{PAGE}audit/"
MQL = {"stage": "MQL", "handoff_status": "pending"}
# Half an hour after the run.
AT = LATER + timedelta(minutes=30, seconds=30)


@pytest.fixture(autouse=True)
def _now(time_machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    time_machine.move_to(AT, tick=False)
    monkeypatch.setattr("leads.queueing.put", lambda *args: None)


def drifted(cast, records, number: int = 1, of: int = 3, **there: str) -> list[Finding]:
    """So many of these handoffs drifted at Mautic before the run at LATER."""
    synced(cast, of)
    for lead_id in list(records)[:number]:
        records[lead_id] = records[lead_id] | (there or MQL)
    run()
    return list(Finding.objects.order_by("pk"))


def test_nothing_was_compared_yet(cast, as_):
    body = html(as_(cast.otto).get(URL))
    assert "Nothing was compared so far." in body and "Connect a CRM or a marketing platform first" in body
    assert "Compare now" not in body


def test_the_last_run_says_coverage_first_and_groups_what_is_open(cast, as_, records):
    finding, *_ = drifted(cast, records, 2)
    body = html(as_(cast.otto).get(URL))
    for words in (
        "<dt>Covered</dt><dd>100 %</dd>",
        "<dt>Agree</dt><dd>33.3 %</dd>",
        "Sales accepted it, the marketing platform still shows an MQL",
        "A write to the marketing platform was lost or taken back: nurture goes on mailing.",
        '<span class="badge">2</span> <span class="flag" data-tone="late">High</span>',
        f'href="{URL}{finding.pk}/"',
        "the oldest for 30 min",
    ):
        assert words in body, words
    # Both connections' lags are those of the day before.
    assert "<dt>Until it stands everywhere</dt><dd>" in body


def ids(client, query: str = "") -> list[int]:
    response = client.get(f"{URL}{query}")
    assert response.status_code == 200
    return [line.id for line in response.context["lines"]]


def test_the_list_is_narrowed_by_its_address_and_paged(cast, as_, records, monkeypatch):
    rows = drifted(cast, records, 4, 4)
    ignored, gone = rows[:2]
    Finding.objects.filter(pk=ignored.pk).update(resolved_at=AT, resolution="ignored", note="A trial.")
    Finding.objects.filter(pk=gone.pk).update(resolved_at=AT, resolution="gone")
    client, left = as_(cast.otto), [row.pk for row in rows[:1:-1]]
    for query, found in {
        "": left,
        "?state=ignored": [ignored.pk],
        "?state=settled": [gone.pk],
        "?state=any&connection=mautic-1": [row.pk for row in reversed(rows)],
        "?check=CRM_ACCEPTED_MAP_MQL&severity=high": left,
        "?severity=medium": [],
        f"?handoff={rows[2].handoff_id}": [rows[2].pk],
    }.items():
        assert ids(client, query) == found, query
    assert "There is no such connection, or no longer." in html(client.get(f"{URL}?connection=gone"))
    assert "No finding fits." in html(client.get(f"{URL}?severity=low"))
    monkeypatch.setattr("leads.views.integrations.audit.SIZE", 1)
    first = client.get(URL)
    assert ids(client, first.context["more"].partition("#")[0]) == left[1:]


def test_as_a_file_it_names_nobody_and_runs_nowhere(cast, as_, records):
    [row] = drifted(cast, records, 1, 1)
    Finding.objects.update(values={"ours": "accepted", "theirs": "=SUM(1)", "field": "stage"})
    Connection.objects.update(name="@Mautic")
    lines = file_of(as_(cast.otto).get(f"{URL}findings.csv"))
    assert len(lines) == 2 and lines[0].startswith("finding,check,severity,connection,handoff,lead,field")
    assert f"{row.pk},CRM_ACCEPTED_MAP_MQL,high,'@Mautic,{row.handoff_id}" in lines[1]
    assert "stage,accepted,'=SUM(1)" in lines[1]
    lead = Handoff.objects.get().lead
    assert lead.last_name not in lines[1] and lead.email not in lines[1]


def test_a_run_is_started_and_watched(cast, as_, records):
    synced(cast)
    client = as_(cast.otto)
    assert "Compare now" in html(client.get(URL))
    assert client.post(f"{URL}run/")["Location"] == URL
    client.post(f"{URL}run/")
    job = SyncRun.objects.get()
    assert (job.status, job.created_by, job.total) == ("waiting", cast.otto, 3)
    body = html(client.get(URL))
    assert "0 of 3 handoffs, waiting for the worker" in body and "Compare now" not in body
    part = client.get(f"{URL}?part=progress", headers=HTMX)
    assert "<main" not in html(part) and "HX-Refresh" not in part
    while audit.work(job, AT):
        job.refresh_from_db()
    assert client.get(f"{URL}?part=progress", headers=HTMX)["HX-Refresh"] == "true"
    SyncRun.objects.update(status="failed", error="It stopped.")
    assert "The last run failed: It stopped." in html(client.get(URL))


def test_without_a_connection_no_run_is_started(cast, as_):
    client = as_(cast.otto)
    client.post(f"{URL}run/")
    assert "No connection that runs keeps the state of handoffs." in html(client.get(URL))
    assert not SyncRun.objects.exists()


def test_one_finding_shows_the_sides_beside_each_other(cast, as_, records):
    [row] = drifted(cast, records, 1, 1)
    body = html(as_(cast.otto).get(f"{URL}{row.pk}/"))
    table = body.split("audit-sides")[1].split("</table>")[0]
    assert "Accepted" in table and "Waits for an answer" in table and "stage: MQL" in table
    assert table.count('class="differs"') == 1
    for words in ("Push ours.", "Ours is right", "It may stay so", "read today 11:00", "30 min"):
        assert words in body, words
    assert "Theirs is right" not in body, "an MQL is no answer that could be adopted"
    assert f'href="/handoffs/{row.handoff_id}/"' in body


def test_the_other_systems_are_read_once_more(cast, as_, records):
    [row] = drifted(cast, records, 1, 1)
    make_connection("hubspot", role="crm", name="CRM", slug="crm", secrets={})
    client = as_(cast.otto)
    [lead_id] = records
    records[lead_id] = records[lead_id] | {"stage": "<b>SAL</b>"}
    part = html(client.get(f"{URL}{row.pk}/?now=1", headers=HTMX))
    assert "<main" not in part and "Read just now." in part and "&lt;b&gt;SAL&lt;/b&gt;" in part
    assert "CRM" in part, "whoever cannot be read is there too, with why"
    assert Handoff.objects.get().lead.email in part, "addresses only in a fresh look"
    assert Handoff.objects.get().lead.email not in html(client.get(f"{URL}{row.pk}/"))
    assert "Read just now." in html(client.get(f"{URL}{row.pk}/?now=1"))


def test_ours_is_pushed_once(cast, as_, records):
    [row] = drifted(cast, records, 1, 1)
    client, before = as_(cast.otto), Handoff.objects.get().revision
    assert client.post(f"{URL}{row.pk}/push/")["Location"] == f"{URL}{row.pk}/"
    body = html(client.get(f"{URL}{row.pk}/"))
    assert "Ours was written again, Otto Maier" in body and "Push ours</button>" not in body
    assert "This is settled already." in html(client.post(f"{URL}{row.pk}/push/"), 409)
    row.refresh_from_db()
    assert (row.resolution, row.resolved_by, Handoff.objects.get().revision) == (
        "pushed",
        cast.otto,
        before + 1,
    )


def test_it_is_ignored_with_a_note(cast, as_, records):
    [row] = drifted(cast, records, 1, 1, stage="Recycled")
    client = as_(cast.ada)
    assert "Say why, in at most 300 characters." in html(client.post(f"{URL}{row.pk}/ignore/"), 422)
    long = "x" * 301
    assert "x" * 300 in html(client.post(f"{URL}{row.pk}/ignore/", {"note": long}), 422), "nothing is lost"
    client.post(f"{URL}{row.pk}/ignore/", {"note": "They\x00 try new stages"})
    row.refresh_from_db()
    assert (row.resolution, row.note, row.resolved_by) == ("ignored", "They try new stages", cast.ada)
    assert "They try new stages" in html(client.get(f"{URL}{row.pk}/"))
    # It differs otherwise: it is open again, and who left it so is still said.
    [lead_id] = records
    records[lead_id] = records[lead_id] | {"stage": "Nurture"}
    run(AT + timedelta(minutes=1))
    row.refresh_from_db()
    assert (row.resolved_at, row.note) == (None, "")
    body = html(client.get(f"{URL}{row.pk}/"))
    assert "Settled before" in body and "Ignored, Ada Admin" in body and "They try new stages" in body


def test_a_rejection_there_is_adopted_with_a_reason_of_ours(cast, as_, records):
    [row] = drifted(cast, records, 1, 1, stage="Recycled", handoff_reason="blue moon")
    client = as_(cast.otto)
    assert "Reason of the rejection" in html(client.get(f"{URL}{row.pk}/"))
    assert "the other system names none that we know" in html(client.post(f"{URL}{row.pk}/adopt/"), 422)
    client.post(f"{URL}{row.pk}/adopt/", {"reason": "wrong_title"})
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.rejected_by) == ("rejected", cast.otto)
    assert "Theirs was adopted" in html(client.get(f"{URL}{row.pk}/"))


def test_what_cannot_be_adopted_says_what_to_do(cast, as_, records, monkeypatch):
    [row] = drifted(cast, records, 1, 1, stage="Nurture")
    client = as_(cast.otto)
    assert "ask them to defer it here, or push ours." in html(client.post(f"{URL}{row.pk}/adopt/"), 409)
    monkeypatch.setattr(Played, "is_down", True)
    assert "The other system could not be read" in html(client.post(f"{URL}{row.pk}/adopt/"), 409)
    row.refresh_from_db()
    assert row.resolved_at is None


def test_many_of_a_kind_are_settled_at_once(cast, as_, records, monkeypatch):
    rows = drifted(cast, records, 3)
    client = as_(cast.otto)
    assert "Push ours for all" not in html(client.get(URL)), "of one kind only"
    kind = {"check": "CRM_ACCEPTED_MAP_MQL", "connection": "mautic-1"}
    assert "Push ours for all" in html(client.get(URL, kind))
    monkeypatch.setattr("leads.views.integrations.audit.MOST_AT_ONCE", 2)
    response = client.post(f"{URL}settle/", {"choice": "push", **kind})
    assert "2 are written again. 1 more is open." in html(client.get(response["Location"].partition("#")[0]))
    assert "Say why, in at most" in html(client.post(f"{URL}settle/", {"choice": "ignore", **kind}), 422)
    client.post(f"{URL}settle/", {"choice": "ignore", "note": "A trial.", **kind})
    again = client.post(f"{URL}settle/", {"choice": "push", **kind})
    assert "Nothing was settled." in html(client.get(again["Location"].partition("#")[0]))
    settled = Finding.objects.order_by("pk").values_list("resolution", flat=True)
    assert list(settled) == ["pushed", "pushed", "ignored"] and len(rows) == 3
    assert "Choose one check in one connection first." in html(client.post(f"{URL}settle/"), 422)


def test_managers_read_what_they_may_see(cast, as_, records, monkeypatch):
    monkeypatch.setattr("leads.connectors.polling.pollable", lambda: ["mautic"])
    connection = synced(cast, 1)
    make_handoff("accepted", cast.rosa, lead=make_lead(first_name="Zora", last_name="Neale"))
    records.clear()
    polls = {"polled_at": LATER - timedelta(hours=1), "options": {"poll_minutes": 5}}
    Connection.objects.filter(pk=connection.pk).update(**polls)
    Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=LATER)
    run()
    mine = Finding.objects.get(handoff__assignee=cast.femke)
    foreign = Finding.objects.get(handoff__assignee=cast.rosa)
    stale = Finding.objects.get(check_code="STALE_CURSOR")
    client = as_(cast.mia)
    assert set(ids(client)) == {mine.pk, stale.pk}
    body = html(client.get(URL))
    assert "Zora" not in body and "Compare now" not in body and 'href="/integrations/deliveries/"' not in body
    body = html(client.get(f"{URL}{mine.pk}/?now=1"))
    assert "Marketing ops and admins settle it." in body and "Push ours</button>" not in body
    assert "Read just now." not in body
    refuses(client, 404, get=(f"{URL}{foreign.pk}/",))
    acts = (f"{URL}{mine.pk}/push/", f"{URL}{mine.pk}/ignore/", f"{URL}run/", f"{URL}settle/")
    refuses(client, 403, post=acts)
    assert "Zora" not in "".join(file_of(client.get(f"{URL}findings.csv")))


def test_who_comes_here_and_how(cast, as_, client, records):
    [row] = drifted(cast, records, 1, 1)
    reads, acts = (URL, f"{URL}{row.pk}/", f"{URL}findings.csv"), (f"{URL}run/", f"{URL}settle/")
    acts += tuple(f"{URL}{row.pk}/{choice}/" for choice in ("push", "adopt", "ignore"))
    sent_to_sign_in(client, *reads)
    for user in (cast.femke, cast.vera):
        refuses(as_(user), 403, get=reads, post=acts)
    signed_in = as_(cast.otto)
    refuses(signed_in, 405, get=acts, post=reads)
    refuses(signed_in, 404, get=(f"{URL}0/",), post=(f"{URL}{row.pk}/burn/", f"{URL}0/push/"))
    row.refresh_from_db()
    assert row.resolved_at is None


@pytest.mark.parametrize("address", [URL, f"{URL}?state=any", f"{URL}findings.csv"])
def test_queries_do_not_grow_with_the_findings(cast, as_, records, address):
    drifted(cast, records, 1)
    client = as_(cast.otto)
    one = queries(client, address)
    for lead_id in records:
        records[lead_id] = records[lead_id] | MQL
    run(LATER + timedelta(minutes=5))
    assert Finding.objects.count() == 3
    assert queries(client, address) == one


def test_the_handoffs_page_says_what_another_system_shows(cast, as_, records):
    [row] = drifted(cast, records, 1, 1)
    address = f"/handoffs/{row.handoff_id}/"
    shown = f"{row.connection.name} shows “Waits for an answer”."
    assert shown in html(as_(cast.femke).get(address))
    assert f'href="{URL}{row.pk}/"' not in html(as_(cast.femke).get(address)), "not a rep's page"
    assert f'href="{URL}{row.pk}/"' in html(as_(cast.mia).get(address))
    Finding.objects.update(resolved_at=AT, resolution="gone")
    assert shown not in html(as_(cast.mia).get(address))
