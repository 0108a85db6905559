"""The closed loop: its counts against plain Python, the page, and the file for a marketing platform."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leads import lifecycle
from leads.choices import Why
from leads.lifecycle import Act
from leads.models import ExternalId, Handoff, Lead, Rejection, RejectionReason
from metrics import loop, query
from metrics.periods import EVERYTHING
from tests.conftest import NOW, Cast
from tests.factories import make_handoff, make_lead
from tests.leads.views.asking import SignIn, file_of, html, queries, refuses, sent_to_sign_in

URL, FILE = "/dashboard/loop/", "/dashboard/loop.csv"
HOUR = timedelta(hours=1)
stored = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(NOW + 8 * HOUR, tick=False):
        yield


def asked() -> query.Asked:
    return query.Asked.of(query.Question(NOW, EVERYTHING))


# Counts

MOMENT = st.one_of(st.none(), st.integers(-9, 2).map(lambda hours: NOW + hours * HOUR))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "lead_source": st.sampled_from(["", "Web", "web", "Fair"]),
            "campaign": st.sampled_from(["", "Spring"]),
            "accepted_at": MOMENT,
            "rejected_at": MOMENT,
            "first_contact_at": MOMENT,
            "opportunity_at": MOMENT,
            "opportunity_amount": st.sampled_from([None, Decimal("10.50"), Decimal("200")]),
            "opportunity_currency": st.sampled_from(["EUR", "USD"]),
            "said": st.lists(st.sampled_from(["timing", "not_icp"]), max_size=2),
        }
    ),
    max_size=8,
)


def store(rows: list[dict[str, Any]]) -> None:
    reasons = {each.code: each for each in RejectionReason.objects.all()}
    for row in rows:
        values = {name: value for name, value in row.items() if name != "said"}
        handoff = Handoff.objects.create(
            lead=Lead.objects.create(created_at=NOW, updated_at=NOW),
            state="superseded",
            lead_type="standard",
            mql_at=NOW - 10 * HOUR,
            received_at=NOW,
            created_at=NOW,
            updated_at=NOW,
            **values,
        )
        for code in row["said"]:
            Rejection.objects.create(handoff=handoff, reason=reasons[code], next_step="recycled", at=NOW)


def plain(rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Of these rows: MQLs, accepted, rejected, contacted, won; reasons; money by currency."""

    def seen(row: dict[str, Any], name: str) -> bool:
        return row[name] is not None and row[name] <= NOW

    accepted = sum(seen(row, "accepted_at") for row in rows)
    decided = sum(seen(row, "accepted_at") or seen(row, "rejected_at") for row in rows)
    won = [row for row in rows if seen(row, "opportunity_at")]
    money: Counter[str] = Counter()
    priced: Counter[str] = Counter()
    for row in won:
        if row["opportunity_amount"] is not None:
            money[row["opportunity_currency"]] += row["opportunity_amount"]
            priced[row["opportunity_currency"]] += 1
    contacted = sum(seen(row, "first_contact_at") for row in rows)
    counts = (len(rows), accepted, decided - accepted, contacted, len(won))
    reasons = Counter(code for row in rows for code in row["said"])
    return counts, dict(reasons), {name: (money[name], priced[name]) for name in priced}


def as_plain(group: loop.Group) -> tuple[Any, ...]:
    counts = tuple(
        group.tally[name].numerator for name in ("mqls", "accepted", "rejected", "contacted", "won")
    )
    return counts, dict(group.reasons), {name: (amount, n) for name, amount, n in group.amounts}


@stored
@given(rows=ROWS, kind=st.sampled_from(["source", "campaign"]))
def test_counts_agree_with_plain_python(cast: Cast, rows: list[dict[str, Any]], kind: str) -> None:
    column = loop.COLUMNS[kind]
    with transaction.atomic():
        store(rows)
        found = loop.read(asked(), kind)
        transaction.set_rollback(True)
    assert as_plain(found.total) == plain(rows)
    assert {group.name for group in found.groups} == {row[column] for row in rows}
    for group in found.groups:
        assert as_plain(group) == plain([row for row in rows if row[column] == group.name])
    sizes = [group.mqls for group in found.groups]
    assert sizes == sorted(sizes, reverse=True)
    assert (found.others, found.other_mqls) == (0, 0)


