"""The one settings file.

Everything that differs between machines comes from the environment; README lists each name.
Nonsense in the environment stops the start with a line that names the variable. Nothing here is a
secret: without SECRET_KEY a debug run makes a key of its own under var/, and any other run refuses.
"""

import logging
import os
import re
import secrets
from importlib.util import find_spec
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from handoff_site import databases, limits, logs, sentry
from handoff_site.environment import boolean, env, integer, understood, web_address, zone
from handoff_site.signing_in import configured, library
from handoff_site.signing_in.library import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parent.parent


DEBUG = boolean("DEBUG", False)
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))


def _debug_key() -> str:
    """A key for development only, made on first use and kept so that sessions survive a restart."""
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    path = VAR_DIR / "debug_secret_key"
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass  # another process made it first; its key is as good
    return path.read_text()


SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY must be set (or DEBUG=1 for a development run)")
    SECRET_KEY = _debug_key()
# Former keys: what they sealed and signed is still read while the key is changed.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
ORG_NAME = env.str("ORG_NAME", default="Handoff")
ORG_TIME_ZONE = zone("ORG_TIME_ZONE", "UTC")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_q",
    "django_filters",
    "template_partials",
    "csp",
    "axes",
    "ninja",
    "simple_history",
    "routing",
    "leads",
    "metrics",
    "handoff_site",
]

MIDDLEWARE = [
    "handoff_site.middleware.ClientAddress",
    "handoff_site.middleware.RequestId",
    # Pages are a quarter of their size on the way. Against guessing at secrets by their size (BREACH): each
    # answer is padded at random, its form token is masked anew, and other sites' requests bring no cookie.
    "django.middleware.gzip.GZipMiddleware",
    "leads.api.errors.Problems",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "handoff_site.middleware.KeptByNobody",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "handoff_site.witness.Witness",
    "handoff_site.sessions.Asking",
    "django_htmx.middleware.HtmxMiddleware",
    "handoff_site.middleware.Seen",
    "handoff_site.middleware.LoginRequired",
    "handoff_site.middleware.PersonalTimeZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Single sign-on, one-time codes and passkeys come with an extra; without it people sign in by password alone.
HAS_LIBRARY = configured.library()
if HAS_LIBRARY:
    # Before ours, which take their tables out of the administration.
    INSTALLED_APPS[:0] = library.APPS
    MIDDLEWARE.append(library.MIDDLEWARE)
OIDC = configured.oidc()

ROOT_URLCONF = "handoff_site.urls"
WSGI_APPLICATION = "handoff_site.wsgi.application"
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "leads.views.shell.shell",
            ],
        },
    },
]

# Web processes keep connections (on PostgreSQL, CONN_MAX_AGE 0 costs most of the throughput; on SQLite, to
# open the file and fill the page cache anew is half of a small page's time); the worker does not, because
# django-q2 forks and a kept connection would be shared between the halves of a fork.
IS_WORKER = boolean("HANDOFF_WORKER", False)
DATABASES = {
    "default": understood(
        "DATABASE_URL",
        lambda: env.db_url("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'handoff.sqlite3'}"),
        "a sqlite:/// or postgres:// address",
    )
}
_database = DATABASES["default"]
POOLER = limits.pooler(is_postgres=_database.get("ENGINE") == "django.db.backends.postgresql")
DATABASE_LIMITS = _for_session = limits.read(IS_WORKER)
_database["CONN_MAX_AGE"] = 0 if IS_WORKER else integer("CONN_MAX_AGE", 600, 0, 86400)
if _database.get("ENGINE") == "django.db.backends.sqlite3":
    Path(_database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-32000;",
    }
elif _database.get("ENGINE") == "django.db.backends.postgresql":
    _database["CONN_HEALTH_CHECKS"] = True
    _options = _database.setdefault("OPTIONS", {})
    # Statements of `routing.prepared` are planned once a connection, from their third time on; not where a
    # pooler gives each transaction another connection. What holds for a session is the pooler's to set there.
    _keeps_plans = boolean("KEEP_PLANS", not POOLER)
    _options["prepare_threshold"] = 2 if _keeps_plans else None
    _for_session = DATABASE_LIMITS | (limits.KEPT if _keeps_plans else {})
    if POOLER:
        _database["DISABLE_SERVER_SIDE_CURSORS"] = True
    else:
        _options["options"] = limits.options(_for_session, _options.get("options", ""))
