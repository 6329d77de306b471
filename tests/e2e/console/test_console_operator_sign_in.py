# SPDX-License-Identifier: Apache-2.0
"""Sign-in of operators at a real OpenID provider, in a real browser."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.support.browser import accessibility, cut_off
from tests.support.pages.console_page import answer, sign_in, waited
from tests.support.pages.console_room import ConsoleRoom, console_room
from tests.support.pages.sign_in_provider import free_port, issuer_at, provider

pytestmark = [pytest.mark.server, pytest.mark.browser]
ACCOUNT, WINDOW = "Sign in with your account", "#provider-go"
KEEPING = """async () => JSON.stringify([
    {...localStorage}, {...sessionStorage}, document.cookie, window.name, history.state,
    await indexedDB.databases(), await caches.keys(), location.href,
    performance.getEntriesByType('navigation').map((one) => one.name),
    document.documentElement.outerHTML,
    [...document.querySelectorAll('input, textarea')].map((field) => field.value),
    Object.keys(window).filter((name) => {
        try { return JSON.stringify(window[name])?.includes('eyJ'); } catch { return false; }
    }),
])"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def addresses(built: Path, port: int) -> Iterator[ConsoleRoom]:
    with console_room(built, issuer_at(port)) as made, provider(port, made.panel):
        yield made


@pytest.fixture
def room(addresses: ConsoleRoom) -> ConsoleRoom:
    addresses.begin(VALIDITY_PERIOD=600)
    addresses.pool.life = 3600
    return addresses


@contextmanager
def consoles(browser: Browser, room: ConsoleRoom, count: int = 1) -> Iterator[list[Page]]:
    """Consoles in one browser profile; none may break its policy."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(10_000)
    wrong: list[str] = []
    context.on("page", lambda page: page.on("pageerror", lambda one: wrong.append(str(one))))
    context.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    pages = [opened(context, room) for _ in range(count)]
    yield pages
    context.close()
    assert wrong == []


def opened(context: BrowserContext, room: ConsoleRoom) -> Page:
    page = context.new_page()
    page.goto(room.panel)
    expect(page.locator("#private-api")).not_to_have_value("")
    return page


@pytest.fixture
def page(browser: Browser, room: ConsoleRoom) -> Iterator[Page]:
    with consoles(browser, room) as (made,):
        yield made


def at_provider(window: Page, name: str) -> None:
    """Sign in and allow the console."""
    window.locator("[name=login]").fill(name)
    window.locator("[name=password]").fill("any")
    window.get_by_role("button", name="Sign-in").click()
    window.get_by_role("button", name="Continue").click()


def account(page: Page, name: str, inside: bool = True) -> None:
    """Sign in with an account, in the window of the provider."""
    with page.expect_popup() as popup:
        page.locator(WINDOW).click()
    at_provider(popup.value, name)
    if inside:
        expect(page.locator("#panel")).to_be_visible()
        waited(lambda: len(page.context.pages) == 1 or popup.value.is_closed(), page)


def refused(page: Page, words: str) -> None:
    expect(page.locator("#sign-in-error")).to_contain_text(words)
    expect(page.locator("#panel")).to_be_hidden()
    assert accessibility(page) == []


def with_tokens(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what the token endpoint returns."""

    def altered(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    page.route("**/token", altered)


def with_claims(token: str, **claims: Any) -> str:
    """A token with other claims and the signature of the first one."""
    head, payload, signature = token.split(".")
    known = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    made = base64.urlsafe_b64encode(json.dumps({**known, **claims}).encode()).decode().rstrip("=")
    return f"{head}.{made}.{signature}"


def ended(page: Page) -> None:
    """From now on the provider renews no sign-in."""
    page.route(
        "**/token",
        lambda route: route.fulfill(
            status=400,
            json={"error": "invalid_grant"},
            headers={"Access-Control-Allow-Origin": "*"},
        ),
    )


# --- roles ----------------------------------------------------------------------------------------


def test_an_operator_who_steers_signs_in_and_admits(room: ConsoleRoom, page: Page) -> None:
    assert accessibility(page) == []
    account(page, "steer")
    expect(page.locator("#operator")).to_have_text("steer@shop.example · steer")
    expect(page.locator("main")).to_be_focused()
    assert accessibility(page) == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert [one for one in cut_off(page) if one in ("page", "operator")] == []
    page.get_by_role("button", name="Admit 10 more").click()
    expect(answer(page, "admit")).to_have_text("The serving position is now 10.")
    page.get_by_role("button", name="Refresh", exact=True).click()
    who = page.locator("#audit-list li").first  # the identity id of the operator
    identity = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    expect(who).to_contain_text(identity)
    page.get_by_role("button", name="Reset…").click()
    page.locator("#confirm-typed").fill("Sample")
    page.wait_for_timeout(450)
    page.locator("#confirm-yes").click()
    expect(answer(page, "reset")).to_contain_text("Your role steer does not allow this")
    expect(answer(page, "reset")).to_contain_text("waiting-room-administer")


def test_an_operator_who_watches_sees_all_and_changes_nothing(
    room: ConsoleRoom, page: Page
) -> None:
    room.in_memory_room.visitors(3)
    account(page, "watch")
    expect(page.locator("#operator")).to_have_text("watch@shop.example · watch")
    expect(page.locator("[data-metric=queue]")).to_have_text("3")
    page.get_by_role("button", name="Admit 10 more").click()
    expect(answer(page, "admit")).to_contain_text("Your role watch does not allow this")
    assert room.in_memory_room.room.metrics.counts("Sample").serving == 0


def test_an_operator_of_several_groups_has_the_highest_role(room: ConsoleRoom, page: Page) -> None:
    account(page, "watch.administer")
    expect(page.locator("#operator")).to_contain_text("· administer")
    page.get_by_role("button", name="Reset…").click()
    page.locator("#confirm-typed").fill("Sample")
    page.wait_for_timeout(450)
    page.locator("#confirm-yes").click()
    expect(answer(page, "reset")).to_contain_text("generation 2")


def test_an_operator_without_a_group_gets_no_keys(room: ConsoleRoom, page: Page) -> None:
    account(page, "nobody", inside=False)
    refused(page, "nobody@shop.example has no role here.")
    refused(page, "waiting-room-watch, waiting-room-steer or waiting-room-administer")
    assert room.calls == []


def test_iam_keys_work_beside_it(page: Page) -> None:
    sign_in(page)
    expect(page.locator("#operator")).to_be_hidden()


# --- what does not belong to the sign-in ----------------------------------------------------------


def test_an_answer_with_another_state_is_ignored(room: ConsoleRoom, page: Page) -> None:
    with page.expect_popup() as popup:
        page.locator(WINDOW).click()
    expect(popup.value.locator("[name=login]")).to_be_visible()
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url))
    popup.value.evaluate(
        "address => { location.href = address; }",
        f"{room.panel}/callback.html?code=stolen&state=another",
    )
    page.wait_for_timeout(500)
    assert not [one for one in sent if "/token" in one]
    expect(page.locator("#panel")).to_be_hidden()
    account(page, "steer")


