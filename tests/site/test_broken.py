"""What is shown when a view fails."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.leads.views.asking import html


@pytest.mark.urls("tests.site.failing")
def test_a_failure_says_its_number_and_nothing_else(cast: Cast, settings: Any) -> None:
    settings.PROXY_COUNT = 1
    client = Client(raise_request_exception=False)
    client.force_login(cast.femke, backend="handoff_site.sessions.Backend")
    response = client.get("/fails/", headers={"X-Request-ID": "abc-123-def"})
    page = html(response, 500)
    assert "Something broke on our side" in page
    assert '<code class="words">abc-123-def</code>' in page
    assert response["X-Request-ID"] == "abc-123-def"
    assert "meant to fail" not in page
