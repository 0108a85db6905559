"""The access log: what is written down of signing in, of files and of changes of who may what; and that it
stays."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client

from handoff_site import people_import
from leads import access_log, agreeing, keys, retention
from leads.lifecycle import Act
from leads.models import AccessEntry
from routing.people import MANAGER, REP, VIEWER
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import make_handoff, make_lead, make_proposal
from tests.leads.views.asking import SignIn, file_of
from tests.leads.views.integrations.made import made

Kind = AccessEntry.Kind
LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(LATER, tick=False):
        yield


def told() -> list[tuple[Any, ...]]:
    """The entries in their order: kind, by whom, about what."""
    rows = AccessEntry.objects.order_by("pk").select_related("user")
    return [(str(row.kind), row.user and row.user.email, row.about, row.about_id) for row in rows]


def details() -> list[dict[str, Any]]:
    return list(AccessEntry.objects.order_by("pk").values_list("detail", flat=True))


def test_signing_in_and_out(cast: Cast, client: Client, settings: Any) -> None:
    settings.PROXY_COUNT = 1
    form = {"username": cast.femke.email.upper(), "password": PASSWORD}
    client.post("/login/", form, REMOTE_ADDR="203.0.113.9", headers={"X-Request-ID": "walked-0001"})
    client.get("/inbox/")
    client.post("/logout/")
    femke = cast.femke.email
    assert told() == [("signed_in", femke, "", ""), ("signed_out", femke, "", "")]
    first = AccessEntry.objects.order_by("pk")[0]
    assert (first.at, first.address, first.request_id) == (LATER, "203.0.113.9", "walked-0001")
    assert first.detail == {"proof": "password"}


def test_failing_and_being_locked_out_keep_nothing_that_was_typed(
    cast: Cast, client: Client, settings: Any
) -> None:
    client.post("/login/", {"username": "my secret password", "password": "x"})
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post("/login/", {"username": cast.femke.email, "password": "wrong"})
    for _ in range(3):
        assert client.post("/login/", {"username": cast.femke.email, "password": PASSWORD}).status_code == 429
    pk = str(cast.femke.pk)
    failed = ("sign_in_failed", None, "person", pk)
    assert told() == [
        ("sign_in_failed", None, "", ""),
        *[failed] * settings.AXES_FAILURE_LIMIT,
        ("locked_out", None, "person", pk),
    ]
    assert "secret" not in str(list(AccessEntry.objects.values()))


def test_a_file_is_written_down_with_its_rows(cast: Cast, as_: SignIn) -> None:
    make_lead()
    make_lead()
    client = as_(cast.otto)
    assert len(file_of(client.get("/leads/leads.csv"))) == 3
    assert told() == [("exported", cast.otto.email, "file", "leads.csv")]
    broken = client.get("/leads/leads.csv")
    next(iter(broken.streaming_content))  # type: ignore[attr-defined]
    # As a server does when whoever asked is gone.
    for closer in broken._resource_closers:  # type: ignore[attr-defined]
        closer()
    assert details() == [{"rows": 2, "whole": True}, {"rows": 0, "whole": False}]
    client.head("/leads/leads.csv")
    client.get("/leads/")
    assert AccessEntry.objects.count() == 2


def test_what_is_shown_of_a_person(cast: Cast, as_: SignIn) -> None:
    lead = make_handoff("assigned", cast.femke).lead
    as_(cast.otto).get(f"/leads/{lead.pk}/held/")
    assert told() == [("revealed", cast.otto.email, "lead", str(lead.pk))]


def test_roles_and_leaving(cast: Cast) -> None:
    jonas = cast.jonas
    was = access_log.Standing.of(jonas)
    jonas.groups.set(Group.objects.filter(name__in=[VIEWER]))
    type(jonas).objects.filter(pk=jonas.pk).update(is_active=False, is_superuser=True)
    access_log.record_roles(type(jonas).objects.get(pk=jonas.pk), was, NOW, cast.ada)
    pk = str(jonas.pk)
    assert told() == [
        ("roles_changed", cast.ada.email, "person", pk), ("deactivated", cast.ada.email, "person", pk)
    ]  # fmt: skip
    assert details() == [{"given": ["superuser", VIEWER], "taken": [REP]}, {}]


def test_roles_by_the_admin_and_by_a_file(cast: Cast, as_: SignIn) -> None:
    rosa, role = cast.rosa, Group.objects.get(name=MANAGER)
    form = {
        "email": rosa.email,
        "name": rosa.name,
        "groups": [role.pk],
        "team": rosa.team_id,
        "is_active": "on",
    }
    assert as_(cast.ada).post(f"/admin/routing/user/{rosa.pk}/change/", form).status_code == 302
    password = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    assert as_(cast.ada).post(f"/admin/routing/user/{rosa.pk}/password/", password).status_code == 302
    people_import.import_people(["email,name,roles", "new@handoff.example.com,New,rep"], NOW)
    new = str(type(rosa).objects.get(email="new@handoff.example.com").pk)
    assert told() == [
        ("roles_changed", cast.ada.email, "person", str(rosa.pk)),
        ("password_set", cast.ada.email, "person", str(rosa.pk)),
        ("roles_changed", None, "person", new),
    ]
    assert details() == [{"given": [MANAGER], "taken": [REP]}, {}, {"given": [REP], "taken": []}]


def test_keys_and_connections(cast: Cast, as_: SignIn) -> None:
    key, _ = keys.make_key("Loader", ["read"], NOW, created_by=cast.ada)
    for _ in range(2):
        as_(cast.ada).post(f"/integrations/keys/{key.pk}/revoke/")
    row, client = made(base_url=""), as_(cast.otto)
    client.post(f"/integrations/{row.slug}/pause/", {"why": "Maintenance"})
    client.post(f"/integrations/{row.slug}/rotate/", {"seen": row.history.latest().history_id})
    ada, otto, pk = cast.ada.email, cast.otto.email, str(row.pk)
    assert told() == [
        ("key_made", ada, "key", str(key.pk)), ("key_revoked", ada, "key", str(key.pk)),
        ("connection_changed", otto, "connection", pk), ("secret_changed", otto, "connection", pk),
    ]  # fmt: skip
    assert "whsec" not in str(details())


def test_rules_policies_and_the_definition(cast: Cast, as_: SignIn) -> None:
    client = as_(cast.otto)
    proposal = make_proposal(cast.otto, threshold=80)
    agreeing.sign(proposal.pk, Act(NOW, cast.mia))
    page = client.get("/routing/policies/standard/").context
    form = page["form"].initial | {"note": "Out of use", "revision": page["revision"]}
    assert client.post("/routing/policies/standard/retire/", form).status_code == 409
    pk = str(proposal.pk)
    assert told() == [
        ("signed", cast.otto.email, "proposal", pk), ("signed", cast.mia.email, "proposal", pk),
        ("definition_changed", cast.mia.email, "definition", "2"),
    ]  # fmt: skip
    assert details()[2] == {"threshold": 80}


def test_it_is_neither_changed_nor_deleted_but_goes_when_it_is_old(cast: Cast, settings: Any) -> None:
    access_log.record(Kind.SIGNED_IN, NOW - timedelta(days=40), cast.femke)
    new = access_log.record(Kind.SIGNED_IN, NOW, cast.femke)
    for change in (
        AccessEntry.objects.filter(pk=new.pk).delete,
        lambda: AccessEntry.objects.update(kind="x"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert retention.run(NOW)[0]["entries of the access log"] == 0
    settings.RETENTION_DAYS = settings.RETENTION_DAYS | {"access": 30}
    assert retention.run(NOW)[0]["entries of the access log"] == 1
    assert list(AccessEntry.objects.all()) == [new]