def test_an_answer_of_another_issuer_is_refused(room: ConsoleRoom, page: Page, port: int) -> None:
    page.context.add_init_script(
        f"""if (location.pathname === '/callback.html') {{
            const other = location.href.replace('localhost%3A{port}', 'elsewhere.example');
            history.replaceState(null, '', other);
        }}"""
    )
    with page.expect_popup() as popup:
        page.locator(WINDOW).click()
    at_provider(popup.value, "steer")
    refused(page, "The answer of the provider is not valid")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"nonce": "another"}, "The answer of the provider is not valid"),
        ({"iss": "https://elsewhere.example"}, "The answer of the provider is not valid"),
        ({"aud": "another-client"}, "The answer of the provider is not valid"),
        ({"exp": 1_000_000_000}, "The ID token has expired, or this device’s clock is wrong."),
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_discarded(
    room: ConsoleRoom, page: Page, claims: dict[str, Any], words: str
) -> None:
    with_tokens(page, lambda body: body.update(id_token=with_claims(body["id_token"], **claims)))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    account(page, "steer", inside=False)
    refused(page, words)
    assert not [one for one in asked if one.startswith(room.identity_api)]


@pytest.mark.parametrize("forged", ["claims", "key"])
def test_the_identity_pool_refuses_a_forged_token(
    room: ConsoleRoom, page: Page, forged: str
) -> None:
    def change(body: dict[str, Any]) -> None:
        token = body["id_token"]
        groups = {"groups": ["waiting-room-administer"]}
        if forged == "claims":
            body["id_token"] = with_claims(token, **groups)
            return
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        known = jwt.decode(token, options={"verify_signature": False})
        kid = jwt.get_unverified_header(token)["kid"]
        body["id_token"] = jwt.encode({**known, **groups}, key, "RS256", {"kid": kid})

    with_tokens(page, change)
    account(page, "watch", inside=False)
    refused(page, "The identity pool of AWS refused the sign-in: Invalid login token.")
    assert room.calls == []


