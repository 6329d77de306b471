# SPDX-License-Identifier: Apache-2.0
"""The rules of the OpenID provider."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT, START
from waiting_room.domain.errors import InvalidInput, SettingsError
from waiting_room.openid import protocol
from waiting_room.openid.settings import REQUIRED, ClientSecrets
from waiting_room.runtime.settings.openid import read_openid_settings

KEY = "a secret of the provider"
PROVIDER = "https://openid.example"
REQUEST = protocol.AuthorizationRequest(
    client_id=EVENT, redirect_uri="https://shop.example/cb", state="s", nonce="n"
)
SAID = protocol.AccessToken("0" * 8, 7, START, START + 3600)
LETTERS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


def unsealed() -> dict[str, object]:
    request = dataclasses.asdict(REQUEST)
    return {"aud": PROVIDER, "iat": START, "exp": START + 60, "request": request}


# --- transactions


PLAIN = LETTERS.map(lambda text: text.replace('"', "").replace("\\", ""))


@given(LETTERS, LETTERS, PLAIN)
def test_a_transaction_gives_back_what_was_asked(state: str, nonce: str, challenge: str) -> None:
    request = dataclasses.replace(REQUEST, state=state, nonce=nonce, code_challenge=challenge)
    sealed = protocol.seal_transaction(request, KEY, PROVIDER, START)
    opened = protocol.open_transaction(sealed, KEY, PROVIDER, START + 1)
    assert opened == protocol.Transaction(request, START)


@given(st.data())
def test_a_transaction_changed_anywhere_is_refused(data: st.DataObject) -> None:
    sealed = protocol.seal_transaction(REQUEST, KEY, PROVIDER, START)
    place = data.draw(st.integers(0, len(sealed) - 2))
    other = data.draw(st.sampled_from("AzQ09-_.").filter(lambda sign: sign != sealed[place]))
    with pytest.raises(InvalidInput):
        protocol.open_transaction(
            sealed[:place] + other + sealed[place + 1 :], KEY, PROVIDER, START + 1
        )


def test_a_transaction_holds_for_a_day_and_not_longer() -> None:
    sealed = protocol.seal_transaction(REQUEST, KEY, PROVIDER, START)
    protocol.open_transaction(sealed, KEY, PROVIDER, START + 86_399)
    with pytest.raises(InvalidInput, match="transaction has expired"):
        protocol.open_transaction(sealed, KEY, PROVIDER, START + 86_400)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é", "..", "null"])
def test_invalid_text_is_no_transaction(text: str) -> None:
    with pytest.raises(InvalidInput):
        protocol.open_transaction(text, KEY, PROVIDER, START)


def test_an_unsigned_transaction_is_refused() -> None:
    content = {
        "aud": PROVIDER,
        "iat": START,
        "exp": START + 60,
        "request": dataclasses.asdict(REQUEST),
    }
    with pytest.raises(InvalidInput):
        protocol.open_transaction(jwt.encode(content, "", "none"), KEY, PROVIDER, START)


def test_a_transaction_of_another_provider_is_refused() -> None:
    sealed = protocol.seal_transaction(REQUEST, KEY, "https://other.example", START)
    with pytest.raises(InvalidInput):
        protocol.open_transaction(sealed, KEY, PROVIDER, START)


def test_a_transaction_is_kept_apart_from_other_uses_of_the_same_secret() -> None:
    content = {
        "aud": PROVIDER,
        "iat": START,
        "exp": START + 60,
        "request": dataclasses.asdict(REQUEST),
    }
    forged = jwt.encode(content, KEY * 2, "HS256")
    with pytest.raises(InvalidInput):
        protocol.open_transaction(forged, KEY * 2, PROVIDER, START)


def test_the_waiting_page_keeps_its_own_parameters() -> None:
    address = protocol.waiting_page_url(
        "https://wait.example/room?lang=de", {"transaction": "a.b&c"}
    )
    assert address == "https://wait.example/room?lang=de&transaction=a.b%26c"


# --- codes


def test_a_code_at_rest_shows_neither_itself_nor_the_token() -> None:
    row = protocol.make_code("the-code", REQUEST, "the-token", SAID, START)
    stored = json.dumps(dataclasses.asdict(row))
    assert "the-code" not in stored
    assert "the-token" not in stored
    assert "the-token" not in repr(row)
    assert protocol.unseal("the-code", row.sealed) == "the-token"


def test_the_sealed_token_opens_with_its_own_code_only() -> None:
    row = protocol.make_code("the-code", REQUEST, "the-token", SAID, START)
    for sealed in (row.sealed, "", "AAAA", "é", "\ud800", row.sealed[:-4]):
        with pytest.raises(protocol.InvalidToken):
            protocol.unseal("another-code", sealed)


def test_a_code_is_not_the_request_id_and_lives_a_minute() -> None:
    row = protocol.make_code("the-code", REQUEST, "the-token", SAID, START)
    assert row.request_id == SAID.request_id
    assert row.hash != SAID.request_id
    assert row.expires_at == START + 60


# --- requests


def test_a_repeated_parameter_is_refused_and_an_empty_one_is_none() -> None:
    assert protocol.single_values([("state", ""), ("x", "1"), ("x", "2")], ("state",)) == {}
    with pytest.raises(InvalidInput, match="once"):
        protocol.single_values([("state", "1"), ("state", "1")], ("state",))


@pytest.mark.parametrize("value", ["a\nb", "ü", "\x00", "\x7f"])
def test_control_and_foreign_characters_are_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="state must be printable ASCII"):
        protocol.single_values([("state", value)], ("state",))


def test_quotes_are_fine_in_a_state_and_nowhere_else() -> None:
    assert protocol.single_values([("state", '{"a"}')], ("state",)) == {"state": '{"a"}'}
    with pytest.raises(InvalidInput):
        protocol.single_values([("redirect_uri", 'https://x/"')], ("redirect_uri",))


@pytest.mark.parametrize(("name", "longest"), [("state", 2048), ("nonce", 512), ("scope", 512)])
def test_a_value_too_long_to_travel_is_refused(name: str, longest: int) -> None:
    protocol.single_values([(name, "a" * longest)], (name,))
    with pytest.raises(InvalidInput, match="too long"):
        protocol.single_values([(name, "a" * (longest + 1))], (name,))


@pytest.mark.parametrize(
    ("scope", "narrowed"),
    [("openid", "openid"), ("openid email", "openid"), ("profile openid", "openid"),
     ("email", None), ("openid2", None), ("", None), (None, None)],
)  # fmt: skip
def test_openid_among_other_scopes_is_enough(scope: str | None, narrowed: str | None) -> None:
    assert protocol.granted_scope(scope) == narrowed


@given(st.binary(max_size=300), st.sampled_from(["application/x-www-form-urlencoded", "text/a"]))
def test_any_body_is_read_or_refused_clearly(body: bytes, kind: str) -> None:
    try:
        pairs = protocol.form_pairs(body, kind)
    except InvalidInput:
        return
    assert kind != "text/a"
    assert all(isinstance(part, str) for pair in pairs for part in pair)


@pytest.mark.parametrize(
    "uri",
    ["http://shop.example/cb", "/cb", "javascript:alert(1)", "https://a/b#c", "https://*.a/cb",
     "https:///cb", "ftp://a/b", "http://localhost.evil.example/"],
)  # fmt: skip
def test_an_address_that_no_code_may_go_to_cannot_be_registered(uri: str) -> None:
    with pytest.raises(ValueError, match="must be an https address"):
        protocol.check_redirect_uris([uri])


# --- claims and discovery


def test_the_id_token_carries_the_nonce_only_when_there_was_one() -> None:
    row = protocol.make_code("c", REQUEST, "t", SAID, START)
    claims = protocol.id_token_claims(row, PROVIDER, START)
    assert claims["nonce"] == "n"
    assert (claims["iss"], claims["aud"], claims["sub"]) == (PROVIDER, EVENT, SAID.request_id)
    without = dataclasses.replace(row, nonce="")
    assert "nonce" not in protocol.id_token_claims(without, PROVIDER, START)


def test_claims_that_lack_something_are_no_access_token() -> None:
    claims = {"sub": "r", "queue_position": 7, "iat": 1, "exp": 2}
    assert protocol.parse_access_token(claims) == protocol.AccessToken("r", 7, 1, 2)
    for name in claims:
        with pytest.raises(protocol.InvalidToken, match=name):
            protocol.parse_access_token({key: claims[key] for key in claims if key != name})


# --- settings


def test_every_setting_is_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "openid.md").read_text()
    for name in (*REQUIRED, "OPENID_RESTART_URL", "OPENID_RESTART_AFTER", "OPENID_REQUEST_ID_CODES",
                 "SIGNING_KEY_CACHE_SECONDS"):  # fmt: skip
        assert f"`{name}`" in page


GOOD = {
    **dict.fromkeys(REQUIRED, "x"),
    "PUBLIC_API_ENDPOINT": "https://room.example/api/",
    "OPENID_ISSUER": "https://openid.example/",
    "OPENID_REDIRECT_URIS": "https://a.example/cb http://localhost:8080/cb",
}


def test_settings_are_read_from_the_environment() -> None:
    read = read_openid_settings(GOOD)
    assert read.issuer == "https://openid.example"
    assert read.redirect_uris == ("https://a.example/cb", "http://localhost:8080/cb")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_openid_settings({**GOOD, name: " "})


def test_the_room_is_asked_over_a_safe_line_only() -> None:
    with pytest.raises(SettingsError, match="PUBLIC_API_ENDPOINT"):
        read_openid_settings({**GOOD, "PUBLIC_API_ENDPOINT": "http://room.example/"})


def test_a_bad_redirect_address_is_named() -> None:
    with pytest.raises(SettingsError, match="http://shop"):
        read_openid_settings({**GOOD, "OPENID_REDIRECT_URIS": "http://shop.example/"})


def test_request_ids_are_no_codes_by_default() -> None:
    assert not read_openid_settings(GOOD).request_id_codes
    read = read_openid_settings({**GOOD, "OPENID_REQUEST_ID_CODES": "true"})
    assert read.request_id_codes
    with pytest.raises(SettingsError, match="OPENID_REQUEST_ID_CODES must be true or false"):
        read_openid_settings({**GOOD, "OPENID_REQUEST_ID_CODES": "yes"})


def test_a_restart_is_off_by_default_and_its_limits_are_checked() -> None:
    assert read_openid_settings(GOOD).restart_url == ""
    read = read_openid_settings(
        {**GOOD, "OPENID_RESTART_URL": "https://shop.example/", "OPENID_RESTART_AFTER": "600"}
    )
    assert (read.restart_url, read.restart_after) == ("https://shop.example/", 600)
    for bad in ("59", "86401", "x", "-1", "٣٠٠"):
        with pytest.raises(SettingsError, match="OPENID_RESTART_AFTER"):
            read_openid_settings({**GOOD, "OPENID_RESTART_AFTER": bad})
    assert read_openid_settings({**GOOD, "SIGNING_KEY_CACHE_SECONDS": "1"}).signing_key_cache == 1
    with pytest.raises(SettingsError, match="OPENID_RESTART_URL"):
        read_openid_settings({**GOOD, "OPENID_RESTART_URL": "http://shop.example/"})


def test_secrets_of_either_shape_are_read_and_never_shown() -> None:
    both = ClientSecrets.from_json(
        '{"client_secret":"0123456789abcdef","transaction_key":"%s"}' % ("k" * 16)
    )
    assert both.transaction_key == "k" * 16
    one = ClientSecrets.from_json('{"client_secret":"0123456789abcdef"}')
    assert one.transaction_key == "0123456789abcdef"
    assert "0123456789abcdef" not in repr(one)


@pytest.mark.parametrize("text", ["", "[]", "{}", '"x"', '{"client_secret":"short"}', "null",
                                  '{"client_secret":1}'])  # fmt: skip
def test_secrets_that_cannot_be_meant_are_refused_without_showing_them(text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        ClientSecrets.from_json(text)
    assert "short" not in str(raised.value)
