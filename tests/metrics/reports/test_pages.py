"""The report pages: for whom they are, what they do, and that nothing typed is lost or believed."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable

import pytest
import time_machine
from django.test import Client

from leads import lifecycle
from leads.models import Handoff
from metrics.models import CallEntry, Report, ReportSchedule
from metrics.reports import calls, mailing, making
from routing.models import User
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.views.asking import file_of, html, queries, refuses, sent_to_sign_in
from tests.metrics.reports.conftest import LONG_AGO, WEEK, later

SignIn = Callable[[User], Client]
PAGE = "/reports/2026-W10/"
CALL = f"{PAGE}call/"
READ = (
    "/reports/",
    PAGE,
    f"{PAGE}compare/",
    f"{PAGE}handoffs/?figure=acceptance_rate",
    f"{PAGE}report.csv",
    f"{PAGE}report.xlsx",
)
ACTS = ("/reports/make/", "/reports/subscription/", "/reports/schedule/", CALL, f"{CALL}1/turn/")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def report(some: list[Handoff]) -> Report:
    return making.make(WEEK, NOW, None)


@pytest.fixture
def decision(cast: Cast, report: Report) -> CallEntry:
    until = later(days=9).date()
    return calls.write(
        WEEK, cast.mia, NOW, kind="decision", text="Ask for the title", owner=cast.femke, until=until
    )


# Who may


def test_the_anonymous_are_sent_to_sign_in(db: None, client: Client) -> None:
    sent_to_sign_in(client, *READ)
    assert all(client.post(path).status_code == 302 for path in ACTS)


def test_they_are_not_for_reps(cast: Cast, decision: CallEntry, as_: SignIn) -> None:
    refuses(as_(cast.femke), 404, get=(*READ, f"{CALL}{decision.pk}/"), post=(*ACTS, f"{CALL}{decision.pk}/"))
    assert "/reports/" not in html(as_(cast.femke).get("/inbox/"))


@pytest.mark.parametrize("path", READ)
def test_readers_read_and_reading_writes_nothing(cast: Cast, report: Report, as_: SignIn, path: str) -> None:
    for user in (cast.mia, cast.nils, cast.otto, cast.vera, cast.ada):
        assert as_(user).get(path).status_code == 200
    assert all(getattr(as_(cast.otto), verb)(path).status_code == 405 for verb in ("post", "put", "delete"))
    assert Report.objects.count() == 1


def test_what_writes_is_not_fetched(cast: Cast, decision: CallEntry, as_: SignIn) -> None:
    acts = (*ACTS[:4], f"{CALL}{decision.pk}/turn/")
    refuses(as_(cast.otto), 405, get=acts)


def test_viewers_read_and_do_not_write(cast: Cast, decision: CallEntry, as_: SignIn) -> None:
    client = as_(cast.vera)
    own = f"{CALL}{decision.pk}/"
    refuses(client, 403, get=(own,), post=("/reports/make/", "/reports/schedule/", CALL, own, f"{own}turn/"))
    text = html(client.get(PAGE))
    assert "Ask for the title" in text and "Write it down" not in text and "Make edition" not in text
    assert "Make it" not in html(client.get("/reports/"))
    # A manager writes, but when the report comes is not theirs to set.
    refuses(as_(cast.mia), 403, post=("/reports/schedule/",))


def test_weeks_editions_and_figures_that_there_are_not(cast: Cast, report: Report, as_: SignIn) -> None:
    missing = (
        "/reports/2026-W09/", "/reports/2026-W09/compare/", "/reports/2026-W09/report.csv",
        "/reports/2026-W60/", "/reports/2026-10/", f"{PAGE}?edition=2", f"{PAGE}?edition=x",
        f"{PAGE}?edition=%C2%B2",
        f"{PAGE}handoffs/", f"{PAGE}handoffs/?figure=x", f"{PAGE}compare/?with=3", f"{CALL}999/",
    )  # fmt: skip
    refuses(as_(cast.otto), 404, get=missing, post=("/reports/2026-W09/call/", f"{CALL}999/turn/"))
    assert "There is no report of W09" in html(as_(cast.otto).get("/reports/2026-W09/"), 404)


# What it says


def test_a_week_shows_the_report_as_it_was_made(cast: Cast, report: Report, as_: SignIn) -> None:
    client = as_(cast.vera)
    text = markup.unescape(html(client.get(PAGE)))
    assert "Made on Tuesday 10 March 2026, 10:00 (UTC) by the schedule." in text
    assert "Nothing has come in since." in text
    assert text.count('class="tile"') == 6
    assert "First contact is held against version 1 of the agreement: demo 5 min, standard 60 min" in text
    before = client.get(PAGE).context["page"]
    make_handoff("rejected", cast.jonas, at=LONG_AGO)
    with time_machine.travel(later(hours=1), tick=False):
        response = client.get(PAGE)
    # Whoever signed in stays so for less than an hour's test; the report has not moved.
    assert response.context["page"] == before


def test_it_says_how_much_has_come_in_since(
    cast: Cast, report: Report, some: list[Handoff], as_: SignIn
) -> None:
    lifecycle.accept(some[3].pk, lifecycle.Act(later(minutes=5), cast.jonas))
    client = as_(cast.otto)
    assert "have come in since." in html(client.get(PAGE)) or "has come in since." in html(client.get(PAGE))
    with time_machine.travel(later(minutes=10), tick=False):
        text = markup.unescape(html(as_(cast.otto).get(f"{PAGE}compare/")))
    assert "75 %, 3 of 4" in text and "80 %, 4 of 5" in text
    second = making.make(WEEK, later(minutes=10), cast.mia, 2)
    text = html(client.get(f"{PAGE}compare/?edition=1&with=2"))
    assert "80 %, 4 of 5" in text and f"Edition {second.edition}" in text
    assert "There is a later edition." in html(client.get(f"{PAGE}?edition=1"))
    assert "All 91 figures" not in text


def test_a_list_shows_the_facts_as_they_were_and_links_what_one_sees(
    cast: Cast, some: list[Handoff], as_: SignIn
) -> None:
    making.make(WEEK.plus(-2), NOW, None)
    url = "/reports/2026-W08/handoffs/?figure=acceptance_rate"
    lifecycle.reject(some[0].pk, lifecycle.Act(later(minutes=1), cast.femke), reason="not_icp")
    rows = as_(cast.nils).get(url).context["rows"]
    assert [(row["id"], row["said"], bool(row["href"])) for row in rows] == [
        (some[2].pk, "rejected", False), (some[0].pk, "accepted", False),
        (some[1].pk, "accepted", False), (some[4].pk, "accepted", True),
    ]  # fmt: skip
    assert rows[0]["answer"] == "Rejected: Not our customer profile"
    assert rows[1]["answer"] == "Accepted by Femke de Boer"
    assert all(row["href"] for row in as_(cast.otto).get(url).context["rows"])


def test_every_figure_of_the_page_opens_the_handoffs_behind_it(
    cast: Cast, some: list[Handoff], as_: SignIn
) -> None:
    making.make(WEEK, NOW, None)
    making.make(WEEK.plus(-2), NOW, None)
    client = as_(cast.otto)
    for week, keys in (
        ("2026-W10", {"this.acceptance_rate", "mqls", "acceptance_rate"}),
        ("2026-W08", {"source.0", "reason.0", "holder.0", "stage.0", "stage.4", "contact_demo"}),
    ):
        page = html(client.get(f"/reports/{week}/"))
        links = re.findall(rf'href="(/reports/{week}/handoffs/[^"]+)"[^>]*>\s*([^<]*)', page)
        found = {re.search(r"figure=([^&]+)", href)[1] for href, _ in links}  # type: ignore[index]
        assert keys <= found
        for href, figure in links:
            response = client.get(markup.unescape(href))
            opened = response.context["opened"]
            assert opened.left == 0
            counts = [int(number) for number in re.findall(r"\d+", figure)]
            if counts:
                said = [word for _, word in opened.rows]
                # A figure says how many there are, or how many of them are hits.
                assert counts[-1] in (
                    len(said),
                    *map(said.count, set(said)),
                    len(said) - said.count("not decided"),
                )
            numbers = [row["id"] for row in response.context["rows"]]
            assert numbers == [number for number, _ in opened.rows]


@pytest.mark.parametrize("path", [PAGE, "/reports/", READ[3], READ[4]])
def test_the_queries_do_not_grow(cast: Cast, some: list[Handoff], as_: SignIn, path: str) -> None:
    making.make(WEEK, NOW, None)
    client = as_(cast.otto)
    until = NOW.date()

    def more(number: int) -> None:
        for week in (WEEK, WEEK.plus(-1)):
            values = {"kind": "decision", "text": f"Number {number}", "owner": cast.femke, "until": until}
            entry = calls.write(week, cast.mia, NOW, **values)
            calls.correct(entry, cast.otto, NOW, text=f"No. {number}", owner=cast.rosa, until=until)
            calls.turn(entry, cast.otto, NOW, done=True)
        making.make(WEEK, later(minutes=number), cast.mia)
        making.make(WEEK.plus(-min(number, 2)), NOW, cast.mia)

    more(1)
    before = queries(client, path)
    make_handoff("accepted", cast.rosa, at=LONG_AGO)
    more(2)
    more(3)
    assert queries(client, path) == before


# Making


def test_a_report_is_made_by_button_and_twice_is_one(cast: Cast, some: list[Handoff], as_: SignIn) -> None:
    client = as_(cast.mia)
    for _ in range(2):
        response = client.post("/reports/make/", {"week": "2026-W10", "edition": "1"})
        assert (response.status_code, response["Location"]) == (302, PAGE)
    made = Report.objects.get()
    assert (made.edition, made.made_by) == (1, cast.mia)
    client.post("/reports/make/", {"week": "2026-W10", "edition": "2"})
    assert Report.objects.count() == 2
    assert "W10, 2 to 8 March 2026" in html(client.get("/reports/"))


@pytest.mark.parametrize(
    ("week", "said"),
    [
        ("2026-W11", "2026-W11 is not over yet."),
        ("2020-W01", "No lead became an MQL in the 12 weeks to 2020-W01."),
        ("soon", "&#x27;soon&#x27; is not a week such as 2026-W41."),
        ("", "Choose a week."),
    ],
)
def test_a_week_that_cannot_be_made_is_refused_in_words(
    cast: Cast, some: list[Handoff], as_: SignIn, week: str, said: str
) -> None:
    response = as_(cast.otto).post("/reports/make/", {"week": week, "edition": "1"})
    assert said in html(response, 422)
    assert not Report.objects.exists()


# The schedule and the mail


def test_anybody_who_reads_subscribes_for_themselves(cast: Cast, as_: SignIn) -> None:
    client = as_(cast.vera)
    for _ in range(2):
        assert client.post("/reports/subscription/", {"on": "1"}).status_code == 302
        assert "comes to you on Monday 16 March, 07:00" in html(client.get("/reports/"))
    client.post("/reports/subscription/", {"on": "0"})
    assert not mailing.is_subscribed(cast.vera)


def test_marketing_ops_set_the_schedule(cast: Cast, as_: SignIn) -> None:
    client = as_(cast.otto)
    for _ in range(2):
        client.post("/reports/schedule/", {"weekday": "3", "hour": "15", "is_on": "1"})
    row = ReportSchedule.objects.get()
    assert (row.weekday, row.hour, row.is_on) == (3, 15, True)
    assert "Thursday 12 March, 15:00" in html(client.get("/reports/"))
    text = html(client.post("/reports/schedule/", {"weekday": "9", "hour": "24"}), 422)
    assert "An hour from 0 to 23." in text and "not one of the available choices" in text
    client.post("/reports/schedule/", {"weekday": "3", "hour": "15"})
    assert "No report is made by itself now" in html(client.get("/reports/"))


# The call


def test_notes_and_decisions_are_written_and_twice_is_one(cast: Cast, report: Report, as_: SignIn) -> None:
    client = as_(cast.nils)
    note = {"kind": "note", "text": f"{HOSTILE}\nand more", "owner": "", "until": ""}
    decided = {"kind": "decision", "text": "Do it", "owner": str(cast.femke.pk), "until": "2026-03-20"}
    for values in (note, decided, note, decided):
        response = client.post(CALL, values)
        assert (response.status_code, response["Location"]) == (302, f"{PAGE}#call")
    assert CallEntry.objects.count() == 2
    text = html(client.get(PAGE))
    assert HOSTILE not in text and markup.escape(HOSTILE, quote=True).replace("&#x27;", "&#x27;") in text
    assert "Femke de Boer, until 20 March" in text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"text": " "}, "Write what was said."),
        ({"text": "x" * 2001}, "At most 2,000 characters."),
        ({"owner": ""}, "A decision needs somebody who does it."),
        ({"owner": "999999"}, "Choose somebody who is here and has a role."),
        ({"until": ""}, "A decision needs a day until which it is done."),
        ({"until": "soon"}, "Write the date as 2026-03-31."),
        ({"kind": "done"}, "Select a valid choice."),
        ({"text": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(
    cast: Cast, report: Report, as_: SignIn, wrong: dict[str, str], said: str
) -> None:
    good = {"kind": "decision", "text": "Typed with care", "owner": str(cast.femke.pk), "until": "2026-03-20"}
    response = as_(cast.otto).post(CALL, good | wrong)
    text = html(response, 422)
    assert said in text
    if "text" not in wrong:
        assert "Typed with care</textarea>" in text
    assert not CallEntry.objects.exists()


def test_an_entry_is_corrected_and_what_it_said_stays(cast: Cast, decision: CallEntry, as_: SignIn) -> None:
    client, url = as_(cast.otto), f"{CALL}{decision.pk}/"
    form = client.get(url)
    assert f'name="last" value="{decision.pk}"' in html(form)
    values = {
        "text": "Ask for both",
        "owner": str(cast.rosa.pk),
        "until": "2026-03-21",
        "last": str(decision.pk),
    }
    for _ in range(2):
        assert client.post(url, values)["Location"] == f"{PAGE}#call"
    assert CallEntry.objects.count() == 2
    text = html(client.get(PAGE))
    assert "Ask for both" in text and "What it said before" in text and "Ask for the title" in text
    # Somebody who had the form open from before is told, and keeps what they typed.
    other = as_(cast.mia).post(url, values | {"text": "Mine"})
    text = html(other, 409)
    assert "Otto Maier has corrected it meanwhile" in text and ">Mine</textarea>" in text
    assert "A decision needs" in html(client.post(url, values | {"owner": ""}), 422)


def test_a_decision_is_done_from_its_own_call_or_from_the_next(
    cast: Cast, decision: CallEntry, as_: SignIn
) -> None:
    with time_machine.travel(later(days=7), tick=False):
        making.make(WEEK.plus(1), later(days=7), None)
        client, url = as_(cast.mia), f"{CALL}{decision.pk}/turn/"
        following = "/reports/2026-W11/"
        assert "Ask for the title" in html(client.get(following))
        for _ in range(2):
            response = client.post(url, {"done": "1", "back": "2026-W11"})
            assert response["Location"] == f"{following}#call"
        assert "Done since, today 10:00 by Mia Brandt" in html(client.get(following))
        assert client.get(following).context["page"].decisions[0].is_done is False
        client.post(url, {"done": "0"})
    assert [row.kind for row in CallEntry.objects.filter(about=decision)] == ["done", "reopened"]


# The files


def test_the_files_are_of_the_edition_asked_for(cast: Cast, report: Report, as_: SignIn) -> None:
    client = as_(cast.vera)
    making.make(WEEK, later(minutes=1), cast.mia, 2)
    response = client.get(f"{PAGE}report.csv?edition=1")
    assert response["Content-Disposition"] == 'attachment; filename="report-2026-W10-1.csv"'
    assert file_of(response)[1].startswith("MQLs,,2026-W10,1,,1,yes")
    workbook = client.get(f"{PAGE}report.xlsx")
    assert workbook["Content-Disposition"] == 'attachment; filename="report-2026-W10-2.xlsx"'
    assert workbook.content[:2] == b"PK"
