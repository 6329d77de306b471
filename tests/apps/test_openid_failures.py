# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider: failures, secrets in logs and redirects, size limits."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import pytest

from tests.apps.openid_client import JSON, basic
from tests.support.in_memory_room import EVENT
from tests.support.openid_room import (
    CALLBACK,
    CLIENT_SECRET,
    OpenId,
)
from waiting_room.domain import joins


def test_a_store_that_does_not_answer_is_a_503(openid: OpenId) -> None:
    openid.in_memory_room.keys.fail("load", "before")
    reply = openid.get("/.well-known/jwks.json")
    assert (reply.status, reply.json["error"]) == (503, "temporarily_unavailable")
    assert reply.headers["Retry-After"] == "1"


def test_an_unexpected_error_shows_nothing(openid: OpenId, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("inner detail")

    monkeypatch.setattr(openid.provider, "token", fail)
    reply = openid.redeem("x")
    assert (reply.status, reply.json["error"]) == (500, "server_error")
    assert "inner detail" not in reply.body
    assert "Traceback" not in reply.body


def test_every_error_of_the_token_endpoint_is_json_and_not_stored(openid: OpenId) -> None:
    for reply in (openid.redeem("x"), openid.post("/token"), openid.redeem("x", grant_type="y"),
                  openid.redeem("x", client_secret="y")):  # fmt: skip
        assert reply.headers["Content-Type"] == JSON
        assert reply.headers["Cache-Control"] == "no-store"
        assert "error" in reply.json


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_no_secret_is_in_a_log_even_at_debug(
    openid: OpenId, everything_logged: pytest.LogCaptureFixture
) -> None:
    visitor_secret = "visitor-secret-0123456789"
    join = openid.in_memory_room.join(
        secret_hash=hashlib.sha256(visitor_secret.encode()).hexdigest()
    )
    openid.in_memory_room.room.workers.assignment.assign(EVENT, [join])
    openid.in_memory_room.serve(1)
    transaction = openid.authorize().sent["transaction"]
    openid.resume(transaction, join.request_id, client_secret="guess-0123456789")
    code = openid.resume(transaction, join.request_id, client_secret=visitor_secret).sent["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    openid.post("/token", form, authorization=basic(EVENT, "wrong-secret-0123456789"))
    answer = openid.redeem(code).json
    openid.redeem(code)
    openid.get("/userInfo", authorization=f"Bearer {answer['access_token']}")
    openid.get("/userInfo", authorization=f"Bearer {answer['access_token']}x")
    written = everything_logged.text + "".join(
        str(vars(record)) for record in everything_logged.records
    )
    assert "openid: rejected a code" in written  # logs were looked at
    for secret in (CLIENT_SECRET, visitor_secret, "guess-0123456789", "wrong-secret-0123456789",
                   code, answer["access_token"], answer["id_token"], transaction,
                   openid.secrets.transaction_key):  # fmt: skip
        assert secret not in written


def test_no_redirect_carries_a_secret(openid: OpenId) -> None:
    reply = openid.authorize()
    done = openid.resume(reply.sent["transaction"], openid.admitted())
    for place in (reply.location, done.location):
        assert CLIENT_SECRET not in place
        assert openid.secrets.transaction_key not in place


def test_the_longest_request_still_fits_into_an_address_and_a_form(openid: OpenId) -> None:
    reply = openid.authorize(state="s" * 2048, nonce="n" * 512)
    assert len(reply.location) < 8192  # CloudFront's limit on an address
    sent = openid.resume(reply.sent["transaction"], openid.admitted())
    assert "code" in sent.sent


def test_the_visitors_secret_may_be_as_long_as_the_room_takes(openid: OpenId) -> None:
    secret = "s" * joins.MAX_CLIENT_SECRET
    join = openid.in_memory_room.join(secret_hash=hashlib.sha256(secret.encode()).hexdigest())
    openid.in_memory_room.room.workers.assignment.assign(EVENT, [join])
    openid.in_memory_room.serve(1)
    transaction = openid.authorize().sent["transaction"]
    assert "code" in openid.resume(transaction, join.request_id, client_secret=secret).sent
