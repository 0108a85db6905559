"""The pages of imports: a file chosen, mapped, looked at, taken in, stopped, and what failed taken home."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from leads import imports, tasks
from leads.imports import running
from leads.models import Handoff, ImportPreset, Lead, LeadImport
from tests.conftest import NOW
from tests.factories import route_to
from tests.leads.imports.books import book
from tests.leads.imports.files import HEADER, csv_of, done, made, row
from tests.leads.views.asking import HTMX, file_of, html, queries, refuses, sent_to_sign_in

pytestmark = pytest.mark.django_db
URL = "/imports/"


@pytest.fixture(autouse=True)
def _now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[str]:
    """What the worker was asked for."""
    names: list[str] = []
    monkeypatch.setattr("leads.queueing.put", names.append)
    return names


def upload(client, content: bytes, name: str = "leads.csv", **more):
    return client.post(URL, {"file": SimpleUploadedFile(name, content), **more})


def test_a_file_is_chosen_mapped_taken_in_and_its_result_read(cast, as_, asked):
    route_to(cast.femke)
    client = as_(cast.otto)
    response = upload(client, csv_of(row(1), row(2), row(3, country="Narnia")), source="Fair")
    run = LeadImport.objects.get()
    page = f"{URL}{run.pk}/"
    assert (response.status_code, response["Location"]) == (302, page)
    body = html(client.get(page))
    assert "3 rows, 12 columns, UTF-8, parted by semicolon" in body
    assert '<option value="email" selected>' in body and 'value="Fair"' in body
    assert "Is handed over" in body and "a new lead; goes to Femke de Boer, rule “All leads”" in body
    assert "1 of the first 3 rows would be left out" in body and body.count("is not a country.") == 1
    assert "Take 2 of 3 rows in" in body
    assert not Lead.objects.exists() and asked == []
    response = client.post(page, {"do": "start", "source": "Fair", "quiet": ""})
    assert response["Location"] == page and asked == ["leads.tasks.take_imports"]
    body = html(client.get(page))
    assert "0 of 3 rows" in body and "waiting for the worker" in body and 'hx-trigger="every 2s"' in body
    assert tasks.take_imports() == 3
    body = html(client.get(page))
    assert "every 2s" not in body and "<dd>2</dd>" in body
    assert "Rows that failed" in body and "“Narnia” is not a country." in body
    assert client.get("/leads/?source=Fair").context["count"] == "2" and 'href="/leads/?source=Fair"' in body
    failed = body[body.index("Rows that failed") :]
    assert "Ada Lovelacedason" in failed and "ada3@lovelace-3.com, Lovelace Engines 3" in failed
    assert Handoff.objects.filter(assignee=cast.femke).count() == 2
    assert "2 taken in, 1 failed" in html(client.get(URL))


def test_the_failed_rows_come_back_with_what_is_wrong_and_can_be_imported(cast, as_):
    run = done(
        made(
            csv_of(
                row(1), row(2, country="Narnia", e_mail="=HYPERLINK(1)"), row(3, company="+49 x", country="Y")
            )
        )
    )
    client = as_(cast.otto)
    lines = file_of(client.get(f"{URL}{run.pk}/failed.csv"))
    assert lines[0] == ",".join((*HEADER, "What is wrong"))
    assert lines[1].startswith("'=HYPERLINK(1),Ada,") and "is not a country." in lines[1]
    assert "'+49 x" in lines[2] and len(lines) == 3
    mended = (
        "\n".join(lines).replace("Narnia", "DE").replace(",Y,", ",DE,").replace("'=HYPERLINK(1)", "b@c.de")
    )
    upload(client, mended.encode())
    again = LeadImport.objects.order_by("-pk")[0]
    assert again.targets == [*run.targets, ""]
    assert done(again).counts["taken"] == 2
    assert Lead.objects.filter(company__name="+49 x").exists()
    # A second round names the column once.
    assert file_of(client.get(f"{URL}{again.pk}/failed.csv"))[0].count("What is wrong") == 1


def test_a_workbook_named_csv(cast, as_):
    upload(as_(cast.otto), book(["Email", "Name"], ["ada@lovelace.com", "Ada L"], more=["Other"]))
    run = LeadImport.objects.get()
    body = html(as_(cast.otto).get(f"{URL}{run.pk}/"))
    assert "1 row, 2 columns, sheet “Leads”, 1 other sheet not read" in body


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "The submitted file is empty|Choose a file|empty"), (b"%PDF", "PDF"), (b"PK\x03\x04", "damaged"),
     (b"a@b.de\n", "must name the columns")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why_and_keeps_what_was_chosen(cast, as_, content, words):
    body = html(upload(as_(cast.otto), content, source="My fair", preset="mautic"), 422)
    assert any(word in body for word in words.split("|"))
    assert 'value="My fair"' in body and '<option value="mautic" selected>' in body
    assert not LeadImport.objects.exists()


def test_no_file_and_no_such_preset(cast, as_):
    client = as_(cast.otto)
    assert "Choose a file." in html(client.post(URL, {}), 422)
    assert "no preset" in html(upload(client, csv_of(row(1)), preset="none"), 422)


def test_a_choice_is_kept_and_answered_with_what_would_happen(cast, as_):
    run = made(csv_of(row(1)), cast.otto)
    client = as_(cast.otto)
    body = html(client.post(f"{URL}{run.pk}/", {"kind": "keep", "column-0": ""}, headers=HTMX))
    assert body.lstrip().startswith("<section") or 'id="preview"' in body[:400]
    assert "Say which column holds the e-mail address" in body and "<html" not in body
    run.refresh_from_db()
    assert (run.kind, run.targets[0], run.targets[1]) == ("keep", "", "first_name")
    refused = html(client.post(f"{URL}{run.pk}/", {"do": "start"}), 422)
    assert "Say which column" in refused
    response = client.post(
        f"{URL}{run.pk}/", {"do": "look", "column-0": "email", "kind": "nonsense", "dates": "x"}
    )
    assert response.status_code == 302
    run.refresh_from_db()
    assert (run.kind, run.dates, run.targets[0]) == ("each", "", "email")


def test_presets_are_saved_and_used(cast, as_):
    run = made(csv_of(row(1)), cast.otto)
    client, page = as_(cast.otto), f"{URL}{run.pk}/"
    client.post(page, {"do": "remember", "name": "Booth", "source": "Fair"})
    assert ImportPreset.objects.get().name == "Booth"
    assert "A preset needs a name." in html(client.post(page, {"do": "remember", "name": " "}), 422)
    assert "name of its own" in html(client.post(page, {"do": "remember", "name": "HubSpot"}), 422)
    client.post(page, {"do": "preset", "preset": "salesforce"})
    run.refresh_from_db()
    assert run.system == "salesforce"
    body = html(client.get(page))
    assert '<option value="Booth">Booth</option>' in body


def test_the_same_file_says_that_it_came_before(cast, as_):
    content = csv_of(row(1))
    done(made(content, cast.otto))
    body = html(as_(cast.otto).get(f"{URL}{made(content).pk}/"))
    assert "taken in before</a> by Otto Maier, today 10:00" in body and "Came before" in body


def test_many_rows_handed_over_aloud_are_asked_about(cast, as_, monkeypatch):
    monkeypatch.setattr("leads.views.imports.MANY", 1)
    run = made(csv_of(row(1), row(2)))
    client = as_(cast.otto)
    assert "take it quietly" in html(client.get(f"{URL}{run.pk}/"))
    body = html(client.post(f"{URL}{run.pk}/", {"quiet": "yes"}, headers=HTMX))
    assert "take it quietly" not in body and "Take 2 rows in quietly" in body


def test_progress_asks_for_itself_and_then_for_the_page(cast, as_, monkeypatch):
    monkeypatch.setattr(running, "CHUNK", 1)
    run = made(csv_of(row(1), row(2)))
    imports.start(run, None, NOW)
    imports.work(run, NOW, 0)
    client = as_(cast.otto)
    part = client.get(f"{URL}{run.pk}/?part=progress", headers=HTMX)
    assert "50 %" in html(part) and "<html" not in html(part) and "HX-Refresh" not in part
    run.refresh_from_db()
    imports.work(run, NOW)
    assert client.get(f"{URL}{run.pk}/?part=progress", headers=HTMX)["HX-Refresh"] == "true"


def test_a_silent_worker_is_told_of(cast, as_, time_machine):
    run = made(csv_of(row(1)))
    imports.start(run, None, NOW)
    time_machine.move_to(NOW + timedelta(minutes=5), tick=False)
    assert "Nothing has happened for 5 min" in html(as_(cast.otto).get(f"{URL}{run.pk}/"))


def test_starting_stopping_and_throwing_away_twice(cast, as_, asked):
    client = as_(cast.otto)
    run = made(csv_of(row(1)), cast.otto)
    page = f"{URL}{run.pk}/"
    for _ in range(2):
        assert client.post(page, {"do": "start"}).status_code == 302
    assert asked == ["leads.tasks.take_imports"]
    assert client.post(f"{page}discard/")["Location"] == page
    for words in ("Stopped.", "It was over already."):
        assert words in html(client.post(f"{page}stop/", follow=True))
    assert "Stopped after 0 of 1 rows" in html(client.get(page))
    left = made(csv_of(row(1)), cast.otto)
    assert client.post(f"{URL}{left.pk}/discard/")["Location"] == URL
    assert client.post(f"{URL}{left.pk}/discard/").status_code == 404
    assert LeadImport.objects.get() == run


def test_a_failed_import_says_so(cast, as_):
    run = made(csv_of(row(1)))
    LeadImport.objects.update(status="failed", error="It broke.", started_at=NOW, finished_at=NOW)
    assert "It failed: It broke." in html(as_(cast.otto).get(f"{URL}{run.pk}/"))
    assert "It broke." in html(as_(cast.otto).get(URL))


def test_who_may(cast, as_, client):
    run = made(csv_of(row(1)))
    page = f"{URL}{run.pk}/"
    acts = (URL, page, f"{page}stop/", f"{page}discard/")
    for outsider in (cast.femke, cast.mia, cast.vera):
        refuses(as_(outsider), 404, get=(URL, page, f"{page}failed.csv"), post=acts)
        assert "/imports/" not in html(as_(outsider).get("/leads/"))
    # Admins see; marketing ops act.
    admin = as_(cast.ada)
    assert "Look at the file" not in html(admin.get(URL)) and "Marketing ops say" in html(admin.get(page))
    refuses(admin, 403, post=acts)
    sent_to_sign_in(client, URL, page, f"{page}failed.csv")
    assert 'href="/imports/"' in html(as_(cast.otto).get("/leads/"))


def test_wrong_methods_and_what_is_not_there(cast, as_):
    run = made(csv_of(row(1)))
    client = as_(cast.otto)
    refuses(
        client,
        405,
        get=(f"{URL}{run.pk}/stop/", f"{URL}{run.pk}/discard/"),
        post=(f"{URL}{run.pk}/failed.csv",),
    )
    assert client.put(URL).status_code == client.delete(f"{URL}{run.pk}/").status_code == 405
    gone = f"{URL}{run.pk + 1}/"
    refuses(client, 404, get=(gone, f"{gone}failed.csv"), post=(gone, f"{gone}stop/", f"{gone}discard/"))


def test_the_list_takes_as_many_queries_for_three_as_for_one(cast, as_):
    client = as_(cast.otto)
    made(csv_of(row(1)), cast.otto)
    one = queries(client, URL)
    for number in (2, 3):
        made(csv_of(row(number)), cast.otto)
    assert queries(client, URL) == one
    failed = [row(number, country="Narnia") for number in range(5)]
    few, many = done(made(csv_of(*failed[:1]))), done(made(csv_of(*failed)))
    assert queries(client, f"{URL}{few.pk}/") == queries(client, f"{URL}{many.pk}/")


def test_the_list_is_narrowed_counted_and_taken_as_a_file(as_, cast) -> None:
    first = done(made(csv_of(row(1), row(2, country="Narnia")), cast.otto, "fair.csv"))
    made(csv_of(row(3)), None, "=webinar.csv")
    client = as_(cast.ada)

    def shown(query: str) -> list[int]:
        response = client.get(f"/imports/?{query}")
        assert response.status_code == 200
        return [line.id for line in response.context["lines"]]

    assert len(shown("")) == 2 and shown("q=FAIR") == [first.pk]
    assert shown("status=done") == shown(f"by={cast.otto.pk}") == [first.pk]
    assert shown("q=nothing") == []
    page = html(client.get("/imports/?status=odd&by=99999"))
    assert "Status:" in page and "There is no such person, or no longer." in page
    assert len(file_of(client.get("/imports/imports.csv"))) == 3
    line = file_of(client.get("/imports/imports.csv?status=done"))[1].split(",")
    assert (line[1], line[2], line[4:9]) == ("fair.csv", "Otto Maier", ["Done", "2", "2", "1", "1"])
    assert "'=webinar.csv" in file_of(client.get("/imports/imports.csv?status=mapping"))[1]
    for user in (cast.femke, cast.vera):
        assert as_(user).get("/imports/imports.csv").status_code == 404
    assert client.post("/imports/imports.csv").status_code == 405


def test_null_characters_beside_a_file_are_left_out(as_, cast):
    client = as_(cast.otto)
    assert "no preset" in upload(client, b"E-mail\na@b.example.com\n", preset="none\x00").text
    upload(client, b"E-mail\na@b.example.com\n", source="Fa\x00ir")
    assert LeadImport.objects.get().source == "Fair"
