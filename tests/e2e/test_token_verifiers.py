# SPDX-License-Identifier: Apache-2.0
"""Verifiers that know a token's issuer alone find the keys of a running room, and verify it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from infrastructure.assets import sites
from tests.support.local_stack import RunningRoom
from tests.support.servers import ROOT

pytestmark = pytest.mark.server
CLIENTS = ROOT / "tests" / "clients"
NODE = Path(sys.executable).with_name("node")
DISCOVERY = "/.well-known/openid-configuration"
Said = list[dict[str, Any]]


def by_node(client: str, issuer: str, audience: str, tokens: list[str]) -> Said:
    """What a package of npm says of each token."""
    asked = {"client": client, "issuer": issuer, "audience": audience, "tokens": tokens}
    run = subprocess.run(
        [NODE, CLIENTS / "verify.js"], input=json.dumps(asked), capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found: Said = json.loads(run.stdout)
    return found


def by_pyjwt(_: str, issuer: str, audience: str, tokens: list[str]) -> Said:
    """What PyJWT says of each token."""
    found = httpx.get(f"{issuer}{DISCOVERY}").json()
    assert found["issuer"] == issuer
    keys = jwt.PyJWKClient(found["jwks_uri"])
    algorithms = found["id_token_signing_alg_values_supported"]
    said: Said = []
    for token in tokens:
        try:
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms, audience=audience, issuer=issuer)
            said.append({"claims": claims})
        except jwt.PyJWTError as error:
            said.append({"refused": type(error).__name__})
    return said


@pytest.fixture(scope="module")
def tokens(running: RunningRoom) -> dict[str, Any]:
    """What a visitor gets whose turn has come."""
    visitor = running.join()
    behind = running.position(visitor) - int(running.ask("/serving_num").json()["serving_counter"])
    if behind > 0:
        running.serve(behind)
    answer = running.token(visitor)
    assert answer.status_code == 200
    return {**answer.json(), "request_id": visitor}


@pytest.mark.parametrize(
    ("client", "verify"), [("jose", by_node), ("aws-jwt-verify", by_node), ("PyJWT", by_pyjwt)]
)
def test_a_verifier_finds_the_keys_at_the_issuer(
    running: RunningRoom,
    tokens: dict[str, Any],
    client: str,
    verify: Callable[[str, str, str, list[str]], Said],
) -> None:
    sites.fetch_modules(CLIENTS)
    good = tokens["access_token"]
    issuer = jwt.decode(good, options={"verify_signature": False})["iss"]
    head, payload, signature = good.split(".")
    forged = f"{head}.{payload}.{('B' if signature[0] == 'A' else 'A') + signature[1:]}"
    said = verify(client, issuer, running.event_id, [good, tokens["id_token"], forged])
    assert [one.get("claims", {}).get("sub") for one in said] == [
        tokens["request_id"], tokens["request_id"], None,
    ]  # fmt: skip
    assert [one.get("claims", {}).get("token_use") for one in said] == ["access", "id", None]
    (other,) = verify(client, issuer, "another", [good])
    assert set(other) == {"refused"}, "of another event"


def test_the_document_needs_no_key_and_may_be_kept(running: RunningRoom) -> None:
    issuer = running.endpoints["public_api"]
    for address in (issuer, running.endpoints["origin"]):
        answer = httpx.get(f"{address}{DISCOVERY}")
        assert answer.status_code == 200
        assert answer.json() == {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["RS256"],
            "subject_types_supported": ["public"],
        }
        assert answer.headers["cache-control"].startswith("public, max-age=300")
        assert answer.headers["access-control-allow-origin"] == "*"
        head = httpx.head(f"{address}{DISCOVERY}")
        assert (head.status_code, head.content) == (200, b"")
        asks = {"Access-Control-Request-Headers": "x-a", "Access-Control-Request-Method": "GET"}
        first = httpx.options(f"{address}{DISCOVERY}", headers=asks)
        assert first.headers["access-control-allow-headers"] == "x-a"
    assert httpx.get(f"{running.endpoints['origin']}/.well-known/jwks.json").status_code == 403
