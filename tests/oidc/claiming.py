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
