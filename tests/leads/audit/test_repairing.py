"""Each drift mended by each of its choices: ours pushed, theirs adopted, or ignored with a reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from leads import connectors
from leads.audit import repairing
from leads.audit.checks import Code
from leads.audit.repairing import ADOPT, IGNORE, PUSH, CannotMend
from leads.connectors.base import Seen
from leads.lifecycle import Act, Invalid, Refused
from leads.models import Delivery, ExternalId, Finding, Handoff, Lead, RemoteRecord
from leads.outbox import Wanted
from tests.conftest import NOW, Cast
from tests.factories import make_handoff
from tests.leads.audit.test_running import LATER, Played, Records, records, run, synced
from tests.leads.connectors.conftest import make_connection

__all__ = ["records"]

AT = LATER + timedelta(minutes=5)


def found(records: Records, code: str, **there: str) -> Finding:
    """The finding of a record that was changed so."""
    [(lead_id, was)] = records.items()
    records[lead_id] = was | there
    run()
    finding = Finding.objects.get()
    assert finding.check_code == code
    return finding


def again(finding: Finding) -> tuple[str, str | None]:
    finding.refresh_from_db()
    return finding.resolution, finding.resolved_by.name if finding.resolved_by else None


def test_ours_is_pushed_through_the_outbox_under_a_new_revision(cast: Cast, records: Records) -> None:
    connection = synced(cast, 1)
    finding = found(records, "CRM_ACCEPTED_MAP_MQL", stage="MQL", handoff_status="pending")
    before = Handoff.objects.get().revision

    repairing.push(finding, Act(AT, cast.otto))

    assert again(finding) == ("pushed", "Otto Maier")
    handoff = Handoff.objects.get()
    event = handoff.events.latest("number")
    assert (handoff.revision, event.kind, event.user) == (before + 1, "repaired", cast.otto)
    assert event.data["check"] == "CRM_ACCEPTED_MAP_MQL"
    assert connectors.deliver(connection, lambda: AT + timedelta(minutes=1), seconds=5) == 1
    assert records[handoff.lead_id]["stage"] == "SAL"
    assert records[handoff.lead_id]["handoff_revision"] == str(before + 1)
    run(AT + timedelta(hours=1))
    assert again(finding) == ("pushed", "Otto Maier")


def test_ignored_with_a_reason_and_not_without(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    finding = found(records, "EXTERNAL_CHANGE", stage="Nurture")
    with pytest.raises(Invalid):
        repairing.ignore(finding, Act(AT, cast.otto), "  ")
    repairing.ignore(finding, Act(AT, cast.otto), "A trial of the new stages.")
    assert again(finding) == ("ignored", "Otto Maier")
    finding.refresh_from_db()
    with pytest.raises(CannotMend, match="settled already"):
        repairing.push(finding, Act(AT, cast.otto))


def test_a_second_person_settles_nothing_twice(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    finding = found(records, "EXTERNAL_CHANGE", stage="Nurture")
    stale = Finding.objects.get()
    repairing.push(finding, Act(AT, cast.otto))
    events = Handoff.objects.get().events.count()
    with pytest.raises(CannotMend, match="settled already"):
        repairing.push(stale, Act(AT, cast.mia))
    assert Handoff.objects.get().events.count() == events


def test_a_rejection_there_is_adopted_by_whoever_clicks(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    finding = found(records, "EXTERNAL_CHANGE", stage="Recycled", handoff_reason="timing")

    repairing.adopt(finding, Act(AT, cast.otto))

    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.rejected_by, handoff.rejection_reason_id) == (
        "rejected",
        cast.otto,
        handoff.rejections.get().reason_id,
    )
    assert handoff.rejections.get().reason.code == "timing"
    assert again(finding) == ("adopted", "Otto Maier")


def test_a_rejection_without_a_reason_we_know_asks_for_one(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    finding = found(records, "EXTERNAL_CHANGE", stage="Recycled", handoff_reason="blue moon")
    with pytest.raises(Invalid) as caught:
        repairing.adopt(finding, Act(AT, cast.otto))
    assert list(caught.value.errors) == ["reason"]
    assert again(finding) == ("", None)
    repairing.adopt(finding, Act(AT, cast.otto), reason="wrong_title")
    assert Handoff.objects.get().state == "rejected"


def test_an_opportunity_there_is_adopted(cast: Cast, records: Records) -> None:
    synced(cast, 1)
    repairing.adopt(found(records, "EXTERNAL_CHANGE", stage="SQL"), Act(AT, cast.otto))
    handoff = Handoff.objects.get()
    assert (handoff.state, handoff.opportunity_at) == ("converted", AT)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("Nurture", "ask them to defer it here, or push ours"),
        ("SAL2", "ask them to log the contact here, or push ours"),
        ("Out", "ask them to disqualify it here, or push ours"),
        ("Closed", "that is what we decide here"),
        ("Blue moon", "“Blue moon” stands for no status of ours. Add it to the mapping"),
    ],
)
def test_what_only_the_rep_can_know_is_not_adopted(
    cast: Cast, records: Records, stage: str, words: str
) -> None:
    synced(cast, 1)
    [(lead_id, was)] = records.items()
    records[lead_id] = was | {"stage": stage}
    run()
    finding = Finding.objects.get()
    # Whatever it is called by then: what is read now counts.
    Finding.objects.update(check_code="EXTERNAL_CHANGE")
    finding.refresh_from_db()
    with pytest.raises(CannotMend, match=words):
        repairing.adopt(finding, Act(AT, cast.otto))
    assert again(finding) == ("", None)


def test_many_are_settled_one_by_one(cast: Cast, records: Records) -> None:
    synced(cast, 3)
    for lead_id, was in list(records.items()):
        records[lead_id] = was | {"stage": "Nurture"}
    run()
    rows = list(Finding.objects.order_by("pk"))
    Finding.objects.filter(pk=rows[0].pk).update(resolved_at=AT, resolution="gone")
    with pytest.raises(Invalid):
        repairing.settle(rows[1:], Act(AT, cast.otto), IGNORE, " ")
    done, left = repairing.settle(rows[:2], Act(AT, cast.otto), PUSH)
    assert (done, [(row.pk, why) for row, why in left]) == (1, [(rows[0].pk, "This is settled already.")])
    assert repairing.settle(rows[2:], Act(AT, cast.otto), IGNORE, "A trial.") == (1, [])
    settled = Finding.objects.order_by("pk").values_list("resolution", flat=True)
    assert list(settled) == ["gone", "pushed", "ignored"]


def test_the_owner_there_is_adopted_by_reassigning(cast: Cast, records: Records) -> None:
    owners = {cast.femke.email: "7", cast.jonas.email: "8"}
    connection = make_connection(
        "mautic", role="crm", secrets={}, id_system="mautic", mapping={"owners": owners}
    )
    make_handoff("accepted", cast.femke)
    connectors.deliver(connection, lambda: NOW + timedelta(minutes=20), seconds=5)
    stranger = found(records, "CRM_OWNER_NE_APP_OWNER", owner="99")
    with pytest.raises(CannotMend, match="nobody here"):
        repairing.adopt(stranger, Act(AT, cast.otto))
    [lead_id] = records
    records[lead_id]["owner"] = "8"
    repairing.adopt(stranger, Act(AT, cast.otto))
    assert Handoff.objects.get().assignee == cast.jonas


def test_facts_and_links_are_adopted(cast: Cast, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    synced(cast, 1)
    lead = Lead.objects.get(handoffs__isnull=False)
    there = Seen(
        "contact", f"r{lead.pk}", records[lead.pk], email="moved@elsewhere.example.com", opted_out=True
    )

    def fetch(self: Played, wanted: Sequence[Wanted], now: datetime) -> dict[int, list[Seen]]:
        return {want.lead_id: [there] for want in wanted}

    monkeypatch.setattr(Played, "fetch", fetch)
    run()
    by_code = {row.check_code: row for row in Finding.objects.all()}
    assert set(by_code) == {"EMAIL_MISMATCH", "OPTED_OUT_BUT_ACTIVE"}
    for row in by_code.values():
        assert repairing.choices(row) == (ADOPT, IGNORE)
        repairing.adopt(row, Act(AT, cast.otto))
    lead.refresh_from_db()
    assert (lead.email, lead.email_opt_out) == ("moved@elsewhere.example.com", True)

    there = Seen("contact", f"r{lead.pk}", {}, merged_into="r777")
    run(AT + timedelta(hours=1))
    merged = Finding.objects.get(resolved_at__isnull=True)
    assert merged.check_code == "RECORD_MERGED"
    repairing.adopt(merged, Act(AT, cast.otto))
    assert RemoteRecord.objects.get().remote_id == "r777"
    assert list(ExternalId.objects.filter(system="mautic").values_list("value", flat=True)) == ["r777"]

    # Ours was owed to the record that is left.
    assert Delivery.objects.filter(done_at__isnull=True).update(status="done", done_at=AT) == 1
    there = Seen("contact", "r777", {}, is_deleted=True)
    run(AT + timedelta(hours=2))
    deleted = Finding.objects.get(resolved_at__isnull=True)
    assert deleted.check_code == "RECORD_DELETED"
    repairing.adopt(deleted, Act(AT, cast.otto))
    assert not RemoteRecord.objects.exists()
    assert not ExternalId.objects.filter(system="mautic").exists()


def test_what_is_refused_leaves_the_finding_open(cast: Cast, records: Records) -> None:
    connection = synced(cast, 1)
    Handoff.objects.update(state="working")
    finding = found(records, "EXTERNAL_CHANGE", stage="Recycled", handoff_reason="timing")
    with pytest.raises(Refused):
        repairing.adopt(finding, Act(AT, cast.otto))
    assert again(finding) == ("", None)
    assert not Delivery.objects.filter(connection=connection, done_at__isnull=True).exists()


@pytest.mark.parametrize("code", list(Code))
def test_every_check_can_be_settled(code: Code) -> None:
    of_handoff, of_connection = Finding(check_code=code, handoff_id=1), Finding(check_code=code)
    assert repairing.choices(of_handoff)[-1] == IGNORE
    assert repairing.choices(of_connection) == (IGNORE,)
    if code in ("CRM_ACCEPTED_MAP_MQL", "REVISION_BEHIND", "MAP_MQL_NOT_IN_CRM"):
        assert PUSH in repairing.choices(of_handoff)
