# SPDX-License-Identifier: Apache-2.0
"""What the two static sites are served with: headers, and the ``config.json`` beside them.

One definition for CloudFront and for the one-machine stack. Addresses are API stage addresses as
browsers call them, without a slash at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

SITES = ("waiting_room", "control_panel")
CONFIG = "config.json"
NOT_FOUND = "404.html"
LOOPBACK = ("http://127.0.0.1:*", "http://localhost:*")


# Every site may import the waiting page's modules; there is nothing secret in its files.
READABLE = {"Access-Control-Allow-Origin": "*"}
# A site's gate takes a token from the waiting page's origin only, so the page's forms tell it.
WITH_ORIGIN = {"Referrer-Policy": "strict-origin"}


def headers_of(
    site: str, addresses: Iterable[str], forms: Iterable[str] = (), images: Iterable[str] = ()
) -> dict[str, str]:
    """The headers of every file of ``site``: those of security, and who else may read it."""
    own = {**READABLE, **WITH_ORIGIN} if site == SITES[0] else {}
    return {**security_headers(addresses, forms, images), **own}


def security_headers(
    addresses: Iterable[str], forms: Iterable[str] = (), images: Iterable[str] = ()
) -> dict[str, str]:
    """The headers of every file of a site that may call ``addresses`` and nothing else.

    ``forms`` are CSP sources that its forms may be sent to: Chrome and Safari hold every redirect
    that follows to them too (``login_forms``), also those of a site behind a gate's entrance.
    ``images`` are origins of pictures; empty ones do not count.
    """
    origins = sorted({origin(one) for one in addresses if one})
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        " ".join(("img-src 'self' data:", *sorted(set(filter(None, images))))),
        "media-src 'self' data:",
        "manifest-src 'self'",
        " ".join(("connect-src 'self'", *origins)),
        "base-uri 'none'",
        " ".join(("form-action 'self'", *sorted(forms))),
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def origin(address: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def login_forms(addresses: Iterable[str]) -> list[str]:
    """The form sources of a page that hands visitors over to OpenID clients at ``addresses``.

    The callback is not the end: Cognito's sends the browser on to the application's, and that to
    the page which was wanted first, on hosts that nobody knows here. So any https address is
    allowed; a client on this machine (http) may go on at any port of this machine.
    """
    local = any(urlsplit(one).scheme == "http" for one in addresses)
    return ["https:", *(LOOPBACK if local else ())]


def waiting_room_config(
    *,
    event_id: str,
    public_api: str,
    store_api: str,
    openid: str = "",
    entrance: str = "",
    brand: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """``config.json`` of the waiting page.

    ``openid`` is the issuer of the OpenID provider that sends visitors here, if there is one;
    ``entrance`` the address where the gate of a site takes the token, if there is one; ``brand``
    holds name, logo, colours and texts (``docs/pages.md``).
    """
    return {
        "event_id": event_id,
        "public_api": public_api,
        "store_api": store_api,
        "openid": openid,
        "entrance": entrance,
        "brand": dict(brand or {}),
    }


def control_panel_config(
    *, event_id: str, region: str, public_api: str, private_api: str
) -> dict[str, Any]:
    """``config.json`` of the control panel. No key is ever in it."""
    return {
        "event_id": event_id,
        "region": region,
        "public_api": public_api,
        "private_api": private_api,
    }
