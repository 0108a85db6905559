"""Configuration that a deployment copies: nginx, gunicorn, PgBouncer, systemd units.

Owns files that others read; only `serving.py` is Python, and imports nothing of ours. The tests run each of
them as it stands, with addresses and paths of their own put in.
"""
