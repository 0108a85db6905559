"""Company names as keys: two ways of writing one name give one key, whatever the legal form behind it.

Owns the list of legal forms and the folding of case, accents, marks and "&". Pure. It never says that two
companies are one: that is `leads.accounts`.
"""

from __future__ import annotations

import unicodedata

LONGEST = 300
# Letters that no normal form takes apart, and marks inside a word that writers leave out.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
    | dict.fromkeys("'\u2018\u2019\u02bc\u2032`", "")
)


def folded(text: str) -> str:
    """Without case, accents and apostrophes; folding what is folded changes nothing."""
    plain = unicodedata.normalize("NFD", text.replace("\u00b4", "'")).casefold()
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", plain).casefold())
    return "".join(char for char in plain if not unicodedata.combining(char)).translate(_LETTERS)


def _forms(text: str) -> frozenset[str]:
    return frozenset(folded(text).split())


# Squeezed: "S. A." and "S.A." are read as "sa", "Sp. z o.o." as "spzoo".
_AFTER = _forms(
    "gmbh mbh gesmbh ag kg kgaa ohg ug haftungsbeschränkt gbr eg ek se aktiengesellschaft "
    "ltd limited llc llp lp lllp pllc inc incorporated corp corporation co company plc pty pvt pte "
    "bv nv vof bvba sprl sa sas sasu sarl eurl snc sca cie spa srl srls sapa "
    "sl slu sll sau cia ltda lda eirl sadecv sabdecv sderldecv sderl "
    "oy oyj ab publ hb asa as aps ivs hf ehf ohf spzoo spk spj sro spolsro doo dd kft zrt nyrt "
    "ou uab sia ood eood оод еоод sti bhd sdn berhad tbk kk gk αε επε ικε ооо оао зао пао ао тов тоо "
    "株 有 주"
)
_BEFORE = _forms("ооо оао зао пао ао тов тоо ип ooo oao zao pao uab sia 株 有 주")
# Written out, one word after another.
_PHRASES = frozenset(
    folded(phrase)
    for phrase in (
        "limited liability company", "limited liability partnership", "société anonyme", "sociedad anónima",
        "sociedad limitada", "gesellschaft mit beschränkter haftung", "kabushiki kaisha", "godo kaisha",
    )
)  # fmt: skip
# Written to the name without a space, before or behind it.
_JOINED = tuple(
    folded(form)
    for form in (
        "株式会社", "有限会社", "合同会社", "股份有限公司", "有限责任公司", "有限責任公司", "有限公司",
        "주식회사", "유한회사",
    )
)  # fmt: skip
# What may be left over at the end once a form is gone: "Meyer & Co.", "Tata Private Limited".
_LINKS = frozenset(("and", "et", "og", "och", "private", "public"))
_MOST_WORDS, _LONGEST_PART = 7, 4


def key(name: str) -> str:
    """The name's key: folded, without its legal form, "&" and "and" the same; "" only for an empty name.

    A name that is nothing but a legal form keeps it.
    """
    plain = folded(name)
    words = _words(plain)
    if not words:
        # Nothing but marks: they are all the name there is.
        return (_visible(plain) or _visible(name))[:LONGEST]
    while (shorter := _shorter(words)) is not None:
        words = shorter
    return " ".join(_initials_joined(words))


def starts(name_key: str, length: int) -> list[str]:
    """The first letters of the key when each of its words in turn stands first, the first four words: by
    these a name with its words in another order is found too."""
    words = name_key.split()
    firsts = [place for place, word in enumerate(words) if place == 0 or word not in _LINKS][:4]
    turned = (" ".join([*words[place:], *words[:place]]) for place in firsts)
    return list(dict.fromkeys(text[:length] for text in turned))


def _visible(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and not char.isspace())


def _words(plain: str) -> list[str]:
    kept = "".join(
        char if char.isalnum() or unicodedata.category(char)[0] == "M" else " "
        for char in plain.replace("&", " and ")
    )
    words = " ".join("and" if word == "und" else word for word in kept.split())
    return words[:LONGEST].split()


def _shorter(words: list[str]) -> list[str] | None:
    """The words without one legal form, or None when there is none to take away."""
    for count in range(min(_MOST_WORDS, len(words) - 1), 0, -1):
        tail, head = words[-count:], words[:count]
        if _is_form(tail, _AFTER):
            left = words[:-count]
            while len(left) > 1 and left[-1] in _LINKS:
                left = left[:-1]
            return left
        if _is_form(head, _BEFORE):
            return words[count:]
    for form in _JOINED:
        for place, cut in ((0, words[0].removeprefix(form)), (-1, words[-1].removesuffix(form))):
            if cut and cut != words[place]:
                return [cut, *words[1:]] if place == 0 else [*words[:-1], cut]
            if not cut and len(words) > 1:
                return words[1:] if place == 0 else words[:-1]
    return None


def _is_form(words: list[str], forms: frozenset[str]) -> bool:
    if len(words) > 1 and any(len(word) > _LONGEST_PART for word in words):
        return " ".join(words) in _PHRASES
    return "".join(words) in forms or (len(words) > 1 and " ".join(words) in _PHRASES)


def _initials_joined(words: list[str]) -> list[str]:
    """Letters that stand alone side by side are one word: "J. P. Morgan" is "JP Morgan"."""
    joined: list[str] = []
    was_letter = False
    for word in words:
        is_letter = len(word) == 1 and word.isalpha()
        if is_letter and was_letter:
            joined[-1] += word
        else:
            joined.append(word)
        was_letter = is_letter
    return joined
