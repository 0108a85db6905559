"""The site's settings as a deployment has them, with the bare views mounted beside the site."""

import os
from pathlib import Path

os.environ.setdefault("SECRET_KEY", "for-the-bench-only-8dKq2vRmX5tYw1LzPc7JhNs4GbFe9UoA")
os.environ.setdefault("DEBUG", "0")
# The clients are on this machine and speak plain HTTP.
os.environ.setdefault("SECURE_SSL", "0")
os.environ.setdefault("EMAIL_URL", "dummymail://")
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("INTAKE_RATE", "1000000")
os.environ.setdefault("INTAKE_BURST", "10000000")

from handoff_site.settings import *  # noqa: F403
from handoff_site.settings import INSTALLED_APPS as SITE_APPS
from handoff_site.settings import STATIC_ROOT

INSTALLED_APPS = [*SITE_APPS, "tests.bench.yardstick"]
ROOT_URLCONF = "tests.bench.urls"
# Without collected files: the bench asks for pages, not for their style sheets.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# whitenoise says so when there is no folder of collected files.
Path(STATIC_ROOT).mkdir(parents=True, exist_ok=True)
