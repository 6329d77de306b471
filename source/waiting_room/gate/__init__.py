# SPDX-License-Identifier: Apache-2.0
"""The gate: puts a plain Python site behind the waiting room, as WSGI or ASGI middleware.

    from waiting_room.gate import GateSettings, WsgiGate

    app = WsgiGate(app, GateSettings(
        event_id="Sample",
        issuer="https://….execute-api.eu-central-1.amazonaws.com/api",
        public_api="https://….cloudfront.net",
        waiting_room_url="https://….cloudfront.net/",
        secret=os.environ["GATE_SECRET"],
        exclude=("/static", "/health"),
    ))

It needs PyJWT and cryptography. It requests only the keys of the room; all other checks are local.
``decision.py`` decides. ``wsgi.py`` and ``asgi.py`` convert requests and responses.
"""

from waiting_room.gate.asgi import AsgiGate
from waiting_room.gate.decision import Gate
from waiting_room.gate.settings import GateSettings
from waiting_room.gate.wsgi import WsgiGate

__all__ = ["AsgiGate", "Gate", "GateSettings", "WsgiGate"]
