"""What the tests of several pages ask in the same way."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from routing.models import User

SignIn = Callable[[User], Client]
HTMX = {"HX-Request": "true"}


def html(response: HttpResponse, status: int = 200) -> str:
    assert response.status_code == status, response.status_code
    return response.content.decode()


def file_of(response: HttpResponse) -> list[str]:
    """The lines of a streamed file."""
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode().lstrip("\ufeff").splitlines()  # type: ignore[attr-defined]


def queries(client: Client, url: str) -> int:
    """How many queries a page takes once everything that is kept is kept."""
    assert client.get(url).status_code == 200
    with CaptureQueriesContext(
        connection,
    ) as found:
        client.get(url)
    return len(found)


def sent_to_sign_in(client: Client, *urls: str) -> None:
    for url in urls:
        response = client.get(url)
        assert response.status_code == 302, url
        assert response["Location"].startswith("/login/"), url


def refuses(client: Client, status: int, *, get: tuple[str, ...] = (), post: tuple[str, ...] = ()) -> None:
    for url in get:
        assert client.get(url).status_code == status, url
    for url in post:
        assert client.post(url).status_code == status, url
