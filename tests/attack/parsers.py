# SPDX-License-Identifier: Apache-2.0
"""Finding 2: hostile bytes on every route of every API; none is answered with a 5xx."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from tests.attack.invalid_input import bodies
from tests.attack.report import Attempt
from tests.attack.target import Target

FAULT = "parsers"
EACH = 12  # requests of each route
PUBLIC = {
    "GET": ("/queue_num", "/serving_num", "/waiting_num", "/status", "/queue_pos_expiry",
            "/public_key", "/.well-known/jwks.json", "/ended_sessions", "/page", "/nowhere"),
    "POST": ("/assign_queue_num", "/generate_token"),
}  # fmt: skip
PRIVATE = {
    "GET": ("/num_active_tokens", "/expired_tokens", "/request_status", "/metrics", "/inlet"),
    "POST": ("/increment_serving_counter", "/generate_token", "/update_session", "/update_message",
             "/inlet", "/rotate_keys", "/rotate_gate_keys"),
}  # fmt: skip
OPENID = {
    "GET": ("/authorize", "/userInfo", "/.well-known/openid-configuration"),
    "POST": ("/authorize", "/token", "/userInfo"),
}  # fmt: skip
STORE = {"GET": ("/buy", "/status"), "POST": ("/buy",)}
NAMES = (
    "event_id", "request_id", "limit", "next_token", "client_id", "redirect_uri", "state", "code",
    "scope", "response_type", "nonce", "transaction", "code_challenge", "event_id[]", "",
)  # fmt: skip
MEMBERS = (
    "event_id", "request_id", "increment_by", "status", "message", "issuer", "validity_period",
    "client_secret", "call_id", "generation", "targets", "paused", "health", "revoke",
)  # fmt: skip
SURROGATES = b"%ed%a0%80"
VALUES = (
    b"", b"0", b"-1", b"1" * 5000, b"%00", b"%", b"%zz", b"%ff%fe", SURROGATES, b"%c0%af", b"+",
    b"%F0%9F%98%80", b"\xff\xfe", b"\xed\xa0\x80", b"a" * 3000, b"%0d%0aX: y", b"[]", b"{}",
    b"https://%5b", b"https://[::1", b"https://a:b", b"//", b"data:,", b"%E2%80%AE",
)  # fmt: skip
TOKENS = (
    b"Bearer", b"Bearer ", b"Bearer a.b.c", b"Basic ", b"Basic !!!!", b"Basic gIA6gIA=",
    b"Basic \xff", b"Bearer " + b"." * 3000, b"\xed\xa0\x80", b"Bearer e30.e30.",
    b"AWS4-HMAC-SHA256", b"Bearer eyJhbGciOiJub25lIn0.e30.",
    b"AWS4-HMAC-SHA256 Credential=\xff/a/b/c/d, Signature=",
)  # fmt: skip
TYPES = (
    b"application/json",
    b"",
    b"text/plain",
    b"application/x-www-form-urlencoded",
    b"\xff",
    b";",
)
COOKIES = (
    b"",
    b"a=b",
    b"__Host-transaction=\xff",
    b"=;=;;",
    b"transaction=" + SURROGATES,
    b"\x80=\x80",
)


def run(target: Target) -> list[Attempt]:
    """So many requests of each route, chosen by the target's dice."""
    return [
        *_door(target, "public_api", PUBLIC),
        *_door(target, "openid_issuer", OPENID),
        *_door(target, "store_api", STORE),
        *_signed(target),
    ]


def _door(target: Target, door: str, routes: dict[str, tuple[str, ...]]) -> Iterator[Attempt]:
    for method, paths in routes.items():
        for path in paths:
            said = Counter(target.raw(door, _request(target, method, path)) for _ in range(EACH))
            yield _attempt(f"{door} {method} {path}", said)


def _request(target: Target, method: str, path: str) -> bytes:
    dice = target.dice
    pairs = [
        quote(dice.choice(NAMES)).encode() + b"=" + _value(target) for _ in range(dice.randrange(5))
    ]
    if dice.random() < 0.7:
        pairs.append(b"event_id=" + target.room.event_id.encode())
    body = _body(target) if method == "POST" else b""
    lines = [
        f"{method} /api{path}?".encode() + b"&".join(pairs) + b" HTTP/1.1",
        b"Host: room",
        b"Connection: close",
        b"Content-Length: " + str(len(body)).encode(),
        b"Content-Type: " + dice.choice(TYPES),
        b"X-Forwarded-For: " + target.address().encode(),
    ]
    if dice.random() < 0.5:
        lines.append(b"Authorization: " + dice.choice(TOKENS))
    if dice.random() < 0.5:
        lines.append(b"Cookie: " + dice.choice(COOKIES))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _value(target: Target) -> bytes:
    dice = target.dice
    if dice.random() < 0.3:
        return base64.urlsafe_b64encode(dice.randbytes(dice.randrange(40)))
    return dice.choice(VALUES)


def _body(target: Target) -> bytes:
    dice = target.dice
    kind = dice.randrange(4)
    if kind == 0:
        return dice.choice(
            [one for one in bodies(target.room.event_id).values() if len(one) < 9000]
        )
    if kind == 1:
        return b"&".join(
            quote(dice.choice(NAMES)).encode() + b"=" + _value(target) for _ in range(4)
        )
    if kind == 2:
        return dice.randbytes(dice.randrange(200))
    return json.dumps(_members(target)).encode()


def _members(target: Target) -> dict[str, object]:
    dice = target.dice
    values = (
        None, True, 0, -1, 1, 10**400, 2**63, 1.5, 1e300, "", "\ud800", "\x00", "x" * 5000, [], {},
        [[]], {"a": {}}, target.uuid(), target.room.event_id, "9" * 5000,
    )  # fmt: skip
    found: dict[str, object] = {
        dice.choice(MEMBERS): dice.choice(values) for _ in range(dice.randrange(1, 5))
    }
    if dice.random() < 0.8:
        found["event_id"] = target.room.event_id
    return found


def _signed(target: Target) -> Iterator[Attempt]:
    """Calls that somebody signed who may make them."""
    room = target.room
    for method, paths in PRIVATE.items():
        for path in paths:
            said: Counter[int] = Counter()
            for _ in range(EACH):
                body = _body(target) if method == "POST" else b""
                pairs = [
                    f"{name}={quote(_value(target))}"
                    for name in target.dice.sample(NAMES[:-2], target.dice.randrange(3))
                ]
                url = f"{room.endpoints['private_api']}{path}?" + "&".join(
                    [f"event_id={room.event_id}", *(p for p in pairs if "event_id" not in p)]
                )
                said[_send(target, method, url, body)] += 1
            yield _attempt(f"private_api {method} {path}", said)


def _send(target: Target, method: str, url: str, body: bytes) -> int:
    import httpx
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    ends = target.room.endpoints
    request = AWSRequest(method, url, headers={}, data=body)
    signer = SigV4Auth(
        Credentials(ends["access_key_id"], ends["secret_access_key"]),
        "execute-api",
        ends["region"],
    )
    signer.add_auth(request)
    headers = dict(request.headers.items())
    return httpx.request(method, url, content=body, headers=headers, timeout=20).status_code


def _attempt(what: str, said: Counter[int]) -> Attempt:
    failed = sum(count for code, count in said.items() if code >= 500)
    shown = ", ".join(f"{count} × {code or 'closed'}" for code, count in sorted(said.items()))
    return Attempt(FAULT, f"{EACH} hostile requests of {what}", shown, bool(failed))
