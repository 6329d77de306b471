# SPDX-License-Identifier: Apache-2.0
"""The OpenID stack: an OpenID Connect provider that logs admitted visitors in to a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aws_cdk import Annotations, CfnOutput, Stack, aws_secretsmanager, aws_sns
from constructs import Construct

from infrastructure.blueprint.permissions import OPENID, Resource, check_grants
from infrastructure.blueprint.resources import CODES
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.blueprint.site_config import login_forms, waiting_room_config
from infrastructure.constructs.api.rest_api import Limits, RoomApi
from infrastructure.constructs.compute.app_functions import AppFunctions
from infrastructure.constructs.compute.encryption import room_key
from infrastructure.constructs.compute.function_context import FunctionContext, ResourceRef
from infrastructure.constructs.data.tables import Tables
from infrastructure.constructs.edge.custom_domain import target_output
from infrastructure.constructs.edge.site import Site
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import Alarms
from infrastructure.parameters.domains import CustomDomain
from infrastructure.parameters.optional_stacks import OpenIdConfig
from infrastructure.stacks.room import Room
from waiting_room.openid.settings import REQUEST_ID_CODES_WARNING

SECRET_LENGTH = 43  # letters and digits: 256 bits of entropy


class OpenIdStack(Stack):
    """The OpenID provider of a room; it signs with the room's keys.

    It has its own waiting page, which contains the addresses that visitors return to. ``key_arn``
    is the key of the room if the stack is deployed without core.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        room: Room,
        config: OpenIdConfig,
        brand: Mapping[str, Any] | None,
        domain: CustomDomain | None = None,
        limits: Limits,
        key_arn: str = "",
        **options: Any,
    ) -> None:
        description = "Virtual waiting room: OpenID provider"
        super().__init__(scope, name, description=description, **options)
        room.require_region(self)
        defaults = room.defaults
        if key_arn and defaults.key is None:
            defaults = replace(defaults, key=room_key(self, "Key", key_arn, new=False))
        self._room, self._config, self._brand = room, config, brand
        self._defaults, self._domain = defaults, domain
        tables = Tables(self, "Tables", tables=(CODES,), removal=defaults.removal, key=defaults.key)
        secret = aws_secretsmanager.Secret(
            self,
            "OpenIdClientSecret",
            description="Secret of the waiting room's OpenID client",
            removal_policy=defaults.removal,
            encryption_key=defaults.key,
            generate_secret_string=aws_secretsmanager.SecretStringGenerator(
                secret_string_template="{}",
                generate_string_key="client_secret",
                password_length=SECRET_LENGTH,
                exclude_punctuation=True,
            ),
        )
        provider = RoomApi(
            self,
            "Provider",
            api_name=f"{self.stack_name}-openid",
            description="Waiting room: OpenID provider",
            defaults=defaults,
            limits=limits,
            cors=False,
        )
        issuer = provider.stage_address
        page = config.waiting_room_url or self._waiting_room(issuer)
        codes = tables.by_name[CODES.name]
        refs = {
            Resource.CODES: ResourceRef(name=codes.table_name, arn=codes.table_arn),
            Resource.CLIENT: ResourceRef(name=secret.secret_arn, arn=secret.secret_arn),
            Resource.SIGNING_KEYS: ResourceRef(name=room.signing_keys, arn=room.signing_keys),
        }
        function_context = FunctionContext(
            resources=refs, settings=self._settings(refs, issuer, page), defaults=defaults
        )
        views = AppFunctions(self, "Views", app="openid", function_context=function_context)
        routes = routes_of(load_app("openid"))
        check_grants("OPENID", {route.view for route in routes})
        views.add_views(OPENID)
        topic = aws_sns.Topic.from_topic_arn(self, "RoomAlarms", room.alarm_topic)
        Alarms(self, "Alarms", topic=topic).add(
            "Errors",
            metrics.error_rate(provider.api),
            above=1,
            description="More than 1 % of the OpenID requests fail with a 5xx status: see the logs "
            "of the functions of this stack.",
        )
        provider.add_routes(routes, targets=views.targets)
        if config.request_id_codes:
            Annotations.of(self).add_warning_v2(
                "waiting-room:OpenIdRequestIdCodes", REQUEST_ID_CODES_WARNING
            )
        for output, value in {
            "Issuer": issuer,
            "AuthorizationEndpoint": f"{issuer}/authorize",
            "TokenEndpoint": f"{issuer}/token",
            "UserInfoEndpoint": f"{issuer}/userInfo",
            "JwksUri": f"{issuer}/.well-known/jwks.json",
            "DiscoveryDocument": f"{issuer}/.well-known/openid-configuration",
            "ClientId": room.event_id,
            "ClientSecretId": secret.secret_arn,
            "WaitingRoomURL": page,
        }.items():
            CfnOutput(self, output, value=value)

    def _waiting_room(self, issuer: str) -> str:
        """Add the waiting page and return its address.

        Its form is sent to the provider, which redirects to a client.
        """
        room, config = self._room, self._config
        site = Site(
            self,
            "WaitingRoom",
            site="waiting_room",
            config=waiting_room_config(
                event_id=room.event_id,
                public_api=room.public_address,
                store_api="",
                openid=issuer,
                brand=self._brand,
            ),
            calls=[room.public_address],
            forms=login_forms((*config.redirect_uris, config.restart_url)),
            defaults=self._defaults,
            domain=self._domain,
        )
        for output, value in target_output(
            "WaitingRoomDnsTarget", site.distribution, self._domain
        ).items():
            CfnOutput(self, output, value=value)
        return site.address

    def _settings(
        self, refs: dict[Resource, ResourceRef], issuer: str, page: str
    ) -> dict[str, str]:
        """Return the environment variables of every function."""
        config = self._config
        restart = {
            "OPENID_RESTART_URL": config.restart_url,
            "OPENID_RESTART_AFTER": str(config.restart_after),
        }
        return {
            "EVENT_ID": self._room.event_id,
            "PUBLIC_API_ENDPOINT": self._room.public_address,
            "TOKEN_ISSUER": self._room.issuer,
            "OPENID_ISSUER": issuer,
            "WAITING_ROOM_URL": page,
            "OPENID_REDIRECT_URIS": " ".join(config.redirect_uris),
            **(restart if config.restart_url else {}),
            **({"OPENID_REQUEST_ID_CODES": "true"} if config.request_id_codes else {}),
            **{resource.value: ref.name for resource, ref in refs.items()},
        }
