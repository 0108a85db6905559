"""What is kept for long enough goes, batch by batch; what is worked with, and what figures need, stays."""

from __future__ import annotations

from datetime import datetime
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command

from leads import lifecycle, retention, tasks
from leads.choices import Why
from leads.intake import receive
from leads.lifecycle import Refused
from leads.models import (
    Activity,
    ImportFailure,
    ImportPart,
    Lead,
    LeadImport,
    Notification,
    PrivacyAct,
    Receipt,
)
from tests.acting import assert_sound, at, by
from tests.conftest import NOW, Cast
from tests.factories import event, make_activity, make_handoff, make_lead

LABELS = [kind.label for kind in retention.KINDS]
PEOPLE, ACTIVITIES, RECEIPTS, ROWS, LEFT_OUT, MESSAGES, _ = LABELS


def keep(settings: Any, **days: int) -> None:
    settings.RETENTION_DAYS = dict.fromkeys(settings.RETENTION_DAYS, 0) | days


def due(now: datetime) -> dict[str, int]:
    return {kind.label: count for kind, count in retention.counts(now) if count}


def old_lead(**fields: Any) -> Lead:
    long_ago = at(days=-100)
    return make_lead(**({"created_at": long_ago, "updated_at": long_ago} | fields))


def test_as_shipped_nothing_about_a_person_goes_by_itself(cast: Cast, settings: Any) -> None:
    old_lead()
    assert settings.RETENTION_DAYS == {
        "people": 0, "activities": 0, "receipts": 0, "imports": 30, "messages": 90, "access": 0,
    }  # fmt: skip
    assert due(at(days=10_000)) == {}
    assert retention.run(at(days=10_000)) == (dict.fromkeys(LABELS, 0), False)


def test_people_nobody_works_with_are_erased(cast: Cast, settings: Any) -> None:
    keep(settings, people=90)
    gone = old_lead()
    closed = make_handoff("rejected", cast.femke, lead=old_lead(), at=at(days=-95))
    merged = old_lead()
    lifecycle.merge(gone, merged, by(cast.otto, days=-99))
    stays = [
        old_lead(updated_at=at(days=-89)),
        make_handoff("assigned", cast.femke, lead=old_lead(), at=at(days=-95)).lead,
        make_handoff("rejected", cast.femke, lead=old_lead(), at=at(days=-80)).lead,
        old_lead(),
    ]
    make_activity(stays[3], at=at(days=-80))
    assert due(NOW) == {PEOPLE: 2}
    done, is_more = retention.run(NOW)
    assert (done[PEOPLE], is_more, due(NOW)) == (2, False, {})
    erased = set(Lead.objects.filter(erased_at=NOW).values_list("pk", flat=True))
    assert erased == {gone.pk, merged.pk, closed.lead_id}
    closed.refresh_from_db()
    assert (closed.state, closed.rejected_at is not None) == ("rejected", True)
    assert set(PrivacyAct.objects.values_list("why", "by")) == {("retention", None)}
    assert_sound()


def test_whoever_came_back_meanwhile_is_left_alone(cast: Cast) -> None:
    lead = old_lead()
    make_handoff("assigned", cast.femke, lead=lead)
    with pytest.raises(Refused):
        lifecycle.erase(lead.pk, by(None), Why.RETENTION, unless_since=at(days=-1))
    fresh = make_lead()
    with pytest.raises(Refused):
        lifecycle.erase(fresh.pk, by(None), Why.RETENTION, unless_since=at(days=-1))
    assert not Lead.objects.filter(erased_at__isnull=False).exists()


