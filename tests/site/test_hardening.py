"""Every page and every form of the site, with data that means harm: what came back, and what did not happen.

Who may do everything, a rep and a reader walk it once (`tests.site.harming`); the tests look at what came.
What no walk reaches stands below: forged hosts, ways back to other sites, the API, who is known here.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core import mail
from django.test import Client
from django.urls import get_resolver

from leads import keys
from leads.api.acting import VERBS
from leads.connectors.client import Unreachable
from leads.models import Lead
from leads.notifications import deliver_due, message
from tests.advisories import ROOT
from tests.conftest import NOW, PASSWORD, Cast
from tests.factories import event, make_handoff
from tests.site.harming import EVIL, SIGN_SHOWN, Answer, Page, SignIn, Walk, facts, harm

PICTURE = "data:image/svg+xml;base64,"  # the code for an app, which no text is made into
SCHEMES = {"", "http", "https", "mailto", "tel"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
POLICY = (
    "default-src 'none'", "object-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'",
    "frame-ancestors 'none'", "form-action 'self'",
)  # fmt: skip
HEADERS = {
    "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}  # fmt: skip
NEVER_CALLED = {
    "eval", "exec", "compile", "os.system", "os.popen", "Template", "Engine", "from_string", "mark_safe",
    "SafeString", "xml.etree.ElementTree.fromstring", "ElementTree.parse",
}  # fmt: skip
NEVER = {"access-control-allow-origin", "server", "x-powered-by", "x-evil"}


def _nobody(*args: Any, **kwargs: Any) -> Any:
    raise Unreachable("nobody is called from here")


_walks: list[Walk] = []


@pytest.fixture
def walks(cast: Cast, as_: SignIn, monkeypatch: pytest.MonkeyPatch) -> list[Walk]:
    """The walk is made once, by whichever test asks first; rows are gone then, answers stay."""
    if not _walks:
        monkeypatch.setattr("leads.connectors.client.Http.call", _nobody)
        harm(cast)
        for person in (cast.ada, cast.femke, cast.vera):
            walk = Walk(person.email.partition("@")[0], as_(person))
            walk.go()
            _walks.append(walk)
    return _walks


@pytest.fixture
def answers(walks: list[Walk]) -> list[Answer]:
    return [answer for walk in walks for answer in (*walk.pages, *walk.sent)]


def test_the_walk_sees_the_site_and_nothing_breaks(walks: list[Walk], answers: list[Answer]) -> None:
    assert [str(answer) for answer in answers if answer.status >= 500] == []
    seen = {answer.route for answer in answers if not answer.route.startswith("admin/")}
    posted = {answer.route for walk in walks for answer in walk.sent}
    assert (len(seen) > 125, len(posted) > 125) == (True, True), (len(seen), len(posted))
    assert sum(SIGN_SHOWN in answer.text for answer in answers) > 80


def test_words_are_words_on_every_page_and_in_every_file(answers: list[Answer]) -> None:
    wrong = []
    for answer in answers:
        if answer.is_page:
            page = Page(answer.text)
            schemes = {
                urlsplit(link.strip()).scheme.lower() for link in page.links if not link.startswith(PICTURE)
            }
            # The admin's own styles; the policy does not apply them.
            own = {"p style", "div style"} if answer.route.startswith("admin/") else set()
            wrong += [f"{answer}: {found}" for found in page.wrong if found not in own]
            wrong += [f"{answer}: leads to {found}" for found in schemes - SCHEMES]
            wrong += [f"{answer}: the sign is a tag"] if "<zq" in answer.text.lower() else []
        elif answer.headers.get("Content-Type", "").startswith("text/csv"):
            cells = [cell for line in csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))) for cell in line]
            wrong += [f"{answer}: {cell!r}" for cell in cells if cell[:1] in FORMULA]
    assert wrong == [], "\n".join(wrong)


def test_nobody_keeps_frames_or_guesses_what_one_reads(answers: list[Answer]) -> None:
    """Caches, frames, types, referrers, other origins: the headers of every answer."""
    wrong = []
    for answer in answers:
        given = answer.headers
        kept = given.get("Cache-Control", "")
        if not ("no-store" in kept or (answer.url.startswith("/api/") and kept == "private, no-cache")):
            wrong.append(f"{answer}: may be kept: {kept!r}")
        policy = given.get("Content-Security-Policy", "")
        if not all(part in policy for part in POLICY):
            wrong.append(f"{answer}: {policy!r}")
        told = {name: given.get(name) for name in HEADERS}
        if told != HEADERS and not (
            answer.route.startswith("go/") and told["Referrer-Policy"] == "no-referrer"
        ):
            wrong.append(f"{answer}: {told}")
        named = given.get("Content-Disposition", 'attachment; filename="x.csv"')
        if not re.fullmatch(r'attachment; filename="[\w.-]+\.(csv|json|xlsx)"', named, re.ASCII):
            wrong.append(f"{answer}: {named}")
        if answer.is_page and "charset=utf-8" not in given["Content-Type"]:
            wrong.append(f"{answer}: {given['Content-Type']}")
        if found := {name for name in given if name.lower() in NEVER}:
            wrong.append(f"{answer}: {found}")
    assert wrong == [], "\n".join(wrong)


def test_forms_take_their_own_fields_and_lead_nowhere_else(walks: list[Walk], answers: list[Answer]) -> None:
    wrong = [line for walk in walks for line in walk.wrong]
    for answer in answers:
        to = answer.headers.get("Location") or answer.headers.get("HX-Redirect") or "/"
        if urlsplit(to).netloc or not to.startswith("/") or to.startswith(("//", "/\\")):
            wrong.append(f"{answer}: leads to {to}")
        if any("\r" in value or "\n" in value for value in answer.headers.values()):
            wrong.append(f"{answer}: a header of two lines")
    assert wrong == [], "\n".join(wrong)


def test_only_senders_with_keys_of_their_own_need_no_form_token() -> None:
    def views(patterns: list[Any], before: str = "") -> Iterator[tuple[str, Any]]:
        for pattern in patterns:
            if hasattr(pattern, "url_patterns"):
                yield from views(pattern.url_patterns, before + str(pattern.pattern))
            else:
                yield before + str(pattern.pattern), pattern.callback

    found = [
        route for route, view in views(get_resolver().url_patterns) if getattr(view, "csrf_exempt", False)
    ]
    outside = [route for route in found if not route.startswith("api/v1/")]
    assert outside == ["hooks/<str:secret>/", "collect/v1/<slug:kind>", "go/<str:token>/"]


def test_a_session_alone_changes_nothing(cast: Cast, as_: SignIn) -> None:
    """Without a token each form is refused, and an API that is called by a browser asks for a key."""
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(cast.ada, backend="handoff_site.sessions.Backend")
    for path in ("/theme/", "/profile/save/", "/routing/publish/", "/imports/", "/logout/", "/admin/logout/"):
        assert strict.post(path, {"theme": "dark"}).status_code == 403, path
    body = {"on_behalf_of": cast.ada.email}
    assert strict.post("/api/v1/handoffs/1/accept", body, "application/json").status_code == 401
    assert strict.post("/login/", {"username": cast.ada.email, "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    "to",
    [
        EVIL, "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "https:evil.example", "\thttps://evil.example", "javascript:boom()", "/%0d%0aX-Evil: 1",
        "/\r\nX-Evil: 1",
        "https://testserver@evil.example", "http://testserver.evil.example/",
    ],
)  # fmt: skip
def test_no_next_leads_elsewhere(cast: Cast, as_: SignIn, to: str) -> None:
    """Every way back that an address or a form can name: signing in and out, the theme, the admin's door."""
    asked = {"username": cast.ada.email, "password": PASSWORD, "next": to}
    for answer in (
        Client().post("/login/", asked),
        Client().post(f"/login/?{urlencode({'next': to})}", asked),
        Client().post(f"/admin/login/?{urlencode({'next': to})}", asked),
        as_(cast.ada).get(f"/login/?{urlencode({'next': to})}"),
        as_(cast.ada).post("/theme/", {"theme": "dark", "next": to}),
        as_(cast.ada).post("/logout/", {"next": to}),
    ):
        there = answer.headers.get("Location", "/")
        assert not urlsplit(there).netloc and there.startswith("/") and there[1:2] not in ("/", "\\"), there
        assert "X-Evil" not in answer.headers


