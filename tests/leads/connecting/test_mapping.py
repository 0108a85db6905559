"""What a connection keeps of a mapping: only what differs, and with the usual one all of it again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.connecting import mapping as mappings
from leads.connecting.changing import NotDone
from leads.connectors.mapping import FACTS, WRITABLE, Map, merged
from leads.models import Connection
from leads.outbox.wanted import Status

NAMES = st.text("abcxyz_", min_size=1, max_size=4)
VALUES = st.text("abc", min_size=0, max_size=3)
FLAT = st.dictionaries(NAMES, VALUES, max_size=4)
MAPS = st.builds(
    Map,
    fields=st.dictionaries(st.sampled_from(WRITABLE), VALUES, max_size=5),
    statuses=st.dictionaries(st.sampled_from([str(one) for one in Status]), FLAT, max_size=5),
    owners=FLAT,
    sources=FLAT,
    facts=st.dictionaries(st.sampled_from(FACTS), VALUES, max_size=5),
)


def effective(found: Map) -> dict[str, dict]:
    """What a mapping says: what is "" or empty says nothing."""
    return {
        part: {name: value for name, value in getattr(found, part).items() if value}
        for part in mappings.PARTS
    }


@given(MAPS, MAPS)
def test_what_is_kept_gives_the_whole_again(wanted, usual):
    kept = mappings.chosen(wanted, usual)
    assert effective(merged(usual, json.loads(json.dumps(kept)))) == effective(wanted)


@given(MAPS)
def test_of_the_usual_one_nothing_is_kept(usual):
    assert mappings.chosen(usual, usual) == {}


@given(MAPS)
def test_a_file_holds_the_whole(wanted):
    text = json.dumps(mappings.document(Connection(kind="mautic"), wanted))
    assert effective(mappings.read(text, "mautic")) == effective(wanted)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "This is no JSON."),
        ("[" * 100_000, "This is no JSON."),
        ("[]", "This is no mapping"),
        ('{"form": 2}', "This is no mapping"),
        ('{"form": 1, "kind": "hubspot"}', "a mapping for hubspot, not for mautic"),
        ('{"form": 1, "kind": "mautic", "fields": []}', "“fields” has to be an object"),
        ('{"form": 1, "kind": "mautic", "fields": {"status": 3}}', "In “fields” something is no text"),
        (
            '{"form": 1, "kind": "mautic", "statuses": {"accepted": "x"}}',
            "In “statuses” something is no text",
        ),
        ('{"form": 1, "kind": "mautic", "fields": {"shoe_size": "x"}}', "There is no “shoe_size” here."),
        ('{"form": 1, "kind": "mautic", "owners": {"a\\u0000": "x"}}', "In “owners” something is no text"),
    ],
)
def test_what_is_no_mapping_says_why(text, words):
    with pytest.raises(NotDone, match=words.replace("(", r"\(")):
        mappings.read(text, "mautic")