def test_words_of_what_leads_did_go_and_what_is_counted_stays(cast: Cast, settings: Any) -> None:
    keep(settings, activities=30)
    lead = make_lead()
    old = make_activity(
        lead, kind="chat", at=at(days=-40), title="SSO", url="https://x.com", external_id="a-1", points=8,
        properties={"message": "Hello"},
    )  # fmt: skip
    new = make_activity(lead, at=at(days=-20), title="Pricing")
    worked = make_handoff("assigned", cast.femke).lead
    make_activity(worked, at=at(days=-40), title="Still needed")
    assert due(NOW) == {ACTIVITIES: 1}
    assert retention.run(NOW)[0][ACTIVITIES] == 1
    old.refresh_from_db()
    assert (old.title, old.url, old.properties) == ("", "", {})
    # What was sent again is still the same.
    assert (old.kind, old.points, old.external_id, old.occurred_at) == ("chat", 8, "a-1", at(days=-40))
    new.refresh_from_db()
    assert new.title == "Pricing"
    assert Activity.objects.filter(title="Still needed").exists()
    assert due(NOW) == {}


def test_of_a_receipt_its_identity_stays(cast: Cast, settings: Any) -> None:
    keep(settings, receipts=30)
    sent = event(1)
    receive([sent], None, NOW)
    assert due(at(days=29)) == {}
    assert retention.run(at(days=31))[0][RECEIPTS] == 1
    assert Receipt.objects.get().answer == {}
    [again] = receive([sent], None, at(days=32))
    assert again == {
        "id": "ev-1", "status": "duplicate", "reason": None, "lead": None, "handoff": None, "errors": []
    }  # fmt: skip
    [other] = receive([event(1, lead={"job_title": "CEO"})], None, at(days=32))
    assert other["reason"] == "different_body"
    assert Lead.objects.count() == 1


def test_rows_of_files_and_read_messages(cast: Cast, settings: Any) -> None:
    keep(settings, imports=30, messages=90)
    for days in (-40, -10):
        run = LeadImport.objects.create(
            name="x.csv", digest="x", as_of=NOW, created_at=NOW, status="done", finished_at=at(days=days)
        )
        ImportPart.objects.create(lead_import=run, position=0, rows=[[2, "a"]])
        ImportFailure.objects.create(lead_import=run, row=2)
    make_handoff("assigned", cast.femke)
    Notification.objects.update(read_at=at(days=-100), mail="sent")
    assert due(NOW) == {ROWS: 1, LEFT_OUT: 1, MESSAGES: 1}
    done, _ = retention.run(NOW)
    assert (done[ROWS], done[LEFT_OUT], done[MESSAGES]) == (1, 1, 1)
    assert (ImportPart.objects.count(), Notification.objects.count(), LeadImport.objects.count()) == (1, 0, 2)


def test_batch_by_batch_and_when_time_is_over_there_is_more(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(settings, activities=30)
    monkeypatch.setattr(retention, "BATCH", 2)
    lead = make_lead()
    for _ in range(5):
        make_activity(lead, at=at(days=-40), title="x")
    assert retention.run(NOW, seconds=0) == (dict.fromkeys(LABELS, 0), True)
    done, is_more = retention.run(NOW)
    assert (done[ACTIVITIES], is_more) == (5, False)


def test_the_nightly_run_does_it(cast: Cast, settings: Any) -> None:
    keep(settings, people=90)
    lead = old_lead()
    with time_machine.travel(NOW, tick=False):
        assert tasks.prune() == 1
        assert tasks.prune() == 0
    assert Lead.objects.get(pk=lead.pk).erased_at == NOW


def test_the_command_counts_before_it_does_anything(cast: Cast, settings: Any) -> None:
    keep(settings, people=90, imports=30)
    lead = old_lead()
    with time_machine.travel(NOW, tick=False):
        out = StringIO()
        call_command("retention", "--dry-run", stdout=out)
        assert out.getvalue().splitlines()[:2] == [
            "people nobody works with: 1 due (kept 90 days)",
            "words of what leads did: 0 due (kept for ever)",
        ]
        assert Lead.objects.get(pk=lead.pk).erased_at is None
        out = StringIO()
        call_command("retention", stdout=out)
        assert out.getvalue().splitlines()[0] == "people nobody works with: 1 done (kept 90 days)"
    assert Lead.objects.get(pk=lead.pk).erased_at == NOW
