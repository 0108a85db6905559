"""API keys: what is stored, what opens, and how seldom a look-up writes."""

import hashlib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from leads import keys
from leads.models import ApiKey
from tests.conftest import NOW, Cast

pytestmark = pytest.mark.django_db


def test_a_key_is_found_by_its_text_and_stored_without_it() -> None:
    key, plain = keys.make_key("  Map   server ", ["act", "intake", "act"], NOW, is_quiet=True)
    assert (key.name, key.scopes, key.is_quiet, key.created_at) == (
        "Map server",
        ["intake", "act"],
        True,
        NOW,
    )
    assert plain.startswith(key.prefix) and len(plain) >= 43 and len(key.prefix) == 10
    assert key.digest == hashlib.sha256(plain.encode()).hexdigest()
    stored = ApiKey.objects.values().get()
    assert all(plain not in str(value) for value in stored.values())
    assert keys.authenticate(plain, NOW) == key


def test_two_keys_differ() -> None:
    texts = {keys.make_key("k", ["read"], NOW)[1] for _ in range(50)}
    assert len(texts) == 50


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [
        ("", ["read"], "needs a name"),
        ("   ", ["read"], "needs a name"),
        ("x" * 101, ["read"], "at most 100"),
        ("k", [], "at least one scope"),
        ("k", ["read", "admin"], "no scope admin"),
    ],
)
def test_what_is_refused(name: str, scopes: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        keys.make_key(name, scopes, NOW)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("plain", ["", "ho_wrong", "x" * 10_000, "ho_\udcff", "\x00", "Bearer"])
def test_other_texts_open_nothing(plain: str) -> None:
    keys.make_key("k", ["read"], NOW)
    assert keys.authenticate(plain, NOW) is None


def test_neither_digest_nor_prefix_opens() -> None:
    key, _ = keys.make_key("k", ["read"], NOW)
    assert keys.authenticate(key.digest, NOW) is None
    assert keys.authenticate(key.prefix, NOW) is None


def test_a_revoked_key_opens_nothing_and_stays_revoked_since_then() -> None:
    key, plain = keys.make_key("k", ["read"], NOW)
    keys.revoke(key, NOW)
    keys.revoke(key, NOW + timedelta(days=1))
    assert keys.authenticate(plain, NOW) is None
    assert ApiKey.objects.get().revoked_at == NOW


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries) -> None:
    _, plain = keys.make_key("k", ["read"], NOW)
    with django_assert_num_queries(2):
        keys.authenticate(plain, NOW)
    with django_assert_num_queries(1):
        keys.authenticate(plain, NOW + timedelta(seconds=59))
    assert ApiKey.objects.get().last_used_at == NOW
    with django_assert_num_queries(2):
        keys.authenticate(plain, NOW + timedelta(seconds=60))
    assert ApiKey.objects.get().last_used_at == NOW + timedelta(seconds=60)


def test_the_command_prints_the_key_once() -> None:
    out = StringIO()
    call_command("create_api_key", "Replay", "--scope", "intake", "--scope", "read", stdout=out)
    plain = out.getvalue().strip()
    key = keys.authenticate(plain, NOW)
    assert key is not None and key.name == "Replay" and key.scopes == ["intake", "read"] and not key.is_quiet


def test_the_command_refuses_nonsense() -> None:
    with pytest.raises(CommandError, match="needs a name"):
        call_command("create_api_key", " ", "--scope", "read")
    with pytest.raises(CommandError):
        call_command("create_api_key", "k", "--scope", "root")
    with pytest.raises(CommandError):
        call_command("create_api_key", "k")
    assert not ApiKey.objects.exists()


def test_who_made_it_is_kept(cast: Cast) -> None:
    key, _ = keys.make_key("k", ["act"], NOW, created_by=cast.ada)
    assert ApiKey.objects.get(pk=key.pk).created_by == cast.ada
