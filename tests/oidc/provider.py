"""The provider: django-oauth-toolkit with one client, on a free port, its database in a folder of its own.

Who there is and what is claimed of them stands in `people.json` in that folder and is read at each claim,
so that a test changes it between two sign-ins. Run as `python -m tests.oidc.provider FOLDER CALLBACK
AFTERWARDS`; it writes its port into the file `port`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

CLIENT, SECRET = "handoff", "a-secret-of-the-tests"


def main(folder: Path, callback: str, afterwards: str) -> None:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    os.environ["PROVIDER_FOLDER"] = str(folder)
    settings.configure(
        DEBUG=False,
        SECRET_KEY="of-the-tests",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="tests.oidc.urls",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        SESSION_COOKIE_NAME="provider",
        LOGIN_URL="/signin/",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "provider.sqlite3")}
        },
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
            "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
            "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who", "email": "address", "profile": "name"},
            "OAUTH2_VALIDATOR_CLASS": "tests.oidc.claiming.Claiming",
        },
    )
    django.setup()
    _serve(folder, callback, afterwards)


def _serve(folder: Path, callback: str, afterwards: str) -> None:
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from oauth2_provider.models import Application
    from waitress import create_server

    call_command("migrate", verbosity=0)
    Application.objects.create(
        name="Handoff",
        client_id=CLIENT,
        client_secret=SECRET,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        algorithm=Application.RS256_ALGORITHM,
        redirect_uris=callback,
        post_logout_redirect_uris=afterwards,
        skip_authorization=True,
    )
    server = create_server(get_wsgi_application(), host="127.0.0.1", port=0, threads=4)
    beginning = folder / "port.new"
    beginning.write_text(str(server.effective_port))
    beginning.rename(folder / "port")
    server.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
