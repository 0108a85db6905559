"""What is read out of claims, and what the environment may say about a provider."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from handoff_site.signing_in import claims, configured
from handoff_site.signing_in.claims import Refused, Said
from handoff_site.signing_in.configured import Oidc
from routing.people import ADMIN, MANAGER, REP, ROLES

PLAIN = Oidc("https://id.example.com", "id", "secret")
MAPPED = Oidc(
    "https://id.example.com", "id", "secret", roles={"a": frozenset({REP}), "b": frozenset({ADMIN})}
)
TOKEN = {"sub": "1", "nonce": "n", "email": " Nora@Example.com", "email_verified": True, "name": "Nora  Dahl"}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def refused(token: dict[str, Any], userinfo: dict[str, Any], oidc: Oidc = PLAIN) -> str:
    with pytest.raises(Refused) as found:
        claims.read(token, userinfo, "n", oidc)
    return found.value.code


def test_what_is_read() -> None:
    assert claims.read(TOKEN, {"sub": "1"}, "n", PLAIN) == Said("1", "nora@example.com", "Nora Dahl", None)
    bare = {"sub": "1", "nonce": "n"}
    told = {"sub": "1", "email": "nora@example.com", "email_verified": "true", "groups": ["a", "b", "c", 7]}
    assert claims.read(bare, told, "n", MAPPED) == Said("1", "nora@example.com", "", frozenset({REP, ADMIN}))


def test_what_is_not_believed() -> None:
    assert refused(TOKEN | {"nonce": "other"}, {}) == "another answer"
    assert refused(TOKEN, {"sub": "2"}) == "another answer"
    assert refused(TOKEN, {"email": "nora@example.com"}) == "another answer"
    assert refused(TOKEN | {"azp": "another"}, {}) == "another answer"
    assert claims.read(TOKEN | {"azp": "id"}, {}, "n", PLAIN).subject == "1"
    # The sign of the kelvin becomes a k: somebody else's address.
    assert refused(TOKEN | {"email": "mi\N{KELVIN SIGN}e@example.com"}, {}) == "no address"
    assert claims.read(TOKEN | {"email": "Nora@b\xfccher.de"}, {}, "n", PLAIN).email == "nora@b\xfccher.de"
    # Longer than an address here can be, though not than one of all may.
    long = f"{'n' * 60}@{'.'.join(['example'] * 25)}.com"
    assert (len(long), refused(TOKEN | {"email": long}, {})) == (264, "no address")
    assert refused(TOKEN | {"sub": 1}, {}) == "no subject"
    assert refused(TOKEN | {"sub": "x" * 192}, {}) == "no subject"
    # The word about one address does not count for another.
    unsaid = {name: value for name, value in TOKEN.items() if name != "email_verified"}
    other = {"sub": "1", "email": "boss@example.com", "email_verified": True}
    assert refused(unsaid, other) == "address not verified"
    trusting = Oidc("https://id.example.com", "id", "secret", trusts_address=True)
    assert claims.read(unsaid, {}, "n", trusting).email == "nora@example.com"
    assert refused(TOKEN | {"email_verified": False}, {}, trusting) == "address not verified"
    with pytest.raises(Refused):
        claims.read(TOKEN | {"nonce": ""}, {}, "", PLAIN)


@given(st.dictionaries(st.sampled_from([*TOKEN, "groups"]), anything), anything)
def test_whatever_is_claimed_is_read_or_refused(token: dict[str, Any], groups: Any) -> None:
    try:
        said = claims.read(TOKEN | token, {"sub": "1", "groups": groups}, "n", MAPPED)
    except Refused:
        return
    assert said.roles is not None
    assert said.roles <= set(ROLES)
    assert said.email == said.email.strip().lower()


SOUND = {"OIDC_ISSUER": "https://id.example.com/", "OIDC_CLIENT_ID": "id", "OIDC_CLIENT_SECRET": "hush"}


def test_a_provider_out_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        **SOUND,
        "OIDC_ROLES": '{"sales": "rep", "leads": ["Rep", "manager"]}',
        "OIDC_ONLY": "1",
        "OIDC_NAME": "Example ID",
        "OIDC_FORM_ORIGINS": "https://adfs.example.com",
    }.items():
        monkeypatch.setenv(name, value)
    found = configured.oidc()
    assert found == Oidc(
        "https://id.example.com", "id", "hush", name="Example ID", only=True,
        roles={"sales": frozenset({REP}), "leads": frozenset({REP, MANAGER})},
        origins=("https://id.example.com", "https://adfs.example.com"),
    )  # fmt: skip
    assert "hush" not in repr(found)
    assert set(configured.ROLE_NAMES.values()) == set(ROLES)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"OIDC_ISSUER": "http://id.example.com"}, "OIDC_ISSUER must be an https address"),
        ({"OIDC_ISSUER": "id.example.com"}, "OIDC_ISSUER must be an address"),
        ({"OIDC_ISSUER": "", "OIDC_ONLY": "1"}, "OIDC_ONLY needs OIDC_ISSUER"),
        ({"OIDC_ISSUER": f"https://id.example.com/{'a' * 200}"}, "OIDC_ISSUER must not be longer"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID must be set beside OIDC_ISSUER"),
        ({"OIDC_CLIENT_SECRET": " "}, "OIDC_CLIENT_SECRET must be set beside OIDC_ISSUER"),
        ({"OIDC_ROLES": "{"}, "OIDC_ROLES must be a JSON object"),
        ({"OIDC_ROLES": "{}"}, "OIDC_ROLES must be a JSON object"),
        ({"OIDC_ROLES": '{"a": 1}'}, "OIDC_ROLES must be a JSON object"),
        ({"OIDC_ROLES": '{"a": "boss"}'}, "OIDC_ROLES gives 'a' the role 'boss'"),
        ({"OIDC_ONLY": "perhaps"}, "OIDC_ONLY must be 1 or 0"),
        ({"OIDC_FORM_ORIGINS": "https://a.example.com/x"}, "OIDC_FORM_ORIGINS must be origins"),
    ],
)
def test_nonsense_is_named(monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], line: str) -> None:
    for name, value in {**SOUND, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as found:
        configured.oidc()
    assert str(found.value).startswith(line)


def test_without_the_library_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(configured, "library", lambda: False)
    with pytest.raises(ImproperlyConfigured, match="needs the extra sign-in"):
        configured.oidc()
