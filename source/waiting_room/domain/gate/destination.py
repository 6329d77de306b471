# SPDX-License-Identifier: Apache-2.0
"""Destination of a visitor after the entrance: the parameter ``to``.

A destination is a path of the host of the request, or an address of a host in ``site.hosts``. Any
other text leads to ``/``, so that the entrance never leads to another site.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from waiting_room.domain.gate import credentials
from waiting_room.domain.gate.credentials import GateKeys, GateSession
from waiting_room.domain.gate.request import local_path
from waiting_room.domain.gate.rules import OWN_PATHS

MAX_DESTINATION = 6_000  # characters
ADDRESS = re.compile(r"(https?)://([A-Za-z0-9.-]{1,253})(:[0-9]{1,5})?(/[\x21-\x7e]*)?")
UNRESERVED = "-_.!~*'()"


@dataclass(frozen=True, slots=True)
class Destination:
    """A path, and the origin of another host; ``origin`` is empty for the host of the request.

    ``note`` is one of NOTES or empty: what the visitor has to know before.
    """

    path: str
    origin: str = ""
    note: str = ""

    @property
    def host(self) -> str:
        """Name of the other host, without its port; empty for the host of the request."""
        return host_name(self.origin.rpartition("//")[2])

    @property
    def address(self) -> str:
        """The path, with the origin of another host."""
        return f"{self.origin}{self.path}"


def destination(to: str, host: str, hosts: Collection[str], *, secure: bool) -> Destination:
    """Return the destination that ``to`` names, or ``/``.

    ``host`` is that of the request. ``hosts`` are names in lower case. Without ``secure`` an
    address may have the scheme http and a port.
    """
    if len(to) > MAX_DESTINATION:
        return Destination("/")
    found = ADDRESS.fullmatch(to)
    if found is None:
        return Destination(local_path(to))
    scheme, name, port = found[1], found[2].lower(), found[3] or ""
    path = local_path(found[4] or "/")
    if secure and (scheme != "https" or port not in ("", ":443")):
        return Destination("/")
    port = "" if secure else port
    if f"{name}{port}" == host.lower() or (secure and name == host_name(host)):
        return Destination(path)
    return Destination(path, f"{scheme}://{name}{port}") if name in hosts else Destination("/")


def with_session(to: Destination, session: GateSession, keys: GateKeys, now: int) -> str:
    """Return the address to which a response with a session cookie leads.

    On another host this is the hand-over of that host's gate, with a ticket.
    """
    if not to.origin:
        return to.path
    ticket = credentials.encode_ticket(session, to.origin.rpartition("//")[2], now, keys)
    query = f"event={session.event_id}&to={encoded(to.path)}&ticket={encoded(ticket)}"
    return f"{to.origin}{OWN_PATHS}/handover?{query}"


def own_address(route: str, event_id: str, to: Destination | None = None) -> str:
    """Return an address of the room on the host of the request; an empty route is the page."""
    address = f"{OWN_PATHS}/{route}?event={encoded(event_id)}"
    if to is None:
        return address
    return f"{address}&to={encoded(to.address)}" + (f"&note={to.note}" if to.note else "")


def encoded(text: str) -> str:
    """Return a text as a value in a query string."""
    return quote(text, safe=UNRESERVED)


def host_name(host: str) -> str:
    """Return a host in lower case without its port and without a dot at the end."""
    return re.sub(r"\.?(:[0-9]*)?$", "", host.lower())
