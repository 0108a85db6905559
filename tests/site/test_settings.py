"""Settings come from the environment, and nonsense there stops the start with a line that names it."""

import os

import pytest

from tests.site.conftest import SOUND, Load


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PASSWORD_LENGTH", "4", "PASSWORD_LENGTH must be between 8 and 64, not 4"),
        ("REQUIRE_MFA", "boss", "REQUIRE_MFA names 'boss'"),
        ("PROXY_COUNT", "0", "PROXY_COUNT must be between 1 and 9, not 0"),
        ("OIDC_ONLY", "1", "OIDC_ONLY needs OIDC_ISSUER: otherwise nobody could sign in"),
        ("OIDC_ISSUER", "https://id.example.com", "OIDC_CLIENT_ID must be set beside OIDC_ISSUER"),
        ("DEBUG", "maybe", "DEBUG must be 1 or 0, not 'maybe'"),
        ("WORKERS", "many", "WORKERS must be a whole number, not 'many'"),
        ("WORKERS", "0", "WORKERS must be between 1 and 64, not 0"),
        ("ORG_TIME_ZONE", "Mars/Phobos", "ORG_TIME_ZONE must be an IANA time zone such as Europe/Berlin"),
        ("ORG_TIME_ZONE", "Europe", "ORG_TIME_ZONE must be an IANA time zone such as Europe/Berlin"),
        ("ORG_TIME_ZONE", "", "ORG_TIME_ZONE must be an IANA time zone such as Europe/Berlin"),
        (
            "DATABASE_URL",
            "mysql://localhost/handoff",
            "DATABASE_URL must be a sqlite:/// or postgres:// address",
        ),
        ("DATABASE_URL", "handoff.sqlite3", "DATABASE_URL"),
        ("DATABASE_URL", "postgres://localhost:port/handoff", "DATABASE_URL"),
        (
            "DATABASE_REPLICA_URL",
            "postgres://localhost/handoff",
            "DATABASE_REPLICA_URL is for PostgreSQL, and DATABASE_URL is no postgres:// address",
        ),
        (
            "DATABASE_REPLICA_URL",
            "sqlite:///copy.sqlite3",
            "DATABASE_REPLICA_URL must be a postgres:// address",
        ),
        ("DATABASE_REPLICA_URL", "nonsense", "DATABASE_REPLICA_URL must be a postgres:// address"),
        ("DATABASE_REPLICA_URL", "postgres://a:secret@b:port/c", "DATABASE_REPLICA_URL must be"),
        ("REPLICA_MAX_LAG", "0", "REPLICA_MAX_LAG must be between 1 and 3600, not 0"),
        ("POOLER", "session", "POOLER must be transaction, or not be set, not 'session'"),
        ("POOLER", "transaction", "POOLER is for PostgreSQL, and DATABASE_URL is no postgres:// address"),
        ("STATEMENT_TIMEOUT", "soon", "STATEMENT_TIMEOUT must be a whole number, not 'soon'"),
        ("INTAKE_RATE", "-1", "INTAKE_RATE must be between 1 and 1000000, not -1"),
        ("LOGIN_FAILURE_LIMIT", "1", "LOGIN_FAILURE_LIMIT must be between 2 and 100, not 1"),
        ("RETENTION_PEOPLE_DAYS", "-1", "RETENTION_PEOPLE_DAYS must be between 0 and 36500, not -1"),
        ("RETENTION_IMPORTS_DAYS", "a week", "RETENTION_IMPORTS_DAYS must be a whole number, not 'a week'"),
        ("ENRICHMENT_MAPPING", "{", "ENRICHMENT_MAPPING must be a JSON object"),
        ("ENRICHMENT_MAPPING", "[]", "ENRICHMENT_MAPPING must be a JSON object"),
        ("EMAIL_URL", "nonsense", "EMAIL_URL"),
        (
            "SALESFORCE_API_VERSION",
            "v68",
            "SALESFORCE_API_VERSION must be a version such as 68.0, not 'v68'",
        ),
        ("QUEUE_URL", "127.0.0.1:6379", "QUEUE_URL must be an address such as redis://127.0.0.1:6379/0"),
        ("SENTRY_DSN", "https://sentry.example.com/1", "SENTRY_DSN must be an address such as"),
        ("METRICS_TOKEN", "short", "METRICS_TOKEN must be 16 plain characters or more"),
        ("SALESFORCE_API_VERSION", "68.0/../v20.0", "SALESFORCE_API_VERSION must be a version"),
        ("SECURE_SSL", "2", "SECURE_SSL must be 1 or 0, not '2'"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
        ("HEARTBEAT_URL", "ftp://example.com/x", "HEARTBEAT_URL must be an address such as https://"),
        ("HEARTBEAT_URL", "https:///key", "HEARTBEAT_URL must be an address"),
        ("HEARTBEAT_URL", "https://example.com:port/", "HEARTBEAT_URL must be an address"),
        ("HEARTBEAT_URL", "https://example.com/a b", "HEARTBEAT_URL must be an address"),
        ("HEARTBEAT_URL", "nonsense", "HEARTBEAT_URL must be an address"),
        ("HUBSPOT_API_VERSION", "v3", "HUBSPOT_API_VERSION must be a version such as 2026-09, not 'v3'"),
        ("HUBSPOT_API_VERSION", "2026-09/../v3", "HUBSPOT_API_VERSION must be a version"),
        ("HUBSPOT_API_VERSION", "2026-04", "HUBSPOT_API_VERSION must be a version"),
    ],
)
def test_nonsense_stops_with_a_line_that_names_it(load: Load, name: str, value: str, line: str) -> None:
    done = load(**{**SOUND, name: value})
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert line in last
    assert "ImproperlyConfigured" in last


