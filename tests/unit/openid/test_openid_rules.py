# SPDX-License-Identifier: Apache-2.0
"""The provider's rules at their edges: lengths, lives, addresses, claims."""

from __future__ import annotations

import dataclasses
from typing import Any

import jwt
import pytest

from waiting_room.domain.errors import InvalidInput
from waiting_room.openid import protocol
from waiting_room.openid.protocol import AuthorizationRequest, Transaction

KEY, PROVIDER, NOW = "k" * 40, "https://openid.example/api", 1_800_000_000
REQUEST = AuthorizationRequest("Sample", "https://shop.example/callback")
FORM = "application/x-www-form-urlencoded"
SAID = protocol.AccessToken("r", 7, NOW - 5, NOW + 600)


def test_a_request_becomes_the_parameters_that_mean_it() -> None:
    plain = {
        "client_id": "Sample", "redirect_uri": REQUEST.redirect_uri, "scope": "openid",
        "response_type": "code",
    }  # fmt: skip
    assert REQUEST.parameters() == plain
    protected = dataclasses.replace(REQUEST, code_challenge="c", state="s")
    more = {"code_challenge": "c", "code_challenge_method": "S256", "state": "s"}
    assert protected.parameters() == {**plain, **more}
    assert AuthorizationRequest.of({**plain, **more, "scope": "openid email"}) == protected
    assert AuthorizationRequest.of({}) == AuthorizationRequest("", "")


@pytest.mark.parametrize(
    ("waited", "stale"), [(0, False), (299, False), (300, True), (301, True), (86_000, True)]
)
def test_a_client_has_forgotten_after_its_time(waited: int, stale: bool) -> None:
    assert Transaction(REQUEST, NOW).is_stale(NOW + waited, 300) is stale


@pytest.mark.parametrize(
    ("name", "longest"),
    [("state", 2048), ("nonce", 512), ("redirect_uri", 1024), ("transaction", 8192),
     ("scope", 512)],
)  # fmt: skip
def test_a_value_is_as_long_as_it_may_be(name: str, longest: int) -> None:
    assert protocol.single_values([(name, "x" * longest)], [name]) == {name: "x" * longest}
    with pytest.raises(InvalidInput, match=f"{name} is too long"):
        protocol.single_values([(name, "x" * (longest + 1))], [name])


def test_the_first_and_the_last_printable_sign_may_be_in_a_value() -> None:
    pairs = [("unknown", "\x00"), ("state", ' ~"\\'), ("scope", ""), ("scope", "a ~")]
    assert protocol.single_values(pairs, ["state", "scope"]) == {"state": ' ~"\\', "scope": "a ~"}
    for name, value in (("scope", '"'), ("scope", "\\"), ("state", "\x1f"), ("state", "\x7f")):
        with pytest.raises(InvalidInput, match=f"{name} must (be printable|not contain)"):
            protocol.single_values([(name, value)], [name])


def test_a_form_has_so_many_bytes_and_fields_at_most() -> None:
    assert protocol.form_pairs(b"a=" + b"x" * 16_382, f"{FORM.upper()} ;charset=x") != []
    with pytest.raises(InvalidInput, match="too large"):
        protocol.form_pairs(b"a=" + b"x" * 16_383, FORM)
    assert len(protocol.form_pairs(b"&".join([b"a="] * 50), FORM)) == 50
    for body in (b"&".join([b"a="] * 51), b"a=\xff", b"a=%ff"):
        with pytest.raises(InvalidInput, match="the body is not a form"):
            protocol.form_pairs(body, FORM)
    for kind in ("", "text/plain", f"text/plain;{FORM}"):
        with pytest.raises(InvalidInput, match="must be sent as"):
            protocol.form_pairs(b"", kind)


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.example/callback?x=1", "https://shop.example:8443/", "http://localhost/x",
        "http://127.0.0.1:1/", "http://[::1]/", "https://a.example/" + "~" * 1006,
        "https://a.example/!",
    ],
)  # fmt: skip
def test_a_good_address_may_be_registered(uri: str) -> None:
    assert len(uri) <= 1024
    assert protocol.check_redirect_uris([uri]) == (uri,)


