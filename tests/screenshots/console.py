# SPDX-License-Identifier: Apache-2.0
"""The states of the console, each reached by hand on a room in memory.

The module has more than 300 lines because it is one list of states.
"""

from __future__ import annotations

import functools
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Route, expect

from infrastructure.blueprint.operator_sign_in import provider_settings
from tests.screenshots import State
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import one_event_only
from tests.support.pages.console_room import KEY, SECRET, ConsoleRoom, build, console_room
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.events.admission import AdmissionState
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.history import MinuteTotals
from waiting_room.domain.visitor_lookup import reference_of
from waiting_room.inlet.strategies import Strategy

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")
MESSAGE = "Doors are open. Everybody who is in line by noon will get in."
STEPS, STEP = 52, 10  # an event of nearly nine minutes; clocks may be off by five either way
Steps = Callable[[Page, ConsoleRoom], None]


@functools.cache
def built() -> Path:
    """The console, built once a run."""
    return build(Path(tempfile.mkdtemp(prefix="sites-")))


def state(name: str, steps: Steps) -> State:
    """A state that is reached by ``steps`` from the form of a fresh page."""

    @contextmanager
    def open_(given: BrowserContext) -> Iterator[Page]:
        with console_room(built()) as room:
            room.begin(VALIDITY_PERIOD=900)
            tab = given.new_page()
            tab.clock.install(time=time.time() - STEPS * STEP / 2)
            tab.goto(room.panel)
            expect(tab.locator("#private-api")).not_to_have_value("")
            steps(tab, room)
            tab.wait_for_timeout(250)
            yield tab
            tab.close()

    return State(name, open_)


def form(_tab: Page, _room: ConsoleRoom) -> None:
    """The form as it comes."""


def account(tab: Page, _room: ConsoleRoom) -> None:
    """The form of a room whose operators sign in at a provider."""
    settings = provider_settings(
        issuer="https://login.shop.example/realms/staff",
        client_id="console",
        scopes="openid",
        groups_claim="groups",
        group_prefix="waiting-room-",
        identity_pool="pool",
        identity_api="https://identity.shop.example",
    )

    def with_provider(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "sign_in": settings})

    tab.route("**/config.json", with_provider)
    tab.reload()
    expect(tab.locator("#provider-go")).to_be_visible()


def enter(tab: Page, secret: str = SECRET) -> None:
    """Send the form."""
    tab.locator("#access-key").fill(KEY)
    tab.locator("#secret-key").fill(secret)
    tab.locator("#sign-in [type=submit]").click()


def inside(tab: Page, _room: ConsoleRoom) -> None:
    """Sign in."""
    enter(tab)
    expect(tab.locator("#panel")).to_be_visible()
    expect(tab.locator("#inlet-none:not([hidden])", has_text="Looking")).to_have_count(0)


def wrong_keys(tab: Page, _room: ConsoleRoom) -> None:
    """Sign in with another secret."""
    enter(tab, "wrong")
    expect(tab.locator("#sign-in-error")).to_be_visible()


def wrong_clock(tab: Page, _room: ConsoleRoom) -> None:
    """Sign in with a clock that is far behind."""
    tab.clock.set_system_time(time.time() - 1_272)
    enter(tab)
    expect(tab.locator("#sign-in-error")).to_be_visible()


