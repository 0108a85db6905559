"""Run by a test as a program of its own: the site without django-allauth, checked and signed in to.

Its import is refused here, whether or not it is installed.
"""

import importlib.abc
import importlib.util
import sys
from typing import Any


class Hidden(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in {"allauth", "fido2", "jwt", "qrcode"}:
            raise ModuleNotFoundError(name)


found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "allauth" else found(name, *rest)
sys.meta_path.insert(0, Hidden())

import django  # noqa: E402
import pytest  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from routing.models import User  # noqa: E402
from tests.rendering import spare  # noqa: E402

settings.ALLOWED_HOSTS = ["testserver"]
call_command("check", fail_level="WARNING")
with pytest.MonkeyPatch.context() as patch:
    spare(patch)
    call_command("migrate", verbosity=0)
user = User.objects.create_user("nora@handoff.example.com", "a long password")
client = Client()
assert client.post("/login/sso/").status_code == 404
assert client.post("/login/", {"username": user.email, "password": "a long password"}).status_code == 302
for page in ("/profile/", "/profile/sign-in/", "/login/again/"):
    assert client.get(page).status_code == 200
assert client.post("/logout/").status_code == 302
print("signed in without it")
