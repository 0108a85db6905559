"""The site's settings with what a test run changes: a development key, quick password hashes, no mail."""

import os
import tempfile

os.environ.setdefault("DEBUG", "1")
os.environ.setdefault("SECURE_SSL", "0")

from handoff_site.settings import *  # noqa: F403

DEBUG = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# As in a debug run: otherwise every client of every test reads all static files when it starts.
WHITENOISE_AUTOREFRESH = True

# Threads share a file, not memory: an in-memory SQLite refuses what a real one lets wait.
DATABASES["default"]["TEST"] = {"NAME": None}  # noqa: F405
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"] = {  # noqa: F405
        "NAME": os.path.join(tempfile.gettempdir(), f"handoff-test-{os.getuid()}-{os.getpid()}.sqlite3")
    }