def live(tab: Page, room: ConsoleRoom) -> None:
    """An event under way, let in by an inlet, and an operator at work."""
    targets = {"max_size": 400}
    reason = "312 of 400 active, 60 served without a token"
    at = int(time.time()) + STEPS * STEP  # the room's clock is turned forward below
    room.run_inlet(Strategy.MAX_SIZE, targets, last_at=at, last_increment=9, last_reason=reason)
    inside(tab, room)
    line: list[str] = []
    called = 0
    for step in range(STEPS):
        line += room.in_memory_room.visitors(int(26 + 16 * math.sin(step / 7) + step % 5))
        if step > 4:
            room.in_memory_room.serve(12 + step // 5)
            now = room.in_memory_room.room.metrics.counts(EVENT).serving
            for index, visitor in enumerate(line[called:now]):
                if index % 9 == 0:
                    continue  # does not come
                room.in_memory_room.token(visitor)
                if index % 4 == 1:
                    room.in_memory_room.room.sessions.end(
                        EVENT, visitor, 1 if index % 8 == 1 else -1
                    )
            called = now
        room.in_memory_room.clock.now += STEP - 1
        room.in_memory_room.room.workers.minute_jobs.run(EVENT)
        tab.clock.fast_forward(STEP * 1000)
        followed(tab, room)
    tab.locator("[data-by='10']").click()
    expect(tab.locator("#log li")).to_have_count(2)
    tab.locator("#message").fill(MESSAGE)
    tab.locator("#message-form [type=submit]").click()
    expect(tab.locator("#log li")).to_have_count(3)
    tab.locator("#visitor-query").fill(line[37])
    tab.locator("#visitor-form button").click()
    expect(tab.locator("#visitor")).to_be_visible()
    tab.locator("#admit-by").fill("250")
    tab.locator("#main").focus()
    tab.evaluate("scrollTo(0, 0)")


def followed(tab: Page, room: ConsoleRoom) -> None:
    """Wait until the page shows the queue as it is; help when its timer was not set yet."""
    queue = f"{room.in_memory_room.room.metrics.counts(EVENT).queue:,}"
    for turn in range(400):
        if tab.locator("[data-metric=queue]").text_content() == queue:
            return
        if turn == 100:
            tab.locator("#refresh").click()
        tab.wait_for_timeout(10)
    raise RuntimeError("the page does not follow the room")


def beyond(tab: Page, room: ConsoleRoom) -> None:
    """The serving position is ahead of the queue: everybody goes straight through."""
    room.admit(12)
    room.in_memory_room.visitors(4)
    room.in_memory_room.serve(100)
    inside(tab, room)


def back(tab: Page, room: ConsoleRoom) -> None:
    """Asked whether to move back."""
    beyond(tab, room)
    tab.locator("#admit-by").fill("105")
    tab.locator("#move-back").click()


def resetting(tab: Page, room: ConsoleRoom) -> None:
    """Typed something else than the event's name."""
    beyond(tab, room)
    tab.locator("#reset").click()
    tab.locator("#confirm-typed").fill("sample")
    tab.keyboard.press("Enter")


def stale(tab: Page, room: ConsoleRoom) -> None:
    """The API is down, and a move got no answer."""
    beyond(tab, room)
    tab.wait_for_timeout(100)
    room.down = True
    tab.locator("[data-by='10']").click()
    expect(tab.locator("#stale")).to_be_visible()


def not_kept_up(tab: Page, room: ConsoleRoom) -> None:
    """The minute worker has not succeeded for eight minutes."""
    room.admit(12)
    room.in_memory_room.visitors(40)
    room.in_memory_room.clock.now += 480
    room.in_memory_room.serve(5)
    inside(tab, room)
    expect(tab.locator("#not-kept-up")).to_be_visible()


def keys_expired(tab: Page, room: ConsoleRoom) -> None:
    """Temporary keys ran out during the event."""
    beyond(tab, room)
    said = {"message": "The security token included in the request is expired"}
    tab.route(
        f"{room.private}/metrics*",
        lambda route: route.fulfill(
            status=403, body=json.dumps(said), headers={"Access-Control-Allow-Origin": "*"}
        ),
    )
    tab.locator("#refresh").click()
    expect(tab.locator("#sign-in-again")).to_be_visible()


def expired(tab: Page, room: ConsoleRoom) -> None:
    """A page of expired tokens, and the metrics as a table."""
    room.admit(120)
    room.in_memory_room.clock.now += 901
    inside(tab, room)
    tab.locator("#expired-load").click()
    expect(tab.locator("#expired-list")).to_be_visible()
    tab.locator("#expired-next").click()
    expect(tab.locator("#expired-where")).to_contain_text("2")
    tab.get_by_text("Show as a table", exact=True).click()


def not_started(tab: Page, room: ConsoleRoom) -> None:
    """The network's own page came in place of the script."""
    tab.route(
        "**/console.js",
        lambda route: route.fulfill(content_type="text/html", body="<h1>Wi-Fi</h1>"),
    )
    tab.goto(room.panel)
    expect(tab.locator("#starting")).to_be_visible(timeout=15_000)


def no_settings(tab: Page, room: ConsoleRoom) -> None:
    """The page's settings cannot be read."""
    tab.route("**/config.json", lambda route: route.fulfill(status=503))
    tab.goto(room.panel)
    expect(tab.locator("#read-settings")).to_be_visible()


def far(tab: Page, room: ConsoleRoom) -> None:
    """Asked whether to let in many more than wait."""
    room.in_memory_room.visitors(110)
    inside(tab, room)
    tab.locator("[data-by='1000']").click()
    expect(tab.locator("#confirm")).to_be_visible()


def undoable(tab: Page, room: ConsoleRoom) -> None:
    """Moved, with the way back; the number typed shows both ways."""
    room.in_memory_room.visitors(300)
    inside(tab, room)
    tab.locator("[data-by='100']").click()
    expect(tab.locator("#undo-move")).to_be_visible()
    tab.locator("#admit-by").fill("150")


def unconfirmed(tab: Page, room: ConsoleRoom) -> None:
    """A move got no answer, and may be sent again."""
    room.in_memory_room.visitors(30)
    inside(tab, room)
    tab.route("**/increment_serving_counter", lambda route: route.abort())
    tab.locator("[data-by='10']").click()
    expect(tab.get_by_role("button", name="Send again")).to_be_visible()


def inlet_state(**more: object) -> Steps:
    """An inlet that stands so, and a visitor found by reference."""

    def steps(tab: Page, room: ConsoleRoom) -> None:
        strategy, targets = Strategy.PERIODIC, {"increment_by": 10}
        now = int(time.time())
        room.run_inlet(strategy, targets, last_at=now, last_reason="10 per minute", **more)
        line = room.in_memory_room.visitors(40)
        room.in_memory_room.serve(12)
        inside(tab, room)
        tab.locator("#visitor-query").fill(reference_of(40, line[39]))
        tab.locator("#visitor-form button").click()
        expect(tab.locator("#visitor")).to_be_visible()

    return steps


def message(text: str) -> Steps:
    """A message that another operator wrote."""

    def steps(tab: Page, room: ConsoleRoom) -> None:
        inside(tab, room)
        room.in_memory_room.room.control.set_message(EVENT, text)
        tab.locator("#refresh").click()
        expect(tab.locator("#log li")).to_have_count(2)

    return steps


def events(tab: Page, room: ConsoleRoom) -> None:
    """Six events in different phases, one of them with a right-to-left title."""
    documents, now = room.in_memory_room.event_documents, int(time.time())
    made = {
        "SpringTour": ("Spring tour", {"pre_queue_at": now + 1_800, "opens_at": now + 5_400}),
        "WinterSale": ("Winter sale", {"opens_at": now - 86_400, "closes_at": now - 3_600}),
        "onsale-2": ("حفلة الربيع الكبرى", {"closes_at": now + 260_000}),
        "long": ("Taumatawhakatangihangakoauau" * 3, {}),
        "paused": ("", {}),
    }
    for event_id, (title, schedule) in made.items():
        documents.put(event_id, {"title": title, "schedule": schedule}, None, actor=ADA)
    documents.act("paused", "pause", actor=ADA)
    room.in_memory_room.visitors(120)
    room.in_memory_room.serve(30)
    inside(tab, room)
    expect(tab.locator("#event-list li")).to_have_count(6)


def scheduled(tab: Page, room: ConsoleRoom) -> None:
    """A scheduled event with its countdown."""
    events(tab, room)
    tab.locator("#event-list button", has_text="Spring tour").click()
    expect(tab.locator("#event-next")).to_contain_text("begins in")


def tested_address(tab: Page, room: ConsoleRoom) -> None:
    """The rule that decides about an address, with all rules."""
    documents = room.in_memory_room.event_documents
    secret = {"header": "x-staff: 3f0c9a1d5b7e4c26"}
    sale = {"title": "Spring sale", "protect": [{"path": "/checkout"}], "bypass": [secret]}
    documents.put("sale", sale, None, actor=ADA)
    inside(tab, room)
    tab.locator("#rule-address").fill("https://shop.example/a/..//CHECKOUT")
    tab.locator("#rule-form button").click()
    tab.locator("#tested-count").click()
    tab.locator("#rule-tester-title").scroll_into_view_if_needed()


def last_day(tab: Page, room: ConsoleRoom) -> None:
    """An event with a rush at noon, seen the morning after."""
    now = int(tab.evaluate("Date.now() / 1000")) // 60 * 60
    room.in_memory_room.clock.now = now + 5
    queue = admitted = tokens = 0
    for number in range(24 * 60):
        rush = math.exp(-(((number - 400) / 70) ** 2))
        queue += int(5 + 260 * rush + number % 3)
        admitted = min(queue, admitted + 90)
        tokens += int((admitted - tokens) * 0.2)
        wait = 60 * (queue - admitted) // 90 + 4
        room.in_memory_room.history.put(
            EVENT,
            MinuteTotals(
                now - 60 * (24 * 60 - 1 - number), 1, queue, admitted, tokens, 0,
                queue - admitted, int(300 + 500 * rush), 0, wait, wait + 20 + number % 9,
            ),
        )  # fmt: skip
    inside(tab, room)
    expect(tab.locator("#day-charts canvas")).to_have_count(4)
    tab.locator("#day-title").scroll_into_view_if_needed()


def forbidden(tab: Page, room: ConsoleRoom) -> None:
    """An action that the phase does not allow."""
    scheduled(tab, room)
    tab.locator("[data-action=pause]").click()
    expect(tab.locator("[data-result=event]")).to_be_visible()


def closing(tab: Page, room: ConsoleRoom) -> None:
    """Asked whether to close an event."""
    events(tab, room)
    expect(tab.locator("#event-phase")).to_have_text("Open")
    tab.locator("[data-action=close]").click()
    expect(tab.locator("#confirm")).to_be_visible()


def limited(tab: Page, room: ConsoleRoom) -> None:
    """Keys for one event only: no list, no metrics."""
    room.in_memory_room.visitors(120)
    room.in_memory_room.serve(30)
    one_event_only(tab, room)
    inside(tab, room)
    expect(tab.locator("#events-note")).to_contain_text("not allowed to list")


def slowed(tab: Page, room: ConsoleRoom) -> None:
    """A paused event with the brake on; two alarms of the room are in ALARM, their list is open."""
    made, now = room.in_memory_room, int(time.time())
    made.visitors(340)
    made.serve(120)
    made.event_documents.patch(
        EVENT, {"title": "Spring tour", "admission": {"strategy": "both"}}, None, actor=ADA
    )
    made.event_documents.act(EVENT, "pause", actor=ADA)
    made.alarms.known = {
        "Room-OperationsAlarmsAdmitErrors7C1D2E3F-1A2B3C4D5E6F": Alarm.ALARM,
        "Room-OperationsAlarmsJoinQueueAge0A1B2C3D-6F5E4D3C2B1A": Alarm.ALARM,
        "Room-Other1-2": Alarm.OK,
    }
    before = made.admission.read(EVENT)
    step = AdmissionState(generation=1, at=float(now), credit=0.0, brake=0.25)
    made.admission.write(before, type(before)(EVENT, version=1, state=step))
    made.admission.report_alarm(EVENT, "SiteErrors", Alarm.ALARM, now)
    inside(tab, room)
    tab.clock.fast_forward(2_000)
    expect(tab.locator("#state-strip")).to_contain_text("2 alarms in ALARM")
    tab.locator(".alarms summary").click()


def editing(tab: Page, room: ConsoleRoom) -> None:
    """The form of an event, with a number that is not one, and a list of rules."""
    events(tab, room)
    expect(tab.locator("#event-phase")).to_have_text("Open")
    tab.locator("#event-edit").click()
    tab.get_by_label("Title", exact=True).fill("حفلة الربيع الكبرى")
    tab.get_by_label("Rate", exact=True).fill("many")
    tab.locator("summary", has_text="Protected addresses").click()
    tab.get_by_label("Protected addresses").fill('[\n  {"path": "/checkout"}\n]')
    tab.get_by_role("button", name="Show changes").click()
    tab.locator("#editor").scroll_into_view_if_needed()


def reviewing(tab: Page, room: ConsoleRoom) -> None:
    """What an edit changes, before it is saved."""
    editing(tab, room)
    tab.get_by_label("Rate", exact=True).fill("300")
    tab.get_by_role("button", name="Show changes").click()
    expect(tab.locator("#editor")).to_contain_text("3 changes")


def conflict(tab: Page, room: ConsoleRoom) -> None:
    """Another operator changed the event meanwhile."""
    reviewing(tab, room)
    changes = {"title": "Winter tour", "token": {"valid_for": 900}}
    room.in_memory_room.event_documents.patch(EVENT, changes, None, actor=ADA)
    tab.get_by_role("button", name="Save changes").click()
    expect(tab.locator("[data-conflict]")).to_have_count(1)


def creating(tab: Page, room: ConsoleRoom) -> None:
    """The form of a new event."""
    inside(tab, room)
    tab.locator("#event-create").click()
    tab.get_by_role("button", name="Show changes").click()


def undo_action(tab: Page, room: ConsoleRoom) -> None:
    """A pause that can be undone, and the preview of a message."""
    room.in_memory_room.visitors(120)
    inside(tab, room)
    expect(tab.locator("#event-phase")).to_have_text("Open")
    tab.locator("[data-action=pause]").click()
    tab.clock.fast_forward(500)
    tab.locator("#confirm-yes").click()
    expect(tab.locator("#undo-box")).to_be_visible()
    tab.locator("#message").fill(ARABIC)


SLOWED = {"alarm": "SiteErrors", "alarm_state": Alarm.ALARM, "alarm_holds": True}
ARABIC = "تُفتح الأبواب عند الساعة 10:00. تبقّى 250 تذكرة — شكراً لصبركم!"
STATES = (
    state("sign-in", form),
    state("account", account),
    state("not-started", not_started),
    state("no-settings", no_settings),
    state("wrong-keys", wrong_keys),
    state("wrong-clock", wrong_clock),
    state("quiet", inside),
    state("live", live),
    state("beyond", beyond),
    state("move-back", back),
    state("far", far),
    state("undo", undoable),
    state("unconfirmed", unconfirmed),
    state("inlet-slowed", inlet_state(controller_state={"pace": 5.0}, **SLOWED)),
    state("inlet-held", inlet_state(**SLOWED)),
    state("inlet-no-alarm", inlet_state(alarm="SiteErors", alarm_state=Alarm.MISSING)),
    state("inlet-paused", inlet_state(paused=True, alarm="SiteErrors")),
    state("message-rtl", message(ARABIC)),
    state("message-long", message("Taumatawhakatangihangakoauau" * 17)),
    state("reset", resetting),
    state("stale", stale),
    state("not-kept-up", not_kept_up),
    state("events", events),
    state("scheduled", scheduled),
    state("slowed", slowed),
    state("creating", creating),
    state("editing", editing),
    state("reviewing", reviewing),
    state("conflict", conflict),
    state("undo-action", undo_action),
    state("last-day", last_day),
    state("tested-address", tested_address),
    state("forbidden", forbidden),
    state("closing", closing),
    state("limited", limited),
    state("keys-expired", keys_expired),
    state("expired-tokens", expired),
)
