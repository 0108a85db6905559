"""A real provider of identities for the tests: django-oauth-toolkit in a process of its own."""
