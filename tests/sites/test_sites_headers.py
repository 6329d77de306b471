# SPDX-License-Identifier: Apache-2.0
"""The headers of the two sites: what a page may load, call and submit to."""

from __future__ import annotations

from infrastructure.blueprint.site_config import headers_of, login_forms, security_headers

ROOM, STORE = "https://room.example/api", "https://store.example/api"


def policy(*addresses: str, forms: tuple[str, ...] = ()) -> dict[str, str]:
    parts = security_headers(addresses, forms)["Content-Security-Policy"].split("; ")
    return {name: rest for name, _, rest in (part.partition(" ") for part in parts)}


def test_a_page_runs_its_own_scripts_and_calls_its_own_apis_only() -> None:
    found = policy(ROOM, STORE, "")
    assert found["default-src"] == "'none'"
    assert found["script-src"] == found["style-src"] == "'self'"
    assert found["connect-src"] == "'self' https://room.example https://store.example"
    assert "unsafe" not in str(found)


def test_forms_leave_only_for_where_an_openid_login_needs_them() -> None:
    assert policy(ROOM)["form-action"] == "'self'"
    found = policy(ROOM, forms=("https://shop.example", "https://openid.example"))
    assert found["form-action"] == "'self' https://openid.example https://shop.example"


def test_other_sites_may_read_the_waiting_page_s_modules_and_nothing_of_the_panel() -> None:
    assert headers_of("waiting_room", [ROOM])["Access-Control-Allow-Origin"] == "*"
    assert headers_of("console", [ROOM]) == security_headers([ROOM])


def test_a_login_may_go_on_where_the_clients_callback_sends_it() -> None:
    assert login_forms(["https://shop.example/callback", ""]) == ["https:"]
    local = ["https://shop.example/callback", "http://127.0.0.1:8080/callback"]
    assert login_forms(local) == ["https:", "http://127.0.0.1:*", "http://localhost:*"]


def test_the_waiting_page_tells_a_gate_its_origin_and_the_panel_tells_nothing() -> None:
    assert headers_of("waiting_room", [ROOM])["Referrer-Policy"] == "strict-origin"
    assert headers_of("console", [ROOM])["Referrer-Policy"] == "no-referrer"
