"""What django-allauth is told: its settings, for `handoff_site.settings` to take over.

Owns that nothing of its own pages, mails and sign-up is used. Imports nothing of it, for it may not be there.
"""

APPS = ["allauth", "allauth.account", "allauth.socialaccount", "allauth.mfa"]
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"

__all__ = [
    "ACCOUNT_EMAIL_VERIFICATION",
    "ACCOUNT_LOGIN_METHODS",
    "ACCOUNT_SIGNUP_FIELDS",
    "ACCOUNT_USER_MODEL_USERNAME_FIELD",
    "MFA_ADAPTER",
    "MFA_PASSKEY_LOGIN_ENABLED",
    "MFA_SUPPORTED_TYPES",
    "MFA_TOTP_TOLERANCE",
    "SOCIALACCOUNT_ADAPTER",
    "SOCIALACCOUNT_REQUESTS_TIMEOUT",
]

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_ADAPTER = "handoff_site.signing_in.oidc.Adapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
MFA_SUPPORTED_TYPES = ["recovery_codes", "totp", "webauthn"]
MFA_TOTP_TOLERANCE = 1
MFA_ADAPTER = "handoff_site.signing_in.proving.Adapter"
MFA_PASSKEY_LOGIN_ENABLED = True
