# SPDX-License-Identifier: Apache-2.0
"""Response headers and ``config.json`` of the two static sites.

CloudFront and the local room use the same values. Addresses are those of API stages as browsers
call them, without a trailing slash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

SITES = ("waiting_room", "console")
CONFIG = "config.json"
NOT_FOUND = "404.html"
LOOPBACK = ("http://127.0.0.1:*", "http://localhost:*")


# All sites may import the waiting page's modules; its files contain no secrets.
READABLE = {"Access-Control-Allow-Origin": "*"}
# A site's gate accepts a token only from the waiting page's origin, so its forms send the origin.
WITH_ORIGIN = {"Referrer-Policy": "strict-origin"}
SAME_HOST_REFERRER = {"Referrer-Policy": "same-origin"}
PREVIEW = "preview.html"
PAGE_SCRIPT = '<script type="module" src="page.js"></script>'
PLAIN_ROOM = '<noscript><meta http-equiv="refresh" content="0; url=wait"></noscript>'


def headers_of(
    site: str, addresses: Iterable[str], forms: Iterable[str] = (), images: Iterable[str] = ()
) -> dict[str, str]:
    """Return the headers of all files of ``site``: security headers, and CORS if it needs them.

    The waiting page shows the logo and the images of any event, from any https address.
    """
    if site != SITES[0]:
        return security_headers(addresses, forms, images)
    shown = security_headers(addresses, forms, ("https:", *images))
    return {**shown, **READABLE, **WITH_ORIGIN}


def security_headers(
    addresses: Iterable[str], forms: Iterable[str] = (), images: Iterable[str] = ()
) -> dict[str, str]:
    """Return the security headers of all files of a site that may call only ``addresses``.

    ``forms`` are CSP sources for its forms. Chrome and Safari also apply them to each redirect
    after a form, including those of a site with a gate (see ``login_forms``). ``images`` are
    origins of images; empty ones are ignored.
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
    """Return scheme, host and port of an address."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def login_forms(addresses: Iterable[str]) -> list[str]:
    """Return the form sources of a page that redirects visitors to OpenID clients at ``addresses``,
    or back to a site behind a gate.

    Any https address is allowed: after the callback, clients such as Cognito redirect to hosts that
    are unknown here, and so may a site. For a client on this machine (http), any port of this
    machine is allowed.
    """
    local = any(urlsplit(one).scheme == "http" for one in addresses)
    return ["https:", *(LOOPBACK if local else ())]


def with_plain_room(index: str) -> str:
    """Return ``index.html`` of the waiting page below a protected host.

    Without scripts a browser goes on to the server-rendered room. That room reads event and
    destination from the referrer, so the page needs SAME_HOST_REFERRER.
    """
    before, link, after = index.partition('<noscript><link rel="stylesheet"')
    if not link:
        raise ValueError("index.html has no noscript style sheet: the room without scripts")
    return f"{before}{PLAIN_ROOM}\n    {link}{after}"


def with_preview(index: str) -> str:
    """Return ``preview.html``: ``index.html`` of the waiting page with a script that runs first."""
    before, script, after = index.partition(PAGE_SCRIPT)
    if not script:
        raise ValueError(f"index.html has no {PAGE_SCRIPT}: the preview runs before it")
    return f'{before}<script type="module" src="preview.js"></script>\n    {script}{after}'


def waiting_room_config(
    *,
    event_id: str,
    public_api: str,
    store_api: str,
    openid: str = "",
    entrance: str = "",
    brand: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return ``config.json`` of the waiting page.

    ``openid`` is the issuer of the OpenID provider, or "". ``entrance`` is the address to which the
    page posts the token for a site's gate, or "". ``brand`` contains name, logo, colours and texts
    (``docs/pages.md``).
    """
    return {
        "event_id": event_id,
        "public_api": public_api,
        "store_api": store_api,
        "openid": openid,
        "entrance": entrance,
        "brand": dict(brand or {}),
    }


def console_config(
    *,
    event_id: str,
    region: str,
    public_api: str,
    private_api: str,
    page: str,
    sign_in: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return ``config.json`` of the console, which contains no keys.

    ``page`` is the address of the waiting page, of which the console opens the preview.
    ``sign_in`` are the settings of the sign-in with OpenID Connect (``operator_sign_in.py``), None
    without it.
    """
    return {
        "event_id": event_id,
        "region": region,
        "public_api": public_api,
        "private_api": private_api,
        "waiting_room": page,
        **({"sign_in": dict(sign_in)} if sign_in else {}),
    }
