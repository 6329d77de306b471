# SPDX-License-Identifier: Apache-2.0
"""The discovery document at the tokens' ``iss``, by which JWT verifiers find the room's keys.

``iss`` is the address of the public API's stage, where nobody gets an answer without the edge's
key, but for this document. API Gateway answers it itself: no function and no permission. The keys
stand at the edge, whose address the template of the answer holds. The edge refers to the API's id
alone and not to its methods or stage, so the two do not depend on each other in a circle.
"""

from __future__ import annotations

import json

from waiting_room.openid.protocol import ALGORITHM
from waiting_room.runtime.http_api import CORS, cached

PATH = "/.well-known/openid-configuration"
KEYS = "/.well-known/jwks.json"
KEPT = 300  # s; a deployment alone changes the document
HEADERS = {**CORS, "Cache-Control": cached(KEPT)}
RATE, BURST = 50, 100  # requests a second and at once; verifiers ask when they start


def document(issuer: str, public_api: str) -> str:
    """What a JWT verifier needs, as JSON: the issuer, where its keys are, what they sign with.

    ``public_api`` is the edge's address. The room logs nobody in, so there is no other endpoint.
    """
    return json.dumps(
        {
            "issuer": issuer,
            "jwks_uri": f"{public_api}{KEYS}",
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "subject_types_supported": ["public"],
        }
    )
