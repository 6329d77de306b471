# SPDX-License-Identifier: Apache-2.0
"""The SigV4 check of the private API: botocore's signer recomputes the signature."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.credentials import Credentials

from infrastructure.blueprint.permissions import DENIED
from waiting_room.domain.parsing import UNREADABLE

SERVICE = "execute-api"
ACCOUNT = "123456789012"
OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/local-operator"
CLOCK_SKEW = 300  # s; maximum difference of a signature's date, as on AWS
MISSING = "Missing Authentication Token"
UNKNOWN_KEY = "The security token included in the request is invalid."
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
EXPIRED = "Signature expired or not yet current."
ENDED = "The security token included in the request is expired"
_HEADER = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[^/,\s]+)"
    r"/(?P<service>[^/,\s]+)/aws4_request\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})"
)


class _Named(SigV4Auth):
    """Signs exactly the headers of ``SignedHeaders``."""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers


@dataclass(frozen=True, kw_only=True)
class AccessKey:
    """A key of ``arn``; temporary keys have a session ``token`` and an end.

    ``routes`` are those that it may call, as in ``permissions.py``; None for all. ``identity`` is
    the id in an identity pool.
    """

    signer: _Named
    arn: str
    token: str = ""
    ends: float = math.inf
    routes: Sequence[str] | None = None
    identity: str = ""


class Signatures:
    """Access keys with the ARN of each: the operator's, and those that are added."""

    def __init__(self, access_key_id: str, secret_access_key: str, region: str) -> None:
        self._region = region
        self._keys: dict[str, AccessKey] = {}
        self.add(access_key_id, secret_access_key, OPERATOR)

    def add(self, access_key_id: str, secret_access_key: str, arn: str, **more: Any) -> None:
        """Add the access key of ``arn``; ``more`` are members of AccessKey."""
        credentials = Credentials(access_key_id, secret_access_key)
        signer = _Named(credentials, SERVICE, self._region)
        self._keys[access_key_id] = AccessKey(signer=signer, arn=arn, **more)

    def forbidden(self, method: str, path: str, headers: Mapping[str, str]) -> str:
        """Return AWS's message if the role of an accepted signer does not allow a call; or "".

        ``path`` has no stage.
        """
        header = _HEADER.fullmatch(headers.get("authorization", "").strip())
        key = self._keys[header["key"]] if header else None
        if key is None or key.routes is None:
            return ""
        call = f"{method} {path}"
        if _listed(call, key.routes) and not _listed(call, DENIED):
            return ""
        return (
            f"User: {key.arn} is not authorized to perform: {SERVICE}:Invoke on resource:"
            f" arn:aws:{SERVICE}:{self._region}:{ACCOUNT}:private/api/{method}{path}"
        )

    def identity(self, headers: Mapping[str, str]) -> dict[str, str | None]:
        """Return the ``identity`` of API Gateway for the signer of an accepted request."""
        header = _HEADER.fullmatch(headers.get("authorization", "").strip())
        if header is None or header["key"] not in self._keys:
            return {}
        key = self._keys[header["key"]]
        return {
            "accessKey": header["key"],
            "accountId": ACCOUNT,
            "caller": header["key"],
            "user": header["key"],
            "userArn": key.arn,
            "cognitoAuthenticationProvider": None,
            "cognitoIdentityId": key.identity or None,
        }

    def refusal(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        now: datetime | None = None,
    ) -> str:
        """Return API Gateway's message for a rejected request; empty if the signature is valid.

        ``path`` and ``query`` as they were sent, header names in lower case.
        """
        header = _HEADER.fullmatch(headers.get("authorization", "").strip())
        if header is None:
            return MISSING
        key = self._keys.get(header["key"])
        given = headers.get("x-amz-security-token", "")
        if key is None or (
            key.token and not hmac.compare_digest(given.encode(), key.token.encode())
        ):
            return UNKNOWN_KEY
        if key.ends < (now or datetime.now(UTC)).timestamp():
            return ENDED
        if (header["region"], header["service"]) != (self._region, SERVICE):
            return MISMATCH
        date = headers.get("x-amz-date", "")
        if not _current(date, header["day"], now or datetime.now(UTC)):
            return EXPIRED
        names = header["headers"].split(";")
        digest = headers.get("x-amz-content-sha256")
        if digest not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
            return MISMATCH
        if "host" not in names or any(name not in headers for name in names):
            return MISMATCH
        signed = {name: headers[name] for name in names}
        try:
            wanted = self._signature(key.signer, method, path, query, signed, body, date)
        except UNREADABLE:  # an invalid host, or text that UTF-8 cannot encode
            return MISMATCH
        return "" if hmac.compare_digest(wanted, header["signature"]) else MISMATCH

    @staticmethod
    def _signature(
        signer: _Named,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        date: str,
    ) -> str:
        pairs = parse_qsl(query, keep_blank_values=True)
        encoded = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs
        )
        url = f"http://{headers['host']}{path}" + (f"?{encoded}" if encoded else "")
        request = AWSRequest(method=method, url=url, data=body, headers=HeadersDict(headers))
        request.context["timestamp"] = date
        canonical = signer.canonical_request(request)
        return str(signer.signature(signer.string_to_sign(request, canonical), request))


def _listed(call: str, routes: Sequence[str]) -> bool:
    """Return whether a policy names a call; a path parameter matches any text, as in IAM."""
    return any(fnmatchcase(call, re.sub(r"{\w+}", "*", one)) for one in routes)


def _current(date: str, day: str, now: datetime) -> bool:
    try:
        at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return date.startswith(day) and abs((now - at).total_seconds()) <= CLOCK_SKEW
