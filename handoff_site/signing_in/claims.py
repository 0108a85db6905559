"""What a provider says of somebody: read out of its claims, and whether that is enough to come in.

Pure. Owns which claims count and the words in which somebody is turned away. Never looks anybody up: who
is known here is `handoff_site.signing_in.joining`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from handoff_site.signing_in.configured import Oidc

# As long as the columns are; the standard allows a subject 255.
LONGEST_NAME, LONGEST_SUBJECT, LONGEST_ADDRESS = 150, 191, 254


class Refused(Exception):
    """Somebody is not let in. `code` names the reason in the log, the text is what they read."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Said:
    """Who the provider says somebody is. `roles` is None where roles are not the provider's to give."""

    subject: str
    email: str
    name: str
    roles: frozenset[str] | None


def read(token: Mapping[str, Any], userinfo: Mapping[str, Any], nonce: str, oidc: Oidc) -> Said:
    """The claims of an ID token that was verified, and of the userinfo endpoint, as one.

    Raises Refused: not the answer to our question, no subject, no address, an address nobody verified.
    An address counts with the word about it from the same source only.
    """
    subject = token.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise Refused("no subject", "The provider did not say who you are. Tell your administrator.")
    # OpenID Connect Core 1.0, 3.1.3.7 and 5.3.2
    is_ours = token.get("azp", oidc.client_id) == oidc.client_id
    is_of_one = not userinfo or userinfo.get("sub") == subject
    if not nonce or token.get("nonce") != nonce or not is_ours or not is_of_one:
        raise Refused("another answer", "That was not the answer to this sign-in. Please sign in again.")
    source = token if token.get("email") else userinfo
    email = source.get("email")
    said = email.strip() if isinstance(email, str) else ""
    email = said.lower()
    try:
        # One letter that is not ASCII becomes one that is (the sign of the kelvin a k): another's address.
        is_one = email.isascii() == said.isascii() and len(email) <= LONGEST_ADDRESS
        validate_email(email if is_one else "")
    except ValidationError:
        raise Refused("no address", "The provider did not give an e-mail address for you.") from None
    if not _is_verified(source.get("email_verified"), oidc):
        raise Refused("address not verified", "The provider has not verified your e-mail address yet.")
    name = token.get("name") or userinfo.get("name")
    groups = token.get(oidc.claim, userinfo.get(oidc.claim))
    return Said(
        subject,
        email,
        " ".join(name.split())[:LONGEST_NAME] if isinstance(name, str) and name.isprintable() else "",
        roles(groups, oidc),
    )


def _is_verified(word: Any, oidc: Oidc) -> bool:
    if word is None:
        return oidc.trusts_address
    # Some providers say it as text.
    return word is True or word == "true"


def roles(value: Any, oidc: Oidc) -> frozenset[str] | None:
    """The roles that a claim's value gives: one text, or a list of them; None where no mapping is set."""
    if oidc.roles is None:
        return None
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    given = [oidc.roles[item] for item in values if isinstance(item, str) and item in oidc.roles]
    return frozenset().union(*given)
