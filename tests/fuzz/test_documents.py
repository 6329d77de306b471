# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI documents say what the handlers do: same routes, same statuses, any request."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis.python import asgi

from deployment.local.gateway.chalice_apps import load
from infrastructure.blueprint import discovery
from infrastructure.blueprint.join_integration import PATH, request_model
from tests.fuzz.apis import EDGE_KEY, Apis, SignV4, apis, room_on_real_stores
from tests.fuzz.documents import (
    ADDRESS,
    DOCUMENTS,
    NAMES,
    REJECTED,
    Findings,
    document,
    explore,
    narrowed,
)
from tests.fuzz.inputs import SEED
from tests.support.in_memory_room import EVENT
from tests.support.openid_room import CALLBACK, CLIENT_SECRET
from tests.support.real_stores import RealRoom
from tests.support.servers import Valkey
from waiting_room.domain.limits import NEW_EVENT_ID
from waiting_room.runtime.http_api import STATUS, encode_page_token

APPS = {"public": "public_api", "private": "private_api", "openid": "openid",
        "store": "sample_store"}  # fmt: skip
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0")) or 3


@pytest.mark.parametrize("name", NAMES)
def test_the_document_is_valid_openapi(name: str) -> None:
    validate(document(name))


@pytest.mark.parametrize("name", NAMES)
def test_the_document_has_the_routes_of_the_app_and_no_other(name: str) -> None:
    documented = {
        (path, method.upper())
        for path, methods in document(name)["paths"].items()
        for method in methods
    }
    routes = {
        (path, method) for path, methods in load(APPS[name]).routes.items() for method in methods
    }
    served = {route for route in routes if route[1] != "HEAD"}
    by_the_gateway = {(PATH, "POST"), (discovery.PATH, "GET")}
    expected = served | (by_the_gateway if name == "public" else set())
    assert not expected - documented, f"Add {texts(expected - documented)} to docs/api/{name}.yaml"
    assert not documented - expected, (
        f"Remove {texts(documented - expected)} from docs/api/{name}.yaml: no app serves it"
    )
    heads = {path for path, method in routes if method == "HEAD"}
    gets = {path for path, method in served if method == "GET"}
    assert heads == (gets if name == "public" else set())


def texts(routes: set[tuple[str, str]]) -> str:
    return ", ".join(sorted(f"`{method} {path}`" for path, method in routes))


