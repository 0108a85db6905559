"""What the provider claims of somebody: whatever `people.json` says of them at that moment."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


def people() -> dict[str, dict[str, Any]]:
    return json.loads((Path(os.environ["PROVIDER_FOLDER"]) / "people.json").read_text())


class Claiming(OAuth2Validator):
    # Every claim, whichever scope asks.
    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        return people().get(request.user.username, {})

    def get_id_token_dictionary(self, token: Any, token_handler: Any, request: Any) -> Any:
        """The provider's own, but when somebody proved there who they are is said here as well."""
        claims, expires = super().get_id_token_dictionary(token, token_handler, request)
        said = people().get(request.user.username, {})
        return claims | {name: said[name] for name in ("auth_time",) if name in said}, expires
