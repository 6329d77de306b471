# SPDX-License-Identifier: Apache-2.0
"""The core stack: what it is made of."""

from __future__ import annotations

from infrastructure import enqueue, permissions
from infrastructure.routes import load_app, routes_of
from tests.synthesized import Synthesized


def routes(core: Synthesized, api: str) -> set[tuple[str, str]]:
    """Method and path of every method of an API, without preflights."""
    parents = core.of_type("AWS::ApiGateway::Resource")

    def path(ref: dict[str, object]) -> str:
        if "Fn::GetAtt" in ref:
            return ""
        part = parents[str(ref["Ref"])]
        return f"{path(part['ParentId'])}/{part['PathPart']}"

    return {
        (made["HttpMethod"], path(made["ResourceId"]))
        for made in core.of_type("AWS::ApiGateway::Method").values()
        if made["RestApiId"]["Ref"].startswith(api) and made["HttpMethod"] != "OPTIONS"
    }


def of_app(name: str) -> set[tuple[str, str]]:
    return {(method, one.path) for one in routes_of(load_app(name)) for method in one.methods}


def test_the_public_api_has_the_routes_of_its_app_and_the_join(core: Synthesized) -> None:
    assert routes(core, "Public") == of_app("public_api") | {("POST", enqueue.PATH)}


def test_the_private_api_has_the_routes_of_its_app(core: Synthesized) -> None:
    assert routes(core, "Private") == of_app("private_api")


def test_every_view_and_worker_has_its_grants() -> None:
    from infrastructure.resources import WORKERS

    assert {one.view for one in routes_of(load_app("public_api"))} == set(permissions.PUBLIC)
    assert {one.view for one in routes_of(load_app("private_api"))} == set(permissions.PRIVATE)
    assert {one.name for one in WORKERS} == set(permissions.WORKERS)
