"""Nothing is left of a person who was erased, in any column of any table, and the figures stay."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

from django.core.management import call_command

from leads import lifecycle
from leads.choices import Why
from leads.models import ApiKey, Lead, RememberedAnswer
from tests.acting import assert_sound, at, by, fresh
from tests.conftest import NOW, Cast
from tests.factories import make_activity, make_company, make_handoff, make_lead
from tests.leads.erasure.planted import MARK, columns, dump, holding, of_a_lead, plant, plant_among_others

# Where people stand beside others, what was answered of them, and a company that is but their name.
SHARED = {
    "leads_bulkrun", "leads_company", "leads_importfailure", "leads_importpart", "leads_inboundcall",
    "leads_rememberedanswer", "leads_savedview",
}  # fmt: skip


def metrics() -> str:
    out = StringIO()
    call_command("metrics", "--as-of", at(days=9).isoformat(), "--format", "json", stdout=out)
    return out.getvalue()


def test_a_marker_in_every_column_is_found_nowhere_afterwards(cast: Cast) -> None:
    own = make_company(domain=None, name=f"{MARK} consulting")
    lead = make_lead(company=own)
    before = make_handoff("rejected", cast.jonas, lead=lead, at=NOW - timedelta(days=3))
    handoff = make_handoff("working", cast.femke, lead=lead)
    lifecycle.note(handoff.pk, by(cast.femke, minutes=3), text=MARK)
    gone = make_lead(first_name=MARK, email=f"old@{MARK}.example.com", company=own)
    make_activity(gone, title=MARK)
    lifecycle.merge(lead, gone, by(cast.otto, minutes=4))
    key = ApiKey.objects.create(name="crm", prefix="x", digest="x", created_at=NOW)
    answer = {"id": str(handoff.pk), "note": MARK}
    RememberedAnswer.objects.create(
        api_key=key, idempotency_key="k", request_digest="d", status=200, answer=answer, at=NOW
    )
    plant(lead, handoff)
    plant_among_others(cast.otto)
    own_tables = {model._meta.db_table for model in of_a_lead() if list(columns(model))}
    assert set(holding(MARK)) == own_tables | SHARED
    figures = metrics()
    act = lifecycle.erase(lead.pk, by(cast.otto, minutes=9), Why.ASKED, reference="GDPR-17")
    assert holding(MARK) == []
    assert (act.by, act.why, act.reference) == (cast.otto, "asked", "GDPR-17")
    assert act.rows > 30
    assert (fresh(before).state, fresh(handoff).state) == ("rejected", "erased")
    assert metrics() == figures
    call_command("rebuild_projection", "--check", stdout=StringIO())
    assert_sound()
    assert "olga other" in " ".join(dump()["leads_importpart"])
    assert Lead.objects.get(pk=gone.pk).erased_at == act.at
