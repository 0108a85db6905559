"""The talk with a provider of identities: OpenID Connect's code flow with state, nonce and PKCE.

Owns what we ask of django-allauth beyond its own: a nonce, the issuer that was configured and no other,
signatures checked also where a token came straight from the provider, one callback address. What follows
from an answer is `handoff_site.signing_in.arriving`.
"""

from __future__ import annotations

import secrets
from typing import Any

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from handoff_site.signing_in import arriving
from handoff_site.signing_in.configured import Oidc

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"})
# Two machines' clocks.
LEEWAY_SECONDS = 60
ASKED = ["openid", "email", "profile"]


def configured() -> Oidc:
    """The provider; Http404 where none is set up."""
    found: Oidc | None = settings.OIDC
    if found is None:
        raise Http404("single sign-on is not set up")
    return found


class Provider(OpenIDConnectProvider):
    """Asks with a nonce, which stays in the session beside the state."""

    def redirect(
        self, request: HttpRequest, process: str, next_url: str | None = None, data: Any = None, **kept: Any
    ) -> HttpResponse:
        nonce = secrets.token_urlsafe(24)
        asked = {"nonce": nonce, **kept.pop("auth_params", {})}
        return super().redirect(
            request, process, next_url, data, auth_params=asked, scope=ASKED, nonce=nonce, **kept
        )

    def get_oauth2_adapter(self, request: HttpRequest) -> Talk:
        return Talk(request)


class Talk(OpenIDConnectOAuth2Adapter):
    """The calls to the provider, and what is believed of their answers."""

    def __init__(self, request: HttpRequest, provider_id: str = "sso") -> None:
        super().__init__(request, provider_id)

    def get_provider(self) -> Provider:
        return provider(self.request)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        # Not by the request's host: the provider knows one address.
        return f"{settings.PUBLIC_URL}{reverse('sso_callback')}"

    @property
    def openid_config(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = super().openid_config
        except AttributeError:
            raise OAuth2Error("what the provider says about itself is no JSON object") from None
        # OpenID Connect Discovery 1.0, 4.3
        if str(found.get("issuer", "")).rstrip("/") != configured().issuer:
            raise OAuth2Error("the provider calls itself by another issuer than OIDC_ISSUER")
        return found

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("the provider gave no ID token")
        found = super().complete_login(request, app, token, **kwargs)
        found.account.extra_data |= {
            "end": self.openid_config.get("end_session_endpoint", ""),
            "hint": kwargs["response"]["id_token"],
        }
        return found

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        try:
            algorithm, key = jwtkit.fetch_key(id_token, self.openid_config["jwks_uri"], jwtkit.lookup_kid_jwk)
            if algorithm not in ALGORITHMS:
                raise OAuth2Error(f"the provider signs by {algorithm}")
            return jwt.decode(
                id_token,
                key=key,
                algorithms=[algorithm],
                issuer=self.openid_config["issuer"],
                audience=app.client_id,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "sub", "aud", "iss"]},
            )
        except jwt.PyJWTError as error:
            raise OAuth2Error("the ID token does not hold") from error


def provider(request: HttpRequest) -> Provider:
    """The provider as django-allauth knows it. Nothing of it is stored."""
    oidc = configured()
    app = SocialApp(
        provider="openid_connect",
        provider_id="sso",
        name=oidc.name,
        client_id=oidc.client_id,
        secret=oidc.secret,
        settings={"server_url": oidc.issuer, "oauth_pkce_enabled": True},
    )
    return Provider(request, app=app)


class Adapter(DefaultSocialAccountAdapter):
    """Where django-allauth hands over: nothing of its own sign-up and linking is run."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        given = sociallogin.account.extra_data
        raise ImmediateHttpResponse(arriving.arrive(request, configured(), given, sociallogin.state))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Exception | None = None,
        extra_context: Any = None,
    ) -> None:
        raise ImmediateHttpResponse(arriving.failed(request, str(error or ""), exception))
