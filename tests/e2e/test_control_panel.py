# SPDX-License-Identifier: Apache-2.0
"""The control panel in a real browser, over the private API's own handlers and signatures."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Browser, Dialog, Page, Route, expect

from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.control_panel import KEY, SECRET, PanelWorld, build, panel_world
from waiting_room.domain.visitor_lookup import reference_of
from waiting_room.inlet.strategies import Alarm, Strategy

pytestmark = [pytest.mark.server, pytest.mark.browser]
EXPIRED = "The security token included in the request is expired"
FRAMES = """new Promise((done) => {
    let left = 20;
    const next = () => (left-- ? requestAnimationFrame(next) : done());
    next();
})"""
STRANGER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanelWorld]:
    with panel_world(build(tmp_path_factory.mktemp("sites"))) as made:
        yield made


@pytest.fixture
def room(addresses: PanelWorld) -> PanelWorld:
    addresses.begin(VALIDITY_PERIOD=600)
    return addresses


@contextmanager
def opened(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page that must break no rule of its own policy and throw nothing."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(10_000)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if "Security" in said.text else None)
    page.goto(address)
    expect(page.locator("#private-api")).not_to_have_value("")
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(browser: Browser, room: PanelWorld) -> Iterator[Page]:
    with opened(browser, room.panel) as made:
        yield made


@pytest.fixture
def panel(page: Page) -> Page:
    """A page that is signed in."""
    sign_in(page)
    return page


def sign_in(page: Page, key: str = KEY, secret: str = SECRET, inside: bool = True) -> None:
    page.get_by_label("Access key ID").fill(key)
    page.get_by_label("Secret access key").fill(secret)
    page.get_by_role("button", name="Sign in", exact=True).click()
    if inside:
        expect(page.locator("#panel")).to_be_visible()


def metric(page: Page, name: str) -> Any:
    return page.locator(f"[data-metric={name}]")


def answer(page: Page, card: str) -> Any:
    return page.locator(f"[data-result={card}]")


def logged(page: Page) -> Any:
    """The newest entry of the log."""
    return page.locator("#log li").first


def refuse(page: Page, room: PanelWorld, said: str) -> None:
    """From now on API Gateway refuses every call with these words."""
    page.route(
        f"{room.private}/**",
        lambda route: (
            route.fulfill(
                status=403,
                content_type="application/json",
                headers={"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"},
                body=json.dumps({"message": said}),
            )
            if route.request.method != "OPTIONS"
            else route.continue_()
        ),
    )


# --- signing in ------------------------------------------------------------------------------


def test_the_form_is_prefilled_and_keys_open_the_panel(room: PanelWorld, page: Page) -> None:
    expect(page.get_by_label("Event")).to_have_value(EVENT)
    expect(page.get_by_label("Region")).to_have_value("eu-central-1")
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    expect(page.get_by_label("Public API")).to_have_value(room.public)
    assert accessibility(page) == []
    room.world.visitors(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    expect(page).to_have_title(f"{EVENT} · Control panel")
    expect(page.locator("main")).to_be_focused()
    assert accessibility(page) == []


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [
        ("AKIAUNKNOWNKEY000000", SECRET, "AWS does not know this access key"),
        (KEY, "wrong", "secret access key does not belong to this access key"),
        ("", SECRET, "Enter the access key ID"),
        ("ASIATEMPORARYKEY0000", SECRET, "need their session token"),
    ],
)
def test_wrong_keys_are_told_in_words(page: Page, key: str, secret: str, words: str) -> None:
    sign_in(page, key, secret, inside=False)
    expect(page.locator("#sign-in-error")).to_contain_text(words)
    expect(page.locator("#panel")).to_be_hidden()
    focused = page.evaluate("document.activeElement.id")
    assert focused in ("sign-in-error", "access-key", "session-token")
    assert accessibility(page) == []


def test_good_keys_without_the_right_are_told_apart(room: PanelWorld, page: Page) -> None:
    refuse(page, room, "User: arn:aws:iam::1:user/x is not authorized to perform: y")
    sign_in(page, inside=False)
    expect(page.locator("#sign-in-error")).to_contain_text("not allowed to do this")


def test_a_wrong_clock_is_measured_and_can_be_worked_around(
    room: PanelWorld, browser: Browser
) -> None:
    with opened(browser, room.panel) as page:
        page.clock.install(time=time.time() - 20 * 60)
        page.reload()
        expect(page.locator("#private-api")).not_to_have_value("")
        sign_in(page, inside=False)
        banner = page.locator("#sign-in-error")
        expect(banner).to_contain_text("behind the API’s")
        expect(banner).to_contain_text(re.compile(r"\b(19 min \d+ s|20 min)"))
        assert accessibility(page) == []
        banner.get_by_role("button", name="Use the API’s time").click()
        expect(page.locator("#panel")).to_be_visible()
        page.get_by_role("button", name="Admit 10 more").click()
        expect(answer(page, "admit")).to_have_text("The serving position is now 10.")


def test_the_page_calls_no_address_that_its_deployment_does_not_name(
    room: PanelWorld, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(room.panel)
    expect(page.locator("#private-api")).not_to_have_value("")
    page.get_by_label("Private API").fill("https://elsewhere.example/api")
    sign_in(page, inside=False)
    expect(page.locator("#sign-in-error")).to_contain_text("only the addresses that its deployment")
    context.close()


def test_keys_are_in_no_store_no_page_and_no_address(room: PanelWorld, page: Page) -> None:
    sent: list[str] = []
    page.on(
        "request",
        lambda one: sent.append(f"{one.url} {one.all_headers()} {one.post_data}"),
    )
    page.get_by_label("Session token").fill("session+token/kept=nowhere")
    sign_in(page)
    page.get_by_role("button", name="Admit 1 more").click()
    expect(answer(page, "admit")).to_be_visible()
    kept = page.evaluate(
        """async () => JSON.stringify([
            {...localStorage}, {...sessionStorage}, document.cookie, window.name, history.state,
            await indexedDB.databases(), await caches.keys(), location.href,
            document.documentElement.outerHTML,
            [...document.querySelectorAll('input, textarea')].map((field) => field.value),
            Object.keys(window).filter((name) => {
                try { return JSON.stringify(window[name])?.includes('s3cret'); }
                catch { return false; }
            }),
        ])"""
    )
    for secret in (SECRET, "session+token/kept=nowhere"):
        assert secret not in kept
    assert KEY not in kept
    assert any("x-amz-security-token" in one for one in sent)  # it was used, and only there
    assert not any(SECRET in one for one in sent)
    assert page.context.cookies() == []
    page.reload()
    expect(page.get_by_label("Access key ID")).to_have_value("")
    expect(page.get_by_label("Secret access key")).to_have_value("")
    expect(page.locator("#panel")).to_be_hidden()


def test_a_page_that_is_kept_for_going_back_keeps_no_keys(room: PanelWorld, panel: Page) -> None:
    panel.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    expect(panel.locator("#panel")).to_be_hidden()
    before = len(room.calls)
    panel.evaluate("document.querySelector('[data-by]').click()")
    panel.wait_for_timeout(200)
    assert len(room.calls) == before


def test_signing_out_forgets_everything(room: PanelWorld, panel: Page) -> None:
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(answer(panel, "admit")).to_be_visible()
    panel.get_by_role("button", name="Sign out").click()
    expect(panel.locator("#sign-in-view")).to_be_visible()
    expect(panel.get_by_label("Access key ID")).to_be_focused()
    before = len(room.calls)
    panel.wait_for_timeout(300)
    assert len(room.calls) == before
    sign_in(panel)
    expect(panel.locator("#log li")).to_have_count(1)


# --- watching --------------------------------------------------------------------------------


def test_the_metrics_are_those_of_the_room(room: PanelWorld, page: Page) -> None:
    inside = room.admit(20)
    room.world.room.sessions.end(EVENT, inside[0], 1)
    room.world.room.sessions.end(EVENT, inside[1], -1)
    room.world.visitors(30)
    room.world.serve(5)
    sign_in(page)
    shown = {
        name: metric(page, name).text_content()
        for name in (
            "serving", "waiting", "openTurns", "active", "queue", "completed", "abandoned",
            "expiredTokens", "positionsExpired",
        )
    }  # fmt: skip
    assert shown == {
        "serving": "25", "waiting": "30", "openTurns": "5", "active": "18", "queue": "50",
        "completed": "1", "abandoned": "1", "expiredTokens": "0", "positionsExpired": "0",
    }  # fmt: skip
    room.world.clock.now += 601
    room.world.serve(975)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "serving")).to_have_text("1,000")
    expect(metric(page, "openTurns")).to_have_text("30")
    expect(metric(page, "expiredTokens")).to_have_text("18")
    expect(page.locator("[data-note=serving]")).to_contain_text("950 past the end of the queue")


def test_metrics_that_are_not_kept_up_are_marked_with_their_age(
    room: PanelWorld, page: Page
) -> None:
    room.admit(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    expect(page.locator("#not-kept-up")).to_be_hidden()
    expect(page.locator("#upkeep")).to_contain_text("Sweep: ")
    assert page.locator("[data-stale]").count() == 0
    room.world.clock.now += 480
    page.get_by_role("button", name="Refresh", exact=True).click()
    words = page.locator("#not-kept-up")
    expect(words).to_contain_text("Not up to date: Waiting, Open turns, Expired turns.")
    expect(words).to_contain_text("Last sweep: 8 min")
    marked = {one.get_attribute("data-metric") for one in page.locator("[data-stale]").all()}
    assert marked == {"waiting", "openTurns", "positionsExpired"}
    assert accessibility(page) == []
    room.world.room.minute_jobs.run(EVENT)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(words).to_be_hidden()
    assert page.locator("[data-stale]").count() == 0


def test_each_refresh_is_one_call_and_a_hidden_page_makes_none(
    room: PanelWorld, browser: Browser
) -> None:
    with opened(browser, room.panel) as page:
        page.clock.install()
        page.reload()
        expect(page.locator("#private-api")).not_to_have_value("")
        sign_in(page)
        expect(page.locator("#inlet-none")).to_contain_text("No inlet is running")
        del room.calls[:]
        for _ in range(4):
            asked = len(room.calls)
            page.clock.fast_forward(5_100)
            waited(lambda asked=asked: len(room.calls) > asked, page)
            page.wait_for_timeout(100)
        assert room.calls == ["GET /metrics"] * 4
        see(page, "hidden")
        page.clock.fast_forward(60_000)
        page.wait_for_timeout(200)
        assert len(room.calls) == 4
        see(page, "visible")
        waited(lambda: len(room.calls) == 5, page)
        expect(page.locator("#state")).to_contain_text("Live")
        expect(page.locator("#announce")).to_be_empty()  # nobody was told of stale metrics


def see(page: Page, state: str) -> None:
    """The page goes out of sight, or comes back."""
    page.evaluate(
        """(state) => {
            Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        state,
    )