def test_a_sign_in_that_is_cancelled_is_told(page: Page) -> None:
    with page.expect_popup() as popup:
        page.locator(WINDOW).click()
    popup.value.get_by_role("link", name="[ Cancel ]").click()
    refused(page, "The sign-in was cancelled or is not allowed.")


# --- windows --------------------------------------------------------------------------------------


def test_without_a_window_the_page_goes_to_the_provider_and_returns(
    browser: Browser, room: ConsoleRoom
) -> None:
    with consoles(browser, room) as (page,):
        page.evaluate("window.open = () => null")
        page.locator(WINDOW).click()
        at_provider(page, "steer")
        expect(page.locator("#operator")).to_have_text("steer@shop.example · steer")
        assert page.evaluate("JSON.stringify({...sessionStorage})") == "{}"
        assert page.url == f"{room.panel}/?event=Sample"
        entries = page.evaluate("navigation.entries().map((one) => one.url)")
        assert not [one for one in entries if one and "code=" in one]


def test_tokens_are_in_no_store_no_page_and_no_address(room: ConsoleRoom, page: Page) -> None:
    tokens: list[str] = []
    page.on(
        "response",
        lambda one: (
            tokens.extend(
                str(value) for name, value in one.json().items() if name.endswith("token")
            )
            if one.url.endswith("/token") and one.request.method == "POST"
            else None
        ),
    )
    codes: list[str] = []
    page.context.on(
        "request", lambda one: codes.append(one.url) if "callback.html?" in one.url else None
    )
    account(page, "steer")
    page.get_by_role("button", name="Admit 1 more").click()
    expect(answer(page, "admit")).to_be_visible()
    waited(lambda: len(tokens) >= 3, page)
    kept = page.evaluate(KEEPING)
    for secret in tokens:
        assert secret not in kept or secret in ("Bearer",)
    assert "eyJ" not in kept
    assert "ASIA" not in kept
    (code,) = {one.split("code=")[1].split("&")[0] for one in codes}
    assert code not in kept
    assert page.context.cookies(room.panel) == []
    entries = page.evaluate("navigation.entries().map((one) => one.url)")
    assert not [one for one in entries if one and ("code=" in one or "token" in one)]
    page.reload()
    expect(page.locator("#panel")).to_be_hidden()


def test_a_page_that_is_closed_revokes_its_refresh_token(page: Page, port: int) -> None:
    found: list[str] = []
    page.on(
        "response",
        lambda one: (
            found.append(one.json()["refresh_token"])
            if one.url.endswith("/token") and one.request.method == "POST"
            else None
        ),
    )
    account(page, "steer")
    waited(lambda: len(found) == 1, page)
    page.reload()
    page.wait_for_timeout(500)
    form = {"grant_type": "refresh_token", "client_id": "console", "refresh_token": found[0]}
    response = page.context.request.post(f"{issuer_at(port)}/token", form=form)
    assert (response.status, response.json()["error"]) == (400, "invalid_grant")


# --- renewal and end ------------------------------------------------------------------------------


def test_the_session_is_renewed_before_it_ends(browser: Browser, room: ConsoleRoom) -> None:
    with consoles(browser, room) as (page,):
        page.clock.install()
        renewed: list[str] = []
        page.on(
            "request",
            lambda one: renewed.append(str(one.post_data)) if one.url.endswith("/token") else None,
        )
        account(page, "steer")
        before = keys(room)
        page.clock.fast_forward(250_000)
        waited(lambda: any("refresh_token" in one for one in renewed), page)
        waited(lambda: keys(room) > before, page)
        expect(page.locator("#state-words")).to_contain_text("Live")
        expect(page.locator("#panel")).to_be_visible()


def keys(room: ConsoleRoom) -> set[str]:
    """The temporary keys of the room."""
    return {key for key in room.signatures._keys if key.startswith("ASIA")}


