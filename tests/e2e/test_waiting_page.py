# SPDX-License-Identifier: Apache-2.0
"""The waiting page in a browser, before a room in memory that can be brought into any state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.screenshots import State
from tests.screenshots.waiting_room import BRAND, STATES
from tests.support.browser import COLOUR_RULES, accessibility, cut_off
from tests.support.openid_room import Reply
from tests.support.pages.console_page import waited
from tests.support.pages.waiting_page import Room, Served, enter, listening, page, view

pytestmark = [pytest.mark.browser, pytest.mark.server]


@contextmanager
def opened(
    context: BrowserContext, room: Room | None = None, **options: Any
) -> Iterator[tuple[Page, Served]]:
    """The page, opened, in front of a room where nine others wait."""
    chosen = room or Room()
    chosen.status["poll_after_seconds"] = 1
    chosen.fill(9)
    with page(chosen, **options) as served:
        tab = context.new_page()
        tab.goto(served.url)
        yield tab, served
        tab.close()


def has_number(tab: Page, number: int) -> None:
    """Wait until the visitor's number is seen."""
    shown = tab.locator("[data-view=waiting] [data-value=number]")
    expect(shown).to_have_text(str(number))
    expect(shown).to_be_visible()


def hold(place: Page | BrowserContext, address: str) -> list[Route]:
    """Keep the requests for an address waiting; a test lets them continue."""
    held: list[Route] = []
    place.route(address, lambda route: held.append(route))
    return held


def called(tab: Page, served: Served) -> None:
    enter(tab)
    served.room.serve(10)
    tab.reload()
    view(tab, "turn")


# these have the elements of another state and other words
LIKE_ANOTHER = {
    "waiting-stopped",
    "waiting-offline",
    "waiting-next",
    "waiting-busy",
    "waiting-spanish",
    "waiting-french",
    "waiting-japanese",
    "waiting-korean",
    "waiting-chinese",
    "waiting-italian",
    "waiting-portuguese",
    "waiting-paused",
    "waiting-portal",
    "event-draining",
    "outside-paused",
    "outside-pass-through",
    "placing-busy",
    "inside-after-reload",
    "over-session-expired",
    "over-ended",
    "over-refused",
    "outside-french",
}
DIFFERENT = [state for state in STATES if state.name not in LIKE_ANOTHER]


@pytest.mark.parametrize("state", DIFFERENT, ids=lambda state: state.name)
def test_nothing_keeps_anybody_from_using_a_state(browser: Browser, state: State) -> None:
    """axe-core in light and dark, 320 px, and text of twice the size at 360 px (WCAG 1.4.4)."""
    options = {"locale": "en-GB", "reduced_motion": "reduce", **state.context}
    context = browser.new_context(**options)
    with state.open(context) as tab:
        if state.name == "no-script":
            expect(tab.locator("#late p").first).to_be_visible()
            expect(tab.get_by_role("combobox")).to_have_count(0)
            return
        tab.set_viewport_size({"width": 320, "height": 568})
        for direction in ("rtl", ""):
            tab.evaluate("(given) => { document.documentElement.dir = given }", direction)
            assert cut_off(tab) == [], direction
        assert accessibility(tab) == []
        tab.emulate_media(color_scheme="dark")
        tab.wait_for_timeout(150)  # the page hears of it with the next frame
        assert accessibility(tab, *COLOUR_RULES) == []
        small = tab.evaluate(
            "[...document.querySelectorAll('button, select, .option')].filter(one =>"
            " one.offsetParent && one.getBoundingClientRect().height < 44).map(one => one.id)"
        )
        assert small == []
        tab.set_viewport_size({"width": 360, "height": 740})
        tab.evaluate("document.documentElement.style.fontSize = '200%'")
        assert cut_off(tab) == []
    context.close()


