# SPDX-License-Identifier: Apache-2.0
"""The public and the private API, each built from the routes of its Chalice app."""

from __future__ import annotations

from aws_cdk import Stack
from constructs import Construct

from infrastructure.blueprint import discovery, loading
from infrastructure.blueprint.permissions import (
    PRIVATE,
    PUBLIC,
    TOKEN_ISSUING_VIEWS,
    Grant,
    check_grants,
)
from infrastructure.blueprint.resources import CACHE_RULES
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.constructs.api.edge_key import edge_keys, gate_keys, usage_plan
from infrastructure.constructs.api.join_queue import JoinQueue
from infrastructure.constructs.api.rest_api import Limits, RoomApi
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.function_context import FunctionContext

QUERIES = {rule.path: rule.query for rule in CACHE_RULES}


class PublicApi(Construct):
    """The API of the visitors, called through CloudFront, which adds the first of ``keys``.

    Distributions of protected sites add the first of ``gate_keys``.
    ``issuer`` is the ``iss`` of tokens: the address of the stage.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        joins: JoinQueue,
        event_id: str,
        secret_required: bool,
        limits: Limits,
        key_number: int = 1,
        gate_key_number: int = 0,
        route_metrics: bool = False,
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-public",
            description="Waiting room: public API",
            defaults=function_context.defaults,
            limits=limits,
            key_required=True,
            route_metrics=route_metrics,
            documents={discovery.PATH: Limits(rate=discovery.RATE, burst=discovery.BURST)},
        )
        self.issuer = self.served.stage_address
        self.functions = AppFunctions(
            self, "Functions", app="public_api", function_context=function_context
        )
        routes = routes_of(load_app("public_api"))
        check_grants("PUBLIC", {route.view for route in routes})
        environment = loading.with_stores(_issuer(PUBLIC, self.issuer), loading.PUBLIC)
        self.functions.add_views(PUBLIC, environment=environment)
        self.served.add_routes(routes, targets=self.functions.targets, queries=QUERIES)
        joins.add_route(self.served, event_id=event_id, secret_required=secret_required)
        plan = usage_plan(self, self.served.api)
        key = function_context.defaults.key
        self.keys = edge_keys(self, plan, key_number, key)
        self.gate_keys = gate_keys(self, plan, gate_key_number, key)

    def add_discovery(self, edge_address: str) -> None:
        """Serve the discovery document at ``issuer``; it refers to the key set at CloudFront."""
        content = discovery.document(self.issuer, edge_address)
        self.served.add_document(discovery.PATH, content, discovery.HEADERS)


class PrivateApi(Construct):
    """The API of operators and inlets, signed with IAM credentials."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        issuer: str,
        limits: Limits,
        inlet_role: str,
        stack_name: str,
        reserved_concurrency: int,
        route_metrics: bool = False,
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-private",
            description="Waiting room: private API",
            defaults=function_context.defaults,
            limits=limits,
            route_metrics=route_metrics,
        )
        self.functions = AppFunctions(
            self, "Functions", app="private_api", function_context=function_context
        )
        routes = routes_of(load_app("private_api"))
        check_grants("PRIVATE", {route.view for route in routes})
        environment = loading.with_stores(_issuer(PRIVATE, issuer), loading.PRIVATE)
        environment.setdefault("show_alarms", {})["STACK_NAME"] = stack_name  # names its alarms
        for route in routes:
            if not {"GET", "HEAD"}.issuperset(route.methods):  # changes state and logs the caller
                environment.setdefault(route.view, {})["INLET_ROLE"] = inlet_role
        self.functions.add_views(PRIVATE, environment=environment, reserved=reserved_concurrency)
        self.served.add_routes(routes, targets=self.functions.targets)


def _issuer(views: dict[str, tuple[Grant, ...]], issuer: str) -> dict[str, dict[str, str]]:
    return {view: {"TOKEN_ISSUER": issuer} for view in views if view in TOKEN_ISSUING_VIEWS}
