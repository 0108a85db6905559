"""The link that is made at the shell: it works once, for a quarter of an hour, for its person."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client

from leads.models import AccessEntry
from routing.models import User
from tests.conftest import NOW, Cast
from tests.site.test_limits import on_postgres
from tests.storm.test_waiting import meanwhile


def link(email: str) -> str:
    out = StringIO()
    call_command("sign_in_link", email, stdout=out)
    return urlsplit(out.getvalue().strip()).path


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_it_is_pressed_once(cast: Cast, client: Client) -> None:
    path = link("ADA@handoff.example.com")
    page = client.get(path)
    assert (page.status_code, is_in(client)) == (200, False)
    assert "Sign in as ada@handoff.example.com" in page.content.decode()
    assert client.post(path)["Location"] == "/"
    assert is_in(client)
    # It is no sign-in like others, and the access log says so.
    assert AccessEntry.objects.get(kind="signed_in").detail["proof"] == "link made at the server"
    other = Client()
    assert (other.post(path).status_code, is_in(other)) == (403, False)
    assert Client(enforce_csrf_checks=True).post(link(cast.ada.email)).status_code == 403


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_presses_at_once_one_signs_in(cast: Cast) -> None:
    path, late = link(cast.ada.email), Client()
    first = User.objects.filter(pk=cast.ada.pk)
    refused = meanwhile(lambda: first.update(last_login=NOW), lambda: late.post(path))
    assert (refused.status_code, is_in(late)) == (403, False)


def test_it_ends(cast: Cast, client: Client) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        path = link(cast.ada.email)
        clock.shift(timedelta(minutes=15, seconds=1))
        assert client.post(path).status_code == 403
        fresh = link(cast.ada.email)
        assert client.post(f"{fresh[:-2]}x/").status_code == 403
        User.objects.filter(pk=cast.ada.pk).update(is_active=False)
        assert client.post(fresh).status_code == 403
    assert not is_in(client)
    with pytest.raises(CommandError, match="nobody active"):
        link(cast.ada.email)