def test_of_many_groups_the_largest_are_told(
    as_: SignIn, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in ("Web", "Web", "Fair", "Post"):
        make_handoff("accepted", cast.femke, lead=make_lead(lead_source=source))
    monkeypatch.setattr(loop, "MOST_GROUPS", 2)
    found = loop.read(asked(), "source")
    assert [group.name for group in found.groups] == ["Web", "Fair"]
    assert (found.others, found.other_mqls, found.total.mqls) == (1, 1, 4)
    assert "1 more with 1 MQL are in “All” and in the file." in html(as_(cast.otto).get(URL))


# The page


def test_each_figure_leads_to_its_handoffs(as_: SignIn, cast: Cast) -> None:
    for state in ("accepted", "rejected", "rejected", "converted"):
        make_handoff(state, cast.femke, lead=make_lead(lead_source="Fair"))
    make_handoff("rejected", cast.rosa)
    client = as_(cast.otto)
    rows = {row["name"]: row for row in client.get(URL).context["rows"]}
    fair = rows["Fair"]
    assert [cell["count"] for cell in fair["cells"]] == ["2", "2", "1", "1"]
    assert [cell["share"] for cell in fair["cells"]] == ["50 %", "50 %", "25 %", "25 %"]
    for cell in fair["cells"]:
        assert f": {cell['count']} {cell['what']}</h1>" in html(client.get(cell["href"]))
    [reason] = fair["reasons"]
    assert (reason["label"], reason["count"]) == ("Not our customer profile", "2")
    assert ": 2 handoffs</h1>" in html(client.get(reason["href"]))
    assert ": 4 MQLs</h1>" in html(client.get(fair["mqls_href"]))
    assert [row["name"] for row in client.get(fair["href"]).context["rows"]] == ["Fair"]
    assert client.get(URL).context["total"]["mqls"] == "5"


def test_by_campaign_and_nothing_else(as_: SignIn, cast: Cast) -> None:
    make_handoff("accepted", cast.femke, lead=make_lead(campaign="Spring"))
    response = as_(cast.otto).get(f"{URL}?by=campaign")
    assert [row["name"] for row in response.context["rows"]] == ["Spring"]
    refuses(as_(cast.otto), 404, get=(f"{URL}?by=rep",))


def test_money_is_added_up_by_currency(as_: SignIn, cast: Cast) -> None:
    for amount, currency in (("1000.50", "EUR"), ("2000", "EUR"), ("5", "USD"), (None, "")):
        made = make_handoff("converted", cast.femke)
        Handoff.objects.filter(pk=made.pk).update(opportunity_amount=amount, opportunity_currency=currency)
    [row] = as_(cast.otto).get(URL).context["rows"]
    assert row["amounts"] == ["3,000.50 EUR", "5 USD"]


def test_it_covers_what_the_person_may_see(as_: SignIn, cast: Cast) -> None:
    make_handoff("accepted", cast.femke), make_handoff("accepted", cast.rosa)
    seen = {user.name: as_(user).get(URL).context["total"]["mqls"] for user in (cast.otto, cast.mia)}
    assert seen == {"Otto Maier": "2", "Mia Brandt": "1"}
    assert as_(cast.otto).get(f"{URL}?rep={cast.rosa.email}").context["total"]["mqls"] == "1"


def test_who_it_is_for(client: Client, as_: SignIn, cast: Cast) -> None:
    sent_to_sign_in(client, URL, FILE)
    refuses(as_(cast.femke), 404, get=(URL,))
    for user in (cast.mia, cast.otto, cast.vera, cast.ada):
        response = as_(user).get(URL)
        assert (f'action="{FILE}"' in html(response)) is (user in (cast.otto, cast.ada))
    refuses(as_(cast.otto), 405, post=(URL, FILE))
    for user in (cast.femke, cast.mia, cast.vera):
        refuses(as_(user), 403, get=(FILE,))
    assert as_(cast.ada).get(FILE).status_code == 200


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    make_handoff("rejected", cast.femke)
    one = queries(client, URL)
    (
        make_handoff("rejected", cast.jonas, lead=make_lead(lead_source="Fair")),
        make_handoff("converted", cast.rosa),
    )
    assert queries(client, URL) == one


# The file


def rows_of(client: Client, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(file_of(client.get(FILE + query))))


def known_as(handoff: Handoff, *ids: tuple[str, str, str]) -> None:
    for system, thing, value in ids:
        ExternalId.objects.create(lead=handoff.lead, system=system, object=thing, value=value)


def test_one_row_a_lead_with_its_ids_and_what_became_of_it(as_: SignIn, cast: Cast) -> None:
    won, lost = make_handoff("converted", cast.femke), make_handoff("rejected", cast.femke)
    Handoff.objects.filter(pk=won.pk).update(opportunity_amount="1500.00", opportunity_currency="EUR")
    known_as(won, ("mautic", "contact", "7"), ("salesforce", "lead", "00Q"))
    first, second = rows_of(as_(cast.otto))
    assert first == {
        "lead": str(won.lead_id),
        "system": "mautic; salesforce",
        "object": "contact; lead",
        "id": "7; 00Q",
        "status": "opportunity",
        "reason": "",
        "mql_at": "2026-03-10T10:00:00Z",
        "accepted_at": "2026-03-10T10:01:00Z",
        "contacted_at": "2026-03-10T10:01:00Z",
        "opportunity_at": "2026-03-10T10:02:00Z",
        "opportunity_amount": "1500.00",
        "opportunity_currency": "EUR",
    }
    assert (second["lead"], second["id"], second["accepted_at"]) == (str(lost.lead_id), "", "")
    [mautic, _] = rows_of(as_(cast.otto), "?system=mautic")
    assert (mautic["system"], mautic["object"], mautic["id"]) == ("mautic", "contact", "7")


def test_a_lead_stands_once_as_its_latest_handoff_does(as_: SignIn, cast: Cast) -> None:
    lead = make_lead()
    make_handoff("rejected", cast.femke, lead=lead, at=NOW - timedelta(days=10))
    make_handoff("accepted", cast.jonas, lead=lead, at=NOW - HOUR)
    [row] = rows_of(as_(cast.otto))
    assert (row["status"], row["mql_at"]) == ("accepted", "2026-03-10T09:00:00Z")
    [before] = rows_of(as_(cast.otto), "?as_of=2026-03-05T00:00:00Z")
    assert (before["status"], before["reason"]) == ("rejected", "not_icp")


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ({}, "open"),
        ({"closed_at": NOW}, "closed"),
        ({"deferred_at": NOW}, "deferred"),
        ({"accepted_at": NOW, "deferred_at": NOW}, "accepted"),
        ({"accepted_at": NOW, "first_contact_at": NOW}, "contacted"),
        ({"rejected_at": NOW}, "rejected"),
        ({"accepted_at": NOW - HOUR, "rejected_at": NOW}, "rejected"),
        ({"rejected_at": NOW - HOUR, "accepted_at": NOW}, "accepted"),
        ({"rejected_at": NOW, "opportunity_at": NOW}, "opportunity"),
        ({"accepted_at": NOW, "opportunity_at": NOW + HOUR}, "accepted"),
        ({"accepted_at": NOW + HOUR}, "open"),
    ],
)
def test_a_status(columns: dict[str, Any], status: str) -> None:
    assert loop.status_of(Handoff(**columns), NOW) == status


