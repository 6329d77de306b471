# SPDX-License-Identifier: Apache-2.0
"""The rule tester of the console in a real browser: it explains as the command line does."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.console.test_console_events import ADA, create
from tests.support.browser import accessibility
from tests.support.in_memory_room import EVENT
from tests.support.pages.console_page import answer, logged, one_event_only, opened, sign_in
from tests.support.pages.console_room import ConsoleRoom
from waiting_room.domain.gate.explanation import explain, request_of

pytestmark = [pytest.mark.server, pytest.mark.browser]
SECRET = "0123012301230123"
STAFF = {"header": f"x-staff: {SECRET}"}
SHOP = "https://shop.example"


def gate(room: ConsoleRoom) -> None:
    """Two events behind a gate, and one that is not."""
    create(room, "sale", title="Spring sale", protect=[{"path": "/checkout"}], bypass=[STAFF])
    create(
        room,
        "vip",
        protect=[{"path": "/checkout/vip"}],
        schedule={"opens_at": int(time.time()) + 600},
    )
    create(room, "tour", bypass=[{"path": "/search"}])


def ask(page: Page, address: str) -> None:
    page.get_by_label("Address", exact=True).fill(address)
    page.get_by_role("button", name="Test address").click()


def fact(page: Page, name: str) -> Any:
    return page.locator("#tested-facts dt", has_text=name).locator("+ dd")


def test_the_deciding_rule_of_an_address_is_shown(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    sign_in(page)
    ask(page, f"{SHOP}/a/..//CHECKOUT?token=secret")
    expect(answer(page, "rules")).to_have_text(
        "Protected by Spring sale (sale): a visitor needs a session."
    )
    expect(fact(page, "Deciding rule")).to_have_text("path /checkout")
    expect(fact(page, "Matching reading")).to_have_text("/CHECKOUT (one of 5)")
    expect(fact(page, "State of the event")).to_have_text("Needs a session (phase: open)")
    expect(fact(page, "Page without")).to_contain_text("Redirect to the waiting room (302")
    expect(fact(page, "Script without")).to_have_text("Refused (403, no_session)")
    expect(logged(page)).to_contain_text("Test GET shop.example/a/..//CHECKOUT. Protected by")
    expect(page.locator("#log")).not_to_contain_text("token=secret")
    page.get_by_text("Show 3 rules").click()
    expect(page.locator("#tested-rows tr")).to_have_count(3)
    expect(page.locator("#tested-rows tr").first).to_contain_text("Decides")
    assert accessibility(page) == []
    ask(page, f"{SHOP}/checkout/vip")
    expect(answer(page, "rules")).to_have_text("Protected by vip, which is not open yet.")
    expect(page.locator("#tested-rules")).to_be_visible()
    ask(page, "/checkout?token=secret")
    expect(fact(page, "Site of the path")).to_contain_text("https://site.example (a placeholder")
    expect(fact(page, "Deciding rule")).to_have_text("path /checkout")
    expect(logged(page)).to_contain_text("Test GET /checkout. Protected by")
    ask(page, f"{SHOP}/")
    expect(answer(page, "rules")).to_have_text("Open to all: no rule protects it.")
    expect(fact(page, "Deciding rule")).to_have_count(0)
    read = [one for one in room.calls if one.startswith("GET /events/")]
    assert read.count("GET /events/vip") == 1, "documents are read once for each version"
    assert "GET /events/tour" not in read, "an event without protecting rules is not read"


def test_method_header_cookie_and_agent_are_part_of_the_request(
    room: ConsoleRoom, page: Page
) -> None:
    gate(room)
    create(room, "bots", protect=[{"path": "/feed", "methods": ["POST"], "user_agent": "Bot"}])
    create(room, "beta", protect=[{"path": "/beta", "cookie": "beta=1"}])
    sign_in(page)
    page.get_by_text("Headers, cookies, user agent").click()
    page.get_by_label("Headers one on each line").fill(f"Accept: */*\nX-Staff: {SECRET}\n")
    ask(page, f"{SHOP}/checkout")
    expect(answer(page, "rules")).to_contain_text(
        "Open to all: a bypass rule of Spring sale (sale)"
    )
    expect(fact(page, "Bypass rule")).to_have_text("header x-staff: 0123…")
    assert SECRET not in str(page.locator("#tested").text_content())
    page.get_by_label("User agent").fill("a Robot")
    page.get_by_label("Method").select_option("POST")
    ask(page, f"{SHOP}/feed")
    expect(answer(page, "rules")).to_contain_text("Protected by bots")
    expect(fact(page, "Page without")).to_contain_text("without the form (303")
    page.get_by_label("Cookies one on each line").fill("beta=1")
    ask(page, f"{SHOP}/beta")
    expect(answer(page, "rules")).to_contain_text("Protected by beta")


@pytest.mark.parametrize(
    ("label", "text", "said"),
    [
        ("Address", "shop.example/checkout", "The address must begin with http:// or https://"),
        ("Address", "https://bücher.example/", "The host must be as a browser sends it"),
        (
            "Headers one on each line",
            "A: 1\nX-Staff",
            "Line 2 of the headers needs a name, a colon",
        ),
        ("Cookies one on each line", "staff", "Line 1 of the cookies needs a name, ="),
    ],
)
def test_an_invalid_input_has_a_message(
    room: ConsoleRoom, panel: Page, label: str, text: str, said: str
) -> None:
    panel.get_by_label("Address", exact=True).fill(f"{SHOP}/")
    panel.locator("#rule-more").evaluate("(one) => { one.open = true }")
    field = panel.get_by_label(label, exact=label == "Address")
    field.fill(text)
    panel.locator("#rule-more").evaluate("(one) => { one.open = false }")
    panel.get_by_role("button", name="Test address").click()
    expect(answer(panel, "rules")).to_contain_text(said)
    expect(panel.locator("#announce")).to_contain_text(said)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert accessibility(panel) == []
    field.fill("https://a/" if label == "Address" else "")
    panel.get_by_role("button", name="Test address").click()
    expect(answer(panel, "rules")).to_contain_text("Open to all")
    expect(field).not_to_have_attribute("aria-invalid", "true")


def test_without_an_event_behind_a_gate_all_is_open(room: ConsoleRoom, panel: Page) -> None:
    ask(panel, f"{SHOP}/checkout")
    expect(answer(panel, "rules")).to_contain_text("Open to all: no event is behind a gate.")
    expect(panel.locator("#tested-rules")).to_be_hidden()


def test_a_failed_read_has_a_message_and_no_result(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    sign_in(page)
    page.route(f"{room.private}/events/vip", lambda route: route.abort())
    ask(page, f"{SHOP}/checkout")
    expect(answer(page, "rules")).to_contain_text("The API cannot be reached.")
    expect(page.locator("#tested")).to_be_hidden()


def test_keys_for_one_event_test_its_rules_only(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    own = {"protect": [{"path": "/own"}]}
    room.in_memory_room.event_documents.patch(EVENT, own, None, actor=ADA)
    one_event_only(page, room)
    sign_in(page)
    ask(page, f"{SHOP}/own")
    expect(answer(page, "rules")).to_contain_text(f"Protected by {EVENT}")
    ask(page, f"{SHOP}/checkout")
    expect(answer(page, "rules")).to_have_text("No event that these keys may read protects it.")
    expect(fact(page, "Not checked")).to_contain_text("another event may protect the address")


def test_sign_out_forgets_the_request(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    sign_in(page)
    page.get_by_text("Headers, cookies, user agent").click()
    page.get_by_label("Headers one on each line").fill(f"X-Staff: {SECRET}")
    ask(page, f"{SHOP}/checkout")
    expect(answer(page, "rules")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#rule-headers")).to_have_value("")
    expect(page.locator("#rule-address")).to_have_value("")
    expect(page.locator("#tested-facts *")).to_have_count(0)


def test_the_result_is_that_of_the_command(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    sign_in(page)
    documents = {one: room.in_memory_room.event_documents.show(one) for one in ("sale", "vip")}
    for path in (
        "/checkout",
        "/checkout/vip/x",
        "/%63heckout",
        "/%00",
        "/search",
        "/checkout/vip/..;/",
    ):
        found = explain(request_of(SHOP + path), documents, int(time.time()))
        ask(page, SHOP + path)
        expect(fact(page, "Request")).to_have_text(f"GET shop.example{path}")
        if found.event_id is None:
            expect(answer(page, "rules")).to_contain_text("Open to all")
        else:
            expect(answer(page, "rules")).to_contain_text(found.event_id)
        page.locator("#tested-rules").evaluate("(one) => { one.open = true }")
        rows = page.locator("#tested-rows tr").all_inner_texts()
        effects = [
            one.split("\t")[-1].lower() for one in sorted(rows, key=lambda row: int(row.split()[0]))
        ]
        assert [one.partition(":")[0] for one in effects] == [
            one.effect.value for one in found.rules
        ], json.dumps(rows)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_tester_fits_a_small_phone(
    room: ConsoleRoom, browser: Browser, scheme: Any, direction: str
) -> None:
    create(room, "x" * 64, title="W" * 100, protect=[{"path": "/" + "a" * 200}, {"path": "/b"}])
    create(room, "rtl", title="حفلة الربيع الكبرى", protect=[{"path": "/c"}])
    size = {"width": 320, "height": 640}
    with opened(browser, room.panel, viewport=size, color_scheme=scheme, has_touch=True) as page:
        page.evaluate("(given) => { document.documentElement.dir = given }", direction)
        sign_in(page)
        page.get_by_text("Headers, cookies, user agent").click()
        for address in (f"{SHOP}/{'a' * 200}", f"{SHOP}/c", f"{SHOP}/{'%25' * 300}"):
            ask(page, address)
            expect(fact(page, "Request")).to_contain_text("shop.example")
            page.locator("#tested-rules").evaluate("(one) => { one.open = true }")
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
            assert accessibility(page) == []
            expect(page.locator("#rule-address")).to_have_css("direction", "ltr")


def test_an_address_is_tested_from_the_keyboard(room: ConsoleRoom, page: Page) -> None:
    gate(room)
    sign_in(page)
    page.locator("#rule-method").focus()
    page.keyboard.type("P")
    expect(page.locator("#rule-method")).to_have_value("POST")
    page.keyboard.press("Tab")
    page.keyboard.type(f"{SHOP}/checkout")
    page.keyboard.press("Enter")
    expect(answer(page, "rules")).to_contain_text("Protected by Spring sale")
    expect(page.locator("#rule-address")).to_be_focused()
    expect(page.get_by_role("log")).to_contain_text("Protected by Spring sale")
