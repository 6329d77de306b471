# SPDX-License-Identifier: Apache-2.0
"""The states of the waiting page, each forced on a room in memory.

The module has more than 300 lines because it is one list of states.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.screenshots import State
from tests.support.pages.waiting_page import Room, Served, page

BUSY = {
    "waiting_num": 5321,
    "queue_counter": 6605,
    "admission_rate_per_minute": 12.4,
    "optimistic_rate_per_minute": 12.4,
}
MESSAGE = "We are letting in 12 people a minute. Tickets are left for everyone in line."
LOGO = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='96' height='96' "
    "viewBox='0 0 96 96'><circle cx='48' cy='48' r='44' fill='%23b3245b'/>"
    "<path d='M30 66V30l36 36V30' stroke='white' stroke-width='8' fill='none'/></svg>"
)
BRAND: dict[str, Any] = {
    "name": "Nordlicht Festival",
    "logo": LOGO,
    "colors": {"accent": "#b3245b", "background": "#faf3f0"},
    "colors_dark": {"accent": "#ff9dbd"},
    "texts": {"en": {"enter_title": "Early birds, this way"}},
}
Steps = Callable[[Page, Served], None]


def shown(tab: Page, view: str) -> None:
    """Wait until a view is seen."""
    expect(tab.locator(f'[data-view="{view}"]')).to_be_visible(timeout=15_000)


def state(
    name: str,
    view: str,
    steps: Steps,
    *,
    others: int = 1283,
    serve: int = 1200,
    brand: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **context: Any,
) -> State:
    """A state that is reached by ``steps`` from a room with a line."""

    @contextmanager
    def open_(given: BrowserContext) -> Iterator[Page]:
        now = time.time()
        moves = {"first_moved_at": now - 3600, "moved_at": now, "every": 60}
        room = Room(options=options or {}, status={**BUSY, **moves})
        room.fill(others)
        room.serve(serve)
        with page(room, brand=brand) as served:
            tab = given.new_page()
            tab.goto(served.url)
            steps(tab, served)
            if view:
                shown(tab, view)
            tab.wait_for_timeout(150)
            yield tab
            tab.close()

    return State(name, open_, context)


def enter(tab: Page, _: Served) -> None:
    """Join the line."""
    tab.locator("#enter").click()
    tab.locator('[data-view="waiting"], [data-view="placing"]').locator("visible=true").wait_for()


def wait(tab: Page, served: Served) -> None:
    """Join, and have a place."""
    enter(tab, served)
    shown(tab, "waiting")
    served.room.serve(40)
    tab.reload()
    shown(tab, "waiting")
    expect(tab.locator("[data-value=before]")).to_have_text("43")


def called(tab: Page, served: Served) -> None:
    """Join, and be called."""
    wait(tab, served)
    served.room.serve(200)
    tab.reload()
    shown(tab, "turn")


def inside(tab: Page, served: Served) -> None:
    """Take the token."""
    called(tab, served)
    tab.locator("#checkout").click()
    shown(tab, "inside")


def bought(tab: Page, served: Served) -> None:
    """Buy."""
    inside(tab, served)
    tab.locator("#purchase").click()


def told(tab: Page, served: Served) -> None:
    """Wait, with a word from the operator."""
    served.room.status["message"] = MESSAGE
    wait(tab, served)


def stopped(tab: Page, served: Served) -> None:
    """Wait in a line that does not move."""
    served.room.status["admission_rate_per_minute"] = 0
    wait(tab, served)


def not_kept(tab: Page, served: Served) -> None:
    """Wait in a browser that stores nothing."""
    tab.add_init_script("Object.defineProperty(window, 'localStorage', {value: null})")
    tab.reload()
    enter(tab, served)


def placing(tab: Page, served: Served) -> None:
    """Join, without a number yet."""
    served.room.fault = "slow"
    enter(tab, served)


def reset(tab: Page, served: Served) -> None:
    """Wait, and the line is reset."""
    wait(tab, served)
    served.room.in_memory_room.room.control.reset("Sample")
    tab.reload()


def expired(tab: Page, served: Served) -> None:
    """Let one's turn pass."""
    called(tab, served)
    served.room.clock.ahead += 2000
    tab.reload()


def ended(tab: Page, served: Served) -> None:
    """Come back after one's visit was completed."""
    inside(tab, served)
    served.room.in_memory_room.room.sessions.end("Sample", served.room.request_id(), 1)
    tab.reload()


