"""The agreement's pages: everybody reads, one side proposes, the other signs, and nobody both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client

from leads import agreeing
from leads.agreement import SHIPPED_DONE, Terms
from leads.lifecycle import Act
from leads.models import Agreement, MqlDefinition, Proposal, ProposalComment, RejectionReason, Signature
from routing.models import SlaPolicy, User
from routing.people import MANAGER, MARKETING
from tests.conftest import NOW, Cast
from tests.factories import agree, make_handoff, make_lead, make_proposal, make_score
from tests.leads.views.asking import SignIn, html, queries, refuses, sent_to_sign_in

URL, PROPOSE = "/agreement/", "/agreement/propose/"
LATER = NOW + timedelta(hours=2)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def form(**changed: Any) -> dict[str, Any]:
    """The form as a browser sends it, filled with version 1."""
    values: dict[str, Any] = {
        "base": "1", "done": SHIPPED_DONE, "threshold": "65",
        "high_intent": ["demo_request", "pricing_inquiry"],
        "demo-accept": "5", "demo-accept-base": "elapsed",
        "demo-contact": "5", "demo-contact-base": "elapsed",
        "demo-disposition": "", "demo-disposition-base": "business", "demo-figure": "5",
        "standard-accept": "120", "standard-accept-base": "business",
        "standard-contact": "60", "standard-contact-base": "business",
        "standard-disposition": "", "standard-disposition-base": "business", "standard-figure": "60",
        "why": "Fewer, better", "wanted": "", "propose": "1",
    }  # fmt: skip
    return values | changed


def one(pk: int, verb: str = "") -> str:
    return f"/agreement/proposals/{pk}/{verb}{'/' if verb else ''}"


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


# What is in force


def test_it_says_what_is_in_force_and_that_nobody_signed_it(as_: SignIn, cast: Cast) -> None:
    page = text(html(as_(cast.femke).get(URL)))
    assert "Version 1, in force from the beginning" in page
    assert "A lead whose score reaches 65 : 65 is one" in page
    assert "It is a demo lead by demo request or pricing inquiry" in page
    assert (
        "Answer 2 h of working time" in page
        and "Bad timing Back to marketing, left alone for 90 days" in page
    )
    assert (
        "Version 1 is as shipped; nobody has signed it. Marketing ops or a sales manager proposes it" in page
    )
    assert "Propose a change" not in page
    assert "Propose it , as it is or changed" in text(html(as_(cast.mia).get(URL)))


def test_it_says_who_signed_and_what_changed(as_: SignIn, cast: Cast) -> None:
    agree(cast.otto, cast.mia, threshold=70, done="Done")
    page = text(html(as_(cast.vera).get(URL)))
    assert "Version 2, in force since today 10:00" in page
    assert "Marketing Otto Maier today 10:00 Sales Mia Brandt today 10:00" in page
    assert "Score threshold 65 → 70, what done means" in page and "nobody has signed" not in page


def test_what_begins_later_is_announced(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70, wanted_at=NOW + 3 * DAY)
    agreeing.sign(made.pk, Act(NOW, cast.mia))
    page = text(html(as_(cast.vera).get(URL)))
    assert "Version 2 is agreed on and holds from Fri 10:00." in page
    assert "A lead whose score reaches 65" in page


def test_policies_and_reasons_that_differ_are_named(as_: SignIn, cast: Cast) -> None:
    SlaPolicy.objects.filter(slug="demo").update(accept_minutes=7)
    reason = RejectionReason.objects.get(code="timing")
    reason.label = "Not now"
    reason.save()
    page = html(as_(cast.mia).get(URL))
    assert "Demo: answer 5 min of any time 7 min of any time" in text(page)
    assert 'href="/routing/policies/"' in page
    assert "removed: Bad timing: back to marketing" in text(page) and "added: Not now:" in text(page)
    assert 'href="/routing/policies/"' not in html(as_(cast.vera).get(URL))


def test_without_a_first_version_it_says_what_to_do(as_: SignIn, cast: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(agreeing, "newest", lambda: None)
    assert "manage.py setup" in html(as_(cast.vera).get(URL))
    refuses(as_(cast.otto), 404, get=(PROPOSE,))


def test_a_version_has_its_page_with_the_difference(as_: SignIn, cast: Cast) -> None:
    agree(cast.otto, cast.mia, threshold=70, done=SHIPPED_DONE + "\nAnd <b>nothing</b> else.")
    page = html(as_(cast.femke).get("/agreement/versions/2/"))
    assert "removed: 65 added: 70" in text(page)
    assert "added: </span>And &lt;b&gt;nothing&lt;/b&gt; else.</ins>" in page
    first = text(html(as_(cast.femke).get("/agreement/versions/1/")))
    assert "By nobody: it is as shipped." in first and "The first version" in first
    refuses(as_(cast.femke), 404, get=("/agreement/versions/3/", "/agreement/versions/99999999999999/"))


# Who reads


def test_who_may_read(client: Client, as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    pages = (URL, "/agreement/versions/1/", one(made.pk))
    sent_to_sign_in(client, *pages, PROPOSE)
    for user in cast:
        for page in pages:
            assert as_(user).get(page).status_code == 200, (user, page)
    refuses(as_(User.objects.create_user("nobody@example.com")), 404, get=pages)
    refuses(as_(cast.mia), 405, post=pages)
    refuses(as_(cast.mia), 404, get=(one(99), "/agreement/proposals/9999999999999999999999/"))


def test_reading_twice_changes_nothing(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.vera)
    make_proposal(cast.otto, threshold=70)
    before = list(Proposal.objects.values())
    assert text(html(client.get(URL))) == text(html(client.get(URL)))
    assert list(Proposal.objects.values()) == before


def test_the_navigation_counts_what_waits_for_me(as_: SignIn, cast: Cast) -> None:
    def count(user: User) -> list[tuple[str, str]]:
        nav = as_(user).get("/profile/").context["shell"].nav
        return [(item.count, item.counts) for item in nav if item.label == "Agreement"]

    make_proposal(cast.otto, threshold=70)
    assert count(cast.mia) == [("1", "to sign")]
    assert count(cast.otto) == count(cast.vera) == count(cast.ada) == [("", "to sign")]
    assert count(cast.femke) == []
    assert "Waits for your signature: Score threshold 65 → 70" in text(html(as_(cast.mia).get(URL)))


# Proposing


def test_a_proposal_is_made_signed_and_kept_with_its_back_test(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("rejected", cast.femke, lead=low(67))
    response = as_(cast.otto).post(PROPOSE, form(threshold="70"))
    made = Proposal.objects.get()
    assert (response.status_code, response["Location"]) == (302, one(made.pk))
    assert (made.threshold, made.why, made.proposed_by, made.side) == (
        70,
        "Fewer, better",
        cast.otto,
        "marketing",
    )
    assert made.backtest["lost"] == {"mqls": 1, "accepted": 0, "rejected": 1, "converted": 0}
    assert made.backtest["lists"]["lost"] == [handoff.pk] and made.backtest_at == LATER
    page = html(as_(cast.mia).get(one(made.pk)))
    assert "1 handoff of 1 would not have been made: the score was below 70." in page
    assert "and kept as it was." in page
    assert f'<a href="/handoffs/{handoff.pk}/">{handoff.lead.full_name}</a>' in page
    assert "rejected: Not our customer profile" in page
    # The figures stay as they were, whatever happens since.
    make_handoff("accepted", cast.femke, lead=low(68))
    assert "1 handoff of 1 would not" in html(as_(cast.mia).get(one(made.pk)))


def low(total: int) -> Any:
    lead = make_lead()
    make_score(lead, total)
    return lead


def test_leads_that_are_not_mine_to_see_are_counted_not_named(as_: SignIn, cast: Cast) -> None:
    handoff = make_handoff("assigned", cast.femke, lead=low(67))
    stranger = low(60)
    as_(cast.otto).post(PROPOSE, form(threshold="70"))
    as_(cast.otto).post(PROPOSE, form(threshold="55"))
    raised, lowered = (Proposal.objects.get(threshold=total) for total in (70, 55))
    assert handoff.lead.full_name in html(as_(cast.vera).get(one(raised.pk)))
    page = html(as_(cast.rosa).get(one(raised.pk)))
    assert "0 leads, and 1 not yours to see" in page and handoff.lead.full_name not in page
    page = html(as_(cast.otto).get(one(lowered.pk)))
    assert "1 lead more would have been handed over; nobody knows how they would have fared." in page
    assert stranger.full_name in page
    assert stranger.full_name not in html(as_(cast.rosa).get(one(lowered.pk)))
    # A viewer reads no address, also where there is no name.
    stranger.first_name = stranger.last_name = ""
    stranger.save()
    assert stranger.email not in html(as_(cast.vera).get(one(lowered.pk)))


def test_trying_proposes_nothing_and_keeps_what_was_typed(as_: SignIn, cast: Cast) -> None:
    make_handoff("accepted", cast.femke, lead=low(67))
    sent = form(threshold="70", why="", done="Mine <i>own</i>")
    del sent["propose"]
    page = html(as_(cast.mia).post(PROPOSE, sent | {"try": "1"}))
    assert "Nothing is proposed yet" in page and "would not have been made" in page
    assert "Counted just now." in page and "kept as it was" not in page
    assert 'value="70"' in page and "Mine &lt;i&gt;own&lt;/i&gt;</textarea>" in page
    assert not Proposal.objects.exists()
    page = html(as_(cast.mia).post(PROPOSE, form(done="Other") | {"try": "1"}))
    assert "nothing to hold against the past" in page


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("threshold", "", "Whole points"),
        ("threshold", "65.5", "Whole points"),
        ("threshold", "²", "Whole points"),
        ("threshold", "999999", "Whole points, from 0 to 100,000."),
        ("high_intent", ["score_threshold"], "is no kind of trigger"),
        ("high_intent", ["<script>"], "“&lt;script&gt;” is no kind of trigger"),
        ("done", " ", "Say what done means."),
        ("done", "x" * 4001, "At most 4000 characters; this has 4001."),
        ("demo-accept", "", "Whole minutes, such as 60."),
        ("demo-accept", "0", "Whole minutes, from 1 to"),
        ("demo-contact", "9999999", "Whole minutes, from 1 to"),
        ("demo-contact-base", "moon", "Choose working time or any time."),
        ("standard-disposition", "soon", "Whole minutes, such as 60."),
        ("standard-figure", "0", "Whole minutes, from 1 to"),
        ("why", "", "This is needed."),
        ("why", "x" * 2001, "At most 2000 characters; this has 2001."),
        ("wanted", "2026-03-09", "This day is past."),
        ("wanted", "tomorrow", "A day such as 2026-12-31."),
        ("wanted", "2040-01-01", "At most two years ahead."),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_nothing_is_lost(
    as_: SignIn, cast: Cast, name: str, value: Any, words: str
) -> None:
    sent = form(**{"threshold": "70", name: value})
    page = html(as_(cast.otto).post(PROPOSE, sent), 422)
    assert words in page and 'role="alert"' in page and "<script>" not in page
    assert not Proposal.objects.exists()
    for other in ("why", "standard-accept"):
        assert other == name or str(sent[other]) in page


def test_a_proposal_that_changes_nothing_is_refused_once_signed(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    assert client.post(PROPOSE, form()).status_code == 302
    agreeing.sign(Proposal.objects.get().pk, Act(NOW, cast.mia))
    page = html(client.post(PROPOSE, form(base="2")), 422)
    assert "This says what version 2 says. Change something." in page


def test_the_day_begins_in_the_organisations_zone(as_: SignIn, cast: Cast, settings: Any) -> None:
    settings.ORG_TIME_ZONE = "America/New_York"
    as_(cast.otto).post(PROPOSE, form(threshold="70", wanted="2026-03-20"))
    as_(cast.otto).post(PROPOSE, form(threshold="71", wanted="2026-03-10"))
    wanted = dict(Proposal.objects.values_list("threshold", "wanted_at"))
    assert wanted[70].isoformat() == "2026-03-20T04:00:00+00:00" and wanted[71] is None


def test_against_an_older_version_it_is_refused_and_can_be_sent_again(as_: SignIn, cast: Cast) -> None:
    client = as_(cast.otto)
    agree(cast.nils, cast.otto, threshold=68)
    page = html(client.post(PROPOSE, form(threshold="70")), 409)
    assert "Version 2 was agreed on since" in page and 'name="base" value="2"' in page
    assert client.post(PROPOSE, form(threshold="70", base="2")).status_code == 302


def test_a_proposal_can_be_made_again(as_: SignIn, cast: Cast) -> None:
    old = make_proposal(cast.otto, threshold=77, why="Because")
    agree(cast.nils, cast.otto, threshold=68)
    assert f'href="/agreement/propose/?from={old.pk}"' in html(as_(cast.mia).get(one(old.pk)))
    page = html(as_(cast.otto).get(f"{PROPOSE}?from={old.pk}"))
    assert 'value="77"' in page and "Because</textarea>" in page and 'name="base" value="2"' in page
    for nonsense in ("x", "999", "²", "9" * 30):
        assert 'value="68"' in html(as_(cast.otto).get(PROPOSE, {"from": nonsense}))


def test_whoever_has_both_roles_chooses_a_side(as_: SignIn, cast: Cast) -> None:
    cast.otto.groups.set(Group.objects.filter(name__in=[MARKETING, MANAGER]))
    client = as_(cast.otto)
    assert 'name="side" value="sales"' in html(client.get(PROPOSE))
    assert "You belong to both sides." in html(client.post(PROPOSE, form(threshold="70")), 422)
    client.post(PROPOSE, form(threshold="70", side="sales"))
    made = Proposal.objects.get()
    assert made.side == "sales"
    assert client.post(one(made.pk, "sign"), {"read": "1"}).status_code == 409
    assert Signature.objects.count() == 1


def test_who_may_propose(client: Client, as_: SignIn, cast: Cast) -> None:
    for user in (cast.femke, cast.vera, cast.ada):
        refuses(as_(user), 404, get=(PROPOSE,))
        assert as_(user).post(PROPOSE, form(threshold="70")).status_code == 403
    assert as_(cast.otto).put(PROPOSE).status_code == 405
    assert not Proposal.objects.exists()


def test_proposing_twice_makes_one(as_: SignIn, cast: Cast) -> None:
    for _ in range(2):
        assert as_(cast.otto).post(PROPOSE, form(threshold="70")).status_code == 302
    assert Proposal.objects.count() == 1


# Signing and the other acts


def test_the_other_side_signs(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    client = as_(cast.mia)
    page = html(client.get(one(made.pk)))
    assert "I have read what it changes and agree for sales." in text(page)
    response = client.post(one(made.pk, "sign"), {"read": "1"}, follow=True)
    assert "Signed. Version 2 is in force since today 12:00." in html(response)
    assert MqlDefinition.objects.get(version=2).threshold == 70
    assert "became version 2" in text(html(client.get(one(made.pk))))
    # Again it is done already.
    assert client.post(one(made.pk, "sign"), {"read": "1"}).status_code == 302
    assert Agreement.objects.count() == 2


def test_a_signature_asks_whether_it_was_read(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    page = html(as_(cast.mia).post(one(made.pk, "sign")), 422)
    assert "Say that you have read it" in page and Agreement.objects.count() == 1


def test_nobody_signs_their_own_through_the_page(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    page = html(as_(cast.otto).get(one(made.pk)))
    assert 'action="/agreement/proposals' in page and "/sign/" not in page and "/decline/" not in page
    page = html(as_(cast.otto).post(one(made.pk, "sign"), {"read": "1"}), 409)
    assert "Nobody signs their own proposal." in page
    for user in (cast.ada, cast.vera, cast.femke):
        assert "/sign/" not in html(as_(user).get(one(made.pk)))
        assert as_(user).post(one(made.pk, "sign"), {"read": "1"}).status_code == 403
    assert Signature.objects.count() == 1


def test_the_other_side_declines_with_a_reason(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    client = as_(cast.nils)
    page = html(client.post(one(made.pk, "decline"), {"text": " "}), 422)
    assert "This is needed." in page
    for _ in range(2):
        assert client.post(one(made.pk, "decline"), {"text": "Too <high>"}).status_code == 302
    page = html(client.get(one(made.pk)))
    assert "Too &lt;high&gt;" in page and "Declined by Nils Holm" in text(page) and "/sign/" not in page
    assert "Not agreed on" in html(client.get(URL))
    page = html(as_(cast.mia).post(one(made.pk, "sign"), {"read": "1"}), 409)
    assert "declined by nils@handoff.example.com" in page


def test_the_proposer_withdraws(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    assert as_(cast.mia).post(one(made.pk, "withdraw")).status_code == 409
    for _ in range(2):
        assert as_(cast.otto).post(one(made.pk, "withdraw")).status_code == 302
    made.refresh_from_db()
    assert (made.state, made.settled_by) == ("withdrawn", cast.otto)


def test_comments_are_kept_and_escaped(as_: SignIn, cast: Cast) -> None:
    made = make_proposal(cast.otto, threshold=70)
    for _ in range(2):
        response = as_(cast.femke).post(one(made.pk, "comment"), {"text": "<b>Why</b>\nnot"})
        assert response["Location"] == f"{one(made.pk)}#comments"
    assert ProposalComment.objects.count() == 1
    assert "&lt;b&gt;Why&lt;/b&gt;\nnot" in html(as_(cast.vera).get(one(made.pk)))
    long = "x" * 2001
    assert f"{long}</textarea>" in html(as_(cast.femke).post(one(made.pk, "comment"), {"text": long}), 422)


@pytest.mark.parametrize("verb", ["sign", "decline", "withdraw", "comment"])
def test_acts_are_posted_by_those_whose_they_are(client: Client, as_: SignIn, cast: Cast, verb: str) -> None:
    made = make_proposal(cast.otto, threshold=70)
    assert client.post(one(made.pk, verb)).status_code == 302
    refuses(as_(cast.mia), 405, get=(one(made.pk, verb),))
    refuses(as_(cast.vera), 403, post=(one(made.pk, verb),))
    refuses(as_(cast.mia), 404, post=(one(99, verb), one(made.pk, "sing")))
    made.refresh_from_db()
    assert made.state == "open" and not made.comments.exists()


def test_reasons_edited_since_a_proposal_are_named_and_not_signed(as_: SignIn, cast: Cast) -> None:
    RejectionReason.objects.filter(code="timing").update(is_active=False)
    as_(cast.otto).post(PROPOSE, form(threshold="70"))
    made = Proposal.objects.get()
    assert "timing" not in [reason["code"] for reason in made.reasons]
    RejectionReason.objects.filter(code="other").update(label="Else")
    page = text(html(as_(cast.mia).get(one(made.pk))))
    assert "Reasons were edited since it was proposed" in page and "added: Else: marketing decides" in page
    agreeing.sign(made.pk, Act(LATER, cast.mia))
    reasons = {reason.code: reason.label for reason in Terms.of(agreeing.current(LATER)).reasons}
    assert reasons["other"] == "Other" and "timing" not in reasons


# Queries


def test_a_constant_number_of_queries(as_: SignIn, cast: Cast) -> None:
    def fill(number: int) -> None:
        make_handoff("accepted", cast.femke, lead=low(67))
        agree(cast.otto, cast.mia, NOW + number * timedelta(minutes=1), threshold=70 + number)
        no = make_proposal(cast.otto, NOW + number * timedelta(minutes=2), threshold=90 + number)
        agreeing.decline(no.pk, Act(LATER, cast.nils), "No")

    client = as_(cast.mia)
    fill(1)
    as_(cast.otto).post(PROPOSE, form(base="2", threshold="80"))
    made = Proposal.objects.get(state="open")
    agreeing.comment(made.pk, Act(NOW, cast.mia), "One")
    urls = (URL, "/agreement/versions/2/", one(made.pk), PROPOSE)
    first = {url: queries(client, url) for url in urls}
    for number in (2, 3):
        fill(number)
        agreeing.comment(made.pk, Act(NOW, cast.otto), f"Comment {number}")
        as_(cast.otto).post(PROPOSE, form(base=str(number + 1), threshold=str(80 + number)))
    assert {url: queries(client, url) for url in urls} == first
    assert max(first.values()) <= 20
