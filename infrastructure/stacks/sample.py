# SPDX-License-Identifier: Apache-2.0
"""The sample stack: a store behind the authorizer, the waiting page, the console."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infrastructure.blueprint.gateway_responses import PLAIN_RESPONSES
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.blueprint.site_config import console_config, waiting_room_config
from infrastructure.constructs.api.api_log_role import ApiLogRole
from infrastructure.constructs.api.operator_sign_in import OperatorSignIn, called_addresses
from infrastructure.constructs.api.rest_api import Limits, RoomApi
from infrastructure.constructs.api.token_authorizer import WaitingRoomAuthorizer
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.encryption import room_key
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.compute.function_context import FunctionContext
from infrastructure.constructs.edge.custom_domain import target_output
from infrastructure.constructs.edge.site import Site
from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.optional_stacks import PageConfig


class SampleStack(Stack):
    """An example of a site: a protected API, the waiting page and the console.

    Addresses have no final slash; ``api_region`` is the region of the private API. With
    ``log_role`` the stack creates the account's log role of API Gateway. ``page`` holds the target
    of the waiting page's form, ``brand`` its name, logo, colours and texts,
    ``domains`` the custom domains of both pages. ``sign_in`` is the operators' sign-in.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        event_id: str,
        public_api: str,
        private_api: str,
        api_region: str,
        authorizer_arn: str,
        defaults: FunctionDefaults,
        key_arn: str = "",
        limits: Limits,
        log_role: bool,
        page: PageConfig,
        brand: Mapping[str, Any] | None,
        domains: DomainsConfig,
        sign_in: OperatorSignInConfig,
        **options: Any,
    ) -> None:
        description = "Virtual waiting room: sample store and pages"
        super().__init__(scope, name, description=description, **options)
        if key_arn and defaults.key is None:
            defaults = replace(defaults, key=room_key(self, "Key", key_arn, new=False))
        authorizer = WaitingRoomAuthorizer(self, "Door", authorizer_arn=authorizer_arn)
        store = RoomApi(
            self,
            "Store",
            api_name=f"{self.stack_name}-store",
            description="Waiting room: sample store",
            defaults=defaults,
            limits=limits,
            responses=PLAIN_RESPONSES,
            authorizer=authorizer.authorizer,
        )
        routes = routes_of(load_app("sample_store"))
        views = AppFunctions(
            self, "Views", app="sample_store", function_context=FunctionContext(defaults=defaults)
        )
        views.add_views({route.view: () for route in routes})
        store.add_routes(routes, targets=views.targets)
        store.redeploy_with(authorizer.authorizer, authorizer_arn)
        if log_role:
            ApiLogRole(self, "ApiLogRole").before(store.api)

        waiting_room = Site(
            self,
            "WaitingRoom",
            site="waiting_room",
            config=waiting_room_config(
                event_id=event_id,
                public_api=public_api,
                store_api=store.stage_address,
                entrance=page.entrance,
                brand=brand,
            ),
            calls=[public_api, store.stage_address],
            forms=page.forms,
            defaults=defaults,
            domain=domains.page,
        )

        def sign_in_at(address: str) -> dict[str, Any]:
            if not sign_in.enabled:
                return {}
            made = OperatorSignIn(
                self,
                "SignIn",
                page=address,
                private_api=private_api,
                api_region=api_region,
                config=sign_in,
            )
            return {"sign_in": made.settings}

        console = Site(
            self,
            "ControlPanel",
            site="console",
            config=console_config(
                event_id=event_id,
                region=api_region,
                public_api=public_api,
                private_api=private_api,
                page=waiting_room.address,
            ),
            calls=[public_api, private_api, *called_addresses(sign_in)],
            defaults=defaults,
            domain=domains.panel,
            config_at=sign_in_at,
        )
        for output, value in {
            "WaitingRoomURL": waiting_room.address,
            "ControlPanelURL": console.address,
            "StoreApiInvokeURL": store.stage_address,
            **target_output("WaitingRoomDnsTarget", waiting_room.distribution, domains.page),
            **target_output("ConsoleDnsTarget", console.distribution, domains.panel),
        }.items():
            CfnOutput(self, output, value=value)
