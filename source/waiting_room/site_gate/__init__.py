# SPDX-License-Identifier: Apache-2.0
"""The gate of a protected site as WSGI or ASGI middleware, with the decision of the edge.

    from waiting_room.site_gate import SiteGateSettings, WsgiSiteGate

    app = WsgiSiteGate(app, SiteGateSettings(
        events=("Sample",),
        private_api="https://….execute-api.eu-central-1.amazonaws.com/api",
    ))

Rules, state and keys come from ``GET /events/{id}/gate`` of the private API. ``gate.py`` decides.
``wsgi.py`` and ``asgi.py`` convert requests and responses. It needs botocore to sign that call.
``waiting_room.gate`` is the other gate: its site has settings and a token entrance of its own.
"""

from waiting_room.site_gate.asgi import AsgiSiteGate
from waiting_room.site_gate.gate import SiteGate
from waiting_room.site_gate.settings import SiteGateSettings
from waiting_room.site_gate.wsgi import WsgiSiteGate

__all__ = ["AsgiSiteGate", "SiteGate", "SiteGateSettings", "WsgiSiteGate"]
