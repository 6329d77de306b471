# SPDX-License-Identifier: Apache-2.0
"""The gate stack: the gate at the edge, the entrance, and a distribution in front of a site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Duration, Fn, Stack, aws_cloudfront, aws_cloudfront_origins
from constructs import Construct

from infrastructure.blueprint.gate_paths import ROOM_PATHS, Target
from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.resources import EVENTS
from infrastructure.blueprint.site_config import waiting_room_config
from infrastructure.constructs.api.entrance_api import EntranceApi
from infrastructure.constructs.api.rest_api import Limits
from infrastructure.constructs.compute.gate_store_writer import GateStoreWriter
from infrastructure.constructs.compute.room_watchdog import RoomWatchdog
from infrastructure.constructs.edge.custom_domain import target_output
from infrastructure.constructs.edge.gate_functions import GateFunctions
from infrastructure.constructs.edge.page_files import PageFiles
from infrastructure.constructs.edge.protected_site import ProtectedSite
from infrastructure.constructs.edge.room_paths import RoomPaths
from infrastructure.constructs.monitoring import metrics
from infrastructure.constructs.monitoring.alarms import MISSING_IS_BREACHING, Alarms
from infrastructure.constructs.names import gate_join_role_name
from infrastructure.parameters.gate import GateConfig
from infrastructure.stacks.core import CoreStack
from waiting_room.domain.gate.rules import OWN_PATHS

READ_TIMEOUT = 30  # s


class GateStack(Stack):
    """The gate of a core stack. Each distribution of the account can use its functions."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        core: CoreStack,
        config: GateConfig,
        brand: Mapping[str, Any] | None,
        limits: Limits,
        policies: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        description = "Virtual waiting room: gate of protected sites"
        super().__init__(scope, name, description=description, **options)
        functions = GateFunctions(self, "Edge", open_without_store=config.without_store == "open")
        writer = GateStoreWriter(
            self,
            "StoreWriter",
            function_context=core.function_context,
            store=functions.store,
            events=core.tables.by_name[EVENTS.name],
        )
        alarms = Alarms(self, "Alarms", topic=core.alarm_topic)
        alarms.add(
            "GateStoreErrors",
            writer.function.metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3,
            within=5,
            description="The gate at the edge gets no changes of events: see the log of "
            "write_gate_store.",
        )
        entrance = EntranceApi(
            self,
            "Entrance",
            function_context=core.function_context,
            limits=limits,
            issuer=core.issuer,
            join_role=gate_join_role_name(core.config.stack_name, core.region),
            keys=core.gate_keys,
            web_acl_arn=core.web_acl_arn,
            brand=brand,
        )
        watchdog = RoomWatchdog(
            self,
            "Watchdog",
            function_context=core.function_context,
            store=functions.store,
            key_secret_arn=core.gate_keys[0].secret_arn,
            addresses={
                "WATCHED_PUBLIC_API": core.issuer,
                "WATCHED_ENTRANCE": entrance.served.stage_address,
            },
            stack_name=core.config.stack_name,
        )
        alarms.add(
            "GateOpened",
            metrics.total_count("GateOpened", core.config.stack_name),
            above=0,
            within=3,  # a run lasts more than a minute while the room has a fault
            description="The gate lets visitors without a session pass: the room does not respond. "
            "See Opened gate in docs/operations.md.",
        )
        alarms.add(
            "WatchdogErrors",
            watchdog.function.metric_errors(period=metrics.MINUTE, statistic="Sum"),
            above=0,
            minutes=3,
            within=5,
            missing=MISSING_IS_BREACHING,
            description="The watchdog of the room fails or does not run, so the gate does not open "
            "in a fault: see the log of watch_room.",
        )
        key = core.gate_keys[0].value
        page = PageFiles(
            self,
            "Page",
            config=waiting_room_config(
                event_id=core.config.event_id,
                public_api=OWN_PATHS,
                store_api="",
                entrance=f"{OWN_PATHS}/session",
                brand=brand,
            ),
            defaults=core.defaults,
        )
        room = RoomPaths(
            self,
            "Room",
            functions=functions,
            origins={
                Target.ENTRANCE: _api(entrance.served.stage_address, key),
                Target.PUBLIC: _api(core.issuer, key),
                Target.PAGE: page.origin,
            },
            page_headers=page.headers,
            shared=policies,
        )
        outputs = {
            "GateStore": functions.store.key_value_store_arn,
            **{name: one.function_arn for name, one in functions.by_name.items()},
        }
        if config.has_distribution:
            site = ProtectedSite(
                self,
                "Site",
                config=config,
                functions=functions,
                room=room,
                key=core.defaults.key,
            )
            outputs["SiteURL"] = site.address
            outputs["GateDistribution"] = site.distribution.distribution_id
            outputs |= target_output("SiteDnsTarget", site.distribution, config.domain)
            outputs["OriginSecret"] = site.secret.secret_arn
        else:
            outputs |= {
                "EntranceOrigin": _host(entrance.served.stage_address),
                "PublicApiOrigin": _host(core.issuer),
                "PageOrigin": page.address,
                "PageAccessControl": page.access.origin_access_control_id,
                "PageHeadersPolicy": page.headers.response_headers_policy_id,
                "ForwardedPolicy": room.forwarded.origin_request_policy_id,
                "SharedPolicy": room.shared.origin_request_policy_id,
                **{
                    path.policy_output: room.cache_policy(path).cache_policy_id
                    for path in ROOM_PATHS
                    if path.longest
                },
                "ApiKeySecret": core.gate_keys[0].secret_arn,
            }
        for output, value in outputs.items():
            CfnOutput(self, output, value=value)


def _host(stage_address: str) -> str:
    return str(Fn.select(2, Fn.split("/", stage_address)))


def _api(stage_address: str, key: str) -> aws_cloudfront.IOrigin:
    """Return the origin of an API; CloudFront tries each request once, because it can reserve."""
    return aws_cloudfront_origins.HttpOrigin(
        _host(stage_address),
        origin_path=f"/{STAGE}",
        custom_headers={"x-api-key": key},
        protocol_policy=aws_cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        origin_ssl_protocols=[aws_cloudfront.OriginSslPolicy.TLS_V1_2],
        read_timeout=Duration.seconds(READ_TIMEOUT),
        connection_attempts=1,
    )
