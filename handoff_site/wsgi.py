"""The WSGI application that waitress and gunicorn serve."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "handoff_site.settings")
# Whoever serves people waits for no statement for long: see `handoff_site.limits`.
os.environ.setdefault("HANDOFF_WEB", "1")
application = get_wsgi_application()
