"""Text as a search compares it: the words of a person, of a company, and of what somebody types.

Owns folding (case, accents, letters that no accent explains), which words a row is found by, and what a query
asks for. Pure. The keys by which one person or company is told from another are `leads.identity`: they may
not change, and this may.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from leads import identity

LONGEST_WORD = 60
# A row has no more words than this, however long its name is; a query no more terms.
MOST_WORDS, MOST_TERMS = 24, 6
# Letters that do not come apart into a plain one and an accent.
_PLAIN = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŋ": "n"}
)
# How names are also spelled where the keyboard has no such key: Mueller for Müller, OBrien for O'Brien.
_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "'": None, "’": None, "‘": None, "ʼ": None, "`": None}
)
_WORD = re.compile(r"[^\W_]+")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://")


def fold(text: str) -> str:
    """Without case and accents: "Łukasz Weiß" is "lukasz weiss"."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", text.casefold()).casefold()
    return "".join(char for char in apart if not unicodedata.combining(char)).translate(_PLAIN)


def words(text: str) -> list[str]:
    """The runs of letters and digits, folded, each cut to the longest that is kept."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(fold(text))]


def lead_words(first: str, last: str, email: str) -> list[str]:
    """What a person is found by: the words of the name, the address, and the later words of its local part.

    Those of an address have an "@", by which they are kept from whoever is not shown addresses.
    """
    name = _of_name(f"{first} {last}")
    return _some([*name, *_of_address(email, name)])


def company_words(name: str, domain: str | None) -> list[str]:
    """What a company and its people are found by: the words of the name, the domain and its own words."""
    own = [fold(domain)[:LONGEST_WORD], *words(domain.partition(".")[0])] if domain else []
    return _some([*_of_name(name), *own])


def _of_name(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text.casefold())
    return [*words(text), *words(text.translate(_SPELLED))][: 2 * MOST_WORDS]


def _of_address(email: str, name: list[str]) -> list[str]:
    address = fold(email.strip())
    local, at, host = address.partition("@")
    if not at or not local or any(char.isspace() for char in address):
        return []
    parts = words(local)
    later = [f"{part}@{host}" for part in parts[1:] if part not in name]
    return [word[:LONGEST_WORD] for word in (address, *later)]


def _some(found: list[str]) -> list[str]:
    return list(dict.fromkeys(word for word in found if word))[:MOST_WORDS]


@dataclass(frozen=True)
class Term:
    """One thing that a query asks for: any of these groups fits; of a group each word, or its beginning."""

    groups: tuple[tuple[str, ...], ...]


def terms(typed: str, *, personal: bool) -> list[Term]:
    """What a query asks for, all of it. Signs ask for nothing, and an address in vain if it may not."""
    found = []
    for chunk in typed.split():
        if "@" in chunk:
            found.append(Term(_groups_of_address(chunk) if personal and chunk.strip("@") else ()))
        elif groups := _groups(chunk):
            found.append(Term(groups))
    return found[:MOST_TERMS]


def is_short(found: list[Term]) -> bool:
    """Whether a query is no more than single letters, which fit half the world. An ideograph is a word."""
    longest = max((word for term in found for group in term.groups for word in group), key=len, default="")
    return len(longest) == 1 and unicodedata.east_asian_width(longest) not in "WF"


def _groups(chunk: str) -> tuple[tuple[str, ...], ...]:
    groups = [tuple(words(chunk)[:MOST_TERMS])]
    if "." in chunk:
        host = _host(chunk)
        groups += [(host,), (fold(identity.registrable_domain(host) or "")[:LONGEST_WORD],)]
    return tuple(dict.fromkeys(group for group in groups if group and all(group)))


def _groups_of_address(chunk: str) -> tuple[tuple[str, ...], ...]:
    """The address, and for one that is whole its organisation: whoever wrote may be new there."""
    domain = identity.company_domain(identity.normalise_email(chunk), "")
    groups = [(fold(chunk)[:LONGEST_WORD],), (fold(domain or "")[:LONGEST_WORD],)]
    return tuple(dict.fromkeys(group for group in groups if all(group)))


def _host(chunk: str) -> str:
    """The host of what may be an address of a page: "https://www.a.co.uk/x" asks for "a.co.uk"."""
    bare = _SCHEME.sub("", fold(chunk))
    return re.split(r"[/?#:]", bare, maxsplit=1)[0].removeprefix("www.")[:LONGEST_WORD]
