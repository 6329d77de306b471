# SPDX-License-Identifier: Apache-2.0
"""The two APIs of the room, each from the routes of its Chalice app."""

from __future__ import annotations

from aws_cdk import Stack, aws_apigateway, aws_secretsmanager
from constructs import Construct

from infrastructure.blueprint import discovery
from infrastructure.blueprint.permissions import (
    PRIVATE,
    PUBLIC,
    TOKEN_ISSUING_VIEWS,
    Grant,
    check_grants,
)
from infrastructure.blueprint.resources import CACHE_RULES
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.constructs.api.join_queue import JoinQueue
from infrastructure.constructs.api.rest_api import Limits, RoomApi
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.function_context import FunctionContext

QUERIES = {rule.path: rule.query for rule in CACHE_RULES}
KEY_LENGTH = 40  # API Gateway takes 20 to 128 characters


class PublicApi(Construct):
    """What visitors call, by way of the edge: it alone knows ``keys``, the current one first.

    ``issuer`` is what tokens name; it is the address of the stage.
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
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-public",
            description="Waiting room: what visitors call",
            defaults=function_context.defaults,
            limits=limits,
            key_required=True,
            documents={discovery.PATH: Limits(rate=discovery.RATE, burst=discovery.BURST)},
        )
        self.issuer = self.served.stage_address
        self.functions = AppFunctions(
            self, "Functions", app="public_api", function_context=function_context
        )
        routes = routes_of(load_app("public_api"))
        check_grants("PUBLIC", {route.view for route in routes})
        self.functions.add_views(PUBLIC, environment=_issuer(PUBLIC, self.issuer))
        self.served.add_routes(routes, targets=self.functions.targets, queries=QUERIES)
        joins.add_route(self.served, event_id=event_id, secret_required=secret_required)
        self.keys = _keys(self, self.served.api, key_number)

    def add_discovery(self, edge_address: str) -> None:
        """Tell verifiers who look at ``issuer`` that the keys are at the edge."""
        content = discovery.document(self.issuer, edge_address)
        self.served.add_document(discovery.PATH, content, discovery.HEADERS)


class PrivateApi(Construct):
    """What operators and the room's own helpers call, signed with IAM keys."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        issuer: str,
        limits: Limits,
        inlet_role: str,
        reserved_concurrency: int,
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-private",
            description="Waiting room: what operators call",
            defaults=function_context.defaults,
            limits=limits,
        )
        self.functions = AppFunctions(
            self, "Functions", app="private_api", function_context=function_context
        )
        routes = routes_of(load_app("private_api"))
        check_grants("PRIVATE", {route.view for route in routes})
        environment = _issuer(PRIVATE, issuer)
        for route in routes:
            if "POST" in route.methods:  # it changes something, and logs who did it
                environment.setdefault(route.view, {})["INLET_ROLE"] = inlet_role
        self.functions.add_views(PRIVATE, environment=environment, reserved=reserved_concurrency)
        self.served.add_routes(routes, targets=self.functions.targets)


def _issuer(views: dict[str, tuple[Grant, ...]], issuer: str) -> dict[str, dict[str, str]]:
    return {view: {"TOKEN_ISSUER": issuer} for view in views if view in TOKEN_ISSUING_VIEWS}


def _keys(scope: Construct, api: aws_apigateway.RestApi, number: int) -> tuple[str, ...]:
    """Make the API key that the edge sends; answers references to secrets, not keys.

    Another ``number`` is another key: CloudFormation deletes the one before when the edge has it.
    The secret of the one before stays one number longer, for rules that must know both while the
    edge changes from one to the other; the API takes the current one alone.
    """
    values = [_secret(scope, one) for one in (number, number - 1) if one > 0]
    key = aws_apigateway.ApiKey(scope, f"ApiKey{_rank(number)}", value=values[0])
    plan = aws_apigateway.UsagePlan(scope, "UsagePlan", description="Waiting room: the edge")
    plan.add_api_stage(stage=api.deployment_stage)
    plan.add_api_key(key)
    return tuple(values)


def _secret(scope: Construct, number: int) -> str:
    secret = aws_secretsmanager.Secret(
        scope,
        f"Key{_rank(number)}",
        description="API key that the waiting room's edge sends to its public API",
        generate_secret_string=aws_secretsmanager.SecretStringGenerator(
            password_length=KEY_LENGTH, exclude_punctuation=True
        ),
    )
    return str(secret.secret_value.unsafe_unwrap())


def _rank(number: int) -> str:
    return "" if number == 1 else str(number)
