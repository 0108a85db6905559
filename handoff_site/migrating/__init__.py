"""Changes of the database while the site runs: which are safe, and how a migration waits for its locks.

Owns the rules that `make check` holds migrations to, and the manners of `manage.py migrate`. Never says what
a table looks like: that is the models'.
"""
