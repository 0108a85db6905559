"""Possible duplicates: side by side, merged or kept apart, by marketing ops."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client

from leads import lifecycle
from leads.models import DuplicatePair, ExternalId, Lead, Merge
from leads.views import duplicates
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_handoff, make_lead, open_handoff, route_to
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        yield


def twins(**fields: object) -> DuplicatePair:
    first, second = make_lead(), make_lead(**fields)
    return DuplicatePair.objects.create(first=first, second=second, evidence={"same": "phone"}, found_at=NOW)


def urls(pair: DuplicatePair | int) -> tuple[str, str, str]:
    pk = pair if isinstance(pair, int) else pair.pk
    return (f"/duplicates/{pk}/", f"/duplicates/{pk}/merge/", f"/duplicates/{pk}/different/")


def test_what_was_decided_last_is_found_by_an_index(cast: Cast) -> None:
    leads = [make_lead() for _ in range(60)]
    pairs = [
        DuplicatePair(
            first=first, second=second, found_at=NOW, status="different" if number % 2 else "open",
            decided_at=NOW - timedelta(minutes=number) if number % 2 else None,
        )
        for number, (first, second) in enumerate(itertools.combinations(leads, 2))
    ]  # fmt: skip
    DuplicatePair.objects.bulk_create(pairs)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert [row.decided_at for row in duplicates.decided_last()] == [
        NOW - timedelta(minutes=number) for number in range(1, 21, 2)
    ]
    assert "decided_pairs_by_time" in duplicates.decided_last().explain()


def test_both_stand_side_by_side(as_: SignIn, cast: Cast) -> None:
    pair = twins(job_title="CFO", country_code="DE")
    make_handoff("assigned", cast.femke, lead=pair.first)
    ExternalId.objects.create(lead=pair.second, system="crm", value="7")
    response = as_(cast.otto).get("/duplicates/")
    assert "1 to decide" in html(response)
    lines = {line.label: line for line in response.context["pairs"][0].lines}
    assert (lines["Title"].first, lines["Title"].second, lines["Title"].differs) == (
        "Head of Operations",
        "CFO",
        True,
    )
    assert lines["Country"].differs is False
    assert lines["Ids"].second == "crm 7"
    assert lines["Handoffs"].first == "1, Incomplete, Marketing"
    assert lines["Activities"].first == "1"


def test_merging_keeps_the_one_that_was_chosen(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    make_activity(pair.first)
    client, url = as_(cast.otto), urls(pair)[1]
    page = html(client.post(url, {"keep": str(pair.second_id)}, follow=True))
    assert "Merged into" in page
    first = Lead.objects.get(pk=pair.first_id)
    assert first.merged_into_id == pair.second_id
    assert pair.second.activities.count() == 1
    pair.refresh_from_db()
    assert (pair.status, pair.decided_by) == ("merged", cast.otto)
    again = html(client.post(url, {"keep": str(pair.second_id)}, follow=True))
    assert "This was decided already: Merged by Otto Maier" in again


@pytest.mark.parametrize("keep", ["", "0", "x", "987654", "99999999999999999999"])
def test_only_one_of_the_two_can_stay(as_: SignIn, cast: Cast, keep: str) -> None:
    pair = twins()
    page = html(as_(cast.otto).post(urls(pair)[1], {"keep": keep}), 422)
    assert "Choose which of the two stays." in page
    assert not Lead.objects.filter(merged_into__isnull=False).exists()


def test_one_that_was_merged_elsewhere_is_said(as_: SignIn, cast: Cast) -> None:
    pair, third = twins(), make_lead()
    Lead.objects.filter(pk=pair.second_id).update(merged_into=third, email_key=None)
    page = html(as_(cast.otto).post(urls(pair)[1], {"keep": str(pair.first_id)}), 422)
    assert "One of the two was merged already." in page


def test_different_people_are_remembered_and_go_on(as_: SignIn, cast: Cast) -> None:
    route_to(cast.femke)
    pair = twins()
    handoff = open_handoff(pair.second)
    assert handoff.missing == ["deduplication"]
    client, url = as_(cast.otto), urls(pair)[2]
    assert "never raised again" in html(client.post(url, follow=True))
    handoff.refresh_from_db()
    assert handoff.state == "assigned"
    assert client.post(url).status_code == 302
    assert "Different people by Otto Maier" in html(client.get(urls(pair)[0]))
    assert "No two leads look like one person" in html(client.get("/duplicates/"))


def test_what_was_decided_is_listed_with_the_way_back(as_: SignIn, cast: Cast) -> None:
    apart, one = twins(), twins()
    client = as_(cast.otto)
    assert "Decided lately" not in html(client.get("/duplicates/"))
    client.post(urls(apart)[2])
    page = html(client.post(urls(one)[1], {"keep": str(one.second_id)}, follow=True))
    assert f'href="/leads/{one.second_id}/#merges">See the merge or undo it</a>' in page
    lines = client.get("/duplicates/").context["decided"]
    assert [(line.id, line.merged) for line in lines] == [(one.pk, one.first_id), (apart.pk, None)]
    assert 'id="merges"' in html(client.get(f"/leads/{one.first_id}/", follow=True))
    assert client.get("/duplicates/?q=ada").context["decided"] == []


def test_two_that_were_called_different_can_be_decided_on_again(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    client, url = as_(cast.otto), f"/duplicates/{pair.pk}/reopen/"
    client.post(urls(pair)[2])
    assert "Decide again" in html(client.get(urls(pair)[0]))
    for _ in range(2):
        assert "Merge as chosen" in html(client.post(url, follow=True))
    pair.refresh_from_db()
    assert (pair.status, pair.decided_at, pair.decided_by) == ("open", None, None)
    assert "1 to decide" in html(client.get("/duplicates/"))


def test_one_that_was_merged_since_is_not_decided_on_again(as_: SignIn, cast: Cast) -> None:
    pair, third = twins(), make_lead()
    client, url = as_(cast.otto), f"/duplicates/{pair.pk}/reopen/"
    client.post(urls(pair)[2])
    Lead.objects.filter(pk=pair.second_id).update(merged_into=third, email_key=None)
    assert "One of the two was merged since." in html(client.post(url, follow=True))
    pair.refresh_from_db()
    assert pair.status == "different"


def test_deciding_again_is_marketing_s(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    url = f"/duplicates/{pair.pk}/reopen/"
    as_(cast.otto).post(urls(pair)[2])
    assert "Decide again" not in html(as_(cast.ada).get(urls(pair)[0]))
    refuses(as_(cast.ada), 403, post=(url,))
    refuses(as_(cast.otto), 405, get=(url,))
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, post=(url,))
    pair.refresh_from_db()
    assert pair.status == "different"


def test_the_way_back_is_the_repair_it_came_from(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    client = as_(cast.otto)
    assert 'href="/completion/?h=5#row-5"' in html(client.get(f"{urls(pair)[0]}?back=5"))
    assert client.post(urls(pair)[2], {"back": "5"})["Location"] == "/completion/?h=5#row-5"
    assert client.post(urls(pair)[2], {"back": "https://evil.example"})["Location"] == "/duplicates/"


def test_an_admin_looks_on(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    client = as_(cast.ada)
    for url in ("/duplicates/", urls(pair)[0]):
        assert "Marketing ops decide this." in html(client.get(url))
    refuses(client, 403, post=urls(pair)[1:])


def test_it_is_not_there_for_others(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, get=("/duplicates/", urls(pair)[0]), post=urls(pair)[1:])
    refuses(as_(cast.otto), 404, get=(urls(987654)[0],), post=urls(987654)[1:])


def test_acts_are_posted_and_pages_are_not(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    refuses(as_(cast.otto), 405, get=urls(pair)[1:], post=("/duplicates/", urls(pair)[0]))


def test_the_anonymous_are_sent_to_sign_in(client: Client, cast: Cast) -> None:
    sent_to_sign_in(client, "/duplicates/", "/duplicates/1/")


def test_hostile_values_are_shown_as_text(as_: SignIn, cast: Cast) -> None:
    twins(first_name="<script>x</script>", email="'><svg/onload=x>@a.com")
    page = html(as_(cast.otto).get("/duplicates/"))
    assert "<script>x" not in page
    assert "<svg/onload" not in page


def test_pages_follow_each_other(as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leads.views.duplicates.SIZE", 2)
    made = [twins().pk for _ in range(3)]
    client = as_(cast.otto)
    first = client.get("/duplicates/")
    second = client.get(f"/duplicates/{first.context['more']}")
    assert [pair.id for pair in [*first.context["pairs"], *second.context["pairs"]]] == made
    assert second.context["more"] == ""


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    make_handoff("assigned", cast.femke, lead=pair.first)
    client = as_(cast.otto)
    one = queries(client, "/duplicates/")
    for _ in range(2):
        make_handoff("assigned", cast.femke, lead=twins().first)
    assert queries(client, "/duplicates/") == one


def test_what_is_worth_keeping_is_proposed_and_why(as_: SignIn, cast: Cast) -> None:
    pair = twins(job_title="CFO", phone="+4930123456", field_times={"job_title": NOW.isoformat()})
    Lead.objects.filter(pk=pair.first_id).update(field_times={"job_title": "2020-01-01T00:00:00+00:00"})
    make_handoff("assigned", cast.femke, lead=pair.second)
    [shown] = as_(cast.otto).get("/duplicates/").context["pairs"]
    lines = {line.label: line for line in shown.lines}
    assert (lines["Title"].side, lines["Title"].why) == ("second", "newer")
    # Only one has it, so there is nothing to choose.
    assert (lines["Phone"].key, lines["Phone"].side) == ("", "")
    assert lines["Name"].why in ("fuller", "of the lead that stays")
    assert (lines["E-mail"].side, lines["E-mail"].why) == ("second", "of the lead that stays")
    assert shown.stays == "second"


def test_each_value_is_kept_as_it_was_chosen(as_: SignIn, cast: Cast) -> None:
    pair = twins(job_title="CFO", phone="+4930123456", country_code="FR")
    chosen = {
        "keep": str(pair.first_id),
        "take-job_title": "second",
        "take-country": "first",
        "take-email": "x",
    }
    as_(cast.otto).post(urls(pair)[1], chosen)
    kept = Lead.objects.get(pk=pair.first_id)
    assert (kept.job_title, kept.country_code, kept.phone, kept.email) == (
        "CFO",
        "DE",
        "+4930123456",
        pair.first.email,
    )


def test_who_was_faster_is_said_and_the_choice_is_kept(as_: SignIn, cast: Cast) -> None:
    pair = twins(job_title="CFO")
    client = as_(cast.otto)
    [shown] = client.get(urls(pair)[0]).context["pairs"]
    Lead.objects.filter(pk=pair.second_id).update(updated_at=NOW + timedelta(minutes=9))
    seen = {"seen-first": shown.seen[0], "seen-second": shown.seen[1]}
    response = client.post(urls(pair)[1], {"keep": str(pair.second_id), "take-job_title": "first", **seen})
    assert response.status_code == 409
    assert f"(lead {pair.second_id}) was changed at Today 10:09. Look again, then merge." in html(
        response, 409
    )
    [again] = response.context["pairs"]
    assert again.stays == "second"
    assert next(line.side for line in again.lines if line.key == "job_title") == "first"
    assert not Lead.objects.filter(merged_into__isnull=False).exists()


def test_the_lead_shows_its_merge_with_an_undo(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    client = as_(cast.otto)
    client.post(urls(pair)[1], {"keep": str(pair.first_id)})
    page = f"/leads/{pair.first_id}/"
    merge = Merge.objects.get()
    assert f"(lead {pair.second_id}) was merged into this lead by Otto Maier" in html(client.get(page))
    assert "Undo the merge" in html(client.get(page))
    assert "Undo the merge" not in html(as_(cast.ada).get(page))
    url = f"/merges/{merge.pk}/undo/"
    assert "is undone." in html(client.post(url, follow=True))
    assert "was undone already." in html(client.post(url, follow=True))
    assert Lead.objects.get(pk=pair.second_id).merged_into_id is None
    pair.refresh_from_db()
    assert pair.status == "open"
    assert "undone by Otto Maier" in html(client.get(page))


def test_an_undo_that_is_not_possible_says_why(as_: SignIn, cast: Cast) -> None:
    pair = twins()
    client = as_(cast.otto)
    client.post(urls(pair)[1], {"keep": str(pair.first_id)})
    make_handoff("assigned", cast.femke, lead=Lead.objects.get(pk=pair.first_id))
    page = html(client.get(f"/leads/{pair.first_id}/"))
    assert "Cannot be undone: a handoff was opened since" in page
    assert "Undo the merge" not in page
    refused = html(client.post(f"/merges/{Merge.objects.get().pk}/undo/", follow=True))
    assert "This merge cannot be undone: a handoff was opened since" in refused
    assert Lead.objects.get(pk=pair.second_id).merged_into_id == pair.first_id


def test_an_undo_is_marketings_and_posted(as_: SignIn, cast: Cast, client: Client) -> None:
    lifecycle.merge(make_lead(), make_lead(), lifecycle.Act(NOW, cast.otto))
    url = f"/merges/{Merge.objects.get().pk}/undo/"
    refuses(as_(cast.otto), 405, get=(url,))
    refuses(as_(cast.otto), 404, post=("/merges/987654/undo/",))
    refuses(as_(cast.ada), 403, post=(url,))
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 404, post=(url,))
    sent_to_sign_in(client, url)
    assert Merge.objects.get().undone_at is None


def test_the_pairs_are_searched_and_taken_as_a_file(as_: SignIn, cast: Cast) -> None:
    pair = twins(first_name="=Adaeze", last_name="Okonkwo")
    twins()
    client = as_(cast.ada)
    assert [row.id for row in client.get("/duplicates/?q=okonkwo").context["pairs"]] == [pair.pk]
    assert "No pair fits." in html(client.get("/duplicates/?q=nobody"))
    assert len(file_of(client.get("/duplicates/duplicates.csv"))) == 3
    [line] = file_of(client.get("/duplicates/duplicates.csv?q=okonkwo"))[1:]
    assert line.startswith(f"{pair.pk},2026-03-10T10:00:00Z,{pair.first_id},") and "'=Adaeze Okonkwo" in line
    assert as_(cast.femke).get("/duplicates/duplicates.csv").status_code == 404
    assert client.post("/duplicates/duplicates.csv").status_code == 405