def test_a_visitor_waits_is_called_checks_out_and_buys(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        said: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        enter(tab)
        has_number(tab, 10)
        expect(tab.get_by_role("heading")).to_have_text("People ahead of you 9")
        expect(tab).to_have_title("9 · People ahead of you – Night of Lights")
        served.room.serve(10)
        view(tab, "turn")
        tab.get_by_role("button", name="Check out now").click()
        tab.get_by_role("button", name="Purchase now").click()
        view(tab, "receipt")
        expect(tab.locator("main").get_by_text("Concert ticket, standing")).to_be_visible()
        expect(tab.locator("main").get_by_text("order-")).to_be_visible()
        own = tuple({served.url, served.config["public_api"], served.config["store_api"]})
        assert all(url.startswith(own) for url in asked), asked
        assert said == []  # nothing that the Content-Security-Policy had to stop either
        assert context.cookies() == []
        stored = tab.evaluate("JSON.stringify({...localStorage, ...sessionStorage})")
        tokens = served.room.in_memory_room.token(
            served.room.request_id(), client_secret=secret(stored)
        )
        for name in ("access_token", "refresh_token", "id_token"):
            assert tokens[name] not in stored
        assert not any(secret(stored) in url for url in asked)


def secret(stored: str) -> str:
    """The client secret in what a browser stores."""
    place = json.loads(json.loads(stored)["waiting-room:Sample"])
    return str(place["client_secret"])


def test_a_place_survives_a_reload_a_closed_tab_and_a_second_tab(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        enter(tab)
        tab.reload()
        view(tab, "waiting")
        second = context.new_page()
        second.goto(served.url)
        view(second, "waiting")
        tab.close()
        second.close()
        third = context.new_page()
        third.goto(served.url)
        has_number(third, 10)
        assert served.room.calls["POST /assign_queue_num"] == 1


def test_two_tabs_that_enter_at_the_same_time_share_one_place(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        second = context.new_page()
        second.goto(served.url)
        view(second, "outside")
        tab.evaluate("document.getElementById('enter').click()")
        second.evaluate("document.getElementById('enter')?.click()")
        for one in (tab, second):
            has_number(one, 10)
        assert served.room.calls["POST /assign_queue_num"] == 1


def test_the_room_can_be_down_for_twenty_seconds(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        enter(tab)
        tab.clock.install()
        tab.reload()
        view(tab, "waiting")
        served.room.fault = "down"
        for _ in range(20):
            tab.clock.run_for(1000)
            tab.wait_for_timeout(50)
        expect(tab.locator("main").get_by_text("room is not responding")).to_be_visible()
        expect(tab.locator("main").get_by_text("Your place is safe")).to_be_visible()
        has_number(tab, 10)
        served.room.fault = ""
        served.room.serve(10)
        for _ in range(25):
            tab.clock.run_for(1000)
            tab.wait_for_timeout(50)
        view(tab, "turn")
        expect(tab.locator("main").get_by_text("room is not responding")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", "<html><title>Sign in to the hotel's network</title></html>"),
        (404, "application/json", '{"message": "Not Found"}'),
    ],
    ids=["portal", "404"],
)
def test_a_page_that_is_loaded_behind_a_portal_shows_the_place_and_keeps_it(
    context: BrowserContext, status: int, kind: str, body: str
) -> None:
    with opened(context) as (tab, served):
        enter(tab)
        place = tab.evaluate("localStorage['waiting-room:Sample']")
        headers = {"Access-Control-Allow-Origin": "*"}
        address = f"{served.config['public_api']}/**"
        tab.route(
            address,
            lambda route: route.fulfill(
                status=status, headers=headers, content_type=kind, body=body
            ),
        )
        tab.reload()
        view(tab, "waiting")
        expect(tab.locator("#trouble")).to_be_visible()
        expect(tab.locator("[data-value=number]").first).to_have_text("10")
        tab.unroute(address)
        tab.get_by_role("button", name="Try now").click()
        expect(tab.locator("#trouble")).to_be_hidden()
        view(tab, "waiting")
        assert tab.evaluate("localStorage['waiting-room:Sample']") == place
        assert served.room.calls["POST /assign_queue_num"] == 1


def test_a_turn_counts_down_and_passes_and_one_can_join_again(context: BrowserContext) -> None:
    room = Room(options={"QUEUE_POSITION_EXPIRY_PERIOD": 60})
    with opened(context, room) as (tab, served):
        tab.clock.install()
        tab.goto(served.url)
        called(tab, served)
        held = tab.get_by_role("timer")
        expect(held).to_have_text(re.compile(r"Continue within (0:5\d|1:00)"))
        before = held.inner_text()
        tab.clock.run_for(3000)
        assert held.inner_text() < before
        served.room.clock.ahead += 70
        for _ in range(35):
            tab.clock.run_for(2000)
            tab.wait_for_timeout(50)
            if tab.get_by_role("heading").inner_text() == "Your turn has passed":
                break
        view(tab, "over")
        expect(tab.locator("main").get_by_text("You did not continue in time")).to_be_visible()
        tab.get_by_role("button", name="Join the line again").click()
        has_number(tab, 11)


def test_the_keyboard_is_enough_and_focus_follows_what_happens(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        view(tab, "outside")
        for _ in range(2):
            tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        view(tab, "waiting")
        focused = "document.activeElement.closest('[data-view]')?.dataset.view"
        assert tab.evaluate("document.activeElement.tagName") == "H1"
        served.room.serve(10)
        view(tab, "turn")
        assert tab.evaluate(focused) == "turn"
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        view(tab, "inside")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")
        view(tab, "receipt")
        assert tab.evaluate(focused) == "receipt"


def test_a_poll_without_news_is_not_read_out(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        tab.evaluate(
            "window.told = []; new MutationObserver(() => told.push(live.textContent))"
            ".observe(live, {childList: true, characterData: true, subtree: true})"
        )
        enter(tab)
        polls = served.room.calls["GET /status"]
        for _ in range(3):
            tab.evaluate("dispatchEvent(new Event('online'))")  # the page asks at once
            tab.wait_for_timeout(300)
        assert served.room.calls["GET /status"] >= polls + 2
        told = tab.evaluate("told")
        assert len([one for one in told if "Your number: 10" in one]) == 1
        assert len(told) <= 3, told


def test_the_language_is_the_visitors_and_their_choice_is_remembered(browser: Browser) -> None:
    context = browser.new_context(locale="ko-KR")
    with opened(context) as (tab, _):
        expect(tab.locator("html")).to_have_attribute("lang", "ko")
        expect(tab.get_by_role("button", name="대기열에 참여하기")).to_be_visible()
        tab.get_by_role("combobox").select_option("fr")
        expect(tab.get_by_role("button", name="Entrer dans la salle d’attente")).to_be_visible()
        tab.reload()
        expect(tab.locator("html")).to_have_attribute("lang", "fr")
        expect(tab.get_by_role("combobox")).to_have_accessible_name("Langue")
    context.close()


def test_the_address_names_the_event(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        tab.goto("about:blank")
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{served.url}?event=another")
        expect(tab.locator("#event-title")).not_to_be_empty()
        assert any("/status?event_id=another" in one for one in asked)
        assert not any("event_id=Sample" in one for one in asked)


def test_a_choice_of_language_is_not_undone_by_texts_that_arrive_late(browser: Browser) -> None:
    context = browser.new_context(locale="ko-KR")
    with page(Room()) as served:
        tab = context.new_page()
        held = hold(tab, "**/words/ko.json")
        tab.goto(served.url)
        waited(lambda: held, tab)
        tab.locator("#language").select_option("fr")
        expect(tab.locator("html")).to_have_attribute("lang", "fr")
        with tab.expect_response("**/words/ko.json"):
            held[0].continue_()
        tab.evaluate("new Promise((done) => setTimeout(done))")
        expect(tab.get_by_role("button", name="Entrer dans la salle d’attente")).to_be_visible()
        expect(tab.locator("#language")).to_have_value("fr")
    context.close()


def test_a_choice_of_language_before_the_script_runs_counts(browser: Browser) -> None:
    context = browser.new_context(locale="ko-KR")
    with page(Room()) as served:
        tab = context.new_page()
        held = hold(tab, "**/page.js")
        tab.goto(served.url, wait_until="commit")
        waited(lambda: held, tab)
        tab.locator("#language").select_option("fr")
        held[0].continue_()
        expect(tab.locator("html")).to_have_attribute("lang", "fr")
        tab.unroute("**/page.js")
        tab.reload()
        expect(tab.locator("html")).to_have_attribute("lang", "fr")
    context.close()


def test_what_a_visitor_chooses_before_the_visit_is_loaded_counts(browser: Browser) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    held = hold(context, "**/visit.js")
    with opened(context) as (tab, _):
        tab.get_by_role("button", name="Enter").click()
        has_number(tab, 10)
        tab.get_by_role("checkbox").check()
        tab.get_by_role("button", name="Copy").click()
        held[0].continue_()
        expect(tab.get_by_role("button", name="Copied")).to_be_visible()
        expect(tab.get_by_role("checkbox")).to_be_checked()
        code = tab.locator("#reference-code").text_content()
        assert tab.evaluate("navigator.clipboard.readText()") == code
        context.unroute_all()
        tab.reload()
        expect(tab.locator("#alert-note")).not_to_be_empty()
        expect(tab.get_by_role("checkbox")).to_be_checked()
    context.close()


def test_an_operators_message_is_shown_as_text(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        text = "<img src=x onerror=alert(1)> Doors at 8"
        served.room.in_memory_room.room.control.set_message("Sample", text)
        tab.reload()
        expect(tab.locator("main").get_by_text(text)).to_be_visible()
        assert tab.locator("#message img").count() == 0


def test_a_brand_comes_from_the_configuration(context: BrowserContext) -> None:
    brand = {**BRAND, "colors": {**BRAND["colors"], "text": "red", "evil": "#ffffff"}}
    with opened(context, brand=brand) as (tab, _):
        expect(tab.get_by_role("heading")).to_have_text("Early birds, this way")
        expect(tab.get_by_text("Nordlicht Festival")).to_be_visible()
        color = tab.get_by_role("button", name="Enter").evaluate(
            "one => getComputedStyle(one).backgroundColor"
        )
        assert color == "rgb(179, 36, 91)"
        style = tab.evaluate("document.documentElement.style.cssText")
        assert "red" not in style
        assert "evil" not in style
        assert tab.locator("#logo").evaluate("one => one.naturalWidth") == 96


def test_another_site_imports_the_library_from_where_it_is_served(context: BrowserContext) -> None:
    blank = Reply(200, {"Content-Type": "text/html"}, "<!doctype html><title>Shop</title>")
    with opened(context) as (_, served), listening(lambda *_: blank) as shop:
        tab = context.new_page()
        tab.goto(shop)
        state = tab.evaluate(
            """async ([address, eventId, publicApi]) => {
              const { waitingRoom } = await import(address);
              const room = waitingRoom({ eventId, publicApi });
              return new Promise((done) => {
                room.watch((state) => state.phase === "waiting" && done(state));
                room.join();
              });
            }""",
            [
                f"{served.url}waiting-room.js",
                served.config["event_id"],
                served.config["public_api"],
            ],
        )
        assert (state["number"], state["ahead"], state["kept"]) == (10, 10, True)


def test_a_shop_that_fails_once_is_asked_again(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        called(tab, served)
        tab.get_by_role("button", name="Check out now").click()
        tries: list[str] = []

        def fail_once(route: Any) -> None:
            tries.append(route.request.method)
            if len(tries) == 1:
                route.abort()
            else:
                route.continue_()

        tab.route(f"{served.config['store_api']}/checkout", fail_once)
        tab.get_by_role("button", name="Purchase now").click()
        view(tab, "receipt")
        assert len(tries) >= 2


def test_a_pass_that_the_shop_refuses_leads_back_to_the_turn(context: BrowserContext) -> None:
    with opened(context) as (tab, served):
        called(tab, served)
        tab.get_by_role("button", name="Check out now").click()
        tab.route(
            f"{served.config['store_api']}/checkout",
            lambda route: route.fulfill(status=403, headers={"Access-Control-Allow-Origin": "*"}),
        )
        tab.get_by_role("button", name="Purchase now").click()
        expect(
            tab.locator("main").get_by_text("That did not work. Please try again.")
        ).to_be_visible()
        view(tab, "turn")


def test_a_busy_openid_provider_is_not_hammered_and_gets_no_secret_by_url(
    context: BrowserContext,
) -> None:
    forms: list[dict[str, list[str]]] = []
    asked: list[str] = []
    where = {"page": ""}

    def provider(method: str, path: str, query: str, headers: Any, body: str) -> Reply:
        assert (method, path) == ("POST", "/api/authorize/continue")
        forms.append(parse_qs(body))
        return Reply(303, {"Location": f"{where['page']}?transaction=sealed"}, "")

    with (
        listening(provider) as issuer,
        opened(context, openid=f"{issuer}/api") as (tab, served),
    ):
        where["page"] = served.url
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{served.url}?transaction=sealed")
        view(tab, "waiting")  # without a click: they asked to come in already
        served.room.serve(10)
        expect(tab.get_by_role("heading")).to_have_text("It is your turn", timeout=15_000)
        tab.wait_for_timeout(6000)
        assert 1 <= len(forms) <= 4
        assert tab.get_by_role("button", name="Check out now").count() == 0
        stored = json.loads(tab.evaluate("localStorage['waiting-room:Sample']"))
        assert forms[0] == {
            "transaction": ["sealed"],
            "request_id": [stored["request_id"]],
            "client_secret": [stored["client_secret"]],
        }
        assert not any(stored["client_secret"] in url for url in asked)


def test_a_refused_join_of_an_openid_login_is_not_repeated_by_itself(
    context: BrowserContext,
) -> None:
    joins: list[str] = []

    def refuse(route: Any) -> None:
        headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
        if route.request.method == "POST":
            joins.append(route.request.url)
        route.fulfill(status=400, headers=headers, json={"error": "not an event of this room"})

    with opened(context, openid="http://127.0.0.1:9/api") as (tab, served):
        tab.clock.install()
        tab.route("**/assign_queue_num", refuse)
        tab.goto(f"{served.url}?transaction=sealed")
        for _ in range(30):
            tab.clock.run_for(1000)
            tab.wait_for_timeout(40)
        view(tab, "outside")
        expect(tab.locator("main").get_by_text("That did not work")).to_be_visible()
        assert len(joins) == 4  # twice with a client secret's hash, twice without


def test_the_alert_is_off_until_the_visitor_wants_it(context: BrowserContext) -> None:
    context.grant_permissions(["notifications"])
    with opened(context) as (tab, served):
        tab.evaluate(
            "() => { window.sounds = 0; const start = OscillatorNode.prototype.start;"
            " OscillatorNode.prototype.start = function (...at)"
            " { sounds += 1; return start.apply(this, at); } }"
        )
        enter(tab)
        assert tab.evaluate("sounds") == 0
        tab.get_by_role("checkbox").check()
        assert tab.evaluate("sounds") == 3  # so that the visitor knows it
        served.room.serve(10)
        view(tab, "turn")
        assert tab.evaluate("sounds") == 6
