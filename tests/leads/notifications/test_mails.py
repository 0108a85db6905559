"""A message as a mail: two bodies of one content, one main link, and nothing hostile in either."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives

from leads.models import Handoff, Lead, Notification
from leads.notifications import WORDINGS, links, mails, message, words
from routing.models import User
from tests import factories
from tests.conftest import NOW, Cast

TAPPED = ["assigned", "accept_50", "accept_80", "accept_breach"]


@pytest.fixture
def held(cast: Cast, settings: Any) -> Handoff:
    settings.PUBLIC_URL = "https://handoff.example.com"
    return factories.make_handoff("assigned", cast.femke)


def row(user: User, handoff: Handoff | None, kind: str, **data: Any) -> Notification:
    made = message(user, handoff, kind, NOW, data)
    made.pk = 7
    return made


def html_of(mail: EmailMultiAlternatives) -> str:
    [alternative] = mail.alternatives
    assert alternative.mimetype == "text/html"
    return str(alternative.content)


def hrefs(mail: EmailMultiAlternatives) -> list[str]:
    return [unescape(href) for href in re.findall(r'href="([^"]*)"', html_of(mail))]


def addresses(mail: EmailMultiAlternatives) -> list[str]:
    return re.findall(r"https?://\S+", str(mail.body))


def parsed(mail: EmailMultiAlternatives) -> EmailMessage:
    made = message_from_bytes(mail.message().as_bytes(), policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def test_it_is_text_and_html_of_the_same_content(cast: Cast, held: Handoff) -> None:
    mail = parsed(mails.single(row(cast.femke, held, "contact_breach"), NOW))
    assert mail.get_content_type() == "multipart/alternative"
    bodies = {
        kind: " ".join(unescape(re.sub(r"<[^>]+>", " ", part.get_content())).split())
        for kind in ("plain", "html")
        if (part := mail.get_body((kind,))) is not None
    }
    for said in (
        held.lead.full_name,
        held.lead.company.name,
        "Not contacted in time",
        "Tue 10 Mar 11:00 UTC",
        "Make the first contact",
        "Standard",
    ):
        assert said in bodies["plain"] and said in bodies["html"], said


@pytest.mark.parametrize("kind", sorted(WORDINGS))
def test_there_is_one_main_link_and_two_more_where_an_answer_is_owed(
    cast: Cast, held: Handoff, kind: str
) -> None:
    mail = mails.single(row(cast.femke, held, kind, due_at=NOW.isoformat()), NOW)
    main = f"https://handoff.example.com/handoffs/{held.pk}/"
    assert hrefs(mail)[0] == main and hrefs(mail) == addresses(mail)
    taps = [href.removeprefix("https://handoff.example.com/go/").rstrip("/") for href in hrefs(mail)[1:]]
    said = [links.read(token) for token in taps]
    if kind not in TAPPED:
        assert said == []
        return
    until = NOW + timedelta(hours=72)
    assert said == [links.Link(held.pk, cast.femke.pk, verb, 1, until) for verb in ("accept", "reject")]


def test_who_cannot_answer_gets_no_links_to_answer(cast: Cast, held: Handoff) -> None:
    assert len(hrefs(mails.single(row(cast.mia, held, "accept_breach"), NOW))) == 1


@pytest.mark.parametrize("kind", sorted(WORDINGS))
def test_a_subject_names_the_company_and_nothing_else_of_the_lead(
    cast: Cast, held: Handoff, kind: str
) -> None:
    subject = mails.single(row(cast.femke, held, kind), NOW).subject
    assert subject == f"[Handoff] {WORDINGS[kind].head}: {held.lead.company.name}"
    assert held.lead.first_name not in subject and held.lead.last_name not in subject


def test_a_lead_without_a_company_leaves_the_subject_short(cast: Cast) -> None:
    handoff = factories.open_handoff(factories.make_lead(company=None))
    mail = mails.single(row(cast.otto, handoff, "incomplete"), NOW)
    assert mail.subject == "[Handoff] Data missing"
    assert handoff.lead.full_name in html_of(mail)


def hostile(handoff: Handoff) -> None:
    text = "Eve\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\u202e{{ 7|add:7 }}{said}"
    Lead.objects.filter(pk=handoff.lead_id).update(first_name=text, last_name="W" * 900)
    company = handoff.lead.company
    company.name = '"><img src="https://evil.example/x.png">\n\nX-Evil: 1'
    company.save()


def test_hostile_names_are_words(cast: Cast, held: Handoff, settings: Any) -> None:
    hostile(held)
    settings.ORG_NAME = "Org\r\nX-Evil: 2"
    handoff = Handoff.objects.select_related("lead__company", "assignee").get(pk=held.pk)
    mail = mails.single(row(cast.femke, handoff, "assigned"), NOW)
    raw = parsed(mail)
    assert raw["Bcc"] is None and raw["X-Evil"] is None and raw["To"] == cast.femke.email
    page = html_of(mail)
    assert "<script" not in page and "<img" not in page and "evil. example" in page
    assert len(hrefs(mail)) == 3 and all(
        href.startswith("https://handoff.example.com/") for href in hrefs(mail)
    )
    assert "{{ 7|add:7 }}" in str(mail.body) and "\u202e" not in str(mail.body)
    assert "\n" not in mail.subject and "\r" not in mail.subject


def test_a_name_is_no_link_in_either_body(cast: Cast, held: Handoff, settings: Any) -> None:
    settings.ORG_NAME = "acme.example"
    Lead.objects.filter(pk=held.lead_id).update(first_name="Renew at www.evil.example/login", last_name="Now")
    held.lead.company.name, held.lead.company.domain = "", "worse.example"
    held.lead.company.save()
    handoff = Handoff.objects.select_related("lead__company", "assignee").get(pk=held.pk)
    told = row(cast.femke, handoff, "assigned")
    for mail in (mails.single(told, NOW), mails.digest(cast.femke, [told])):
        for body in (str(mail.body), unescape(html_of(mail))):
            assert "Renew at www. evil. example/login Now (worse. example)" in body
            assert "evil.example" not in body and "worse.example" not in body
        # The house's own name is nobody's trick.
        assert mail.subject.startswith("[acme.example] ")


def test_nobody_answers_it_by_machine_and_a_second_copy_is_known(cast: Cast, held: Handoff) -> None:
    first, again = (mails.single(row(cast.femke, held, "assigned"), NOW + timedelta(hours=n)) for n in (0, 1))
    mail = parsed(first)
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert mail["Message-ID"] == parsed(again)["Message-ID"] == "<message-7@handoff.example.com>"


def test_styles_stand_at_the_elements_and_nothing_is_fetched(cast: Cast, held: Handoff) -> None:
    page = html_of(mails.single(row(cast.femke, held, "assigned"), NOW))
    assert re.search(r'<a class="main" href="[^"]*" style="[^"]*background-color: ?#0b685f', page)
    assert "prefers-color-scheme: dark" in page and "max-width: 560px" in page
    assert "<link" not in page and "url(" not in page and "src=" not in page


def test_a_digest_says_no_lead_in_its_subject(cast: Cast, held: Handoff) -> None:
    mail = mails.digest(cast.femke, [row(cast.femke, held, "stale"), row(cast.femke, held, "claimed")])
    assert mail.subject == "[Handoff] Your digest: 2 messages"
    assert hrefs(mail) == addresses(mail) == ["https://handoff.example.com/notifications/"]
    assert html_of(mail).count(held.lead.last_name) == 2


def test_a_digest_says_a_time_once(cast: Cast, held: Handoff) -> None:
    told = row(cast.femke, held, "accept_80")
    when = words(told).due
    assert when is not None
    mail = mails.digest(cast.femke, [told])
    assert html_of(mail).count(when[1]) == str(mail.body).count(when[1]) == 1


def test_a_digest_of_hostile_names_is_words(cast: Cast, held: Handoff) -> None:
    hostile(held)
    handoff = Handoff.objects.select_related("lead__company", "assignee").get(pk=held.pk)
    mail = mails.digest(cast.femke, [row(cast.femke, handoff, "stale")])
    page = html_of(mail)
    assert "<script" not in page and "<img" not in page
    assert parsed(mail)["X-Evil"] is None