def test_outside_debug_a_secret_key_is_required(load: Load, tmp_path: os.PathLike[str]) -> None:
    done = load(PATH=os.environ["PATH"], VAR_DIR=str(tmp_path))
    assert done.returncode != 0
    assert "SECRET_KEY must be set (or DEBUG=1 for a development run)" in done.stderr


def test_a_debug_run_makes_a_key_of_its_own_and_keeps_it(load: Load, tmp_path: os.PathLike[str]) -> None:
    environment = {"PATH": os.environ["PATH"], "DEBUG": "1", "VAR_DIR": str(tmp_path)}
    first, second = (load("settings.SECRET_KEY", **environment).stdout.strip() for _ in range(2))
    assert len(first) > 50
    assert first == second


def test_outside_debug_everything_is_secure(load: Load) -> None:
    names = (
        "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS",
        "SESSION_COOKIE_HTTPONLY",
    )  # fmt: skip
    done = load(f"all((not settings.DEBUG, {', '.join('settings.' + name for name in names)}))", **SOUND)
    assert done.stdout.strip() == "True", done.stderr


def test_a_neighbour_plants_no_cookie(load: Load) -> None:
    """By TLS both cookies have the prefix that binds them to this host."""
    asked = "[settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME]"
    done = load(asked, **SOUND)
    assert done.stdout.strip() == "['__Host-sessionid', '__Host-csrftoken']", done.stderr
    assert load(asked, **SOUND, SECURE_SSL="0").stdout.strip() == "['sessionid', 'csrftoken']"


def test_the_policy_allows_nothing_inline(load: Load) -> None:
    done = load("settings.CONTENT_SECURITY_POLICY", **SOUND)
    assert "unsafe" not in done.stdout
    assert "'default-src': [\"'none'\"]" in done.stdout


@pytest.mark.parametrize("url", ["postgres://localhost/handoff", "sqlite:///handoff.sqlite3"])
def test_the_worker_keeps_no_connection(load: Load, url: str) -> None:
    expression = "settings.DATABASES['default']['CONN_MAX_AGE']"
    environment = {**SOUND, "DATABASE_URL": url}
    assert load(expression, **environment).stdout.strip() == "600"
    assert load(expression, HANDOFF_WORKER="1", **environment).stdout.strip() == "0"


@pytest.mark.parametrize(("keep", "expected"), [("1", "2"), ("0", "None")])
def test_plans_are_kept_unless_a_pooler_changes_connections(load: Load, keep: str, expected: str) -> None:
    expression = (
        "settings.DATABASES['default']['OPTIONS']['prepare_threshold'], "
        "'force_generic_plan' in settings.DATABASES['default']['OPTIONS']['options']"
    )
    environment = {**SOUND, "DATABASE_URL": "postgres://localhost/handoff", "KEEP_PLANS": keep}
    assert load(expression, **environment).stdout.strip() == f"{expected} {keep == '1'}"
    copy = {**environment, "DATABASE_REPLICA_URL": "postgres://localhost/copy"}
    read = load(expression.replace("'default'", "'replica'"), **copy)
    assert read.stdout.strip() == f"{expected} {keep == '1'}", read.stderr
