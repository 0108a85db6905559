"""Keeping the data: backups of a running database, restoring them, and the move from SQLite to PostgreSQL.

`copying` makes and puts back backups, `moving` goes from one database to the other; both believe nothing
that `counting` has not found equal, row for row. Never looks at what the rows mean, and keeps no secret:
what is sealed stays sealed, and its key is no part of a backup.
"""
