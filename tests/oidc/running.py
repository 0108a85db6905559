"""Starting the provider, and going through its pages as a browser would."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from django.test import Client

from handoff_site.signing_in.configured import Oidc
from tests.oidc.provider import CLIENT, SECRET
from tests.processes import ROOT, wait_for

SITE = "http://127.0.0.1:8000"


class Provider:
    """The process, and what it claims of people."""

    def __init__(self, folder: Path, site: str = SITE) -> None:
        self.folder = folder
        self.claim()
        with (folder / "log").open("wb") as log, open(os.devnull) as pipe:
            launcher = [str(ROOT / "handoff_site" / "lifeline.py"), str(os.getpid()), str(pipe.fileno())]
            arguments = ["-m", "tests.oidc.provider", str(folder)]
            arguments += [f"{site}/login/sso/callback/", f"{site}/login/"]
            self.process = subprocess.Popen(
                [sys.executable, *launcher, sys.executable, *arguments],
                cwd=ROOT, pass_fds=(pipe.fileno(),), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            )  # fmt: skip
        wait_for((folder / "port").exists, 60, (folder / "log").read_text())
        self.origin = f"http://127.0.0.1:{(folder / 'port').read_text()}"

    def claim(self, **people: dict[str, Any]) -> None:
        """What is said of whom from now on. An address counts as verified unless it is said otherwise."""
        said = {name: {"email_verified": True, **claims} for name, claims in people.items()}
        (self.folder / "people.json").write_text(json.dumps(said))

    def oidc(self, **changed: Any) -> Oidc:
        plain = Oidc(f"{self.origin}/o", CLIENT, SECRET, name="Example ID", origins=(self.origin,))
        return dataclasses.replace(plain, **changed)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


class Browser:
    """Somebody's browser: a client of the site, and what it keeps of the provider."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name
        self.there = httpx.Client()
        self.asked: list[str] = []

    def leave(self, **sent: Any) -> str:
        """Press the button, go through the provider's pages; the address that leads back."""
        answer = self.client.post("/login/sso/", sent)
        assert answer.status_code == 302, answer.content
        return self.follow(answer["Location"])

    def follow(self, address: str) -> str:
        for _ in range(8):
            if address.startswith(f"{SITE}/"):
                return address
            self.asked.append(address)
            answer = self.there.get(address)
            if answer.status_code == 200 and urlsplit(address).path == "/signin/":
                answer = self.there.post(address, data={"username": self.name})
            assert answer.is_redirect, answer.text
            address = urljoin(address, answer.headers["Location"])
        raise AssertionError(f"it goes round: {self.asked}")

    def back(self, address: str) -> Any:
        parts = urlsplit(address)
        return self.client.get(f"{parts.path}?{parts.query}")

    def sign_in(self, **sent: Any) -> Any:
        return self.back(self.leave(**sent))
