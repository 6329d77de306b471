# SPDX-License-Identifier: Apache-2.0
"""Every route of the private API is placed: operators who steer, or administrators alone."""

from __future__ import annotations

import re

from infrastructure.blueprint.permissions import (
    ADMINISTRATORS,
    EVENTS,
    GATE,
    KEYS,
    OPERATORS,
    SITE,
    STEERING,
    WATCHING,
)
from infrastructure.blueprint.resources import PRIVATE_ROUTES
from infrastructure.blueprint.routes import load_app, routes_of
from tests.docs import markdown
from tests.support.servers import ROOT
from waiting_room.domain.events.actions import ACTIONS

ACTIONS_OF_AN_EVENT = (*ACTIONS, "admit", "end_session", "reset")


def private_routes() -> set[str]:
    routes = routes_of(load_app("private_api"))
    return {
        f"{method} {route.path.replace('{action}', action)}"
        for route in routes
        for method in route.methods
        for action in ACTIONS_OF_AN_EVENT
    }


def test_every_private_route_has_its_role() -> None:
    placed, served = {*ADMINISTRATORS, *SITE, *GATE}, private_routes()
    lists = "WATCHING, STEERING, RESET, EVENTS, KEYS, SITE or GATE"
    here = f"{lists} in infrastructure/blueprint/permissions.py"
    assert not served - placed, f"Add {sorted(served - placed)} to {here}"
    assert not placed - served, f"Remove {sorted(placed - served)} from {here}: no such route"
    assert len(set(ADMINISTRATORS)) == len(ADMINISTRATORS)
    assert set(WATCHING) < set(STEERING) < set(OPERATORS) < set(ADMINISTRATORS)
    assert not {*SITE, *GATE} & set(ADMINISTRATORS)
    assert set(ADMINISTRATORS) - set(OPERATORS) == {*EVENTS, *KEYS}
    assert {route for route in STEERING if route.startswith("GET ")} == set(WATCHING)


def test_every_private_route_needs_a_signature() -> None:
    assert all(route.iam for route in routes_of(load_app("private_api")))


def test_an_inlet_may_do_nothing_that_steering_may_not() -> None:
    assert {route for routes in PRIVATE_ROUTES.values() for route in routes} <= set(STEERING)


def test_the_security_page_says_who_may_call_what() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = [row for table in markdown.tables(page) for row in table.rows]
    lists = (WATCHING, STEERING, OPERATORS, ADMINISTRATORS)
    found = {
        row[0].strip("`"): tuple(row[1:5])
        for row in rows
        if re.match(r"`(GET|PUT|POST|PATCH|DELETE) /", row[0])
    }
    expected = {
        route: tuple("yes" if route in allowed else "no" for allowed in lists)
        for route in ADMINISTRATORS
    }
    missing = [
        f"| `{route}` | {' | '.join(may)} |"
        for route, may in expected.items()
        if found.get(route) != may
    ]
    assert not missing, "Add to the table of roles in docs/security.md:\n" + "\n".join(missing)
    assert not found.keys() - expected.keys(), "docs/security.md has routes that do not exist"
