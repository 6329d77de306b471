# SPDX-License-Identifier: Apache-2.0
"""The target of a load test: the local room, or a room of the options."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from waiting_room.domain.parsing import UNREADABLE

NAMES = ("public_api", "private_api", "store_api", "event_id", "region", "aws_endpoint_url")


class TargetError(Exception):
    """No valid target; the message states the reason."""


@dataclass(frozen=True)
class RoomUnderTest:
    """Addresses without a final slash; APIs with an empty address are not tested."""

    public_api: str
    private_api: str
    store_api: str
    event_id: str
    region: str
    access_key_id: str
    secret_access_key: str
    session_token: str = ""  # of temporary keys
    aws_endpoint_url: str = ""
    pid: int = 0  # of the process that started the local room

    @property
    def local(self) -> bool:
        """Whether it is the local room, whose tables and edge counts can be read."""
        return bool(self.aws_endpoint_url)

    @property
    def edge_stats(self) -> str:
        """The address of the counts of the local edge."""
        parts = urlsplit(self.public_api)
        return f"{parts.scheme}://{parts.netloc}/__edge/stats"


def of_this_machine(folder: Path) -> RoomUnderTest:
    """Return the room of ``folder``/endpoints.json; raises TargetError."""
    path = folder / "endpoints.json"
    if not path.exists():
        raise TargetError(f"No room runs here: start one with `make run` ({path.name} is missing).")
    try:
        found = json.loads(path.read_text())
        target = RoomUnderTest(
            **{name: str(found[name]).rstrip("/") for name in NAMES},
            access_key_id=str(found["access_key_id"]),
            secret_access_key=str(found["secret_access_key"]),
            pid=int(found["pid"]),
        )
    except (OSError, *UNREADABLE):
        raise TargetError(f"{path.name} is invalid: start the room again.") from None
    for address in (target.public_api, target.private_api, target.store_api):
        if not is_loopback(address):
            raise TargetError(f"{address} is not on this machine: name it with --host to load it.")
    return target


def of_options(options: Mapping[str, Any], env: Mapping[str, str]) -> RoomUnderTest:
    """Return the room of the options, with the AWS keys of the environment; raises TargetError."""
    if not options.get("event"):
        raise TargetError("--host needs --event too.")
    private = str(options.get("private") or "").rstrip("/")
    if private and not (env.get("AWS_ACCESS_KEY_ID") and env.get("AWS_SECRET_ACCESS_KEY")):
        raise TargetError("--private needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")
    return RoomUnderTest(
        public_api=str(options["host"]).rstrip("/"),
        private_api=private,
        store_api=str(options.get("store") or "").rstrip("/"),
        event_id=str(options["event"]),
        region=str(options.get("region") or env.get("AWS_REGION") or ""),
        access_key_id=env.get("AWS_ACCESS_KEY_ID", ""),
        secret_access_key=env.get("AWS_SECRET_ACCESS_KEY", ""),
        session_token=env.get("AWS_SESSION_TOKEN", ""),
    )


def is_loopback(address: str) -> bool:
    """Return whether an address is a loopback address."""
    try:
        host = urlsplit(address).hostname or ""
        if host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
