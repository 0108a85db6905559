"""Connections as people set them up: made, changed, their secrets kept, tried, mapped, deleted.

Owns every edit of a connection and what is known of how it is. What is owed to it is `leads.outbox`, how one
speaks to it `leads.connectors`; the pages are `leads.views.integrations`.
"""
