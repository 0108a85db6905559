"""Single sign-on against a real provider, in a process of its own, over http."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from handoff_site import lockout
from handoff_site.signing_in import arriving
from handoff_site.signing_in.configured import Oidc
from handoff_site.signing_in.oidc import Adapter
from leads.models import AccessEntry, Handoff
from routing.models import Session, User
from routing.people import ADMIN, MANAGER, MARKETING, REP
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import make_handoff
from tests.oidc.running import Browser, Provider

Opened = Callable[[str], Browser]
NORA = {"email": "nora@handoff.example.com", "name": "Nora Dahl"}
GROUPS = {"sales": frozenset({REP}), "leads": frozenset({REP, MANAGER}), "ops": frozenset({MARKETING})}


def who(client: Client) -> User | None:
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key) if key else None


def words(answer: Any) -> str:
    return answer.content.decode()


def test_a_first_sign_in_makes_somebody_and_the_second_finds_them(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    provider.claim(nora=NORA)
    first = browser_of("nora")
    assert "Sign in with Example ID" in words(first.client.get("/login/"))
    answer = first.sign_in(next="/help/")
    assert (answer.status_code, answer["Location"]) == (302, "/help/")
    nora = User.objects.get(email="nora@handoff.example.com")
    assert who(first.client) == nora
    assert (nora.name, nora.has_usable_password(), nora.is_staff, nora.roles) == (
        "Nora Dahl", False, False, frozenset(),
    )  # fmt: skip
    assert first.client.get("/help/").status_code == 200
    asked = parse_qs(urlsplit(first.asked[0]).query)
    assert {"state", "nonce", "code_challenge"} <= set(asked)
    assert asked["code_challenge_method"] == ["S256"]
    # The address has changed there: the tie holds, and nobody else is made.
    provider.claim(nora=NORA | {"email": "nora.new@handoff.example.com"})
    second = browser_of("nora")
    second.sign_in()
    assert who(second.client) == nora
    assert User.objects.filter(name="Nora Dahl").count() == SocialAccount.objects.count() == 1


def test_somebody_who_is_here_is_found_by_an_address_that_was_verified(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    provider.claim(femke={"email": "Femke@handoff.example.com", "name": "Another Name"})
    femke = browser_of("femke")
    femke.sign_in()
    assert who(femke.client) == cast.femke
    assert User.objects.get(pk=cast.femke.pk).name == "Femke de Boer"
    # The address goes to somebody else there, who is not Femke.
    provider.claim(other={"email": "femke@handoff.example.com"})
    other = browser_of("other")
    answer = other.sign_in()
    assert answer.status_code == 403
    assert "belongs to somebody else" in words(answer)
    assert who(other.client) is None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email_verified": False}, "has not verified your e-mail address"),
        ({"email_verified": None}, "has not verified your e-mail address"),
        ({"email": "nonsense"}, "did not give an e-mail address"),
        ({"email": None}, "did not give an e-mail address"),
    ],
)
def test_who_is_not_let_in_is_told_why(
    cast: Cast, provider: Provider, browser_of: Opened, claims: dict[str, Any], said: str
) -> None:
    provider.claim(nora=NORA | claims)
    nora = browser_of("nora")
    before = User.objects.count()
    answer = nora.sign_in()
    assert answer.status_code == 403
    assert said in words(answer)
    assert (who(nora.client), User.objects.count()) == (None, before)


def test_who_was_switched_off_stays_out(cast: Cast, provider: Provider, browser_of: Opened) -> None:
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    provider.claim(femke={"email": cast.femke.email})
    femke = browser_of("femke")
    answer = femke.sign_in()
    assert answer.status_code == 403
    assert "Your account here is switched off" in words(answer)
    assert who(femke.client) is None
    assert not SocialAccount.objects.exists()


def test_roles_are_set_anew_and_a_lost_one_lets_go(
    cast: Cast, provider: Provider, browser_of: Opened, settings: Any
) -> None:
    settings.OIDC = provider.oidc(roles=GROUPS)
    held = make_handoff("assigned", cast.femke)
    femke = browser_of("femke")
    provider.claim(femke={"email": cast.femke.email, "groups": ["sales", "unknown"]})
    femke.sign_in()
    assert User.objects.get(pk=cast.femke.pk).roles == {REP}
    assert Handoff.objects.get(pk=held.pk).assignee == cast.femke
    provider.claim(femke={"email": cast.femke.email, "groups": "ops"})
    femke.sign_in()
    moved = User.objects.get(pk=cast.femke.pk)
    assert (moved.roles, moved.is_staff) == ({MARKETING}, True)
    assert Handoff.objects.get(pk=held.pk).assignee != cast.femke
    provider.claim(femke={"email": cast.femke.email, "groups": ["unknown"]})
    again = browser_of("femke")
    answer = again.sign_in()
    assert answer.status_code == 403
    assert "none of your groups has a role here" in words(answer)
    assert who(again.client) is None
    lost = User.objects.get(pk=cast.femke.pk)
    assert (lost.roles, lost.is_staff) == (frozenset(), False)
    reasons = User.history.filter(id=cast.femke.pk).values_list("history_change_reason", flat=True)
    assert "Roles by single sign-on" in set(reasons)


def test_an_admin_is_one_as_long_as_the_provider_says_so(
    cast: Cast, provider: Provider, browser_of: Opened, settings: Any
) -> None:
    settings.OIDC = provider.oidc(roles=GROUPS | {"root": frozenset({ADMIN})})
    for groups, expected in ((["root"], True), (["ops"], False)):
        provider.claim(ada={"email": cast.ada.email, "groups": groups})
        browser_of("ada").sign_in()
        ada = User.objects.get(pk=cast.ada.pk)
        assert (ada.is_superuser, ada.is_staff) == (expected, True)
    provider.claim(nobody={"email": "nobody@handoff.example.com", "groups": []})
    assert browser_of("nobody").sign_in().status_code == 403
    assert not User.objects.filter(email="nobody@handoff.example.com").exists()


def test_an_answer_that_is_not_ours_opens_nothing(cast: Cast, provider: Provider, browser_of: Opened) -> None:
    provider.claim(nora=NORA)
    nora = browser_of("nora")
    leads_back = nora.leave()
    # Somebody else's browser, another state, no code, a code that somebody made up.
    stranger = browser_of("nora")
    assert stranger.back(leads_back).status_code == 400
    assert who(stranger.client) is None
    assert nora.back(leads_back.replace("state=", "state=x")).status_code == 400
    assert nora.back(leads_back.replace("code=", "cod=")).status_code == 400
    # Its state is spent by then, so another round.
    leads_back = nora.leave()
    assert nora.back(leads_back.replace("code=", "code=x")).status_code == 400
    leads_back = nora.leave()
    assert nora.back(leads_back).status_code == 302
    nora.client.post("/logout/")
    assert nora.back(leads_back).status_code == 400
    assert who(nora.client) is None


def test_a_code_is_taken_once_even_with_a_state_that_holds(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    provider.claim(nora=NORA)
    nora = browser_of("nora")
    spent = parse_qs(urlsplit(nora.leave()).query)["code"][0]
    nora.back(f"http://127.0.0.1:8000/login/sso/callback/?code={spent}&state=none")
    fresh = parse_qs(urlsplit(nora.leave()).query)
    # The code of another round: its verifier (PKCE) is not this one's.
    answer = nora.back(f"http://127.0.0.1:8000/login/sso/callback/?code={spent}&state={fresh['state'][0]}")
    assert answer.status_code == 400
    assert who(nora.client) is None


def test_another_issuer_and_a_provider_that_is_away(
    cast: Cast, provider: Provider, browser_of: Opened, settings: Any
) -> None:
    provider.claim(nora=NORA)
    nora = browser_of("nora")
    for oidc in (
        provider.oidc(issuer=f"{provider.origin}/o/"),
        provider.oidc(issuer="http://127.0.0.1:9"),
        provider.oidc(secret="another"),
    ):
        settings.OIDC = oidc
        answer = nora.client.post("/login/sso/")
        if answer.status_code == 302:
            answer = nora.back(nora.follow(answer["Location"]))
        assert answer.status_code == 400, oidc
        assert "That did not work" in words(answer)
        assert who(nora.client) is None


def test_it_is_pressed_not_visited_and_needs_the_forms_token(cast: Cast, provider: Provider) -> None:
    assert Client().get("/login/sso/").status_code == 405
    assert Client().post("/login/sso/callback/").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/login/sso/").status_code == 403


def test_nothing_is_there_without_a_provider(cast: Cast, settings: Any) -> None:
    settings.OIDC = None
    assert Client().post("/login/sso/").status_code == 404
    assert Client().get("/login/sso/callback/").status_code == 404
    assert "sso" not in words(Client().get("/login/"))


@pytest.mark.parametrize("wanted", ["https://evil.example.com/", "//evil.example.com", "javascript:alert(1)"])
def test_it_leads_to_pages_of_ours_only(
    cast: Cast, provider: Provider, browser_of: Opened, wanted: str
) -> None:
    provider.claim(nora=NORA)
    assert browser_of("nora").sign_in(next=wanted)["Location"] == "/"


def test_signing_out_ends_both(cast: Cast, provider: Provider, browser_of: Opened) -> None:
    provider.claim(nora=NORA)
    nora = browser_of("nora")
    nora.sign_in()
    answer = nora.client.post("/logout/")
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{provider.origin}/o/logout/?")
    assert who(nora.client) is None
    assert nora.follow(answer["Location"]) == "http://127.0.0.1:8000/login/"
    # It asks there again who it is.
    nora.asked.clear()
    nora.sign_in()
    assert any("/signin/" in address for address in nora.asked)
    # Whoever came by password goes nowhere else.
    mia = Client()
    mia.post("/login/", {"username": cast.mia.email, "password": PASSWORD})
    assert mia.post("/logout/")["Location"] == "/login/"


def test_where_it_is_the_only_way_passwords_are_not_taken(
    cast: Cast, provider: Provider, browser_of: Opened, settings: Any
) -> None:
    settings.OIDC = dataclasses.replace(provider.oidc(), only=True)
    client = Client()
    page = words(client.get("/login/"))
    assert 'type="password"' not in page
    assert "Sign in with Example ID" in page
    refused = client.post("/login/", {"username": cast.mia.email, "password": PASSWORD})
    assert refused.status_code == 403
    assert "Passwords are not taken here" in words(refused)
    assert who(client) is None
    settings.DEBUG = True
    assert client.post("/login/demo/", {"email": cast.mia.email}).status_code == 404
    provider.claim(mia={"email": cast.mia.email})
    mia = browser_of("mia")
    assert mia.sign_in().status_code == 302
    assert who(mia.client) == cast.mia


def test_a_form_that_was_sent_without_a_session_comes_along(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    mine = make_handoff("assigned", cast.femke)
    provider.claim(femke={"email": cast.femke.email})
    femke = browser_of("femke")
    asked = femke.client.post(f"/handoffs/{mine.pk}/note/", {"note": "Called her"})
    assert asked.status_code == 401
    carried = words(asked).split('name="kept" value="')[1].split('"')[0]
    page = femke.sign_in(kept=carried)
    assert page.status_code == 200
    assert f'action="/handoffs/{mine.pk}/note/"' in words(page)


def test_who_has_no_password_proves_it_at_the_provider(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    cast.ada.set_unusable_password()
    cast.ada.save()
    provider.claim(ada={"email": cast.ada.email}, mia={"email": cast.mia.email})
    ada = browser_of("ada")
    ada.sign_in()
    session = ada.client.session
    session["proved_at"] = 1
    session.save()
    assert ada.client.get("/integrations/keys/")["Location"].startswith("/login/again/")
    page = words(ada.client.get("/login/again/"))
    assert 'type="password"' not in page
    assert "Go on with Example ID" in page
    ada.asked.clear()
    answer = ada.sign_in(again="1", next="/integrations/keys/")
    assert answer["Location"] == "/integrations/keys/"
    assert any("/signin/" in address for address in ada.asked)
    assert ada.client.get("/integrations/keys/").status_code == 200
    # Somebody else there is not who asked.
    ada.name = "mia"
    answer = ada.sign_in(again="1")
    assert answer.status_code == 403
    assert "somebody else than here" in words(answer)
    assert who(ada.client) == cast.ada


def test_who_was_made_anew_there_is_untied_by_an_admin(
    cast: Cast, provider: Provider, browser_of: Opened, as_: Callable[[User], Client]
) -> None:
    provider.claim(femke={"email": cast.femke.email}, anew={"email": cast.femke.email})
    browser_of("femke").sign_in()
    anew, path = browser_of("anew"), f"/people/{cast.femke.pk}/sign-in/untie/"
    assert anew.sign_in().status_code == 403
    for outsider in (cast.otto, cast.femke, cast.mia):
        assert as_(outsider).post(path).status_code == 404
    ada = as_(cast.ada)
    assert ada.get(path).status_code == 405
    assert "Forget their account there" in words(ada.get(f"/people/{cast.femke.pk}/sign-in/"))
    for _ in range(2):
        assert ada.post(path).status_code == 302
    assert anew.sign_in().status_code == 302
    assert who(anew.client) == cast.femke


def test_a_running_session_there_proves_nothing_anew(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    provider.claim(ada={"email": cast.ada.email, "auth_time": int(time.time()) - 1000})
    ada = browser_of("ada")
    assert ada.sign_in()["Location"] == "/"
    assert ada.client.get("/help/").status_code == 200
    assert ada.client.get("/integrations/keys/")["Location"].startswith("/login/again/")
    assert ada.sign_in(again="1").status_code == 403
    # A clock that runs ahead gives no proof that lasts for ever.
    provider.claim(ada={"email": cast.ada.email, "auth_time": int(time.time()) + 10_000})
    ada.sign_in()
    assert ada.client.session["proved_at"] <= time.time()


def test_whom_a_provider_sends_in_vain_is_in_the_access_log(
    cast: Cast, provider: Provider, browser_of: Opened
) -> None:
    User.objects.filter(pk=cast.femke.pk).update(is_active=False)
    provider.claim(femke={"email": cast.femke.email}, nora=NORA | {"email_verified": False})
    for name in ("femke", "nora"):
        assert browser_of(name).sign_in().status_code == 403
    # Who only calls the address leaves nothing.
    assert Client().get("/login/sso/callback/?error=access_denied&state=x").status_code == 400
    provider.claim(mia={"email": cast.mia.email})
    assert browser_of("mia").sign_in().status_code == 302
    entries = AccessEntry.objects.order_by("pk").values_list("kind", "about_id", "detail")
    how = {"proof": "single sign-on"}
    assert list(entries) == [
        ("sign_in_failed", str(cast.femke.pk), {"reason": "deactivated"}),
        ("sign_in_failed", "", {"reason": "address not verified"}),
        ("signed_in", "", how),
    ]


def test_nobody_is_sent_there_without_end_and_a_known_browser_always(
    cast: Cast, provider: Provider, browser_of: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "MOST_BY_ADDRESS", 2)
    provider.claim(femke={"email": cast.femke.email})
    known = browser_of("femke")
    with time_machine.travel(NOW + timedelta(seconds=20), tick=False):
        assert Client().post("/login/sso/").status_code == 302
        assert Client().post("/login/sso/").status_code == 302
        before = Session.objects.count()
        refused = Client().post("/login/sso/", {"next": "/help/"})
        assert (refused.status_code, refused["Retry-After"]) == (429, "40")
        assert lockout.wait(40) in words(refused)
        assert Session.objects.count() == before
    known.sign_in()
    known.client.post("/logout/")
    with time_machine.travel(NOW + timedelta(minutes=5), tick=False):
        assert [Client().post("/login/sso/").status_code for _ in range(3)] == [302, 302, 429]
        assert known.client.post("/login/sso/").status_code == 302


@pytest.mark.parametrize("said", [[], "x", {}, None])
def test_a_provider_that_says_nothing_of_itself_lets_nobody_in(
    cast: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    settings.OIDC = Oidc("https://id.example.com", "id", "secret")
    asked = SimpleNamespace(raise_for_status=lambda: None, json=lambda: said)
    session = nullcontext(SimpleNamespace(get=lambda address: asked))
    monkeypatch.setattr(Adapter, "get_requests_session", lambda adapter: session)
    answer = Client().post("/login/sso/")
    assert (answer.status_code, arriving.FAILED in words(answer)) == (400, True)
