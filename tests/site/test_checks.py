"""The deployment checks: quiet on a sound configuration, and one line for each thing that is not."""

import pytest
from django.core.checks import run_checks
from django.test import override_settings

SOUND = {
    "PUBLIC_URL": "https://handoff.example.com",
    "ALLOWED_HOSTS": ["handoff.example.com"],
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "SECURE_SSL_REDIRECT": True,
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
}


def ids(**changed: object) -> list[str | None]:
    with override_settings(**{**SOUND, **changed}):
        return [found.id for found in run_checks(tags=["handoff"], include_deployment_checks=True)]


def test_a_sound_configuration_is_quiet() -> None:
    assert ids() == []


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "handoff.W001"),
        ({"PUBLIC_URL": "https://[::1]:8000"}, "handoff.W001"),
        ({"PUBLIC_URL": "nonsense"}, "handoff.W001"),
        ({"PUBLIC_URL": "http://handoff.example.com"}, "handoff.W002"),
        ({"ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"]}, "handoff.W003"),
        ({"ALLOWED_HOSTS": []}, "handoff.W003"),
        ({"SECURE_PROXY_SSL_HEADER": None}, "handoff.W005"),
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "handoff.W004"),
    ],
)
def test_each_fault_has_a_line_of_its_own(changed: dict[str, object], wanted: str) -> None:
    assert ids(**changed) == [wanted]


def test_a_desk_is_not_told() -> None:
    with override_settings(PUBLIC_URL="http://127.0.0.1:8000"):
        assert run_checks(tags=["handoff"]) == []
