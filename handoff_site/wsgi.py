"""The WSGI application that waitress and gunicorn serve.

Owns that a process has loaded everything before it serves anybody, and that the garbage collector leaves what
is loaded alone: it stays, and to go through it costs a fifth of what many events in one request do.
"""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "handoff_site.settings")
# Whoever serves people waits for no statement for long: see `handoff_site.limits`.
os.environ.setdefault("HANDOFF_WEB", "1")
application = get_wsgi_application()
# The views, which Django would load with the first request.
get_resolver().url_patterns  # noqa: B018
gc.collect()
gc.freeze()
