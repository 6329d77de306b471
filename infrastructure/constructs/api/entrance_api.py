# SPDX-License-Identifier: Apache-2.0
"""The API of the entrance, called through the distribution of a protected site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Stack, aws_wafv2
from constructs import Construct

from infrastructure.blueprint.brand import plain_brand
from infrastructure.blueprint.permissions import ENTRANCE, check_grants
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.constructs.api.edge_key import GateKey, usage_plan
from infrastructure.constructs.api.rest_api import Limits, RoomApi
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.function_context import FunctionContext


class EntranceApi(Construct):
    """The routes of ``apps/entrance``; each request needs one of ``keys``, which CloudFront sends.

    ``issuer`` is the ``iss`` of tokens, ``join_role`` the name of the role of ``join``,
    ``brand`` that of the page without scripts. AWS WAF
    counts the requests by the same rules as those of the public API.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        function_context: FunctionContext,
        limits: Limits,
        issuer: str,
        join_role: str,
        keys: Sequence[GateKey],
        web_acl_arn: str | None,
        brand: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(scope, name)
        self.served = RoomApi(
            self,
            "Rest",
            api_name=f"{Stack.of(self).stack_name}-entrance",
            description="Waiting room: entrance of protected sites",
            defaults=function_context.defaults,
            limits=limits,
            key_required=True,
            cors=False,
        )
        self.functions = AppFunctions(
            self, "Functions", app="entrance", function_context=function_context
        )
        routes = routes_of(load_app("entrance"))
        check_grants("ENTRANCE", {route.view for route in routes})
        issuing = {view: {"TOKEN_ISSUER": issuer} for view in ENTRANCE}
        if brand:
            issuing["wait"]["PAGE_BRAND"] = plain_brand(brand)
        self.functions.add_views(ENTRANCE, environment=issuing, role_names={"join": join_role})
        self.served.add_routes(routes, targets=self.functions.targets)
        plan = usage_plan(self, self.served.api)
        for one in keys:
            plan.add_api_key(one.key)
        if web_acl_arn:
            aws_wafv2.CfnWebACLAssociation(
                self,
                "Protection",
                resource_arn=self.served.api.deployment_stage.stage_arn,
                web_acl_arn=web_acl_arn,
            )
