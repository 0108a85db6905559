"""The mail of a report: who gets it, once, and what it looks like to whoever means harm."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend

from handoff_site import tasks
from leads.models import Handoff
from metrics.models import ReportMail, ReportSubscription
from metrics.reports import calls, mailing, making
from tests.conftest import NOW, Cast
from tests.metrics.reports.conftest import WEEK, later

State = ReportMail.State
HOSTILE = "<script>alert('x')</script>\r\nBcc: all@x.example =HYPERLINK(1)"


@pytest.fixture
def subscribed(cast: Cast, some: list[Handoff]) -> Cast:
    for user in (cast.mia, cast.vera):
        mailing.subscribe(user, True, NOW)
    return cast


def states() -> dict[str, str]:
    return {row.user.email.partition("@")[0]: row.state for row in ReportMail.objects.select_related("user")}


def test_subscribing_twice_is_one_and_so_is_stopping(cast: Cast) -> None:
    assert [mailing.subscribe(cast.mia, True, NOW) for _ in range(2)] == [True, False]
    assert mailing.is_subscribed(cast.mia)
    assert [mailing.subscribe(cast.mia, False, NOW) for _ in range(2)] == [True, False]
    assert not ReportSubscription.objects.exists()


def test_the_task_makes_and_mails_once(subscribed: Cast) -> None:
    assert tasks.weekly_report() == 2
    assert tasks.weekly_report() == 0
    assert sorted(mail.to[0] for mail in outgoing.outbox) == [subscribed.mia.email, subscribed.vera.email]
    assert states() == {"mia": State.SENT, "vera": State.SENT}
    mail = outgoing.outbox[0]
    assert mail.subject == "[Handoff] Weekly report, week 10, 2 to 8 March 2026"
    assert mail.extra_headers["Auto-Submitted"] == "auto-generated"
    assert "/reports/2026-W10/" in mail.body and "stop it on http" in mail.body


def test_one_made_by_hand_is_not_mailed(subscribed: Cast) -> None:
    making.make(WEEK, NOW, subscribed.otto)
    assert mailing.deliver(NOW) == 0


def test_only_those_who_may_read_it_get_it(subscribed: Cast) -> None:
    mailing.subscribe(subscribed.femke, True, NOW)
    mailing.subscribe(subscribed.ada, True, NOW)
    subscribed.mia.is_active = False
    subscribed.mia.save()
    making.make_due(NOW)
    assert states() == {"vera": State.PENDING, "ada": State.PENDING}
    # Between the making and the sending somebody stops it, and somebody loses the role.
    mailing.subscribe(subscribed.vera, False, NOW)
    assert mailing.deliver(NOW) == 1
    assert states() == {"vera": State.DROPPED, "ada": State.SENT}


def test_a_crash_while_sending_sends_nobody_twice(subscribed: Cast, monkeypatch: Any) -> None:
    making.make_due(NOW)

    def crash(self: Any, messages: Any) -> int:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", crash)
        with pytest.raises(SystemExit):
            mailing.deliver(NOW)
    assert mailing.deliver(later(hours=5)) == 1
    assert mailing.deliver(later(days=1)) == 0
    assert sorted(states().values()) == [State.SENDING, State.SENT]
    assert len(outgoing.outbox) == 1


def test_what_fails_is_tried_again_later_and_given_up_after_five(subscribed: Cast, monkeypatch: Any) -> None:
    making.make_due(NOW)

    def refuse(self: Any, messages: Any) -> int:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "send_messages", refuse)
        assert mailing.deliver(NOW) == 0
        assert set(states().values()) == {State.PENDING}
        assert mailing.deliver(NOW) == 0
        assert set(ReportMail.objects.values_list("attempts", flat=True)) == {1}
    assert mailing.deliver(later(minutes=1)) == 2
    ReportMail.objects.update(state=State.PENDING, attempts=4)
    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    assert mailing.deliver(later(minutes=1)) == 0
    assert set(states().values()) == {State.FAILED}


def test_without_a_mail_server_nothing_is_claimed(subscribed: Cast, monkeypatch: Any) -> None:
    making.make_due(NOW)

    def away(self: Any) -> None:
        raise OSError("refused")

    monkeypatch.setattr(EmailBackend, "open", away)
    assert mailing.deliver(NOW) == 0
    assert set(ReportMail.objects.values_list("attempts", flat=True)) == {0}


def test_hostile_words_stay_words(subscribed: Cast) -> None:
    calls.write(
        WEEK.plus(-1),
        subscribed.otto,
        NOW,
        kind="decision",
        text=HOSTILE,
        owner=subscribed.femke,
        until=date(2026, 3, 20),
    )
    Handoff.objects.update(lead_source="<img src=x onerror=alert(1)>")
    tasks.weekly_report()
    mail = outgoing.outbox[0]
    page = mail.alternatives[0][0]
    assert "<script" not in page and "<img" not in page
    assert "&lt;script&gt;alert(" in page
    assert HOSTILE.partition("\r")[0] in mail.body
    assert mail.message()["Bcc"] is None


def test_mail_and_text_say_the_same_figures(subscribed: Cast) -> None:
    tasks.weekly_report()
    mail = outgoing.outbox[0]
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", mail.alternatives[0][0].partition("<body")[2]))
    for part in ("Acceptance rate", "2 to 8 March 2026: 1 MQL, 0 the week before.", "Black holes"):
        assert part in page and part in mail.body
    rows = re.findall(r"- (W\d\d): (.+)", mail.body)
    assert [week for week, _ in rows] == [f"W{number:02}" for number in (51, 52, *range(1, 11))]
    assert dict(rows)["W08"] == "75 %, (33 %), 20 %, 1:00, –"
