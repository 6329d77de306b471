# SPDX-License-Identifier: Apache-2.0
"""The table of the OpenID provider: one definition for CDK and one machine."""

from __future__ import annotations

from infrastructure.blueprint.resources import Table

CODES = Table("OpenIdCodes", "OPENID_CODES_TABLE", ("code", "S"))