else:
    raise ImproperlyConfigured("DATABASE_URL must be a sqlite:/// or postgres:// address")
# Pages of figures may be read from a copy that is not too far behind: see `routing.reading`.
REPLICA_MAX_LAG = integer("REPLICA_MAX_LAG", 10, 1, 3600)
if _replica := databases.replica(_database, _for_session):
    DATABASES["replica"] = _replica
    DATABASE_ROUTERS = ["routing.reading.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "handoff"}}

# People
AUTH_USER_MODEL = "routing.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "handoff_site.sessions.Backend"]
PASSWORD_LENGTH = integer("PASSWORD_LENGTH", 10, 8, 64)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": PASSWORD_LENGTH},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
REQUIRE_MFA = configured.required()
# How long a proof of who one is holds for keys, secrets and roles, and for files of personal data.
REAUTH_MINUTES = integer("REAUTH_MINUTES", 15, 1, 1440)
REAUTH_EXPORT_HOURS = integer("REAUTH_EXPORT_HOURS", 12, 1, 336)
AXES_FAILURE_LIMIT = integer("LOGIN_FAILURE_LIMIT", 8, 2, 100)
AXES_COOLOFF_TIME = integer("LOGIN_COOLOFF_MINUTES", 15, 1, 1440) / 60
LOGIN_ADDRESS_LIMIT = integer("LOGIN_ADDRESS_LIMIT", 100, 10, 100_000)
AXES_LOCKOUT_PARAMETERS = "handoff_site.lockout.parameters"
AXES_CLIENT_IP_CALLABLE = "handoff_site.lockout.client_address"
AXES_USERNAME_CALLABLE = "handoff_site.lockout.account"
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_ENABLE_ADMIN = False
AXES_USERNAME_FORM_FIELD = "username"
AXES_DISABLE_ACCESS_LOG = True
# What came with a wrong answer is kept for a while: no code, no passkey, no form with the data of a lead.
_TYPED = "csrfmiddlewaretoken username code credential kept old_password new_password1 new_password2"
AXES_SENSITIVE_PARAMETERS = _TYPED.split()

# Language, time, files
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(VAR_DIR / "static")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
MEDIA_ROOT = VAR_DIR / "media"

# Safety
SECURE_SSL = boolean("SECURE_SSL", not DEBUG)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL
# Browsers take a cookie of such a name by TLS and from this very host only: no neighbour plants one.
_PREFIX = "__Host-" if SECURE_SSL else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_PREFIX}sessionid", f"{_PREFIX}csrftoken"
SECURE_SSL_REDIRECT = SECURE_SSL
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31536000 if SECURE_SSL else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL
# How many proxies of ours a request comes through; what others say about where it comes from is not believed.
_proxies = integer("PROXY_COUNT", 1, 1, 9)
PROXY_COUNT = _proxies if boolean("TRUST_PROXY", False) else 0
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_ENGINE = "handoff_site.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "object-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF, *(OIDC.origins if OIDC else ())],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    },
}

# Mail
_mail = understood(
    "EMAIL_URL",
    lambda: env.email_url("EMAIL_URL", default="consolemail://"),
    "an address such as smtp+tls://user:password@host:587",
)
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST = _mail.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _mail.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _mail.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _mail.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_mail.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_mail.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Handoff <handoff@localhost>")

# Intake
INTAKE_RATE = integer("INTAKE_RATE", 600, 1, 1_000_000)
INTAKE_BURST = integer("INTAKE_BURST", 3000, 1, 10_000_000)
# How many days what is personal is kept, 0 for ever (see leads.retention). Where law differs, nothing is
# assumed: people, what they did and answers to other systems go only where somebody says so.
_KEPT = {"people": 0, "activities": 0, "receipts": 0, "imports": 30, "messages": 90, "access": 0}
RETENTION_DAYS = {
    kind: integer(f"RETENTION_{kind.upper()}_DAYS", days, 0, 36_500) for kind, days in _KEPT.items()
}
# The limiter counts in each web process; it divides its rate by this number to hold the whole.
WEB_PROCESSES = integer("WEB_PROCESSES", 1, 1, 256)