def waited(check: Callable[[], bool], page: Page) -> None:
    """Wait until it is true."""
    end = time.monotonic() + 10
    while not check():
        assert time.monotonic() < end
        page.wait_for_timeout(20)


def test_while_the_api_is_down_the_last_metrics_stay_and_say_their_age(
    room: PanelWorld, panel: Page
) -> None:
    room.world.visitors(7)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "waiting")).to_have_text("7")
    room.down = True
    panel.get_by_role("button", name="Refresh", exact=True).click()
    banner = panel.locator("#stale")
    expect(banner).to_contain_text("The API cannot be reached")
    expect(banner).to_contain_text(re.compile(r"The metrics are \d+ s old"))
    expect(banner).to_contain_text("Retrying in")
    expect(panel.locator("#state")).to_contain_text("Out of date")
    expect(metric(panel, "waiting")).to_have_text("7")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(answer(panel, "admit")).to_contain_text("It may have taken effect")
    expect(logged(panel)).to_contain_text("Unconfirmed")
    room.down = False
    banner.get_by_role("button", name="Try now").click()
    expect(banner).to_be_hidden()
    expect(
        panel.get_by_role("button", name="Refresh", exact=True)
    ).to_be_focused()  # not lost with the bar
    expect(panel.locator("#state")).to_contain_text("Live")
    assert accessibility(panel) == []


