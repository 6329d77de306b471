# SPDX-License-Identifier: Apache-2.0
"""The emulated identity pool: which tokens it accepts, and what the keys may do."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa

from deployment.local.gateway.identity_pool import IdentityPool, PoolSettings
from deployment.local.gateway.sigv4 import ENDED, UNKNOWN_KEY, Signatures
from tests.support.pages.console_room import served
from tests.support.servers import ROOT

REGION, ISSUER, CLIENT = "eu-central-1", "https://login.example/realm", "console"
POOL = f"{REGION}:00000000-0000-4000-8000-000000000000"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STEER = ["staff", "waiting-room-steer"]


class Room:
    """A pool, the keys that it gives, and calls of it."""

    def __init__(self) -> None:
        self.signatures = Signatures("LOCAL", "secret", REGION)
        settings = PoolSettings(
            issuer=ISSUER,
            client_id=CLIENT,
            groups_claim="groups",
            group_prefix="waiting-room-",
            pool_id=POOL,
        )
        self.pool = IdentityPool(settings, self.signatures, REGION)
        published: Any = SimpleNamespace(
            get_signing_key_from_jwt=lambda _: SimpleNamespace(key=KEY.public_key())
        )
        self.pool._keys = published

    def call(self, action: str, **content: Any) -> tuple[int, dict[str, Any]]:
        target = f"AWSCognitoIdentityService.{action}"
        return self.pool.answer(target, json.dumps(content).encode())

    def credentials(self, token: str) -> tuple[int, dict[str, Any]]:
        status, found = self.call("GetId", IdentityPoolId=POOL, Logins=logins(token))
        if status != 200:
            return status, found
        identity = found["IdentityId"]
        return self.call("GetCredentialsForIdentity", IdentityId=identity, Logins=logins(token))

    def signed(self, keys: Mapping[str, Any], method: str, path: str) -> dict[str, str]:
        """The headers of a signed call."""
        made = Credentials(keys["AccessKeyId"], keys["SecretKey"], keys["SessionToken"])
        request = AWSRequest(method, f"http://127.0.0.1/api{path}", headers={"host": "127.0.0.1"})
        SigV4Auth(made, "execute-api", REGION).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}

    def refusal(self, headers: Mapping[str, str], method: str, path: str, **more: Any) -> str:
        reason = self.signatures.refusal(method, f"/api{path}", "", headers, b"", **more)
        return reason or self.signatures.forbidden(method, path, headers)


def logins(token: str) -> dict[str, str]:
    return {"login.example/realm": token}


def id_token(key: Any = KEY, **claims: Any) -> str:
    now = int(time.time())
    known = {"iss": ISSUER, "aud": CLIENT, "sub": "ada", "iat": now, "exp": now + 300}
    given = {**known, "groups": STEER, **claims}
    return jwt.encode({name: one for name, one in given.items() if one is not None}, key, "RS256")


@pytest.fixture
def room() -> Room:
    return Room()


def test_an_operator_gets_keys_of_the_role_for_an_hour(room: Room) -> None:
    status, found = room.credentials(id_token())
    assert status == 200
    keys = found["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    assert 3590 <= keys["Expiration"] - time.time() <= 3600
    headers = room.signed(keys, "GET", "/metrics")
    assert room.refusal(headers, "GET", "/metrics") == ""
    identity = room.signatures.identity(headers)
    assert identity["cognitoIdentityId"] == found["IdentityId"]
    assert str(identity["userArn"]).endswith("/operators-steer/CognitoIdentityCredentials")
    assert room.credentials(id_token())[1]["IdentityId"] == found["IdentityId"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/increment_serving_counter", True),
        ("POST", "/events/Sample/actions/pause", True),
        ("POST", "/events/Sample/actions/reset", False),
        ("POST", "/reset_initial_state", False),
        ("PUT", "/events/Sample", False),
        ("GET", "/events/Sample", True),
        ("GET", "/events/Sample/gate", False),
    ],
)
def test_the_role_decides_about_each_route(
    room: Room, method: str, path: str, allowed: bool
) -> None:
    keys = room.credentials(id_token())[1]["Credentials"]
    reason = room.refusal(room.signed(keys, method, path), method, path)
    assert (reason == "") is allowed
    if not allowed:
        assert "is not authorized to perform: execute-api:Invoke on resource" in reason


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["waiting-room-watch", "waiting-room-administer"], "administer"),
        ("waiting-room-watch", "watch"),
        (["no-waiting-room-watching"], "watch"),  # AWS compares a part of the text
        (["watch"], None),
        ([], None),
        (None, None),
    ],
)
def test_the_first_rule_that_matches_gives_the_role(
    room: Room, groups: Any, role: str | None
) -> None:
    status, found = room.credentials(id_token(groups=groups))
    if role is None:
        assert (status, found["__type"]) == (400, "NotAuthorizedException")
        assert "Credentials" not in found
    else:
        headers = room.signed(found["Credentials"], "GET", "/metrics")
        assert f"/operators-{role}/" in str(room.signatures.identity(headers)["userArn"])


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (lambda: id_token(OTHER_KEY), "Invalid login token."),
        (lambda: id_token(iss="https://elsewhere.example"), "Invalid login token."),
        (lambda: id_token(aud="another"), "Invalid login token."),
        (lambda: id_token(exp=int(time.time()) - 1), "Invalid login token. Token expired."),
        (lambda: id_token(sub=None), "Invalid login token."),
        (lambda: id_token().rsplit(".", 1)[0] + ".", "Invalid login token."),
        (lambda: "no token", "Invalid login token."),
    ],
)
def test_a_token_that_the_provider_did_not_issue_for_this_client_is_refused(
    room: Room, token: Callable[[], str], message: str
) -> None:
    assert room.credentials(token()) == (
        400, {"__type": "NotAuthorizedException", "message": message},
    )  # fmt: skip


def test_an_unsigned_token_is_refused(room: Room) -> None:
    known = jwt.decode(id_token(), options={"verify_signature": False})
    assert room.credentials(jwt.encode(known, "", "none"))[0] == 400


def test_other_calls_are_refused(room: Room) -> None:
    other = room.call("GetId", IdentityPoolId="another", Logins=logins(id_token()))
    assert other[1]["__type"] == "ResourceNotFoundException"
    nobody = room.call("GetId", IdentityPoolId=POOL)
    assert nobody[1]["__type"] == "NotAuthorizedException"
    open_id = room.call("GetOpenIdToken", IdentityId="one", Logins=logins(id_token()))
    assert open_id[1]["__type"] == "UnknownOperationException"  # the classic flow
    assert room.pool.answer("AWSCognitoIdentityService.GetId", b"[")[1]["__type"] == (
        "SerializationException"
    )
    room.credentials(id_token())
    theirs = room.call("GetCredentialsForIdentity", IdentityId="x", Logins=logins(id_token()))
    assert theirs[1]["__type"] == "NotAuthorizedException"


def test_temporary_keys_need_their_token_and_end(room: Room) -> None:
    keys = room.credentials(id_token())[1]["Credentials"]
    headers = room.signed(keys, "GET", "/metrics")
    without = {**headers, "x-amz-security-token": "another"}
    assert room.refusal(without, "GET", "/metrics") == UNKNOWN_KEY
    later = datetime.now(UTC) + timedelta(hours=1, seconds=1)
    assert room.refusal(headers, "GET", "/metrics", now=later) == ENDED
    known = room.signatures._keys
    known[keys["AccessKeyId"]] = replace(known[keys["AccessKeyId"]], ends=time.time() - 1)
    assert room.refusal(headers, "GET", "/metrics") == ENDED


def test_the_client_of_aws_understands_the_pool(room: Room) -> None:
    with served(room.pool) as address:
        client = boto3.client(
            "cognito-identity",
            region_name=REGION,
            endpoint_url=address,
            config=Config(signature_version=UNSIGNED, proxies={}),
        )
        given = logins(id_token())
        identity = client.get_id(IdentityPoolId=POOL, Logins=given)["IdentityId"]
        found = client.get_credentials_for_identity(IdentityId=identity, Logins=given)
        keys = found["Credentials"]
        assert keys["AccessKeyId"].startswith("ASIA")
        assert keys["Expiration"] > datetime.now(UTC)
        with pytest.raises(client.exceptions.NotAuthorizedException):
            client.get_id(IdentityPoolId=POOL, Logins=logins(id_token(OTHER_KEY)))


@pytest.mark.parametrize(
    ("service", "file", "operations"),
    [
        ("cognito-identity", "identity-pool.js", ["GetId", "GetCredentialsForIdentity"]),
        ("cognito-idp", "provider.js", ["GlobalSignOut"]),
    ],
)
def test_the_console_calls_operations_that_the_service_has(
    service: str, file: str, operations: list[str]
) -> None:
    script = (ROOT / "source" / "sites" / "console" / "sign-in" / file).read_text()
    model = boto3.client(service, region_name=REGION).meta.service_model
    assert model.metadata["targetPrefix"] in script
    assert f"application/x-amz-json-{model.metadata['jsonVersion']}" in script
    for name in operations:
        assert name in script
        assert model.operation_model(name).auth_type == "none"
        for member in model.operation_model(name).input_shape.required_members:
            assert member in script
