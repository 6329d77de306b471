# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4 of a JSON request: ``POST /``, every header signed.

Source: "Create a signed AWS API request" in the IAM user guide. A test holds it to botocore's.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from time import gmtime, strftime

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys that a request is signed with; ``token`` belongs to keys of a role."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Signer:
    """Signs the requests to one host; keeps the key of the day."""

    def __init__(self, service: str, region: str, host: str) -> None:
        self._service, self._region, self._host = service, region, host
        self._day_key: tuple[str, str, bytes] = ("", "", b"")

    def headers(
        self, headers: Mapping[str, str], body: bytes, credentials: Credentials, now: float
    ) -> dict[str, str]:
        """``headers`` (lower-case names) with those that make the request a signed one."""
        stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
        signed = {**headers, "host": self._host, "x-amz-date": stamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = ";".join(sorted(signed))
        lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
        request = f"POST\n/\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = _mac(self._key(credentials.secret_key, stamp[:8]), text).hex()
        signed["authorization"] = (
            f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str, day: str) -> bytes:
        known_secret, known_day, key = self._day_key
        if (known_secret, known_day) != (secret, day):
            key = _mac(f"AWS4{secret}".encode(), day)
            for part in (self._region, self._service, "aws4_request"):
                key = _mac(key, part)
            self._day_key = (secret, day, key)
        return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
