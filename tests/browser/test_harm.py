"""Data that means harm, on every page that shows it: no script runs, no address leads astray, nothing bursts.

Each page is looked at on a phone, on a desk, and in a window at 200 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from leads import lifecycle
from leads.models import Complaint, DuplicatePair, Handoff, Lead
from routing.models import User
from tests.browser.conftest import too_wide
from tests.chromium import DESK, PHONE
from tests.conftest import Cast
from tests.factories import make_activity, make_company, make_handoff, make_lead, make_score, route_to
from tests.leads.imports.files import csv_of, row

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenPage = Callable[..., Page]
Shot = Callable[[Page, str], None]

DOUBLED = (640, 400)  # the room that a window of 1280 px has at 200 %
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 57  # 1,995 characters without a space
ZALGO = "Z̸̡̛a̶l̷g̵o̴"
BOOM = "javascript:boom()"
HARM = [
    ("long", {"first_name": LONG[:300], "last_name": LONG[:300], "job_title": LONG[:300]}),
    ("turned", {"first_name": "\u202egnihton", "last_name": "\u2067אבג\u2069", "job_title": "\u202dCEO"}),
    (
        "emoji",
        {"first_name": "Zoë " + "👩‍👩‍👧‍👦" * 20, "last_name": "Smith " + "Z̸̡̛a̶l̷g̵o̴" * 10, "job_title": "🦄"},
    ),
    ("script", {"first_name": "<script>boom()</script>", "last_name": '"><img src=x onerror=boom()>'}),
]


def hostile(**fields: str) -> Lead:
    company = make_company(
        name=f"<b>{LONG[:200]}",
        industry="<script>boom()</script>",
        website=BOOM,
        technologies=[LONG, "<i>", "\u202e"],
        news=[
            {"title": LONG, "url": "javascript:boom()"},
            {"title": "\u202eNews", "url": "data:text/html,x"},
        ],
    )
    lead = make_lead(company=company, linkedin_url=BOOM, phone="call <me> now", **fields)
    lead.lead_source = LONG[:200]
    lead.save()
    at = timezone.now() - timedelta(minutes=9)
    make_score(lead, at=at, reasons={"fit": [{"label": LONG, "points": 10**9}]})
    for kind in ("chat", "page_view", "form_submission"):
        make_activity(lead, kind, at, title=f"</li><script>boom()</script>{LONG}"[:500], url=BOOM)
    make_lead(company=company, **fields)
    return lead


@pytest.fixture
def harmed_by(open_page: OpenPage, shot: Shot) -> Iterator[Callable[[User, list[str]], None]]:
    """harmed_by(person, paths) looks at each page in each size; what went wrong fails the test."""
    wrong: list[str] = []

    def look(user: User, paths: list[str]) -> None:
        page = open_page(user)
        page.add_init_script("window.harmed = 0; window.boom = () => { window.harmed++; };")
        for path in paths:
            response = page.goto(path)
            assert response is not None and response.ok, path
            for size in (DESK, DOUBLED, PHONE):
                page.set_viewport_size({"width": size[0], "height": size[1]})
                shot(page, f"harm-{user.get_short_name()}{path.replace('/', '-').split('?')[0]}{size[0]}")
                if (over := too_wide(page)) > 0:
                    wrong.append(f"{path}: {over} px too wide at {size[0]}")
            if page.evaluate("window.harmed"):
                wrong.append(f"{path}: a script ran")
            addresses = page.eval_on_selector_all("a", "found => found.map((a) => a.protocol)")
            if strange := set(addresses) - {"http:", "https:", "mailto:", "tel:"}:
                wrong.append(f"{path}: links to {strange}")

    yield look
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(("name", "fields"), HARM, ids=[name for name, _ in HARM])
def test_data_that_means_harm_does_none_to_a_rep(cast: Cast, harmed_by, name: str, fields) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=hostile(**fields), at=timezone.now())
    harmed_by(cast.femke, ["/inbox/", f"/inbox/?h={handoff.pk}&form=contact", f"/leads/{handoff.lead_id}/"])


@pytest.fixture
def hostile_world(cast: Cast) -> dict[str, Handoff]:
    """Leads that mean harm in every state, found twice, complained about, rejected and late."""
    long_ago = timezone.now() - timedelta(days=3)
    fields = [fields for _, fields in HARM]
    kinds = ("assigned", "accepted", "working", "deferred", "rejected", "converted", "disqualified")
    made = {
        state: make_handoff(state, cast.femke, lead=hostile(**fields[place % 4]), at=long_ago)
        for place, state in enumerate(kinds)
    }
    made["queued"] = make_handoff("queued", lead=hostile(**fields[0]), at=long_ago)
    bare = make_lead(company=None, email="", **fields[3])
    made["incomplete"] = make_handoff("incomplete", lead=bare, at=long_ago)
    DuplicatePair.objects.create(
        first=made["assigned"].lead,
        second=made["incomplete"].lead,
        evidence={"same": BOOM, "names": [LONG[:200]]},
        found_at=long_ago,
    )
    Complaint.objects.create(
        handoff=made["accepted"], lead=made["accepted"].lead, field="phone", text=f"<i>{LONG[:400]}",
        by=cast.femke, at=long_ago,
    )  # fmt: skip
    lifecycle.note(
        made["working"].pk, lifecycle.Act(timezone.now(), cast.femke), text=f"<script>{LONG[:900]}"
    )
    return made


def test_data_that_means_harm_does_none_to_marketing(cast: Cast, harmed_by, hostile_world) -> None:
    pair = DuplicatePair.objects.get()
    rejected = hostile_world["rejected"]
    harmed_by(
        cast.otto,
        [
            "/completion/",
            f"/completion/?h={hostile_world['incomplete'].pk}",
            "/triage/",
            f"/triage/?h={rejected.pk}",
            "/duplicates/",
            f"/duplicates/{pair.pk}/",
            "/handoffs/",
            "/leads/",
            f"/handoffs/{rejected.pk}/",
            f"/handoffs/{rejected.pk}/trace/",
            "/search/?q=script",
            f"/search/?q={LONG[:60]}",
            "/routing/accounts/",
            f"/routing/accounts/{rejected.lead.company_id}/",
            "/notifications/",
            "/dashboard/",
            "/dashboard/handoffs/?metric=rejection_rate",
        ],
    )


def test_data_that_means_harm_does_none_to_a_manager_or_a_reader(
    cast: Cast, harmed_by, hostile_world
) -> None:
    late = hostile_world["assigned"]
    harmed_by(cast.mia, ["/team/", f"/team/?h={late.pk}", f"/team/?rep={cast.femke.pk}", "/handoffs/"])
    harmed_by(cast.vera, ["/handoffs/", "/leads/", f"/leads/{late.lead_id}/", f"/handoffs/{late.pk}/"])


def test_a_hostile_file_is_shown_harmlessly(
    cast: Cast, open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Formulas, scripts and endless cells, in the name of the file, the preview and the list of imports."""
    monkeypatch.setattr("leads.queueing.put", lambda name: None)
    route_to(cast.femke)
    file = tmp_path / "<img src=x onerror=boom()>.csv"
    file.write_bytes(
        csv_of(
            row(1, first_name="<script>boom()</script>", company='=HYPERLINK("http://evil.example","x")'),
            row(2, last_name=LONG, country="<b>Narnia"),
            row(3, company="\u202eevil", email="@SUM(1+1)*cmd|' /C calc'!A0"),
        )
    )
    page = open_page(cast.otto, size=PHONE)
    page.add_init_script("window.harmed = 0; window.boom = () => { window.harmed++; };")
    page.goto("/imports/")
    page.set_input_files("#f-file", str(file))
    page.get_by_role("button", name="Look at the file").click()
    expect(page.locator("#preview")).to_contain_text("“<b>Narnia” is not a country.")
    assert too_wide(page) <= 0
    assert page.evaluate("window.harmed") == 0
    page.goto("/imports/")
    expect(page.locator("main")).to_contain_text("onerror=boom()")
    assert too_wide(page) <= 0
    assert page.evaluate("window.harmed") == 0