def operations(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in document(name)["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_is_described_for_a_reader(name: str) -> None:
    for label, operation in operations(name):
        assert operation["summary"], label
        assert operation["operationId"], label
        for status, response in operation["responses"].items():
            ref = response.get("$ref", "").split("/")[-1]
            found = document(name)["components"]["responses"][ref] if ref else response
            assert found["description"], (label, status)
    told = {
        status
        for api in ("public", "private")
        for _, operation in operations(api)
        for status in operation["responses"]
    }
    assert {str(status) for _, status in STATUS} <= told


def whole(part: Any, content: dict[str, Any]) -> Any:
    """A part of a document with what it refers to in its place."""
    if isinstance(part, list):
        return [whole(one, content) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        found: Any = content
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return whole(found, content)
    return {key: whole(value, content) for key, value in part.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_one(name: str) -> None:
    """Each example matches its schema; each error is explained in `docs/api.md`."""
    page = (DOCUMENTS.parent / "api.md").read_text()
    content = whole(document(name), document(name))
    seen = 0
    for _, methods in content["paths"].items():
        for operation in methods.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                for media in part.get("content", {}).values():
                    for example in media.get("examples", {}).values():
                        value = example["value"]
                        Draft202012Validator(media["schema"]).validate(value)
                        if isinstance(value, dict) and "error" in value:
                            assert f"`{value.get('error_description', value['error'])}`" in page
                        seen += 1
    assert seen > 2


def test_the_documented_join_is_the_model_that_the_gateway_checks() -> None:
    documented, checked = (
        document("public")["components"]["schemas"]["Join"],
        request_model(EVENT),
    )
    assert documented["required"] == checked["required"]
    assert set(documented["properties"]) == set(checked["properties"])
    for part in ("type", "pattern", "maxLength"):
        for member in ("event_id", "client_secret_hash"):
            mine, theirs = (each["properties"][member][part] for each in (documented, checked))
            assert mine == theirs, member


def deployed(made: Apis, name: str) -> dict[str, Any]:
    """The document with this deployment's own event, visitors and addresses."""
    known: dict[str, list[Any]] = {
        "EventId": [EVENT], "RequestId": made.ids, "ClientId": [EVENT], "RedirectUri": [CALLBACK],
        "ClientSecret": [CLIENT_SECRET], "Transaction": made.transactions, "Code": made.codes,
        "EndedMark": [
            encode_page_token(mark) for mark in ((1, 0, 0), (1, 10**10, 7), (9, 2, 10**9))
        ],
        "NextToken": [encode_page_token(mark) for mark in ((0, 0), (1, 2), (63, 10**9))],
    }  # fmt: skip
    schemas = document(name)["components"]["schemas"]
    sent = {schema: values for schema, values in known.items() if schema in schemas}
    found = narrowed(name, sent, besides=["RequestId"])  # links bring others
    if name == "private":
        body = found["paths"]["/inlet"]["post"]["requestBody"]["content"]["application/json"]
        targets = body["schema"]["properties"]["targets"]
        targets["properties"] = {"increment_by": {**targets["additionalProperties"], "minimum": 1}}
        targets["additionalProperties"] = False
    return found


def has_another_event(case: Any) -> bool:
    """Return whether a request has the id of an event that an earlier step may have created."""
    sent = [part for part in (case.query, case.body) if isinstance(part, dict)]
    ids = [one for part in sent if isinstance(one := part.get("event_id"), str)]
    return any(one != EVENT and NEW_EVENT_ID.fullmatch(one) for one in ids)


def run(made: Apis, name: str, examples: int, seed: int) -> Findings:
    signed = SignV4() if name == "private" else None
    # API Gateway answers 403 to an unsigned call and to a method that a route does not have, where
    # these checks want 401 and 405; tests of our own hold it to that
    without = ["missing_required_header"] if signed else []
    special: list[dict[str, Any]] = []
    if name == "public":  # the one route without a key: API Gateway's 403 cannot be for its lack
        special = [{"include-name": f"GET {discovery.PATH}",
                    "checks": {"unsupported_method": {"enabled": False}}}] + [
            {"include-name": one,  # a join of an event that does not exist is refused
             "checks": {"negative_data_rejection": {
                 "expected-statuses": ["202", "410", *REJECTED]}}}
            for one in ("GET /queue_num", "GET /queue_pos_expiry", "POST /generate_token")
        ]  # fmt: skip
    if name == "openid":
        without = ["unsupported_method"]
        special = [
            {"include-name": f"{method} /authorize",  # tells the client of errors by a redirect
             "checks": {"negative_data_rejection": {"expected-statuses": ["302", *REJECTED]}}}
            for method in ("GET", "POST")
        ] + [
            {"include-name": "POST /token",  # a code works once
             "checks": {"positive_data_acceptance": {"expected-statuses": ["200", "400", "401"]}}}
        ]  # fmt: skip
    if name == "private":
        special = [
            {"include-name": "GET /request_status",  # exactly one of three parameters
             "checks": {"positive_data_acceptance": {
                 "expected-statuses": ["200", "400", "403", "404", "410"]}}},
            {"include-name": "GET /alarms",  # the id of no event
             "checks": {"positive_data_acceptance": {"expected-statuses": ["200", *REJECTED]}}},
            {"include-name": "GET /inlet",  # a step sends the id of an event without an inlet
             "checks": {"positive_data_acceptance": {
                 "expected-statuses": ["200", "400", "403", "404"]}}},
        ] + [
            {"include-name": f"POST {path}",  # a step sends the event id of an earlier one
             "checks": {"negative_data_rejection": {"expected-statuses": ["200", *REJECTED]}}}
            for path in ("/rotate_keys", "/rotate_gate_keys")
        ] + [
            # bodies follow docs/event.schema.json and rules between members: test_event_routes.py
            {"include-name": f"{method} {path}",
             "checks": {"positive_data_acceptance": {
                 "expected-statuses": ["200", "201", "202", "400", "403", "404", "409", "410"]}}}
            for method, path in (
                ("PUT", "/events/{event_id}"), ("PATCH", "/events/{event_id}"),
                ("POST", "/events/{event_id}/actions/{action}"), ("GET", "/events"),
                ("GET", "/events/{event_id}/audit"), ("GET", "/events/{event_id}/history"),
            )
        ]  # fmt: skip
    headers = {"public": {"x-api-key": EDGE_KEY}, "store": {"Authorization": made.token}}.get(name)
    return explore(
        deployed(made, name), made.apps[name],
        seed=seed, examples=examples, auth=signed, headers=headers, without=without,
        operations=special, accepts=has_another_event if name == "private" else lambda _: False,
    )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_request_gets_an_answer_that_the_document_does_not_tell_of(name: str) -> None:
    started = time.monotonic()
    with apis() as made:
        found = run(made, name, EXAMPLES, SEED)
    print(f"{name}: {found.cases} cases in {time.monotonic() - started:.1f} s, seed {SEED}")
    assert not found.wrong, found.report()
    assert found.cases > 20
    assert {status for _, status in found.statuses} >= {200, 400, 403}


@pytest.mark.server
@pytest.mark.skipif("FUZZ_EXAMPLES" not in os.environ, reason="real stores are part of make fuzz")
@pytest.mark.parametrize("name", ["public", "private"])
def test_nor_does_any_on_real_stores(name: str, valkey: Valkey, moto_url: str) -> None:
    valkey.client().flushall()
    with apis(room_on_real_stores(RealRoom(moto_url, valkey, event_id=EVENT))) as made:
        found = run(made, name, max(1, EXAMPLES // 20), SEED)
    print(f"{name} on real stores: {found.cases} cases, seed {SEED}")
    assert not found.wrong, found.report()


@pytest.mark.parametrize("name", ["private"])
def test_no_operation_answers_a_call_that_is_not_signed_by_the_right_key(name: str) -> None:
    with apis() as made:
        app = made.apps[name]
        before = made.in_memory_room.log.read(EVENT)
        for label, _ in operations(name):
            method, path = label.split()
            for auth in (None, SignV4(key_id="STRANGER"), SignV4(secret="guessed")):
                answer = asgi.get_client(app).request(
                    method, f"{ADDRESS}{path}?event_id={EVENT}", json={"event_id": EVENT}, auth=auth
                )
                assert (answer.status_code, set(answer.json())) == (403, {"error", "message"}), (
                    label
                )
            signed = asgi.get_client(app).request(
                method, f"{ADDRESS}{path}?event_id={EVENT}", json={"event_id": "x"}, auth=SignV4()
            )
            assert signed.status_code in (200, 400), label
        assert made.in_memory_room.log.read(EVENT) == before


def test_a_method_that_a_route_does_not_have_is_refused_as_by_api_gateway() -> None:
    with apis() as made:
        for name in NAMES:
            for path, methods in document(name)["paths"].items():
                for method in {"get", "post", "put", "patch", "delete", "trace"} - set(methods):
                    answer = asgi.get_client(made.apps[name]).request(method, ADDRESS + path)
                    assert answer.status_code == 403
                    assert answer.json()["message"] == "Missing Authentication Token"
