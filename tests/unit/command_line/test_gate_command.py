# SPDX-License-Identifier: Apache-2.0
"""``waiting-room gate explain`` against an API in memory."""

from __future__ import annotations

import pytest

from tests.unit.command_line.conftest import CommandLine, assert_one_line

STAFF = {"header": "x-staff: 3f0c9a1d5b7e4c26"}


@pytest.fixture
def shop(cli: CommandLine) -> CommandLine:
    cli.event("Sale", protect=[{"path": "/checkout"}], bypass=[STAFF])
    cli.event("Winter", protect=[{"path": "/winter [red]", "methods": ["POST"]}])
    return cli


def test_the_deciding_rule_is_shown(shop: CommandLine) -> None:
    result = shop.run("gate", "explain", "https://shop.example/checkout/pay")
    assert result.exit_code == 0
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert lines[:5] == [
        "Sale protects it",
        "reading: /checkout/pay (of 1)",
        "gate of Sale: needs a session",
        "page without a session: 302, no_session",
        "script without a session: 403, no_session",
    ]
    assert [line.split() for line in lines[5:]] == [
        ["EVENT", "LIST", "RULE", "EFFECT"],
        ["Winter", "protect", '{"path":', '"/winter', '[red]",', '"methods":', '["POST"]}',
         "does", "not", "match:", "path,", "methods"],
        ["Sale", "protect", '{"path":', '"/checkout"}', "decides"],
        ["Sale", "bypass", '{"header":', '"x-staff:', '3f0c9a1d5b7e4c26"}', "does", "not",
         "match:", "header"],
    ]  # fmt: skip


def test_the_state_of_the_event_is_shown(cli: CommandLine) -> None:
    later, soon = "2100-01-01T00:00:00Z", 4_102_444_800
    cli.event("Later", protect=[{"path": "/later"}], schedule={"opens_at": soon})
    cli.event(
        "Through", protect=[{"path": "/through"}], mode="pass_through", schedule={"closes_at": soon}
    )
    shown = later.replace("T", " ").replace("Z", " UTC")
    found = cli.run("gate", "explain", "https://a/later").stdout
    assert f"gate of Later: not open yet, opens at {shown}" in found
    found = cli.run("gate", "explain", "https://a/through").stdout
    assert f"gate of Through: open to all, until {shown}" in found
    assert "page without a session: goes to the site" in found


def test_the_fail_mode_open_is_shown(cli: CommandLine) -> None:
    cli.event("Sale", protect=[{"path": "/a"}], session={"when_unreachable": "open"})
    cli.event("Other", protect=[{"path": "/b"}])
    line = "while the waiting room does not respond: the watchdog opens the gate"
    assert line in cli.run("gate", "explain", "https://a/a").stdout
    assert line not in cli.run("gate", "explain", "https://a/b").stdout


def test_events_without_protecting_rules_are_not_read(shop: CommandLine) -> None:
    shop.event("Open", bypass=[{"path": "/search"}])
    shop.api.calls.clear()
    assert len(shop.json("gate", "explain", "https://a/search")["rules"]) == 3
    assert not [one for one in shop.api.calls if "/events/Open" in str(one)]


def test_json_has_event_reason_and_rules(shop: CommandLine) -> None:
    found = shop.json(
        "gate", "explain", "https://shop.example/checkout",
        "--header", "X-Staff: 3f0c9a1d5b7e4c26", "--cookie", "a=b", "--user-agent", "x",
    )  # fmt: skip
    assert found["event_id"] is None
    assert found["reason"] == "a bypass rule lets it pass at Sale, and no other event protects it"
    assert [one["effect"] for one in found["rules"]] == ["does not match", "bypassed", "bypasses"]


def test_only_the_given_events_are_read(shop: CommandLine) -> None:
    shop.api.calls.clear()
    found = shop.json("gate", "explain", "https://a/checkout", "--event", "Winter")
    assert found["event_id"] is None
    assert len(shop.api.calls) == 1
    assert_one_line(shop.run("gate", "explain", "https://a/", "--event", "None"), 1)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["/checkout"], "the address must begin with http"),
        (["https://a/", "--header", "x"], "--header needs a name"),
        (["https://a/", "--header", ": x"], "--header needs a name"),
        (["https://a/", "--cookie", "x"], "--cookie needs a name"),
    ],
)
def test_another_argument_is_a_usage_error(
    cli: CommandLine, arguments: list[str], text: str
) -> None:
    assert_one_line(cli.run("gate", "explain", *arguments), 2, text)
    assert not cli.api.calls