def test_keys_that_expire_during_the_event_are_renewed_without_losing_the_log(
    room: PanelWorld, panel: Page
) -> None:
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_be_visible()
    refuse(panel, room, EXPIRED)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    banner = panel.locator("#stale")
    expect(banner).to_contain_text("The session token has expired")
    assert accessibility(panel) == []
    banner.get_by_role("button", name="Sign in again").click()
    panel.unroute_all()
    sign_in(panel)
    expect(panel.locator("#log")).to_contain_text("Admit 10")
    expect(banner).to_be_hidden()


def test_updates_can_be_paused(room: PanelWorld, panel: Page) -> None:
    panel.get_by_role("button", name="Pause updates").click()
    expect(panel.locator("#state")).to_contain_text("Paused")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Pause updates").click()
    expect(panel.locator("#state")).to_contain_text("Live")


def test_charts_have_their_values_in_words_and_in_a_table(room: PanelWorld, panel: Page) -> None:
    room.world.visitors(40)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "waiting")).to_have_text("40")
    waiting = panel.get_by_role(
        "img", name=re.compile("^Waiting: Waiting now 40, between 0 and 40")
    )
    expect(waiting).to_have_count(1)
    expect(panel.locator("#charts canvas")).to_have_count(3)
    panel.get_by_text("Show as a table").click()
    expect(panel.locator("#metrics-rows tr").first).to_contain_text("40")
    panel.get_by_role("radio", name="12 h").check()
    expect(waiting).to_have_count(1)
    assert accessibility(panel) == []


def test_metrics_and_log_are_exported(room: PanelWorld, panel: Page) -> None:
    room.world.visitors(3)
    panel.get_by_role("button", name="Admit 1 more").click()
    expect(metric(panel, "queue")).to_have_text("3")
    name, rows = exported(panel, "Export metrics (CSV)")
    assert re.fullmatch(rf"{EVENT}-metrics-[\d-]+T\d+Z\.csv", name)
    assert len(rows) >= 2
    assert (rows[-1]["queue_size"], rows[-1]["serving_position"]) == ("3", "1")
    _, rows = exported(panel, "Export log (CSV)")
    assert [row["action"] for row in rows] == ["Sign in", "Admit 1"]


