"""Secrets at rest: opened by this site's key, by a former one for a while, and by nothing else."""

from __future__ import annotations

import base64
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from leads import sealing
from leads.models import Connection
from leads.sealing import CannotOpen, open_sealed, reseal, seal
from tests.leads.connectors.conftest import SECRET, make_connection

SECRETS = {"token": "pat-na1-é\n'", "client_secret": "x" * 2000}


@given(st.dictionaries(st.text(), st.text()))
def test_what_is_sealed_is_opened_again(secrets):
    assert open_sealed(seal(secrets)) == secrets


def test_nothing_is_sealed_as_nothing():
    assert (seal({}), open_sealed("")) == ("", {})


def test_nothing_of_it_can_be_read_and_no_two_seals_are_alike():
    sealed = seal(SECRETS)
    assert "pat-na1" not in sealed and "client_secret" not in sealed
    assert sealed != seal(SECRETS)


def test_every_changed_byte_keeps_it_shut():
    sealed = seal({"a": "b"})
    # Of what base64 writes: its last sign may hold bits that stand for nothing.
    written = base64.urlsafe_b64decode(sealed)
    for place in range(len(written)):
        changed = bytearray(written)
        changed[place] ^= 1
        with pytest.raises(CannotOpen):
            open_sealed(base64.urlsafe_b64encode(changed).decode())
    for cut in ("nonsense", sealed[:-1], "é", sealed[10:]):
        with pytest.raises(CannotOpen) as refusal:
            open_sealed(cut)
        assert cut not in str(refusal.value)


def test_a_former_key_opens_and_only_the_present_one_seals(settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "former", []
    sealed = seal(SECRETS)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "present", ["older", "former"]
    assert open_sealed(sealed) == SECRETS
    anew = reseal(sealed)
    settings.SECRET_KEY_FALLBACKS = []
    assert open_sealed(anew) == SECRETS
    with pytest.raises(CannotOpen):
        open_sealed(sealed)


def test_the_key_is_the_sites_and_not_the_sites_key_itself(settings):
    """Derived for this purpose alone: what else is signed with SECRET_KEY says nothing about it."""
    assert sealing._PURPOSE == b"handoff.sealing.v1:"
    sealed = seal({"a": "b"})
    settings.SECRET_KEY += "x"
    with pytest.raises(CannotOpen):
        open_sealed(sealed)


def test_a_key_is_changed_by_fallback_reseal_and_letting_go(db, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "former", []
    there, bare = make_connection(), make_connection(secrets={})
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "present", ["former"]
    said = StringIO()
    call_command("reseal", stdout=said)
    assert said.getvalue() == "1 sealed anew.\n"
    settings.SECRET_KEY_FALLBACKS = []
    there.refresh_from_db()
    bare.refresh_from_db()
    assert (open_sealed(there.sealed), bare.sealed) == ({"secret": SECRET}, "")
    assert there.history.count() == 1
    # Again does no harm.
    call_command("reseal", stdout=StringIO())
    assert open_sealed(Connection.objects.get(pk=there.pk).sealed) == {"secret": SECRET}


def test_what_was_sealed_with_a_lost_key_is_named_and_left_as_it_is(db, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "lost", []
    lost = make_connection(name="Old CRM")
    settings.SECRET_KEY = "present"
    good = make_connection(name="MAP")
    said = StringIO()
    with pytest.raises(CommandError, match="set them anew: Old CRM"):
        call_command("reseal", stdout=said)
    assert said.getvalue() == "1 sealed anew.\n"
    assert Connection.objects.get(pk=lost.pk).sealed == lost.sealed
    assert Connection.objects.get(pk=good.pk).sealed != good.sealed
