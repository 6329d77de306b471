# SPDX-License-Identifier: Apache-2.0
"""The operators' sign-in with OpenID Connect, as plain data: roles, and settings of the console.

The stack and the one-machine room use the same values. The console and the provider exchange a
code, the identity pool exchanges the ID token for credentials of one of the roles.
"""

from __future__ import annotations

from typing import Any

from infrastructure.blueprint.permissions import ADMINISTRATORS, STEERING, WATCHING

# The roles with their routes, the highest first: an operator of several groups has the first one.
ROLES = {"administer": ADMINISTRATORS, "steer": STEERING, "watch": WATCHING}
CALLBACK = "callback.html"  # page of the console to which the provider returns
# The console asks for an address of its user pool to end all sign-ins of the operator (the last
# scope), and shows the e-mail address.
COGNITO_SCOPES = ("openid", "email", "aws.cognito.signin.user.admin")
SCOPES = "openid offline_access"  # of another provider, unless it is told
COGNITO_CLAIM = "cognito:groups"
SESSION_NAME = "CognitoIdentityCredentials"  # of each role session of an identity pool


def cognito_settings(
    *, issuer: str, login: str, client_id: str, identity_pool: str, region: str, users: str
) -> dict[str, Any]:
    """Return ``sign_in`` of the console's ``config.json`` for a user pool of Cognito.

    ``login`` is the address of its managed login, ``users`` that of its API; both have no final
    slash.
    """
    return {
        "issuer": issuer,
        "client_id": client_id,
        "scopes": " ".join(COGNITO_SCOPES),
        "groups_claim": COGNITO_CLAIM,
        "group_prefix": "",
        "identity_pool": identity_pool,
        "identity_api": identity_api(region),
        "users_api": users,
        "endpoints": {
            "authorization_endpoint": f"{login}/oauth2/authorize",
            "token_endpoint": f"{login}/oauth2/token",
            "revocation_endpoint": f"{login}/oauth2/revoke",
            "end_session_endpoint": f"{login}/logout",
        },
    }


def provider_settings(
    *,
    issuer: str,
    client_id: str,
    scopes: str,
    groups_claim: str,
    group_prefix: str,
    identity_pool: str,
    identity_api: str,
) -> dict[str, Any]:
    """Return ``sign_in`` of ``config.json`` for another provider, whose endpoints it publishes."""
    return {
        "issuer": issuer,
        "client_id": client_id,
        "scopes": scopes,
        "groups_claim": groups_claim,
        "group_prefix": group_prefix,
        "identity_pool": identity_pool,
        "identity_api": identity_api,
        "users_api": "",
    }


def identity_api(region: str) -> str:
    """Return the address of the API of identity pools in a region."""
    return f"https://cognito-identity.{region}.amazonaws.com"


def provider_rules(prefix: str) -> list[tuple[str, str]]:
    """Return the name of each group with its role, in the order in which a pool compares them."""
    return [(f"{prefix}{role}", role) for role in ROLES]
