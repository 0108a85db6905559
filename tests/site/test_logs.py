"""What the log holds: ids of request and handoff in each line, and nothing of a lead in any."""

from __future__ import annotations

import io
import json
import logging
import re
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from handoff_site.logs import said, without
from handoff_site.middleware import RequestId
from leads.keys import make_key
from leads.models import Handoff, Lead
from leads.notifications import links
from tests.conftest import NOW
from tests.factories import event, make_handoff, route_to
from tests.leads.connectors.conftest import make_connection

MARK = "Quetzalcoatl"
PHONE = "+49 30 5550147"


@pytest.fixture
def written() -> Any:
    """The log as it is written in production, from DEBUG on but for other people's libraries."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield out
    root.removeHandler(handler)


def _formatter() -> logging.Formatter:
    made = dict(settings.LOGGING["formatters"]["line"])
    kind = made.pop("()")
    found: logging.Formatter = kind(**made)
    return found


def lines(out: io.StringIO) -> list[str]:
    return [line for line in out.getvalue().splitlines() if line.startswith("timestamp=")]


def bearing(number: int) -> dict[str, Any]:
    """An event in which the mark stands wherever a person or a company can."""
    return event(
        number,
        at=NOW - timedelta(minutes=1),
        lead={
            "email": f"{MARK}@{MARK}-works.com", "first_name": MARK, "last_name": f"{MARK}sson",
            "phone": PHONE, "job_title": f"Head of {MARK}",
        },
        company={"name": f"{MARK} Works", "domain": f"{MARK}-works.com"},
    )  # fmt: skip


def test_a_lead_is_in_no_line_and_each_line_has_its_ids(
    cast: Any,
    as_: Callable[..., Client],
    written: io.StringIO,
    monkeypatch: Any,
    time_machine: Any,
    settings: Any,
) -> None:
    settings.PROXY_COUNT = 1
    time_machine.move_to(NOW, tick=False)
    route_to(cast.femke)
    _, key = make_key("MAP", ["intake", "read", "act"], NOW)
    api = Client(headers={"Authorization": f"Bearer {key}", "X-Request-ID": "request-of-test"})
    sent = json.dumps(bearing(1))
    assert api.post("/api/v1/intake", sent, content_type="application/json").status_code == 200
    wrong = json.dumps(bearing(2) | {"time": MARK})
    assert api.post("/api/v1/intake", wrong, content_type="application/json").status_code == 422
    handoff = Handoff.objects.get()
    client = as_(cast.femke)
    client.raise_request_exception = False
    page = f"/handoffs/{handoff.pk}/"
    assert client.get(page).status_code == 200
    client.post(f"{page}note/", {"text": f"{MARK} called", "revision": handoff.revision})
    client.get("/search/", {"q": MARK})

    def broken(*args: Any, **kwargs: Any) -> None:
        raise ValueError(f"invalid literal for int(): {MARK!r} of {handoff.lead.email}")

    monkeypatch.setattr("leads.intake.receiving._take", broken)
    monkeypatch.setattr("leads.views.handoff.shell_of", broken)
    api.raise_request_exception = False
    assert (
        api.post("/api/v1/intake", json.dumps(bearing(3)), content_type="application/json").status_code >= 500
    )
    assert client.get(page).status_code == 500
    text = written.getvalue()
    assert MARK.lower() not in text.lower() and "5550147" not in text
    found = lines(written)
    assert all("request_id=" in line for line in found)
    of_page = [line for line in found if "route=handoffs/<int:pk>/" in line]
    assert len(of_page) >= 2 and all(f"handoff={handoff.pk}" in line for line in of_page)
    assert "ValueError: invalid literal for int(): '...' of (address)" in text
    assert [line for line in found if "status=200" in line and "route=api/v1/intake" in line]


def test_the_database_quotes_nobody(cast: Any, written: io.StringIO) -> None:
    lead = make_handoff("assigned", cast.femke).lead
    try:
        with transaction.atomic():
            Lead.objects.create(email=lead.email, email_key=lead.email_key, created_at=NOW, updated_at=NOW)
    except IntegrityError:
        logging.getLogger("leads").exception("it was refused")
    text = written.getvalue()
    assert "IntegrityError: " in text and "email" in text
    assert lead.email_key not in text and "DETAIL" not in text


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("Ada"), "KeyError: '...'"),
        (DataError('no date: "Ada"\nLINE 1'), "DataError: no date: '...'"),
        (IntegrityError('violates "a_rule"\nDETAIL:  Key (x)=(Ada)'), 'IntegrityError: violates "a_rule"'),
        (ValueError("no such person: ada+1@lovelace.co.uk."), "ValueError: no such person: (address)."),
        (ValueError(), "ValueError: "),
    ],
)  # fmt: skip
def test_an_exception_in_few_words(error: Exception, line: str) -> None:
    assert said(error) == line


def test_no_secret_is_in_any_line_whatever_fails(
    cast: Any, as_: Callable[..., Client], written: io.StringIO, monkeypatch: Any, settings: Any
) -> None:
    """Each secret that anybody shows us, shown where it is refused, where it fits, and where we break."""
    hook, write_key, mistyped = "hook-5up3r-secret-address", "write-5up3r-secret-key", "5up3r-mistyped"
    settings.METRICS_TOKEN = "metrics-5up3r-secret"
    make_connection(hook=hook)
    make_connection("segment", secrets={}, hook=write_key, id_system="segment")
    key = make_key("MAP", ["read"], NOW)[1]
    handoff = make_handoff("assigned", cast.femke, at=timezone.now())
    token = links.token(cast.femke, handoff, "accept", timezone.now())
    strict = Client(enforce_csrf_checks=True, raise_request_exception=False)
    femke, jonas, otto = as_(cast.femke), as_(cast.jonas), as_(cast.otto)
    femke.raise_request_exception = jonas.raise_request_exception = False
    session = femke.cookies[settings.SESSION_COOKIE_NAME].value
    secrets = (hook, write_key, mistyped, settings.METRICS_TOKEN, key, token, session, "5up3r")

    def fail_everywhere() -> list[int]:
        basic = "Basic " + b64encode(f"{write_key}:".encode()).decode()
        login = {"username": cast.femke.email, "password": mistyped}
        bearer, wrong = {"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {mistyped}"}
        asked = [
            strict.post(f"/hooks/{hook}/", b"{}", "application/json"),
            strict.post(f"/hooks/{mistyped}/", b"{}", "application/json"),
            strict.get(f"/hooks/{hook}"),
            strict.get(f"/hooks/{hook}/{mistyped}"),
            strict.post("/collect/v1/track", b"no json", "text/plain", headers={"Authorization": basic}),
            strict.post("/collect/v1/track", b"{}", "text/plain", headers=wrong),
            strict.get("/api/v1/handoffs", headers=wrong),
            strict.get("/api/v1/handoffs", headers=bearer),
            strict.get(f"/api/v1/{mistyped}", headers=bearer),
            strict.post("/api/v1/intake", b"[", "application/json", headers=bearer),
            strict.get("/metrics", headers=wrong),
            strict.post("/login/", login),
            Client().post("/login/", login),
            Client().post("/login/", {"username": mistyped, "password": mistyped}),
            femke.get(f"/go/{token}/"),
            femke.get(f"/go/{token}x/"),
            femke.post(f"/go/{token}/", {"seal": mistyped}),
            jonas.get(f"/go/{token}/"),
            otto.post("/integrations/new/webhook/", {"secret-secret": mistyped, "name": ""}),
        ]
        return [answer.status_code for answer in asked]

    refused = fail_everywhere()
    assert refused.count(404) >= 3 and refused.count(401) >= 3 and 403 in refused and 405 not in refused[:2]

    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no database")

    for place in ("leads.views.hooks.keep", "leads.views.links._answer", "leads.api.etags.read"):
        monkeypatch.setattr(place, broken)
    assert fail_everywhere().count(500) >= 3
    text = written.getvalue()
    assert [secret for secret in secrets if secret in text] == []
    assert "Internal Server Error: hooks/<str:secret>/" in text and "Not Found: no page of ours" in text


def test_an_address_is_struck_out_and_what_is_none_stays() -> None:
    for words, left in (
        ("of ada+1@lovelace.co.uk.", "of (address)."),
        ("<ada@x.de>, b@y.z/c@d.e", "<(address)>, (address)"),
        ("@home, 5 @ 3.0, a@b and x@.", "@home, 5 @ 3.0, a@b and x@."),
    ):
        assert without(words) == left


def test_what_is_said_stays_one_line_and_one_field(written: io.StringIO) -> None:
    """Nobody writes a line of their own into the log, or a field, or what a terminal would obey."""
    forged = 'x"\ntimestamp=2026 level=error event="all is well" \x1b[2J\u2028status=200'
    logging.getLogger("leads").warning("it was %s", forged)
    structlog.get_logger("leads").warning("it was", said=forged)
    text = written.getvalue()
    assert len(text.splitlines()) == 2 and "\x1b" not in text and "\u2028" not in text
    assert all(re.search(r'(event|said)=".*x\\"\\n', line) for line in text.splitlines()), text


@pytest.mark.parametrize(
    ("count", "given", "is_taken"),
    [
        (0, "request-of-test", False),
        (1, "request-of-test", True),
        (1, "short", False),
        (1, "x" * 64, True),
        (1, "x" * 65, False),
        (1, "request of test", False),
        (1, "request\u0661\u0661", False),
    ],
)
def test_a_number_of_a_request_is_taken_from_a_trusted_proxy_only(
    settings: Any, count: int, given: str, is_taken: bool
) -> None:
    settings.PROXY_COUNT = count
    found = RequestId(lambda request: HttpResponse())(RequestFactory().get("/", HTTP_X_REQUEST_ID=given))
    number = found["X-Request-ID"]
    assert number == given if is_taken else re.fullmatch("[0-9a-f]{32}", number)