def exported(page: Page, button: str) -> tuple[str, list[dict[str, str]]]:
    """The name and the rows of the file that a button gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    text = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    return download.value.suggested_filename, list(csv.DictReader(io.StringIO(text)))


# --- acting ----------------------------------------------------------------------------------


def test_the_serving_position_moves_by_buttons_and_by_any_number(
    room: PanelWorld, panel: Page
) -> None:
    room.world.visitors(200)
    panel.get_by_role("button", name="Admit 100 more").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 100.")
    expect(metric(panel, "serving")).to_have_text("100")
    panel.get_by_label("Any number").fill("250")
    expect(panel.locator("#move-preview")).to_have_text(
        "100 → 350: 100 more visitors may enter; the next 150 visitors to join go straight in."
    )
    expect(panel.locator("#move-back-preview")).to_have_text(
        "Back: 100 → 0. Visitors 1 to 100 without a token wait again; tokens already issued stay "
        "valid."
    )
    expect(panel.get_by_role("button", name="Admit", exact=True)).to_be_enabled()
    panel.get_by_label("Any number").press("Enter")
    expect(panel.get_by_role("dialog")).to_contain_text("Only 100 visitors are waiting.")
    panel.get_by_role("dialog").get_by_role("button", name="Admit 250").click()
    expect(metric(panel, "serving")).to_have_text("350")
    expect(logged(panel)).to_contain_text("Admit 250. The serving position is now 350.")
    panel.get_by_label("Any number").fill("1.5")
    panel.get_by_role("button", name="Admit", exact=True).click()
    expect(answer(panel, "admit")).to_contain_text("Enter a whole number")
    expect(panel.get_by_label("Any number")).to_have_attribute("aria-invalid", "true")
    assert room.calls.count("POST /increment_serving_counter") == 2
    assert accessibility(panel) == []


def test_two_clicks_while_a_move_is_under_way_move_once(room: PanelWorld, panel: Page) -> None:
    panel.evaluate(
        "() => { const b = document.querySelector('[data-by=\"10\"]'); b.click(); b.click(); }"
    )
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    assert room.calls.count("POST /increment_serving_counter") == 1


def test_a_double_click_and_a_key_that_is_held_move_once(room: PanelWorld, panel: Page) -> None:
    button = panel.get_by_role("button", name="Admit 10 more")
    box = button.bounding_box()
    assert box
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    panel.mouse.click(*middle)
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    # the buttons have rested: the second click of a double click is no press even then
    expect(button).to_be_enabled()
    panel.mouse.move(*middle)
    panel.mouse.down(click_count=2)
    panel.mouse.up(click_count=2)
    expect(button).to_be_enabled()
    button.focus()
    for _ in range(30):
        panel.keyboard.down("Enter")  # from the second one on, the key repeats
        panel.wait_for_timeout(33)
    panel.keyboard.up("Enter")
    expect(metric(panel, "serving")).to_have_text("20")
    assert room.calls.count("POST /increment_serving_counter") == 2
    assert room.world.room.metrics.counts(EVENT).serving == 20


def test_a_move_far_beyond_those_who_wait_is_asked_about_and_undone(
    room: PanelWorld, panel: Page
) -> None:
    room.world.visitors(110)
    panel.get_by_role("button", name="Admit 1,000 more").click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text("Only 110 visitors are waiting. 0 → 1,000: 110 more visitors")
    assert "POST /increment_serving_counter" not in room.calls
    dialog.get_by_role("button", name="Admit 1,000").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 1,000.")
    expect(metric(panel, "serving")).to_have_text("1,000")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Undo: move back by 1,000").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 0.")
    expect(panel.locator("#undo-move")).to_be_hidden()
    assert room.world.room.metrics.counts(EVENT).serving == 0
    panel.get_by_role("button", name="Admit 10 more").click()
    undo = panel.get_by_role("button", name="Undo: move back by 10")
    expect(undo).to_be_enabled()
    expect(metric(panel, "serving")).to_have_text("10")
    panel.get_by_role("button", name="Pause updates").click()
    room.world.serve(7)  # by another operator
    undo.click()
    expect(answer(panel, "admit")).to_have_text(
        "Nothing was undone: the serving position has moved since, to 17."
    )
    assert room.world.room.metrics.counts(EVENT).serving == 17


def test_a_move_that_may_have_been_made_is_sent_again_and_made_once(
    room: PanelWorld, panel: Page
) -> None:
    sent: list[str] = []

    def lose(route: Route) -> None:
        sent.append(route.request.post_data or "")
        if len(sent) == 1:
            route.fetch()  # the room made the move; its answer is lost
            route.abort()
        else:
            route.continue_()

    panel.route("**/increment_serving_counter", lose)
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_contain_text("It may have taken effect.")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Send again").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 10.")
    expect(panel.get_by_role("button", name="Send again")).to_be_hidden()
    assert room.world.room.metrics.counts(EVENT).serving == 10
    assert sent[0] == sent[1]
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 20.")
    assert json.loads(sent[2])["call_id"] != json.loads(sent[0])["call_id"]


def test_an_answer_that_is_not_the_room_s_is_no_number(room: PanelWorld, panel: Page) -> None:
    panel.route(
        "**/increment_serving_counter",
        lambda route: (
            route.continue_()
            if route.request.method == "OPTIONS"
            else route.fulfill(body="{}", headers={"Access-Control-Allow-Origin": "*"})
        ),
    )
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_contain_text("did not come from the private API")
    assert "NaN" not in (panel.locator("body").text_content() or "")


def test_a_move_that_failed_is_not_sent_again_by_itself(room: PanelWorld, panel: Page) -> None:
    room.busy = True
    panel.get_by_role("button", name="Admit 10 more").click()
    expect(answer(panel, "admit")).to_contain_text("status 503: the waiting room is busy")
    expect(answer(panel, "admit")).to_contain_text("It may have taken effect")
    panel.wait_for_timeout(1_000)
    assert room.calls.count("POST /increment_serving_counter") == 1


def test_moving_back_and_large_moves_are_asked_about(room: PanelWorld, panel: Page) -> None:
    room.world.visitors(50)
    room.world.serve(40)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(panel, "serving")).to_have_text("40")
    field, dialog = panel.get_by_label("Any number"), panel.get_by_role("dialog")
    field.fill("15")
    back = panel.get_by_role("button", name="Move back…")
    back.click()
    expect(dialog).to_contain_text("Back: 40 → 25. Visitors 26 to 40 without a token wait again")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    assert accessibility(panel) == []
    panel.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(back).to_be_focused()
    back.click()
    dialog.get_by_role("button", name="Move back").click()
    expect(answer(panel, "admit")).to_have_text("The serving position is now 25.")
    field.fill("20000")
    panel.get_by_role("button", name="Admit", exact=True).click()
    expect(dialog).to_contain_text("Admit 20,000?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert room.calls.count("POST /increment_serving_counter") == 1


def test_the_message_is_set_seen_by_visitors_and_cleared(room: PanelWorld, panel: Page) -> None:
    field = panel.get_by_label("Shown on the waiting page")
    field.fill('<img src=x onerror="alert(1)"> =1+1')
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("Message published.")
    panel.get_by_role("button", name="Check the visitors’ view").click()
    expect(answer(panel, "message")).to_contain_text("Response time")
    expect(answer(panel, "message")).to_contain_text("<img src=x")
    assert panel.locator("main img").count() == 0
    field.fill("half a sent")
    room.world.room.control.set_message(EVENT, "another operator wrote this")
    panel.get_by_role("button", name="Refresh", exact=True).click()
    waited(lambda: room.calls[-1] == "GET /metrics", panel)
    panel.wait_for_timeout(200)
    expect(field).to_have_value("half a sent")
    field.fill("x" * 501)
    expect(panel.locator("#message-left")).to_have_text("1 character too many.")
    panel.get_by_role("button", name="Publish").click()
    expect(answer(panel, "message")).to_contain_text("longer than 500")
    panel.get_by_role("button", name="Remove").click()
    expect(answer(panel, "message")).to_have_text("Message removed.")
    expect(field).to_have_value("")
    assert room.world.room.metrics.status_page(EVENT)["message"] == ""


def test_a_visitor_is_looked_up_and_their_session_ended(room: PanelWorld, panel: Page) -> None:
    inside = room.admit(2)
    waiting = room.world.visitors(3)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    field, facts = (
        panel.get_by_label("Reference, queue number or request ID"),
        panel.locator("#visitor"),
    )
    field.fill(f"  {waiting[2].upper()} ")
    field.press("Enter")
    expect(facts).to_contain_text("Waiting")
    expect(facts).to_contain_text("3 positions")
    expect(panel.get_by_role("button", name="Mark completed…")).to_be_hidden()
    field.fill(inside[0])
    panel.get_by_role("button", name="Look up", exact=True).click()
    expect(facts).to_contain_text("has a valid token")
    assert accessibility(panel) == []
    panel.get_by_role("button", name="Mark completed…").click()
    panel.get_by_role("dialog").get_by_role("button", name="Mark completed").click()
    expect(answer(panel, "visitor")).to_have_text("The session is marked completed.")
    expect(facts).to_contain_text("Completed")
    field.fill(inside[1])
    field.press("Enter")
    expect(facts).to_contain_text("has a valid token")
    panel.get_by_role("button", name="Mark abandoned…").click()
    panel.get_by_role("dialog").get_by_role("button", name="Mark abandoned").click()
    expect(metric(panel, "abandoned")).to_have_text("1")
    for request_id, words in ((STRANGER, "No position belongs"), ("junk", "Enter a reference")):
        field.fill(request_id)
        field.press("Enter")
        expect(answer(panel, "visitor")).to_contain_text(words)
        expect(facts).to_be_hidden()


def test_expired_tokens_are_listed_page_by_page_and_exported(room: PanelWorld, panel: Page) -> None:
    expired = room.admit(120)
    room.world.clock.now += 601
    panel.get_by_role("button", name="Show list").click()
    ids, where = panel.locator("#expired-list li code"), panel.locator("#expired-where")
    expect(ids).to_have_count(50)
    seen = ids.all_text_contents()
    assert accessibility(panel) == []
    forward = panel.get_by_role("button", name="Next")
    forward.click()
    expect(where).to_have_text("Page 2")
    seen += ids.all_text_contents()
    forward.click()
    expect(where).to_have_text("Page 3 (last page)")
    expect(ids).to_have_count(20)
    seen += ids.all_text_contents()
    assert sorted(seen) == sorted(expired)
    expect(forward).to_be_disabled()
    _, rows = exported(panel, "Export page (CSV)")
    assert [row["request_id"] for row in rows] == seen[100:]
    panel.get_by_role("button", name="Previous").click()
    expect(where).to_have_text("Page 2")
    assert ids.all_text_contents() == seen[50:100]
    panel.get_by_role("button", name=f"Look up {seen[50]}").click()
    expect(panel.locator("#visitor")).to_contain_text("Token expired")


def test_a_reset_wants_the_name_of_the_event(room: PanelWorld, panel: Page) -> None:
    inside = room.admit(3)
    room.world.visitors(5)
    panel.get_by_label("Reference, queue number or request ID").fill(inside[0])
    panel.get_by_label("Reference, queue number or request ID").press("Enter")
    expect(panel.locator("#visitor")).to_be_visible()
    expect(metric(panel, "queue")).to_have_text("8")
    panel.get_by_role("button", name="Reset…").click()
    dialog = panel.get_by_role("dialog")
    expect(dialog).to_contain_text("5 visitors in the queue will lose their position")
    expect(dialog.get_by_label(f"Type {EVENT} to confirm")).to_be_focused()
    panel.keyboard.type("sample")
    panel.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text(f"That is not {EVENT}.")
    assert accessibility(panel) == []
    assert "POST /reset_initial_state" not in room.calls
    dialog.get_by_label(f"Type {EVENT} to confirm").fill(EVENT)
    dialog.get_by_role("button", name="Reset everything").click()
    expect(answer(panel, "reset")).to_contain_text("The waiting room was reset")
    expect(metric(panel, "queue")).to_have_text("0")
    expect(logged(panel)).to_contain_text("Reset the waiting room.")
    expect(panel.locator("#visitor")).to_be_hidden()  # that place was one of the line before


def test_a_reset_is_of_the_line_that_the_operator_saw(room: PanelWorld, page: Page) -> None:
    room.admit(3)
    sign_in(page)
    expect(metric(page, "queue")).to_have_text("3")
    page.get_by_role("button", name="Reset…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This is generation 1.")
    room.world.room.control.reset(EVENT)  # by another operator, who was quicker
    room.world.visitors(4)
    dialog.get_by_label(f"Type {EVENT} to confirm").fill(EVENT)
    dialog.get_by_role("button", name="Reset everything").click()
    expect(answer(page, "reset")).to_contain_text("Generation is not the current generation")
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "queue")).to_have_text("4")
    assert room.world.room.metrics.counts(EVENT).generation == 2


def test_the_inlet_is_shown_retargeted_and_paused(room: PanelWorld, page: Page) -> None:
    targets = {"min_per_minute": 10, "per_minute": 120, "active": 400}
    said = {"last_at": int(time.time()), "last_increment": 9, "last_reason": "312 of 400 active"}
    room.run_inlet(Strategy.AUTOMATIC, targets, **said)
    sign_in(page)
    expect(page.locator("#inlet-what")).to_contain_text("Automatic")
    expect(page.locator("#inlet-last")).to_contain_text("admitted 9 visitors (312 of 400 active)")
    expect(page.locator("#inlet-state")).to_have_text("Running")
    values = [field.input_value() for field in page.locator("#inlet-targets input").all()]
    assert values == ["400", "120", "10"]
    field = page.get_by_label("New visitors per minute, at most")
    expect(field).to_have_value("120")
    field.fill("5")
    page.get_by_role("button", name="Save targets").click()
    expect(answer(page, "inlet")).to_contain_text("min_per_minute must not be above per_minute")
    field.fill("many")
    page.get_by_role("button", name="Save targets").click()
    expect(answer(page, "inlet")).to_contain_text("per_minute must be a whole number")
    expect(field).to_have_value("many")
    field.fill("90")
    page.get_by_role("button", name="Save targets").click()
    expect(answer(page, "inlet")).to_contain_text("new visitors per minute, at most 90")
    page.get_by_role("button", name="Pause inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    assert accessibility(page) == []
    record = room.inlets.read(EVENT)
    assert record
    assert (record.paused, record.targets["per_minute"]) == (True, 90)
    page.get_by_role("button", name="Resume inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Running")


def test_what_another_operator_does_is_seen_within_one_refresh(
    room: PanelWorld, page: Page
) -> None:
    room.world.visitors(50)
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10}, last_at=int(time.time()))
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Running")
    page.get_by_label("Shown on the waiting page").fill("half a sent")
    room.world.serve(20)
    room.world.room.control.set_message(EVENT, "تبدأ الجولة عند الظهر")
    record = room.inlets.read(EVENT)
    assert record
    room.inlets.change(record, paused=True, targets={"increment_by": 7})
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(metric(page, "serving")).to_have_text("20")
    expect(page.locator("#moved-elsewhere")).to_contain_text("Moved from 0 to 20 by an inlet or")
    expect(page.locator("#message-now")).to_contain_text("تبدأ الجولة عند الظهر")
    expect(page.locator("#log")).to_contain_text("Message changed elsewhere")
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    expect(page.get_by_label("Visitors per minute")).to_have_value("7")
    expect(page.get_by_label("Shown on the waiting page")).to_have_value("half a sent")


def test_a_reset_by_another_operator_is_noted(room: PanelWorld, panel: Page) -> None:
    room.world.visitors(3)
    room.world.room.control.reset(EVENT)
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(logged(panel)).to_contain_text("Reset elsewhere. Generation 2 has started.")


def test_an_answer_about_the_inlet_from_before_a_change_is_not_shown(
    room: PanelWorld, page: Page
) -> None:
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10}, last_at=int(time.time()))
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Running")
    page.get_by_role("button", name="Pause updates").click()
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "GET" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/inlet**", hold)
    page.get_by_role("button", name="Refresh inlet").click()
    waited(lambda: bool(held), page)
    page.get_by_role("button", name="Pause inlet").click()
    expect(page.locator("#inlet-state")).to_have_text("Paused")
    waited(lambda: room.calls.count("GET /inlet") == 3, page)  # one more, after the change
    page.evaluate(FRAMES)
    route, response = held[0]
    with page.expect_event("requestfinished", lambda one: one == route.request):
        route.fulfill(response=response)
    page.evaluate(FRAMES)  # the page has read it by then
    expect(page.locator("#inlet-state")).to_have_text("Paused")


def test_the_alarm_that_holds_an_inlet_is_shown(room: PanelWorld, page: Page) -> None:
    now = int(time.time())
    watched = {"last_at": now, "alarm": "SiteErrors", "alarm_holds": True}
    targets = {"min_per_minute": 5, "per_minute": 60, "active": 400}
    room.run_inlet(
        Strategy.AUTOMATIC,
        targets,
        controller_state={"pace": 5.0},
        alarm_state=Alarm.ALARM,
        **watched,
    )
    sign_in(page)
    expect(page.locator("#inlet-state")).to_have_text("Slowed")
    expect(page.locator("#inlet-alarm")).to_have_text("Slowed to 5/min: alarm SiteErrors.")
    assert accessibility(page) == []


def test_the_room_s_own_rate_is_shown_from_the_first_answer(room: PanelWorld, page: Page) -> None:
    room.world.visitors(200)
    for _ in range(3):
        room.world.serve(30)
        room.world.clock.now += 30
    sign_in(page)
    expect(metric(page, "admissionRate")).not_to_have_text(re.compile("^(0|–)$"))
    expect(page.locator("[data-note=waiting]")).to_contain_text("Last visitor’s turn in about")


def test_an_older_answer_is_never_shown_after_a_newer_one(room: PanelWorld, panel: Page) -> None:
    room.world.visitors(5)
    old = panel.request.get(f"{room.private}/metrics")  # no metrics: not signed
    assert old.status == 403
    kept: list[dict[str, Any]] = []

    def keep(route: Route) -> None:
        if route.request.method == "OPTIONS":
            route.continue_()
            return
        if not kept:
            answered = route.fetch()
            kept.append({"response": answered, "body": answered.body()})
            route.fulfill(**kept[0])
            return
        headers = {**kept[0]["response"].headers, "date": "Tue, 24 Nov 2020 09:00:00 GMT"}
        body = {**json.loads(kept[0]["body"])}
        body.pop("now", None)
        route.fulfill(status=200, headers=headers, body=json.dumps(body))

    panel.route("**/metrics*", keep)
    refresh = panel.get_by_role("button", name="Refresh", exact=True)
    refresh.click()
    expect(metric(panel, "queue")).to_have_text("5")
    panel.unroute_all()
    room.world.visitors(5)
    refresh.click()
    expect(metric(panel, "queue")).to_have_text("10")
    panel.route("**/metrics*", keep)
    with panel.expect_event("requestfinished", lambda one: one.method == "GET"):
        refresh.click()
    panel.evaluate(FRAMES)
    expect(metric(panel, "queue")).to_have_text("10")


def test_a_reload_asks_before_the_keys_are_dropped(room: PanelWorld, panel: Page) -> None:
    panel.get_by_role("button", name="Pause updates").click()  # the browser asks after a press only
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    panel.once("dialog", stay)
    panel.evaluate("setTimeout(() => location.reload())")
    waited(lambda: asked == ["beforeunload"], panel)
    expect(panel.locator("#panel")).to_be_visible()
    panel.get_by_role("button", name="Sign out").click()
    panel.reload()  # signed out, nothing is lost: nobody asks
    assert asked == ["beforeunload"]


def test_a_visitor_is_found_by_what_they_read_out(room: PanelWorld, page: Page) -> None:
    visitors = room.world.visitors(1_234)
    reference = reference_of(1_234, visitors[-1])
    sign_in(page)
    field, facts = (
        page.get_by_label("Reference, queue number or request ID"),
        page.locator("#visitor"),
    )
    for text in (f" {reference.lower().replace('-', ' – ')} ", "1,234", visitors[-1].upper()):
        field.fill(text)
        page.get_by_role("button", name="Look up", exact=True).click()
        expect(facts).to_contain_text(reference)
        expect(facts).to_contain_text(visitors[-1])
    wrong = f"1233-{reference[-4:]}"
    field.fill(wrong)
    field.press("Enter")
    expect(answer(page, "visitor")).to_contain_text("No visitor of this event has this reference")
    expect(facts).to_be_hidden()
    field.fill("ACCC-A4CC")
    field.press("Enter")
    expect(answer(page, "visitor")).to_contain_text("before the visitor had a queue number")
    assert visitors[-1] not in (page.locator("#log").text_content() or "")


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (404, "text/html", "<h1>Not found</h1>"),
        (200, "text/html", "<h1>Welcome to Free Wi-Fi</h1>"),
    ],
)
def test_a_script_that_does_not_load_is_told_with_a_way_to_try_again(
    room: PanelWorld, browser: Browser, status: int, kind: str, body: str
) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.route(
        "**/panel.js", lambda route: route.fulfill(status=status, content_type=kind, body=body)
    )
    page.goto(room.panel)
    told = page.get_by_role("heading", name="The control panel has not started")
    expect(told).to_be_visible(timeout=15_000)
    expect(page.get_by_label("Secret access key")).to_be_hidden()  # no key goes into a dead form
    assert accessibility(page) == []
    page.unroute_all()
    page.get_by_role("link", name="Try again").click()
    expect(page.get_by_label("Secret access key")).to_be_visible()
    expect(told).to_be_hidden()
    context.close()


def test_settings_that_do_not_load_are_told_and_read_again(
    room: PanelWorld, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/config.json", lambda route: route.fulfill(content_type="text/html", body="<h1>"))
    page.goto(room.panel)
    expect(page.locator("#sign-in-error")).to_contain_text("config.json")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    expect(page.locator("#sign-in-error")).to_be_hidden()
    context.close()


def test_a_page_is_a_handful_of_requests(room: PanelWorld, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url.rsplit("/", 1)[1]))
    page.goto(room.panel)
    expect(page.get_by_label("Private API")).to_have_value(room.private)
    assert set(asked) == {"", "panel.js", "panel.css", "icon.svg", "config.json"}
    assert asked.count("panel.js") == 1
    context.close()


# --- for everyone ----------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_small_phone_in_both_colour_schemes(
    room: PanelWorld, browser: Browser, scheme: str
) -> None:
    room.run_inlet(Strategy.PERIODIC, {"increment_by": 10})
    inside = room.admit(2)
    room.world.serve(1_000_000)
    room.world.serve(1_000_000)
    size = {"width": 320, "height": 640}
    room.world.room.control.set_message(EVENT, ("W" * 499 + " ")[:500])
    with opened(browser, room.panel, viewport=size, color_scheme=scheme, has_touch=True) as page:
        assert overflow(page) == 0
        assert accessibility(page) == []
        sign_in(page)
        page.get_by_label("Reference, queue number or request ID").fill(inside[0])
        page.get_by_label("Reference, queue number or request ID").press("Enter")
        expect(page.locator("#visitor")).to_be_visible()
        expect(metric(page, "serving")).to_have_text("2,000,002")
        page.get_by_text("Show as a table").click()
        assert overflow(page) == 0
        assert accessibility(page) == []
        small = page.evaluate(
            """() => [...document.querySelectorAll('button, input, summary')]
                .map((one) => [one.id || one.textContent, one.getBoundingClientRect()])
                .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
                .map(([name]) => name)"""
        )
        assert small == []


def overflow(page: Page) -> int:
    """Pixels that the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_everything_works_from_the_keyboard(room: PanelWorld, page: Page) -> None:
    page.get_by_label("Access key ID").focus()
    page.keyboard.type(KEY)
    page.keyboard.press("Tab")
    page.keyboard.type(SECRET)
    page.keyboard.press("Enter")
    expect(page.locator("#panel")).to_be_visible()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.by") == "10":
            break
    page.keyboard.press("Enter")
    expect(answer(page, "admit")).to_have_text("The serving position is now 10.")
    # the button keeps the focus: pressing it again is one key
    assert page.evaluate("document.activeElement.dataset.by") == "10"


def test_what_changes_every_few_seconds_is_not_read_aloud(room: PanelWorld, panel: Page) -> None:
    assert panel.locator("#metrics [aria-live], #metrics [role=status]").count() == 0
    panel.evaluate(
        """() => {
            window.said = [];
            const aloud = '[role=status], [role=log], [role=alert], [aria-live]';
            for (const place of document.querySelectorAll(aloud)) {
                new MutationObserver(() => window.said.push(place.textContent))
                    .observe(place, {childList: true, subtree: true, characterData: true});
            }
        }"""
    )
    for count in (3, 6, 9):
        room.world.visitors(3)
        panel.get_by_role("button", name="Refresh", exact=True).click()
        expect(metric(panel, "queue")).to_have_text(str(count))
    assert panel.evaluate("said") == []
    room.down = True
    panel.get_by_role("button", name="Refresh", exact=True).click()
    expect(panel.locator("#announce")).to_contain_text("out of date")
    panel.wait_for_timeout(2_500)  # the age shown goes on each second
    assert len(panel.evaluate("said")) == 1
