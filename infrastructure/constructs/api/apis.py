# SPDX-License-Identifier: Apache-2.0
"""The public and the private API, each built from the routes of its Chalice app."""

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
KEY_LENGTH = 40  # API Gateway accepts 20 to 128 characters


class PublicApi(Construct):
    """The API of the visitors, called through CloudFront, which adds the first of ``keys``.

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
        reserved_concurrency: int,
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-private",
            description="Waiting room: private API",
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
            if not {"GET", "HEAD"}.issuperset(route.methods):  # changes state and logs the caller
                environment.setdefault(route.view, {})["INLET_ROLE"] = inlet_role
        self.functions.add_views(PRIVATE, environment=environment, reserved=reserved_concurrency)
        self.served.add_routes(routes, targets=self.functions.targets)


def _issuer(views: dict[str, tuple[Grant, ...]], issuer: str) -> dict[str, dict[str, str]]:
    return {view: {"TOKEN_ISSUER": issuer} for view in views if view in TOKEN_ISSUING_VIEWS}


def _keys(scope: Construct, api: aws_apigateway.RestApi, number: int) -> tuple[str, ...]:
    """Create the API key that CloudFront sends; return references to secrets, not keys.

    A new ``number`` creates a new key. CloudFormation deletes the previous key after CloudFront
    has the new one. The previous secret stays one number longer: AWS WAF accepts both during the
    change. The API accepts the current key only.
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
