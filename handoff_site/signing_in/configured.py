"""What the environment says about single sign-on, as one value.

Owns the names of the variables and their complaints. Read once, by `handoff_site.settings`; imports no
model, so that it can be. Whether a claim lets somebody in is `handoff_site.signing_in.claims`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from handoff_site.environment import boolean, env, understood, web_address

# As `routing.people` names the roles, and as people call them.
ROLE_NAMES = {
    "rep": "rep",
    "manager": "sales manager",
    "sales manager": "sales manager",
    "marketing": "marketing ops",
    "marketing ops": "marketing ops",
    "viewer": "viewer",
    "admin": "admin",
}

# It names the provider in the tie between a subject and a person.
LONGEST_ISSUER = 200


@dataclass(frozen=True, slots=True)
class Oidc:
    """A provider. `roles` gives the roles of each value of the claim `claim`; None leaves roles to admins.
    `origins` are where forms may lead: the issuer's, and what else was named."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    name: str = "single sign-on"
    claim: str = "groups"
    roles: Mapping[str, frozenset[str]] | None = None
    only: bool = False
    trusts_address: bool = False
    origins: tuple[str, ...] = ()


def library() -> bool:
    """Whether django-allauth is installed."""
    return find_spec("allauth") is not None


def oidc() -> Oidc | None:
    """The provider that is configured, None for none. Raises ImproperlyConfigured."""
    issuer = web_address("OIDC_ISSUER").rstrip("/")
    only = boolean("OIDC_ONLY", False)
    if not issuer:
        if only:
            raise ImproperlyConfigured("OIDC_ONLY needs OIDC_ISSUER: otherwise nobody could sign in")
        return None
    if not library():
        raise ImproperlyConfigured("OIDC_ISSUER needs the extra sign-in (django-allauth) to be installed")
    if urlsplit(issuer).scheme != "https" and not _is_here(urlsplit(issuer).hostname or ""):
        raise ImproperlyConfigured("OIDC_ISSUER must be an https address, unless it is on this machine")
    if len(issuer) > LONGEST_ISSUER:
        raise ImproperlyConfigured(f"OIDC_ISSUER must not be longer than {LONGEST_ISSUER} characters")
    needed = {name: env.str(name, default="").strip() for name in ("OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")}
    for name, value in needed.items():
        if not value:
            raise ImproperlyConfigured(f"{name} must be set beside OIDC_ISSUER")
    parts = urlsplit(issuer)
    further = tuple(str(origin).rstrip("/") for origin in env.list("OIDC_FORM_ORIGINS", default=[]))
    for origin in further:
        if not urlsplit(origin).hostname or urlsplit(origin).path or urlsplit(origin).scheme != "https":
            raise ImproperlyConfigured("OIDC_FORM_ORIGINS must be origins such as https://login.example.com")
    return Oidc(
        issuer=issuer,
        client_id=needed["OIDC_CLIENT_ID"],
        secret=needed["OIDC_CLIENT_SECRET"],
        name=env.str("OIDC_NAME", default="").strip()[:60] or "single sign-on",
        claim=env.str("OIDC_ROLES_CLAIM", default="").strip() or "groups",
        roles=_roles(understood("OIDC_ROLES", lambda: env.json("OIDC_ROLES", default=None), _WANTED)),
        only=only,
        trusts_address=boolean("OIDC_TRUST_EMAIL", False),
        origins=(f"{parts.scheme}://{parts.netloc}", *further),
    )


_WANTED = 'a JSON object of claim value to role, such as {"sales": "rep", "sales-leads": ["rep", "manager"]}'


def _roles(given: Any) -> Mapping[str, frozenset[str]] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not given:
        raise ImproperlyConfigured(f"OIDC_ROLES must be {_WANTED}")
    found = {}
    for value, words in given.items():
        named = [words] if isinstance(words, str) else words
        if not isinstance(named, list) or not all(isinstance(word, str) for word in named):
            raise ImproperlyConfigured(f"OIDC_ROLES must be {_WANTED}")
        unknown = [word for word in named if word.strip().lower() not in ROLE_NAMES]
        if unknown:
            raise ImproperlyConfigured(
                f"OIDC_ROLES gives {value!r} the role {unknown[0]!r}; "
                "roles are rep, manager, marketing, viewer and admin"
            )
        found[value] = frozenset(ROLE_NAMES[word.strip().lower()] for word in named)
    return found


def required() -> frozenset[str]:
    """The roles whose people must have a second step beside a password. Raises ImproperlyConfigured."""
    named = [str(word).strip().lower() for word in env.list("REQUIRE_MFA", default=[]) if str(word).strip()]
    unknown = [word for word in named if word not in ROLE_NAMES]
    if unknown:
        raise ImproperlyConfigured(
            f"REQUIRE_MFA names {unknown[0]!r}; roles are rep, manager, marketing, viewer and admin"
        )
    if named and not library():
        raise ImproperlyConfigured("REQUIRE_MFA needs the extra sign-in (django-allauth) to be installed")
    return frozenset(ROLE_NAMES[word] for word in named)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
