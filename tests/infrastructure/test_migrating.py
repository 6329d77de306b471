# SPDX-License-Identifier: Apache-2.0
"""docs/migrating.md has an entry for every route, parameter, output and bus event, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest
import yaml

from infrastructure.parameters.docs_table import TABLES
from tests.docs import markdown
from tests.support import solution_clients
from tests.support.in_memory_room import EVENT, InMemoryRoom
from tests.support.servers import ROOT
from tests.support.templates.synthesized import Assembly
from waiting_room.domain.actors import UNKNOWN

PAGE = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
# by stack, as the AWS solution v1.1.15 has them
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "core": (
        "EventId", "ValidityPeriod", "EnableEventsGeneration", "RedisPort",
        "QueuePositionExpiryPeriod", "EnableQueuePositionExpiry", "IncrSvcOnQueuePositionExpiry",
    ),
    "authorizer": ("PublicAPIEndpoint", "WaitingRoomEventID", "IssuerURI"),
    "sample": (
        "AuthorizerARN", "APIGatewayRegion", "PublicAPIEndpoint", "PrivateAPIEndpoint", "EventID",
    ),
    "openid": ("PublicAPIEndpoint", "PrivateAPIEndpoint", "APIRegion", "EventID"),
    "inlet": (
        "EventId", "PrivateCoreApiEndpoint", "CoreApiRegion", "CloudWatchAlarmName",
        "InletStrategy", "IncrementBy", "StartTime", "EndTime", "MaxSize",
    ),
}  # fmt: skip
NOT_HERE = {("openid", "PrivateAPIEndpoint")}  # the provider does not call the private API
NEW = {
    ("core", "KeyRotationDays"),
    ("core", "AdmissionStrategy"),
    ("openid", "OpenIdRedirectUris"),
    ("openid", "OpenIdRequestIdCodes"),
}  # that migrating is about
KINDS = ("same", "better: ", "different: ")
APIS = {
    "Routes of the public API": ("public",),
    "Routes of the private API": ("private",),
    "Routes of the OpenID provider and the sample": ("openid", "store"),
}


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a title."""
    return [list(row) for row in markdown.rows(PAGE, title)]


def same_entries(entries: set[str], wanted: set[str], title: str) -> None:
    """Fail with the entries to add to, or remove from, the table under a title of the page."""
    here = f'the table "{title}" of docs/migrating.md'
    assert not wanted - entries, f"Add {sorted(wanted - entries)} to {here}"
    assert not entries - wanted, f"Remove {sorted(entries - wanted)} from {here}"


def names(cell: str) -> list[str]:
    return markdown.code(cell)


def documented(api: str) -> set[str]:
    """Method and path of every route of an OpenAPI document."""
    paths = yaml.safe_load((ROOT / "docs" / "api" / f"{api}.yaml").read_text())["paths"]
    return {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method in methods
        if method in ("get", "post", "put", "patch", "delete")
    }


@pytest.mark.parametrize("title", APIS)
def test_every_route_has_an_entry(title: str) -> None:
    told = [route for row in rows(title) for route in names(row[0])]
    assert sorted(told) == sorted(set(told))
    wanted = set().union(*(documented(api) for api in APIS[title]))
    same_entries(set(told), wanted, title)


def test_every_parameter_of_the_solution_has_an_entry_and_what_is_said_of_it_is_true() -> None:
    told = {(row[0], names(row[1])[0]): row[2] for row in rows("Parameters")}
    wanted = {(stack, name) for stack, every in PARAMETERS.items() for name in every}
    assert set(told) == wanted | NEW
    known = {
        one.name: part.default
        for kinds in TABLES.values() for kind in kinds for part, one in kind.known()
    }  # fmt: skip
    for (stack, name), entry in told.items():
        absent = entry.startswith("different: there is none")
        assert absent == ((stack, name) in NOT_HERE), (stack, name)
        assert absent or name in known, name
        for default in re.findall(r"default (\d+)", entry):
            assert known[name] == int(default), name


def test_every_output_that_clients_of_the_solution_read_has_an_entry(assembly: Assembly) -> None:
    made = {
        (name.lower(), output)
        for name, stack in assembly.stacks.items()
        for output in stack.template.get("Outputs", {})
        if not output.startswith("ExportsOutput")
    }
    told = {(row[0], names(row[1])[0]) for row in rows("Outputs")}
    assert told <= made
    assert {("core", one) for one in (
        "PublicApiInvokeURL", "PrivateApiInvokeURL", "PublicTokenIssuer", "PrivateTokenIssuer",
    )} <= told  # fmt: skip


def sent_events() -> Iterator[str]:
    """The name of every bus event of the code."""
    tree = ast.parse((ROOT / "source/waiting_room/use_cases/event_publishing.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in (
            "_publish",
            "publish",
        ):
            first = node.args[0]
            if isinstance(first, ast.Constant):
                yield str(first.value)


def test_every_bus_event_has_an_entry_with_its_members() -> None:
    told = {names(row[0])[0]: set(names(row[1])) for row in rows("Events on the bus")}
    same_entries(set(told), set(sent_events()), "Events on the bus")
    in_memory_room = InMemoryRoom(
        {"ENABLE_EVENTS_GENERATION": "true", "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"}
    )
    visitor = in_memory_room.visitors(3)[0]
    in_memory_room.serve(2)
    in_memory_room.token(visitor)
    in_memory_room.room.publisher.publish_outcomes([in_memory_room.outcomes.get(EVENT, 1, 1)])
    in_memory_room.room.sessions.end(EVENT, visitor, -1)
    in_memory_room.room.publisher.publish_outcomes([in_memory_room.outcomes.get(EVENT, 1, 1)])
    for seconds in (91, 91, 901):
        in_memory_room.minute(seconds)
    in_memory_room.room.metrics.report(EVENT)
    in_memory_room.room.control.reset(EVENT)
    in_memory_room.event_documents.put("other", {}, None, actor=UNKNOWN)
    sent = {kind: set(detail) for kind, detail in in_memory_room.published}
    for kind, members in sent.items():
        entry = told[kind] - {"completed", "abandoned"}
        assert entry == members, f"`{kind}` in docs/migrating.md has {entry}, sent is {members}"
    assert set(sent) == set(told)


@pytest.mark.parametrize("title", [*APIS, "Parameters", "Outputs", "Events on the bus"])
def test_an_entry_is_one_of_three_and_says_how_or_what_to_do(title: str) -> None:
    for row in rows(title):
        entry = row[-1]
        assert entry.startswith(KINDS), entry
        assert entry.startswith("same") or len(entry.split(": ", 1)[1]) > 2, entry


def test_the_page_shows_what_the_clients_send() -> None:
    assert solution_clients.written(PAGE) == PAGE
    assert PAGE.count("| waiting page |") == 6
