"""Named lists from pasted text and files: what is read, what is left out, on which line and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import lists
from routing.models import NamedList

DOMAINS, POSTAL, WORDS = NamedList.Kind.DOMAINS, NamedList.Kind.POSTAL, NamedList.Kind.WORDS


def values(source: str | bytes, kind: str = DOMAINS) -> list[str]:
    reading = lists.read(source, kind)
    assert reading.problems == () and reading.left_out == 0
    return list(reading.values)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("Acme.com", "acme.com"),
        ("https://www.acme.co.uk:8443/about?x=1#top", "acme.co.uk"),
        ("Ada@Mail.Acme.com", "mail.acme.com"),
        ("//acme.com/path@home", "acme.com"),
        ("http://user:secret@acme.com/", "acme.com"),
        (" www.acme.com. ", "acme.com"),
        ("- acme.com", "acme.com"),
        ("=acme.com", "acme.com"),
        ("\u2022\u00a0acme.com", "acme.com"),
        ("ac\u200bme.com", "acme.com"),
        ("m\u00fcller.de", "m\u00fcller.de"),
        ("_dmarc.acme.com", "_dmarc.acme.com"),
    ],
)
def test_a_domain_is_stripped_to_its_host(given_: str, kept: str) -> None:
    assert values(given_) == [kept]


@pytest.mark.parametrize(
    "wrong", ["acme", "acme..com", "-.com", "a b.com", "acme.nosuchsuffix", "10.0.0.1", "x" * 300 + ".com"]
)
def test_what_is_no_domain_is_named_with_its_line(wrong: str) -> None:
    reading = lists.read(f"good.com\n\n{wrong}\nfine.org", DOMAINS)
    assert reading.values == ("good.com", "fine.org")
    [problem] = reading.problems
    assert (problem.line, problem.reason) == (3, "is no domain; an example is example.com")
    assert problem.value.startswith(wrong.lstrip("-")[:20])


def test_a_whole_suffix_is_refused() -> None:
    [problem] = lists.read("co.uk", DOMAINS).problems
    assert str(problem) == "Line 1, co.uk: is a whole suffix, under which anybody can have a domain"


def test_hosts_can_be_cut_to_what_is_registered() -> None:
    reading = lists.read("shop.acme.co.uk\nacme.co.uk\nfine.org", DOMAINS, registrable_only=True)
    assert (reading.values, reading.repeated) == (("acme.co.uk", "fine.org"), 1)
    assert lists.registrable("https://a.b.acme.de/x") == "acme.de" and lists.registrable("nonsense") is None


def test_postal_prefixes_lose_spaces_and_are_upper_case() -> None:
    assert values("sw1a 1aa, 80\n 8033 \t d-04", POSTAL) == ["SW1A1AA", "80", "8033", "D-04"]
    reading = lists.read("12345\n12.345\n1234567890123", POSTAL)
    assert reading.values == ("12345",)
    assert [(p.line, p.value) for p in reading.problems] == [(2, "12.345"), (3, "1234567890123")]


def test_words_keep_their_case_and_are_compared_without_it() -> None:
    reading = lists.read("Head  of Sales\nhead of sales\nVP Sales;CRO", WORDS)
    assert (reading.values, reading.repeated) == (("Head of Sales", "VP Sales", "CRO"), 1)
    [problem] = lists.read("x" * 201, WORDS).problems
    assert problem.reason == "is longer than 200 characters" and len(problem.value) == 60


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_of_a_table_the_named_column_is_read(delimiter: str) -> None:
    rows = [("Company", "Website", "Owner"), ("Acme, Inc.", "https://acme.com", "x"), ("B", "b.org", "")]
    table = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    assert values(table) == ["acme.com", "b.org"]


def test_a_table_without_a_known_header_is_read_cell_by_cell() -> None:
    reading = lists.read("acme.com,Acme\nb.org,B", DOMAINS)
    assert reading.values == ("acme.com", "b.org")
    assert [(p.line, p.value) for p in reading.problems] == [(1, "Acme"), (2, "B")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_files_are_read_as_the_usual_programs_write_them(encoding: str) -> None:
    assert values("M\u00fcnchen\r\nK\u00f6ln\u20ac".encode(encoding), WORDS) == [
        "M\u00fcnchen",
        "K\u00f6ln\u20ac",
    ]


def test_what_a_spreadsheet_would_run_is_dropped() -> None:
    assert values("=cmd|' /C calc'!A0\n@SUM(1)\n+49\n'=x\n\x07bell\x00", WORDS) == [
        "cmd|' /C calc'!A0", "SUM(1)", "49", "x", "bell",
    ]  # fmt: skip
    assert lists.read("=\n-\n@@\n", WORDS) == lists.Reading((), 0, (), 0)


def test_an_open_quote_swallows_no_line() -> None:
    assert values('"acme.com\nb.org\nc.net') == ["acme.com", "b.org", "c.net"]


def test_a_list_has_bounds() -> None:
    full = lists.read("\n".join(f"w{number}" for number in range(10_150)), WORDS)
    assert len(full.values) == 10_000 and full.left_out == 150 and len(full.problems) == 100
    assert str(full.problems[0]) == "Line 10001, w10000: a list holds at most 10,000 values"
    large = lists.read(b"x" * (1024 * 1024 + 1), WORDS)
    assert large.values == () and large.left_out == 1 and "larger than 1,024 KiB" in str(large.problems[0])
    assert lists.read("x" * 200_000, WORDS).left_out == 1


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)), st.sampled_from([DOMAINS, POSTAL, WORDS]))
def test_nothing_that_is_pasted_breaks_it(source: str | bytes, kind: str) -> None:
    reading = lists.read(source, kind)
    assert len({value.casefold() for value in reading.values}) == len(reading.values)
    for value in reading.values:
        assert value and value.isprintable() and value[0] not in "=+-@\t"
        assert lists.read(value, kind).values[:1] == (value,) or any(c in value for c in ",;\"'")
