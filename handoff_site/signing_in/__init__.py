"""Signing in as a company does it: a provider of identities, a second step, one's sessions.

Owns who comes in by which proof. django-allauth does what is OpenID Connect, one-time codes and passkeys;
without that package (the extra `sign-in`) people sign in by password alone. What a person may do once they
are in stands at each view.
"""