# Enrichment over HTTP: off unless a URL is given. The mapping names response paths per field.
ENRICHMENT_URL = env.str("ENRICHMENT_URL", default="")
ENRICHMENT_KEY = env.str("ENRICHMENT_KEY", default="")
ENRICHMENT_TIMEOUT = integer("ENRICHMENT_TIMEOUT", 5, 1, 20)
ENRICHMENT_MAPPING = understood(
    "ENRICHMENT_MAPPING", lambda: env.json("ENRICHMENT_MAPPING", default={}), "a JSON object"
)
if not isinstance(ENRICHMENT_MAPPING, dict):
    raise ImproperlyConfigured("ENRICHMENT_MAPPING must be a JSON object")

# Hosts that connections may call by plain http and though they lead into a private network, such as those of
# a test system on this machine. Everything else must be a public https address.
CONNECTOR_PRIVATE_HOSTS: list[str] = env.list("CONNECTOR_PRIVATE_HOSTS", default=[])

# Below this share of agreement with a connection, in percent, the sync audit tells marketing ops; 0 never.
SYNC_AGREEMENT_PERCENT = integer("SYNC_AGREEMENT_PERCENT", 95, 0, 100)

# Salesforce's API is versioned by release, in every path; each is supported for three years.
SALESFORCE_API_VERSION = env.str("SALESFORCE_API_VERSION", default="68.0")
if not re.fullmatch(r"\d\d\.0", SALESFORCE_API_VERSION):
    raise ImproperlyConfigured(
        f"SALESFORCE_API_VERSION must be a version such as 68.0, not {SALESFORCE_API_VERSION!r}"
    )

# HubSpot's API is versioned by date, in every path; each version is supported for 18 months.
HUBSPOT_API_VERSION = env.str("HUBSPOT_API_VERSION", default="2026-09")
if not re.fullmatch(r"20\d\d-(03|09)(-beta)?", HUBSPOT_API_VERSION):
    raise ImproperlyConfigured(
        f"HUBSPOT_API_VERSION must be a version such as 2026-09, not {HUBSPOT_API_VERSION!r}"
    )

# Called after each good sweep, so that a dead worker is noticed from outside.
HEARTBEAT_URL = web_address("HEARTBEAT_URL")

# What a monitor shows to read /metrics; without it that page is not there.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="").strip()
if METRICS_TOKEN and (len(METRICS_TOKEN) < 16 or not METRICS_TOKEN.isascii()):
    raise ImproperlyConfigured("METRICS_TOKEN must be 16 plain characters or more")

# Where errors are told, with nothing of a lead in them: see `handoff_site.sentry`.
SENTRY_DSN = web_address("SENTRY_DSN")
if SENTRY_DSN:
    sentry.start(SENTRY_DSN, env.str("SENTRY_ENVIRONMENT", default="production"))

# Background work. At-least-once delivery: every task is idempotent and ends well under its timeout.
# The queue is the database's own unless a Redis is named; see leads.queueing for what differs.
QUEUE_URL = env.str("QUEUE_URL", default="").strip()
if QUEUE_URL and not re.fullmatch(r"(rediss?|unix)://\S+", QUEUE_URL):
    raise ImproperlyConfigured("QUEUE_URL must be an address such as redis://127.0.0.1:6379/0")
if QUEUE_URL and find_spec("redis") is None:
    raise ImproperlyConfigured("QUEUE_URL needs the extra: pip install 'handoff[redis]'")
Q_CLUSTER = {
    "name": "handoff",
    **({"redis": QUEUE_URL} if QUEUE_URL else {"orm": "default"}),
    "workers": integer("WORKERS", 2, 1, 64),
    "queue_limit": 2,
    "bulk": 1,
    "timeout": 60,
    "retry": 300,
    "ack_failures": True,
    "max_attempts": 3,
    "catch_up": False,
    "poll": 0.5,
    "recycle": 500,
    "max_rss": 400000,
    "save_limit": 100,
    "save_limit_per": "func",
    "label": "Tasks",
    "cache": "default",
    "time_zone": "UTC",
}

NINJA_PAGINATION_PER_PAGE = 50
SIMPLE_HISTORY_HISTORY_ID_USE_UUID = False
SILENCED_SYSTEM_CHECKS = ["simple_history.W001"]

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"LOG_LEVEL must be a level such as INFO or WARNING, not {LOG_LEVEL!r}")
LOGGING = logs.configured(LOG_LEVEL)