def refused(tab: Page, served: Served) -> None:
    """Hold a place without its secret."""
    called(tab, served)
    tab.evaluate(
        "for (const key of Object.keys(localStorage)) localStorage[key] ="
        ' localStorage[key].replace(/client_secret":"..../, \'client_secret":"0000\')'
    )
    tab.reload()
    tab.locator("#checkout").click()


def down(tab: Page, served: Served) -> None:
    """Wait, and the room stops answering."""
    wait(tab, served)
    served.room.fault = "down"
    tab.reload()
    expect(tab.locator("#trouble")).to_be_visible()
    served.room.fault = ""
    tab.locator("#retry").click()
    shown(tab, "waiting")
    served.room.fault = "down"
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#trouble")).to_be_visible()


def offline(tab: Page, served: Served) -> None:
    """Wait, and lose the network."""
    wait(tab, served)
    tab.context.set_offline(True)
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#trouble")).to_be_visible()


def shop_down(tab: Page, served: Served) -> None:
    """Try to buy from a shop that does not answer."""
    inside(tab, served)
    tab.route(f"{served.config['store_api']}/**", lambda route: route.abort())
    tab.locator("#purchase").click()
    expect(tab.locator("#failure")).to_be_visible(timeout=15_000)


def loading(tab: Page, served: Served) -> None:
    """Open the page while its own settings cannot be had."""
    tab.route("**/config.json", lambda route: route.abort())
    tab.reload()
    expect(tab.locator("#trouble")).to_be_visible()


def next_one(tab: Page, served: Served) -> None:
    """Wait with nobody ahead."""
    wait(tab, served)
    served.room.serve(43)
    tab.reload()
    expect(tab.locator("main").get_by_text("You are next")).to_be_visible()


def wait_far(tab: Page, served: Served) -> None:
    """Wait behind more than a million."""
    served.room.status.update(serving_counter=40, queue_counter=2_300_000, waiting_num=2_299_960)
    number = {"queue_number": 1_234_567, "entry_time": 1, "event_id": "Sample", "status": 1}
    tab.route(
        "**/queue_num?*",
        lambda route: route.fulfill(json=number, headers={"Access-Control-Allow-Origin": "*"}),
    )
    enter(tab, served)
    shown(tab, "waiting")


def long_message(tab: Page, served: Served) -> None:
    """Wait, with all that an operator may say, and no space in it."""
    served.room.status["message"] = "https://example.org/" + "very-long-path/" * 12 + "مرحبا " * 50
    wait(tab, served)


def busy_join(tab: Page, served: Served) -> None:
    """Join a room that asks to wait two minutes."""
    shown(tab, "outside")
    served.room.fault = "busy"
    served.room.retry_after = 120
    tab.locator("#enter").click()
    expect(tab.locator("main").get_by_text("The waiting room is very busy.")).to_be_visible()


def busy(tab: Page, served: Served) -> None:
    """Wait, and the room asks to be left alone for two minutes."""
    wait(tab, served)
    served.room.fault = "busy"
    served.room.retry_after = 120
    tab.reload()
    expect(tab.locator("main").get_by_text("The waiting room is very busy.")).to_be_visible()


def back_inside(tab: Page, served: Served) -> None:
    """Take the token, and load the page again."""
    inside(tab, served)
    tab.reload()


def session_expired(tab: Page, served: Served) -> None:
    """Come back after the token expired."""
    inside(tab, served)
    served.room.clock.ahead += 4000
    tab.reload()
    expect(tab.locator("main").get_by_text("Your session has expired")).to_be_visible()


def denied(tab: Page, served: Served) -> None:
    """Want an alert where notifications are blocked."""
    tab.add_init_script("Object.defineProperty(Notification, 'permission', {value: 'denied'})")
    tab.reload()
    wait(tab, served)
    tab.locator("#alert").check()
    expect(tab.locator("main").get_by_text("Notifications are blocked")).to_be_visible()


def lost(tab: Page, _: Served) -> None:
    """Get half of the page."""
    tab.route("**/page.js", lambda route: route.abort())
    tab.reload()
    expect(tab.locator("#trouble")).to_be_visible()