@pytest.mark.parametrize(
    "uri",
    [
        "http://shop.example/", "ftp://localhost/", "https:///x", "https://a.example/#",
        "https://*.example/", "https://a.example:0/", "https://a.example/ ", "https://a.example/é",
        "https://a.example/\x7f", "https://a.example/" + "~" * 1007, "/callback",
        "https://a.example:99999/",
    ],
)  # fmt: skip
def test_any_other_address_may_not(uri: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        protocol.check_redirect_uris(["https://good.example/", uri])


@pytest.mark.parametrize("uri", ["http://" + "x" * 100, "https://a/ " + "x" * 100])
def test_of_a_wrong_address_80_signs_are_shown(uri: str) -> None:
    with pytest.raises(ValueError, match="must be") as told:
        protocol.check_redirect_uris([uri])
    assert repr(uri[:80]) in str(told.value)
    assert uri[:81] not in str(told.value)


def test_parts_that_are_not_supported_have_their_errors() -> None:
    assert protocol.unsupported_feature({"request": "x"}) is not None
    for given, error in (
        ({"request": "x", "request_uri": "y"}, "request_not_supported"),
        ({"request_uri": "y"}, "request_uri_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
    ):
        found = protocol.unsupported_feature(given)
        assert found is not None
        assert found[0] == error
    assert protocol.unsupported_feature({"response_mode": "query"}) is None
    assert protocol.unsupported_feature({}) is None


def sealed(**changes: Any) -> str:
    """A transaction with a good signature; the client, who may know the secret, wrote it."""
    content = {
        "aud": PROVIDER, "iat": NOW, "exp": NOW + 60, "request": dataclasses.asdict(REQUEST),
        **changes,
    }  # fmt: skip
    kept = {name: value for name, value in content.items() if value is not None}
    return jwt.encode(kept, protocol._derive_key(KEY, b"transaction"), "HS256")


def test_a_transaction_is_good_before_its_second_and_by_the_given_clock_only() -> None:
    for text in (sealed(), sealed(nbf=NOW + 9_999_999_999), sealed(iat=NOW + 50)):
        assert protocol.open_transaction(text, KEY, PROVIDER, NOW + 59).request == REQUEST
    with pytest.raises(InvalidInput, match="transaction has expired"):
        protocol.open_transaction(sealed(), KEY, PROVIDER, NOW + 60)
    old = sealed(iat=5, exp=65)
    assert protocol.open_transaction(old, KEY, PROVIDER, 64).asked_at == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None}, {"iat": None}, {"exp": None}, {"request": None}, {"request": "x"},
        {"request": []}, {"request": {}}, {"request": {"client_id": 5}}, {"iat": "5"},
        {"iat": True}, {"iat": 0.5}, {"exp": "x"}, {"exp": True}, {"exp": float(NOW + 60)},
        {"request": {"client_id": "x", "redirect_uri": "\x00"}},
    ],
)  # fmt: skip
def test_a_signed_transaction_of_other_content_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="transaction is not valid at this provider"):
        protocol.open_transaction(sealed(**changes), KEY, PROVIDER, NOW)


def test_the_waiting_page_may_have_no_query_of_its_own() -> None:
    assert (
        protocol.waiting_page_url("https://w.example/", {"transaction": "t"})
        == "https://w.example/?transaction=t"
    )


def test_a_code_is_bound_to_its_request_and_hides_its_token() -> None:
    request = dataclasses.replace(REQUEST, nonce="n", code_challenge="c")
    code = protocol.make_code("the-code", request, "the-token", SAID, NOW)
    assert dataclasses.astuple(code)[1:-1] == (
        "Sample", REQUEST.redirect_uri, "n", "c", "r", 7, NOW - 5, NOW + 600, NOW + 60,
    )  # fmt: skip
    assert code.sealed not in repr(code)
    assert protocol.unseal("the-code", code.sealed) == "the-token"
    for wrong in ("", "é", code.sealed[:-4], "AAAA"):
        with pytest.raises(protocol.InvalidToken):
            protocol.unseal("the-code", wrong)
    with pytest.raises(protocol.InvalidToken):
        protocol.unseal("another", code.sealed)
    assert protocol.hash_code("\ud800") != protocol.hash_code("x")


def test_the_id_token_has_the_time_of_service_and_expires_with_the_access_token() -> None:
    code = protocol.make_code("the-code", REQUEST, "t", SAID, NOW)
    assert protocol.id_token_claims(code, PROVIDER, NOW + 9) == {
        "iss": PROVIDER, "aud": "Sample", "sub": "r", "iat": NOW + 9, "exp": NOW + 600,
        "auth_time": NOW - 5, "queue_position": 7, "token_use": "id",
    }  # fmt: skip
    assert protocol.user_claims(SAID) == {"sub": "r", "queue_position": 7}


def test_discovery_denies_what_this_provider_does_not_have() -> None:
    said = protocol.configuration(PROVIDER)
    for name in ("claims_parameter", "request_parameter", "request_uri_parameter"):
        assert said[f"{name}_supported"] is False


def test_claims_of_another_kind_are_no_access_token() -> None:
    good = {"sub": "r", "queue_position": 7, "iat": NOW - 5, "exp": NOW + 600}
    assert protocol.parse_access_token(good) == SAID
    for name in good:
        with pytest.raises(protocol.InvalidToken, match=name):
            protocol.parse_access_token({key: value for key, value in good.items() if key != name})
    for value in (None, "x", [], float("inf")):
        with pytest.raises(protocol.InvalidToken, match="whole number"):
            protocol.parse_access_token({**good, "exp": value})
