"""What the API's tests share: a client that sends JSON with a key, and keys of each scope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from leads import keys
from leads.api import limits


class Api:
    """Sends JSON with a bearer key and gives back Django's response, its JSON parsed as `.data`."""

    def __init__(self, key: str | None) -> None:
        self.key, self.client = key, Client(raise_request_exception=False)

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        kind: str = "application/json",
        **headers: str,
    ) -> Any:
        if self.key is not None:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        response: Any = self.client.generic(method, f"/api/v1{path}", data, content_type=kind, headers=names)
        said = response.get("Content-Type", "")
        assert said.startswith(("application/json", "application/problem+json")), said
        response.data = json.loads(response.content)
        return response

    def get(self, path: str, **options: Any) -> Any:
        return self("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self("POST", path, body, **options)


@pytest.fixture
def keyed(db: None, now: datetime) -> Any:
    """keyed("read", "act") sends with a new key of these scopes; keyed() without any key."""

    def make(*scopes: str, **options: Any) -> Api:
        return Api(keys.make_key("Test", scopes, now, **options)[1] if scopes else None)

    return make


@pytest.fixture(autouse=True)
def full_buckets() -> Iterator[None]:
    limits.forget()
    yield
    limits.forget()


def problem(response: Any, status: int) -> Any:
    """The response is a problem of this status and shape; its body."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.data
    assert {"type", "title", "status", "detail", "errors"} <= body.keys()
    assert body["status"] == status and body["detail"]
    for entry in body["errors"]:
        assert entry.keys() == {"pointer", "code", "detail"}
    return body