def test_cells_are_harmless_and_the_erased_are_left_out(as_: SignIn, cast: Cast) -> None:
    made = make_handoff("accepted", cast.femke)
    known_as(made, ("=cmd", "@sum", "+1"))
    gone = make_handoff("accepted", cast.femke)
    Handoff.objects.filter(pk=gone.pk).update(state="erased")
    ended = make_handoff("rejected", cast.rosa)
    lifecycle.erase(ended.lead_id, Act(NOW, cast.otto), Why.ASKED)
    [row] = rows_of(as_(cast.otto))
    assert (row["system"], row["object"], row["id"]) == ("'=cmd", "'@sum", "'+1")
    assert rows_of(as_(cast.otto), "?system=%00") == rows_of(as_(cast.otto))


def test_the_file_is_written_as_it_is_read_and_the_same_twice(as_: SignIn, cast: Cast) -> None:
    make_handoff("accepted", cast.femke), make_handoff("rejected", cast.rosa)
    response = as_(cast.otto).get(FILE)
    assert response.streaming and response["Cache-Control"] == "no-store"
    assert response["Content-Disposition"] == 'attachment; filename="closed-loop-2025-W52-2026-W11.csv"'
    assert file_of(response) == file_of(as_(cast.otto).get(FILE))
    assert len(rows_of(as_(cast.otto), f"?rep={cast.rosa.email}")) == 1