def test_keys_that_aws_calls_expired_are_renewed_and_the_call_is_sent_again(
    room: ConsoleRoom, page: Page
) -> None:
    account(page, "steer")
    known = room.signatures._keys
    known.update({key: replace(known[key], ends=time.time() - 1) for key in keys(room)})
    page.get_by_role("button", name="Admit 10 more").click()
    expect(answer(page, "admit")).to_have_text("The serving position is now 10.")


def test_a_role_that_is_taken_away_ends_with_the_next_renewal(
    browser: Browser, room: ConsoleRoom
) -> None:
    with consoles(browser, room) as (page,):
        page.clock.install()
        account(page, "steer")
        page.route(
            f"{room.identity_api}/**",
            lambda route: (
                route.fulfill(
                    status=400,
                    json={"__type": "NotAuthorizedException", "message": "Access is forbidden."},
                    headers={"Access-Control-Allow-Origin": "*"},
                )
                if route.request.method == "POST"
                else route.continue_()
            ),
        )
        page.clock.fast_forward(250_000)
        expect(page.locator("#stale-words")).to_contain_text("refused the sign-in", timeout=20_000)


def test_an_ended_sign_in_keeps_what_was_typed(browser: Browser, room: ConsoleRoom) -> None:
    room.pool.life = 100
    with consoles(browser, room) as (page,):
        page.clock.install()
        account(page, "administer")
        page.get_by_role("button", name="Edit…").click()
        title = page.get_by_label("Title", exact=True)
        title.fill("Half a title")
        page.get_by_label("Shown on the waiting page").fill("Half a message")
        ended(page)
        page.clock.fast_forward(200_000)
        banner = page.locator("#stale")
        expect(banner).to_contain_text("Your sign-in has ended. Sign in again", timeout=20_000)
        assert accessibility(page) == []
        before = len(room.calls)
        page.get_by_role("button", name="Publish").click()
        expect(answer(page, "message")).to_contain_text("Your sign-in has ended")
        assert len(room.calls) == before
        page.unroute_all()
        room.pool.life = 3600
        with page.expect_popup():  # the provider still knows the operator, and asks nothing
            banner.get_by_role("button", name="Sign in again").click()
        expect(banner).to_be_hidden()
        expect(title).to_have_value("Half a title")
        expect(page.get_by_label("Shown on the waiting page")).to_have_value("Half a message")
        page.get_by_role("button", name="Publish").click()
        expect(answer(page, "message")).not_to_contain_text("ended")


def test_a_blocked_window_costs_nothing_that_was_typed(browser: Browser, room: ConsoleRoom) -> None:
    room.pool.life = 100
    with consoles(browser, room) as (page,):
        page.clock.install()
        account(page, "steer")
        page.get_by_label("Shown on the waiting page").fill("Half a message")
        ended(page)
        page.clock.fast_forward(200_000)
        page.evaluate("window.open = () => null")
        page.locator("#sign-in-again").click(timeout=20_000)
        expect(page.locator("#stale-words")).to_contain_text("The browser blocked the window")
        expect(page.get_by_label("Shown on the waiting page")).to_have_value("Half a message")


def test_signing_out_ends_the_sign_in_at_the_provider_and_in_other_windows(
    browser: Browser, room: ConsoleRoom
) -> None:
    with consoles(browser, room, 2) as (page, other):
        revoked: list[str] = []
        page.on(
            "request",
            lambda one: revoked.append(str(one.post_data)) if "revocation" in one.url else None,
        )
        account(page, "steer")
        with other.expect_popup():
            other.locator(WINDOW).click()
        expect(other.locator("#panel")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(other.locator("#panel")).to_be_hidden()
        expect(other.locator("#sign-in-error")).to_contain_text("You signed out in another window")
        page.get_by_role("button", name="Yes, sign me out").click()  # at the provider
        expect(page.locator("#sign-in-view")).to_be_visible()
        assert page.url == f"{room.panel}/"
        assert len(revoked) >= 2, "the refresh token and the access token"
        with page.expect_popup() as popup:  # the provider has forgotten the operator
            page.locator(WINDOW).click()
        expect(popup.value.locator("[name=login]")).to_be_visible()


def test_a_sign_out_that_the_provider_does_not_confirm_is_told(
    room: ConsoleRoom, page: Page
) -> None:
    account(page, "steer")
    page.route("**/token/revocation", lambda route: route.abort())
    page.get_by_role("button", name="Sign out").click()
    refused(page, "the provider did not confirm that your other sign-ins have ended")