def test_a_host_that_somebody_made_up_stands_nowhere(cast: Cast, as_: SignIn, settings: Any) -> None:
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = ["handoff.example.com"], "https://handoff.example.com"
    client = as_(cast.femke)
    here = {"Host": "handoff.example.com"}
    forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "X-Host": "evil.example"}
    message(cast.femke, make_handoff("assigned", cast.femke), "assigned", NOW).save()
    for path in ("/", "/inbox/", "/login/", "/notifications/", "/api/v1/openapi.json", "/nowhere/"):
        for host in ("evil.example", "handoff.example.com.evil.example", "handoff.example.com@evil.example"):
            assert client.get(path, headers={"Host": host}).status_code == 400, (path, host)
        answer = client.get(path, headers=here | forged)
        assert "evil.example" not in f"{answer.headers} {answer.content!r}", path
    assert deliver_due(NOW + timedelta(minutes=1)) > 0
    texts = [text for sent in mail.outbox for text in (sent.body, str(sent.alternatives[0].content))]
    addresses = {found for text in texts for found in re.findall(r"https?://[^/\s\"<]+", text)}
    assert addresses == {"https://handoff.example.com"}


def test_an_api_call_sets_what_its_verb_takes_and_nothing_else(cast: Cast) -> None:
    """Mass assignment: every verb refuses the names of columns beside its own, and events bring none."""
    api = Client(headers={"Authorization": f"Bearer {keys.make_key('Client', keys.SCOPES, NOW)[1]}"})
    handoff, before = make_handoff("assigned", cast.femke), facts()
    columns = {"state": "converted", "assignee": cast.ada.email, "assignee_id": cast.ada.pk, "opened_at": "x"}
    for verb in VERBS:
        for column, value in columns.items():
            body = {"on_behalf_of": cast.femke.email, column: value}
            answer = api.post(f"/api/v1/handoffs/{handoff.pk}/{verb.name}", body, "application/json")
            pointers = [found["pointer"] for found in answer.json().get("errors", [])]
            assert (answer.status_code, f"/{column}" in pointers) == (422, True), (verb.name, answer.content)
    told = event(
        1, lead={"id": 1, "erased_at": "2020-01-01", "merged_into": 1, "email_key": "x", "do_not": 1}
    )
    assert api.post("/api/v1/intake", told, "application/json").json()["status"] == "processed"
    lead = Lead.objects.get(email=told["data"]["lead"]["email"])
    assert (lead.pk == 1, lead.erased_at, lead.merged_into, lead.email_key == "x") == (
        False,
        None,
        None,
        False,
    )
    handoff.refresh_from_db()
    assert (facts(), handoff.state, handoff.assignee) == (before, "assigned", cast.femke)


def test_who_is_known_here_is_told_to_nobody(
    cast: Cast, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same page for a wrong password and for nobody, and the same work: one hash each."""
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    pages = []
    for name in (cast.femke.email, "nobody@handoff.example.com"):
        answer = client.post("/login/", {"username": name, "password": "no-password-of-anybody"})
        pages.append((answer.status_code, re.sub(r'value="[^"]*"', "", answer.content.decode())))
    assert pages[0] == pages[1] and hashed == ["no-password-of-anybody"] * 2


def test_no_code_is_made_of_data() -> None:
    """Nothing of ours evaluates, unpickles, runs a shell or makes a template of words."""
    wrong = []
    for package in ("handoff_site", "routing", "leads", "metrics"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    is_shell = any(given.arg == "shell" for given in node.keywords)
                    if (
                        called in NEVER_CALLED
                        or called.startswith(("pickle.", "marshal.", "yaml."))
                        or is_shell
                    ):
                        wrong.append(f"{file.relative_to(ROOT)} {called}")
    # Templates that were rendered already, kept or joined.
    assert wrong == ["leads/templatetags/drawn.py SafeString", "metrics/views/dashboard.py mark_safe"]
