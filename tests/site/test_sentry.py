"""What is told to Sentry: where, what kind, which request; nothing of a lead, whatever the library adds."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from handoff_site import sentry
from leads.views import leads as leads_page
from tests.conftest import Cast

MARK = "Quetzalcoatl"
DSN = "https://key@sentry.example.com/1"


class Kept(Transport):
    """Keeps what would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.told += [item.payload.json for item in envelope.items if item.payload.json]


@pytest.fixture
def kept() -> Iterator[Kept]:
    transport = Kept()
    sentry.start(DSN, "testing", transport=transport)
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_a_request_that_breaks_is_told_without_the_lead(
    kept: Kept, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*args: Any, **kwargs: Any) -> Any:
        lead = {"name": MARK}
        raise ValueError(f"cannot read '{lead['name']}' of {MARK}@works.example.com\n{MARK}")

    monkeypatch.setattr(leads_page, "render", breaks)
    client = Client(raise_request_exception=False, headers={"X-Forwarded-For": MARK, "User-Agent": MARK})
    client.force_login(cast.otto)
    client.cookies[MARK] = "1"
    answer = client.get("/leads/", {"q": MARK})
    assert answer.status_code == 500

    (event,) = [one for one in kept.told if "exception" in one]
    assert MARK not in json.dumps(kept.told)
    (raised,) = event["exception"]["values"]
    assert (raised["type"], raised["value"]) == ("ValueError", "cannot read '...' of (address)")
    assert raised["stacktrace"]["frames"][-1]["function"] == "breaks"
    assert event["tags"]["request_id"] == answer["X-Request-ID"]
    assert set(event) <= {*sentry.KEPT, "contexts", "exception", "logentry", "tags"}


def test_a_line_that_is_an_error_is_told_in_its_bare_words(kept: Kept) -> None:
    structlog.get_logger("handoff").error("not written", person=MARK)
    logging.getLogger("handoff").error("refused %s", MARK)
    assert [one["logentry"]["message"] for one in kept.told] == ["not written", "refused %s"]
    assert MARK not in json.dumps(kept.told)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentry, "sentry_sdk", None)
    with pytest.raises(ImproperlyConfigured, match=r"handoff\[sentry\]"):
        sentry.start(DSN, "testing")
