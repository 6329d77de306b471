# SPDX-License-Identifier: Apache-2.0
"""Settings of the operators' sign-in in the one-machine room, which has an emulated identity pool.

It has no user pool: a developer gives the issuer of a provider. Without one, the console offers IAM
keys only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployment.local.gateway.identity_pool import PoolSettings
from infrastructure.blueprint.operator_sign_in import SCOPES, provider_settings

POOL_ID = "00000000-0000-4000-8000-000000000000"
ISSUER = "OPERATOR_ISSUER"
DEFAULTS = {
    ISSUER: "",
    "OPERATOR_CLIENT_ID": "console",
    "OPERATOR_SCOPES": SCOPES,
    "OPERATOR_GROUPS_CLAIM": "groups",
    "OPERATOR_GROUP_PREFIX": "waiting-room-",
}


def pool_settings(env: Mapping[str, str]) -> PoolSettings:
    """Return the settings of the identity pool; without an issuer, it accepts no token."""
    return PoolSettings(
        issuer=env[ISSUER],
        client_id=env["OPERATOR_CLIENT_ID"],
        groups_claim=env["OPERATOR_GROUPS_CLAIM"],
        group_prefix=env["OPERATOR_GROUP_PREFIX"],
        pool_id=f"{env['AWS_REGION']}:{POOL_ID}",
    )


def sign_in(env: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the settings of the console's sign-in; None without a provider."""
    pool = pool_settings(env)
    if not pool.issuer:
        return None
    return provider_settings(
        issuer=pool.issuer,
        client_id=pool.client_id,
        scopes=env["OPERATOR_SCOPES"],
        groups_claim=pool.groups_claim,
        group_prefix=pool.group_prefix,
        identity_pool=pool.pool_id,
        identity_api=env["IDENTITY_POOL_ENDPOINT"],
    )
