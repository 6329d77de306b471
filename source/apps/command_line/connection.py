# SPDX-License-Identifier: Apache-2.0
"""The room of a command: its addresses and credentials, from the options or from this machine."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.command_line.api_client import LONGEST_RESPONSE, Fetch, RoomApi
from apps.command_line.errors import not_permitted, unreachable, usage
from waiting_room.adapters.http.json_get import get_json
from waiting_room.adapters.http.signed_client import RetryPolicy, SignedClient, TimeLimits
from waiting_room.adapters.operator_access import (
    AccessDenied,
    credentials_of,
    open_session,
    region_of,
    stack_outputs,
    static_credentials,
)
from waiting_room.domain.errors import SettingsError, Unavailable
from waiting_room.domain.parsing import UNREADABLE, check_address

ROOT = Path(__file__).resolve().parents[3]
ENDPOINTS = "endpoints.json"  # of `make run`
PRIVATE_OUTPUT, PUBLIC_OUTPUT = "PrivateApiInvokeURL", "PublicApiInvokeURL"  # of the core stack
REGION_IN_HOST = re.compile(r"^https://[^/]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com")
SERVICE = "execute-api"
LIMITS = TimeLimits(connect=3.0, read=29.0)  # s; API Gateway ends a request after 29 s
RETRY = RetryPolicy(attempts=4, pause=0.3)


def local_folder() -> Path:
    """Return the folder in which `make run` writes its addresses."""
    return Path(os.environ.get("LOCAL_DIR") or ROOT / ".local")


@dataclass
class Options:
    """The options that every command has, and what tests replace."""

    api: str | None = None
    public_api: str | None = None
    stack: str | None = None
    region: str | None = None
    profile: str | None = None
    as_json: bool = False
    folder: Path = field(default_factory=local_folder)
    pool: Any = None
    fetch: Fetch = get_json
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.time

    def connect(self) -> RoomApi:
        """Return the API of the chosen room; raises CommandError."""
        try:
            if not self.api and not self.stack:
                return self._local()
            session = open_session(self.profile, self.region)
            private, public = self.api or "", self.public_api or ""
            if not self.api and self.stack:
                outputs = stack_outputs(session, self.stack)
                if PRIVATE_OUTPUT not in outputs:
                    raise usage(
                        f"--stack: the stack {self.stack} has no output {PRIVATE_OUTPUT}:"
                        " name the core stack"
                    )
                private = outputs[PRIVATE_OUTPUT]
                public = public or outputs.get(PUBLIC_OUTPUT, "")
            found = REGION_IN_HOST.match(private)
            region = self.region or (found[1] if found else region_of(session))
            if not region:
                raise usage("the AWS region is not set: set --region or AWS_REGION")
            return self._room(private, public, region, credentials_of(session))
        except SettingsError as error:
            raise usage(str(error)) from None
        except AccessDenied as error:
            raise not_permitted(str(error)) from None
        except Unavailable as error:
            raise unreachable(str(error)) from None

    def _local(self) -> RoomApi:
        path = self.folder / ENDPOINTS
        try:
            return self.local_room(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise usage(
                "no room runs on this machine: start one with `make run`, or name one with"
                " --api or --stack"
            ) from None
        except (OSError, *UNREADABLE):
            raise usage(f"{path} is invalid: start the room again") from None

    def local_room(self, endpoints: Mapping[str, Any]) -> RoomApi:
        """Return the API of a room on this machine, from the content of its ``endpoints.json``."""
        names = ("private_api", "public_api", "region", "access_key_id", "secret_access_key")
        private, public, region, key_id, secret = (str(endpoints[name]) for name in names)
        public = self.public_api or public
        return self._room(
            private, public, self.region or region, static_credentials(key_id, secret)
        )

    def _room(
        self, private: str, public: str, region: str, credentials: Callable[[], Any]
    ) -> RoomApi:
        client = SignedClient(
            SERVICE, region, credentials, LIMITS, RETRY,
            longest=LONGEST_RESPONSE, pool=self.pool, sleep=self.sleep,
        )  # fmt: skip
        private = _address(private, "--api")
        public = _address(public, "--public-api") if public else ""
        return RoomApi(client, private, public, self.fetch)


def _address(address: str, option: str) -> str:
    try:
        return check_address(address, option).rstrip("/")
    except SettingsError:
        raise usage(
            f"{option} must be an https address, or an http address of this machine"
        ) from None
