"""Where somebody is signed in: seen by them and by admins, and ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from handoff_site.signing_in import devices
from leads.models import AccessEntry
from routing.models import Session, User
from tests.conftest import NOW, PASSWORD, Cast

SignIn = Callable[[User], Client]
PAGE = "/profile/sign-in/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)


def sign_in(user: User, agent: str = FIREFOX, password: str = PASSWORD) -> Client:
    client = Client(headers={"user-agent": agent})
    sent = {"username": user.email, "password": password}
    assert client.post("/login/", sent).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/help/").status_code == 200


def words(client: Client, path: str = PAGE) -> str:
    return client.get(path).content.decode()


def test_where_one_is_signed_in(cast: Cast) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        here, phone = sign_in(cast.femke), sign_in(cast.femke, IPHONE)
        rosa = sign_in(cast.rosa)
        shown = words(here)
        assert shown.count('"row-sub">Signed in ') == 2
        assert (
            shown.index("Firefox on Windows") < shown.index("This one") < shown.index("Safari on an iPhone")
        )
        for key in Session.objects.values_list("session_key", flat=True):
            assert key not in shown
        # It is written down now and then, not with each request.
        with CaptureQueriesContext(connection) as seen:
            clock.shift(timedelta(minutes=4))
            phone.get("/help/")
            still = Session.objects.get(user=cast.femke, agent=IPHONE).seen_at
            clock.shift(timedelta(minutes=2))
            phone.get("/help/")
        assert sum(query["sql"].startswith("UPDATE") for query in seen) == 1
        assert (still, Session.objects.get(user=cast.femke, agent=IPHONE).seen_at) == (
            NOW, NOW + timedelta(minutes=6),
        )  # fmt: skip
        assert is_in(rosa)


def test_one_of_them_is_ended(cast: Cast) -> None:
    here, phone, rosa = sign_in(cast.femke), sign_in(cast.femke, IPHONE), sign_in(cast.rosa)
    names = {row.user_id: row.name for row in Session.objects.exclude(agent=FIREFOX)}
    own = Session.objects.get(user=cast.femke, agent=FIREFOX).name
    foreign = Session.objects.get(user=cast.rosa).name
    assert here.get("/profile/sign-in/end/").status_code == 405
    for wrong in (own, foreign, "nonsense", ""):
        assert here.post("/profile/sign-in/end/", {"name": wrong}).status_code == 404
    assert here.post("/profile/sign-in/end/", {"name": names[cast.femke.pk]})["Location"] == PAGE
    assert (is_in(here), is_in(phone), is_in(rosa)) == (True, False, True)
    assert here.post("/profile/sign-in/end/", {"name": names[cast.femke.pk]}).status_code == 404


def test_all_others_are_ended(cast: Cast) -> None:
    here, phone, rosa = sign_in(cast.femke), sign_in(cast.femke, IPHONE), sign_in(cast.rosa)
    assert here.post("/profile/sign-in/end/", {"others": "1"}).status_code == 302
    assert "Signed out in 1 place elsewhere." in words(here)
    assert (is_in(here), is_in(phone), is_in(rosa)) == (True, False, True)
    here.post("/profile/sign-in/end/", {"others": "1"})
    assert "You were signed in nowhere else." in words(here)


def test_the_page_costs_the_same_for_many(cast: Cast) -> None:
    here = sign_in(cast.femke)
    counts = []
    for _ in range(2):
        here.get(PAGE)
        with CaptureQueriesContext(connection) as seen:
            here.get(PAGE)
        counts.append(len(seen))
        for _ in range(3):
            sign_in(cast.femke, IPHONE)
    assert counts[0] == counts[1]


def test_another_password_ends_the_others(cast: Cast) -> None:
    here, phone = sign_in(cast.femke), sign_in(cast.femke, IPHONE)
    path, new = "/profile/sign-in/password/", "a quite other one"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.get(path).status_code == 405
    for wrong, said in (
        ({"old_password": "wrong"}, "old password was entered incorrectly"),
        ({"new_password1": "short", "new_password2": "short"}, "too short"),
        ({"new_password1": "password123", "new_password2": "password123"}, "too common"),
        ({"new_password2": "another"}, "match"),
    ):
        answer = here.post(path, sent | wrong)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert new not in answer.content.decode()
    assert is_in(phone)
    assert here.post(path, sent)["Location"] == PAGE
    assert (is_in(here), is_in(phone)) == (True, False)
    assert Session.objects.filter(user=cast.femke).count() == 1
    assert is_in(sign_in(cast.femke, password=new))
    cast.rosa.set_unusable_password()
    cast.rosa.save()
    rosa = Client()
    rosa.force_login(cast.rosa, backend="handoff_site.sessions.Backend")
    assert rosa.post(path, sent).status_code == 404
    assert "Present password" not in words(rosa)


def test_guessing_the_present_password_is_guessing(cast: Cast, settings: Any) -> None:
    here, path = sign_in(cast.femke), "/profile/sign-in/password/"
    sent = {
        "old_password": "wrong",
        "new_password1": "a quite other one",
        "new_password2": "a quite other one",
    }
    said = [here.post(path, sent).status_code for _ in range(settings.AXES_FAILURE_LIMIT + 1)]
    assert said == [422] * (settings.AXES_FAILURE_LIMIT - 1) + [429] * 2
    assert here.post(path, sent | {"old_password": PASSWORD}).status_code == 429
    told = AccessEntry.objects.exclude(kind="signed_in").values_list("kind", "about_id").order_by("pk")
    pk = str(cast.femke.pk)
    assert list(told) == [("sign_in_failed", pk)] * settings.AXES_FAILURE_LIMIT + [("locked_out", pk)]
    kept = str(list(AccessAttempt.objects.values()))
    assert ("wrong" in kept, "quite other" in kept) == (False, False)


def test_a_field_that_was_left_empty_says_so(cast: Cast) -> None:
    empty = {"old_password": PASSWORD, "new_password1": "", "new_password2": "a quite other one"}
    answer = sign_in(cast.femke).post("/profile/sign-in/password/", empty)
    field = answer.content.decode().split('id="a-new"')[1].split(">")[0]
    assert 'aria-describedby="h-new e-new"' in field
    assert 'aria-invalid="true"' in field


def test_an_admin_ends_them_all(cast: Cast, as_: SignIn) -> None:
    ada, here, phone = as_(cast.ada), sign_in(cast.femke), sign_in(cast.femke, IPHONE)
    path = f"/people/{cast.femke.pk}/sign-in/"
    assert words(ada, path).count('"row-sub">Signed in ') == 2
    assert f'href="{path}"' in words(ada, f"/admin/routing/user/{cast.femke.pk}/change/")
    for outsider in (cast.otto, cast.mia, cast.vera, cast.femke):
        assert as_(outsider).get(path).status_code == 404
        assert as_(outsider).post(f"{path}end/").status_code == 404
    assert ada.get(f"{path}end/").status_code == 405
    assert is_in(here)
    assert ada.post(f"{path}end/")["Location"] == path
    assert (is_in(here), is_in(phone), is_in(ada)) == (False, False, True)
    assert ada.post(f"{path}end/").status_code == 302
    # Oneself, but not here; a superuser by superusers only.
    assert ada.post(f"/people/{cast.ada.pk}/sign-in/end/").status_code == 302
    assert is_in(ada)
    User.objects.filter(pk=cast.ada.pk).update(is_superuser=False)
    root = User.objects.create_superuser("root@handoff.example.com", PASSWORD)
    assert ada.get(f"/people/{root.pk}/sign-in/").status_code == 404


def test_who_is_switched_off_is_out_for_good(cast: Cast, as_: SignIn) -> None:
    ada, here = as_(cast.ada), sign_in(cast.rosa)
    form = {"email": cast.rosa.email, "name": cast.rosa.name, "groups": [], "goes_to": "rules"}
    assert ada.post(f"/admin/routing/user/{cast.rosa.pk}/change/", form).status_code == 302
    assert not is_in(here)
    assert not Session.objects.filter(user=cast.rosa).exists()
    User.objects.filter(pk=cast.rosa.pk).update(is_active=True)
    assert not is_in(here)


def test_a_password_that_an_admin_sets_ends_them(cast: Cast, as_: SignIn) -> None:
    ada, here = as_(cast.ada), sign_in(cast.rosa)
    new = {"password1": "a quite other one", "password2": "a quite other one", "usable_password": "true"}
    assert ada.post(f"/admin/routing/user/{cast.rosa.pk}/password/", new).status_code == 302
    assert not is_in(here)
    assert not Session.objects.filter(user=cast.rosa).exists()


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (FIREFOX, "Firefox on Windows"),
        (IPHONE, "Safari on an iPhone"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit (KHTML) Chrome/140.0 Safari/537 Edg/140.0", "Edge on a Mac"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile Safari/537", "Chrome on Android"),
        ("curl/8", "A browser"),
        ("", "A browser"),
        ("<script>Linux", "A browser on Linux"),
    ],
)
def test_a_browser_in_words(agent: str, expected: str) -> None:
    assert devices.words(agent) == expected
