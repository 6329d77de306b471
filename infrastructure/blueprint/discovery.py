# SPDX-License-Identifier: Apache-2.0
"""Discovery document at the tokens' ``iss``, which lets JWT verifiers find the room's public keys.

``iss`` is the address of the public API's stage. All other routes of the stage require the edge's
API key. An API Gateway mock integration returns the document, without a function or a permission.
The response template contains the edge's address, where the keys are. The edge refers only to the
API's id, not to its methods or stage, so there is no circular dependency.
"""

from __future__ import annotations

import json

from waiting_room.openid.protocol import ALGORITHM
from waiting_room.runtime.http_api import CORS, cached

PATH = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
MAX_AGE = 300  # s; only a deployment changes the document
HEADERS = {**CORS, "Cache-Control": cached(MAX_AGE)}
RATE, BURST = 50, 100  # requests per second and at once; verifiers read it when they start


def document(issuer: str, public_api: str) -> str:
    """Return the document as JSON: issuer, address of the public keys, signing algorithm.

    ``public_api`` is the edge's address. There is no sign-in, so there are no other endpoints.
    """
    return json.dumps(
        {
            "issuer": issuer,
            "jwks_uri": f"{public_api}{KEYS}",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "subject_types_supported": ["public"],
        }
    )
