# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider against clients and a web server that this project did not write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from requests_oauthlib import OAuth2Session as OauthlibSession

from tests.support.in_memory_room import EVENT
from tests.support.openid_room import CLIENT_SECRET
from tests.support.openid_servers import Live, apache, live, missing_for_apache
from tests.support.servers import free_port, in_ci

pytestmark = pytest.mark.server
CALLBACK = "https://shop.example/callback"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    with live(monkeypatch, CALLBACK) as started:
        yield started


def discovered(provider: Live) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(
        f"{provider.issuer}/.well-known/openid-configuration"
    ).json()
    return document


def wait_and_come_back(provider: Live, address: str) -> str:
    """A browser's part: waits, is let in; answers the address it is sent back to."""
    waiting = httpx.get(address).headers["location"]
    still = provider.continue_as_page(waiting)
    assert "transaction=" in still.headers["location"]  # not let in yet: goes on waiting
    provider.admit()
    back = provider.continue_as_page(still.headers["location"])
    assert back.status_code == 303
    return back.headers["location"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlibs_client_gets_in_by_discovery_with_pkce(provider: Live, method: str) -> None:
    found = discovered(provider)
    with AuthlibSession(
        EVENT, CLIENT_SECRET, scope="openid", redirect_uri=CALLBACK,
        token_endpoint_auth_method=method, code_challenge_method="S256",
    ) as client:  # fmt: skip
        verifier = "verifier-" + "v" * 48
        address, state = client.create_authorization_url(
            found["authorization_endpoint"], nonce="n-1", code_verifier=verifier
        )
        back = wait_and_come_back(provider, address)
        token = client.fetch_token(
            found["token_endpoint"], authorization_response=back, state=state,
            code_verifier=verifier,
        )  # fmt: skip
        keys = KeySet.import_key_set(httpx.get(found["jwks_uri"]).json())
        decoded = jwt.decode(token["id_token"], keys, algorithms=["RS256"])
        claims = CodeIDToken(
            decoded.claims, decoded.header,
            options={"iss": {"values": [found["issuer"]]}, "aud": {"values": [EVENT]}},
            params={"nonce": "n-1", "client_id": EVENT, "access_token": token["access_token"]},
        )  # fmt: skip
        claims.validate()
        assert claims["sub"] == provider.visitor
        assert client.get(found["userinfo_endpoint"]).json() == {
            "sub": provider.visitor,
            "queue_position": 1,
        }


def test_requests_oauthlib_gets_in(provider: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # this machine has no certificate
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")  # asks for more than openid, gets openid
    found = discovered(provider)
    with OauthlibSession(
        EVENT, redirect_uri=CALLBACK, scope=["openid", "email"], pkce="S256"
    ) as client:
        address, _ = client.authorization_url(found["authorization_endpoint"], nonce="n-2")
        back = wait_and_come_back(provider, address)
        token = client.fetch_token(
            found["token_endpoint"], authorization_response=back, client_secret=CLIENT_SECRET
        )
        assert token["scope"] == ["openid"]
        assert client.get(found["userinfo_endpoint"]).json()["sub"] == provider.visitor


def log_in(provider: Live, method: str, state: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A client that has addresses, a client id and a secret only: no nonce, no PKCE.

    Returns the tokens and the claims of the user info.
    """
    issuer = provider.issuer
    asked = {
        "client_id": EVENT, "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid",
        "state": state,
    }  # fmt: skip
    back = httpx.URL(
        wait_and_come_back(provider, str(httpx.URL(f"{issuer}/authorize", params=asked)))
    )
    assert back.params["state"] == state
    form = {
        "grant_type": "authorization_code", "code": back.params["code"], "redirect_uri": CALLBACK,
    }  # fmt: skip
    secret = (EVENT, CLIENT_SECRET)
    if method == "client_secret_post":
        form |= {"client_id": EVENT, "client_secret": CLIENT_SECRET}
    auth = httpx.BasicAuth(*secret) if method == "client_secret_basic" else None
    tokens = httpx.post(f"{issuer}/token", data=form, auth=auth)
    assert tokens.status_code == 200, tokens.text
    assert tokens.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
    claims = httpx.get(f"{issuer}/userInfo", headers=bearer)
    assert claims.status_code == 200, claims.text
    again = httpx.post(f"{issuer}/token", data=form, auth=auth)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    return tokens.json(), claims.json()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_like_a_load_balancer_gets_in(provider: Live, method: str) -> None:
    """An ALB sends a long state of its own; AWS does not name its client authentication."""
    tokens, claims = log_in(provider, method, "A1b2/+=" * 60)
    assert claims["sub"] == provider.visitor, "the header x-amzn-oidc-identity"
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] > 0


def test_a_client_like_cognito_gets_in(provider: Live) -> None:
    """It reads the discovery document, uses client_secret_post, and checks the id token."""
    found = discovered(provider)
    assert "client_secret_post" in found["token_endpoint_auth_methods_supported"]
    for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"):
        assert found[name].startswith(provider.issuer)
    tokens, claims = log_in(provider, "client_secret_post", "H4sIAAAA" * 100)
    keys = KeySet.import_key_set(httpx.get(found["jwks_uri"]).json())
    decoded = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    assert decoded.header["kid"]
    assert (decoded.claims["iss"], decoded.claims["aud"]) == (found["issuer"], EVENT)
    assert decoded.claims["sub"] == claims["sub"] == provider.visitor


@pytest.fixture
def staff() -> str:
    """The secret of the staff; without one Apache protects ``/protected`` only."""
    return ""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, staff: str) -> Iterator[tuple[Live, str]]:
    """Apache's page and the provider before it."""
    missing = missing_for_apache()
    if missing:
        if in_ci():
            pytest.fail(missing)
        pytest.skip(missing)
    port = free_port()
    with (
        live(monkeypatch, f"http://127.0.0.1:{port}/protected/callback") as started,
        apache(port, started.issuer, staff=staff) as page,
    ):
        yield started, page


def test_apache_serves_its_page_to_an_admitted_visitor(shop: tuple[Live, str]) -> None:
    provider, page = shop
    with httpx.Client() as browser:
        first = browser.get(page)
        assert first.status_code == 302
        assert first.headers["location"].startswith(provider.issuer)
        back = browser.get(wait_and_come_back(provider, first.headers["location"]))
        assert back.status_code == 302, back.text
        seen = browser.get(back.headers["location"])
        assert seen.status_code == 200
        assert "The shop" in seen.text
        assert seen.headers["x-visitor"].startswith(provider.visitor)


def test_apache_refuses_a_code_that_it_did_not_ask_for(shop: tuple[Live, str]) -> None:
    provider, page = shop
    with httpx.Client() as browser, httpx.Client() as thief:
        back = wait_and_come_back(provider, browser.get(page).headers["location"])
        stolen = thief.get(back)
        assert stolen.status_code == 400
        assert "The shop" not in stolen.text


@pytest.mark.parametrize("staff", ["5f0c9a1d5b7e4c26"])
def test_in_front_of_wordpress_visitors_wait_and_staff_do_not(
    shop: tuple[Live, str], staff: str
) -> None:
    provider, page = shop
    site = page.removesuffix("/protected/")
    statuses = {
        (path, name, value): httpx.get(
            f"{site}{path}", headers={name: value} if name else {}
        ).status_code
        for path, name, value in [
            ("/protected/", "", ""),
            ("/protected/", "X-Staff", staff),
            ("/protected/", "X-Staff", f"{staff}0"),
            ("/protected/", "Cookie", f"a=b; staff={staff}; c=d"),
            ("/protected/", "Cookie", f"other-staff={staff}"),
            ("/protected/", "Cookie", f"staff={staff}0"),
            ("/wp-admin/", "", ""),
            ("/wp-content/", "", ""),
            ("/wp-admin/%2e%2e/protected/", "", ""),
            ("/wp-administration/", "", ""),
        ]
    }
    assert list(statuses.values()) == [302, 200, 302, 200, 302, 302, 200, 200, 302, 302], statuses
    with httpx.Client() as browser:
        back = wait_and_come_back(provider, browser.get(page).headers["location"])
        seen = browser.get(browser.get(back).headers["location"])
        assert (seen.status_code, seen.headers["x-visitor"][:36]) == (200, provider.visitor)


def missing_browser() -> str:
    if shutil.which("chromium") is None:
        return "There is no Chromium on this machine: install Debian's chromium"
    return ""


@pytest.mark.browser
def test_in_a_browser_a_visitor_waits_is_admitted_and_sees_apaches_page(
    shop: tuple[Live, str],
) -> None:
    missing = missing_browser()
    if missing:
        if in_ci():
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import expect, sync_playwright

    provider, page = shop
    with sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.getuid() == 0 else []
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=options
        )
        try:
            tab = chromium.new_page()
            tab.goto(page)
            expect(tab.get_by_role("heading")).to_have_text("You are in line")
            tab.wait_for_timeout(500)
            expect(tab.get_by_role("heading")).to_have_text("You are in line")
            provider.admit()
            expect(tab.get_by_role("heading")).to_have_text("The shop", timeout=10_000)
            assert tab.url == page
            tab.reload()
            expect(tab.get_by_role("heading")).to_have_text("The shop")
        finally:
            chromium.close()
