# SPDX-License-Identifier: Apache-2.0
"""Each rule of the OpenID protocol by itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.in_memory_room import EVENT, START
from tests.support.token_claims import CLAIMS, LONG_AGO
from tests.support.tokens import VISITOR
from waiting_room.domain.errors import (
    InvalidInput,
)
from waiting_room.openid import protocol

KEY, PROVIDER = "a secret of the provider", "https://openid.example"
REQUEST = protocol.AuthorizationRequest(EVENT, "https://shop.example/cb")


def test_a_transaction_is_good_by_the_given_clock_alone() -> None:
    for now in (LONG_AGO, START + 10**9):
        sealed = protocol.seal_transaction(REQUEST, KEY, PROVIDER, now)
        assert protocol.open_transaction(sealed, KEY, PROVIDER, now) == protocol.Transaction(
            REQUEST, now
        )


def test_what_is_shown_of_a_code_is_neither_its_token_nor_the_sealed_one() -> None:
    said = protocol.AccessToken("r", 7, START, START + 60)
    row = protocol.make_code("the-code", REQUEST, "the-token", said, START)
    assert row.sealed not in repr(row)


@pytest.mark.parametrize(("waited", "stale"), [(149, False), (150, True), (151, True)])
def test_a_transaction_is_stale_once_the_client_gave_it_up(waited: int, stale: bool) -> None:
    assert protocol.Transaction(REQUEST, START).is_stale(START + waited, 150) is stale


def test_the_parameters_of_a_request_mean_it_again() -> None:
    whole = protocol.AuthorizationRequest(EVENT, "https://a/", "openid", "s", "n", "c")
    told = whole.parameters()
    assert told["code_challenge_method"] == "S256"
    assert told["response_type"] == "code"
    assert protocol.AuthorizationRequest.of(told) == whole
    assert protocol.AuthorizationRequest.of({**told, "scope": "openid email"}) == whole
    bare = REQUEST.parameters()
    assert set(bare) == {"client_id", "redirect_uri", "scope", "response_type"}


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, None), ({"response_mode": "query"}, None), ({"response_mode": "a"}, "invalid_request"),
        ({"response_mode": "z"}, "invalid_request"), ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "x"}, "request_uri_not_supported"),
    ],
)  # fmt: skip
def test_what_the_provider_does_not_have_is_named(
    parameters: dict[str, str], error: str | None
) -> None:
    found = protocol.unsupported_feature(parameters)
    assert (found[0] if found else None) == error


def test_the_provider_says_that_it_takes_no_request_objects_and_no_claims_parameter() -> None:
    said = protocol.configuration(PROVIDER)
    for name in ("request", "request_uri", "claims"):
        assert said[f"{name}_parameter_supported"] is False


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://a.example/cb", True), ("http://localhost:3000/cb", True),
        ("http://127.0.0.1/", True), ("http://[::1]/", True), ("http://a.example/", False),
        ("https:///cb", False), ("https://a.example/#x", False), ("https://*.example/", False),
        ("https://a.example:0/", False), ("https://a.example/" + "x" * 1006, True),
        ("https://a.example/" + "x" * 1007, False), ("https://a.example/ x", False),
        ("https://a.example/é", False), ("https://a.example/~!", True), ("ftp://localhost/", False),
    ],
)  # fmt: skip
def test_an_address_that_codes_may_go_to_is_safe(uri: str, good: bool) -> None:
    if good:
        assert protocol.check_redirect_uris([uri]) == (uri,)
        return
    with pytest.raises(ValueError, match=r"must be|Port"):
        protocol.check_redirect_uris([uri])


def test_a_form_is_read_within_its_limits() -> None:
    kind = "Application/X-WWW-Form-Urlencoded; charset=utf-8"
    assert protocol.form_pairs(b"a=1&b=", kind) == [("a", "1"), ("b", "")]
    whole = b"a=" + b"x" * 16_382
    assert protocol.form_pairs(whole, kind)
    for body, sent_as in (
        (whole + b"x", kind), (b"a=1", "application/json"), (b"a=1", "z"), (b"\xff", kind),
        (b"&".join(b"a=1" for _ in range(51)), kind), (b"a=%ff", kind),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match="the body"):
            protocol.form_pairs(body, sent_as)
    assert len(protocol.form_pairs(b"&".join(b"a=1" for _ in range(50)), kind)) == 50


@pytest.mark.parametrize(
    ("claims", "good"),
    [
        ({}, True), ({"queue_position": "x"}, False), ({"iat": None}, False), ({"exp": []}, False),
        ({"exp": float("inf")}, False),
    ],
)  # fmt: skip
def test_the_claims_of_an_access_token_are_read_or_refused(
    claims: dict[str, Any], good: bool
) -> None:
    said = {**CLAIMS, **claims}
    if good:
        assert protocol.parse_access_token(said) == protocol.AccessToken(
            VISITOR, 7, LONG_AGO, LONG_AGO + 100
        )
        return
    with pytest.raises(protocol.InvalidToken, match="no whole number"):
        protocol.parse_access_token(said)
