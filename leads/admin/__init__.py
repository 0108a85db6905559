"""The admin site: people, calendars, queues, pools, draft rules, the agreement's data, keys, and the records
to look at.

Owns which rows are edited by hand and what must follow from an edit (work of who left moves on, a calendar's
compiled hours are dropped). Leads and handoffs are only shown: what happens to them is `leads.lifecycle`.
"""

from django.contrib import admin
from django.contrib.auth.models import Group

from leads.admin import agreement, calendars, connections, keys, people, records, routes

__all__ = ["agreement", "calendars", "connections", "keys", "people", "records", "routes"]

admin.site.site_header = admin.site.site_title = "Handoff"
admin.site.index_title = "Settings and records"
# Roles are groups with fixed names and meaning; `setup` makes them, and nobody edits them by hand.
if admin.site.is_registered(Group):
    admin.site.unregister(Group)
