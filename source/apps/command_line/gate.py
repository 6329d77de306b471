# SPDX-License-Identifier: Apache-2.0
"""``waiting-room gate explain``: the rule that decides about an address."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click

from apps.command_line import output, views
from apps.command_line.api_client import RoomApi
from apps.command_line.connection import Options
from apps.command_line.parameters import Commands, EventId, common, pass_options
from waiting_room.domain.gate.explanation import explain, request_of


@click.group(cls=Commands)
@common
def gate() -> None:
    """Test the rules of the gate in front of a site."""


@gate.command("explain")
@common
@click.argument("address", metavar="URL")
@click.option("--method", default="GET", show_default=True, metavar="NAME", help="HTTP method.")
@click.option("--header", "headers", multiple=True, metavar="NAME: VALUE", help="Request header.")
@click.option("--cookie", "cookies", multiple=True, metavar="NAME=VALUE", help="Cookie.")
@click.option("--user-agent", default="", metavar="TEXT", help="User agent.")
@click.option(
    "--event", "event_ids", multiple=True, type=EventId(), help="Only this event; default: all."
)
@pass_options
def explain_address(
    options: Options,
    address: str,
    method: str,
    headers: tuple[str, ...],
    cookies: tuple[str, ...],
    user_agent: str,
    event_ids: tuple[str, ...],
) -> None:
    """Show which rule of which event protects an address, or which bypass rule opens it.

    The output also has the state of the event at the gate, and what a visitor without a session
    gets: the status, or that the request goes to the site.

    The documents of the events decide; a gate can be half a minute behind them.
    """
    try:
        request = request_of(
            address,
            method,
            [_pair(one, ":", "--header") for one in headers],
            [_pair(one, "=", "--cookie") for one in cookies],
            user_agent,
        )
    except ValueError as error:
        raise click.UsageError(f"{error}") from None
    found = explain(request, _documents(options.connect(), event_ids), int(time.time()))
    output.show(options.as_json, found.to_json(), lambda: views.explanation_view(found))


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip():
        raise click.UsageError(f"{option} needs a name, {separator} and a value.")
    return name.strip(), value.strip()


def _documents(api: RoomApi, event_ids: Iterable[str]) -> dict[str, Any]:
    ids = list(event_ids) or [one["event_id"] for one in api.events() if one.get("gated", True)]
    return {event_id: api.event(event_id) for event_id in ids}