def too_old(tab: Page, _: Served) -> None:
    """Open the page in a browser that cannot read its modules."""
    tab.add_init_script("delete String.prototype.replaceAll")
    tab.route(
        "**/page.js",
        lambda route: route.fulfill(content_type="text/javascript", body="let a = 1 ?.?. 2;"),
    )
    tab.reload()
    expect(tab.locator("main").get_by_text("Please use a current browser")).to_be_visible()


def in_phase(phase: str, **times: int) -> Steps:
    """Come while the event is in a phase; ``times`` are seconds from now."""

    def steps(tab: Page, served: Served) -> None:
        at = {name: int(time.time()) + seconds for name, seconds in times.items()}
        served.room.status.update(phase=phase, **at)
        tab.reload()

    return steps


def before_opening(tab: Page, served: Served) -> None:
    """Join in the pre-queue, in Arabic."""
    served.room.status.update(phase="pre_queue", opens_at=int(time.time()) + 3_725)
    wait(tab, served)


def wait_paused(tab: Page, served: Served) -> None:
    """Wait while the operator has paused the admission."""
    served.room.status["phase"] = "paused"
    wait(tab, served)


def portal(tab: Page, served: Served) -> None:
    """Wait in a network that wants a sign-in."""
    wait(tab, served)
    body = "<h1>Wi-Fi</h1>"
    tab.route("**/status?*", lambda route: route.fulfill(content_type="text/html", body=body))
    tab.evaluate("dispatchEvent(new Event('online'))")
    expect(tab.locator("#trouble")).to_be_visible()


def not_there(tab: Page, served: Served) -> None:
    """Open an address that does not exist."""
    tab.goto(f"{served.url}nowhere")


def nothing(tab: Page, served: Served) -> None:
    """Look."""


STATES = [
    state("loading", "loading", loading),
    state("outside", "outside", nothing),
    state("outside-branded", "outside", nothing, brand=BRAND),
    state("placing", "placing", placing),
    state("placing-busy", "placing", busy_join),
    state("waiting", "waiting", wait),
    state("waiting-message", "waiting", told, brand=BRAND),
    state("waiting-stopped", "waiting", stopped),
    state("waiting-german", "waiting", stopped, locale="de-DE"),
    state("waiting-next", "waiting", next_one),
    state("waiting-many", "waiting", wait_far),
    state("waiting-long-message", "waiting", long_message),
    state("waiting-busy", "waiting", busy),
    state("waiting-denied", "waiting", denied),
    state("waiting-japanese", "waiting", told, locale="ja-JP"),
    state("waiting-korean", "waiting", told, locale="ko-KR"),
    state("waiting-spanish", "waiting", told, locale="es-ES"),
    state("waiting-french", "waiting", told, locale="fr-FR"),
    state("outside-french", "outside", nothing, locale="fr-FR"),
    state("waiting-not-kept", "waiting", not_kept),
    state("waiting-unreachable", "waiting", down),
    state("waiting-offline", "waiting", offline),
    state("turn", "turn", called),
    state("inside", "inside", inside),
    state("inside-after-reload", "inside", back_inside),
    state("inside-shop-down", "inside", shop_down),
    state("receipt", "receipt", bought, brand={**BRAND, "currency": "EUR"}),
    state("over-expired", "over", expired),
    state("over-session-expired", "over", session_expired),
    state("over-reset", "over", reset),
    state("over-ended", "over", ended),
    state("over-refused", "over", refused),
    state("event-scheduled", "event", in_phase("scheduled", opens_at=4_000)),
    state("event-draining", "event", in_phase("draining")),
    state("event-closed", "event", in_phase("closed")),
    state("outside-pre-queue", "outside", in_phase("pre_queue", opens_at=900)),
    state("outside-paused", "outside", in_phase("paused")),
    state("outside-pass-through", "outside", in_phase("pass_through")),
    state("waiting-opening-arabic", "waiting", before_opening, locale="ar-EG"),
    state("waiting-paused", "waiting", wait_paused),
    state("waiting-portal", "waiting", portal),
    state("waiting-chinese", "waiting", told, locale="zh-CN"),
    state("waiting-italian", "waiting", told, locale="it-IT"),
    state("waiting-portuguese", "waiting", told, locale="pt-BR"),
    state("did-not-load", "", lost),
    state("too-old", "", too_old),
    state("not-found", "", not_there),
    state("no-script", "", nothing, java_script_enabled=False),
]
