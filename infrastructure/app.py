# SPDX-License-Identifier: Apache-2.0
"""The CDK app, which ``npx cdk synth``, ``deploy``, ``diff`` and ``destroy`` run.

Without parameters it contains the core, authorizer and sample stacks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import App, Aws, CfnResource, Stack, TagManager, Tags

from infrastructure.assets.bundle import BundleError
from infrastructure.assets.sites import SitesError
from infrastructure.constructs.api.rest_api import Limits
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.constructs.names import optional_stack_name
from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.optional_stacks import (
    AUTHORIZER,
    CORE,
    EDGE_ALARMS,
    GATE,
    INLET,
    OPENID,
    PARAMETERS,
    POLICIES,
    SAMPLE,
    AuthorizerArn,
    AuthorizerConfig,
    BrandConfig,
    EdgeAlarmsConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.parameters.parameter import ParameterError, reject_unknown
from infrastructure.parameters.region_rules import check_region
from infrastructure.parameters.restored import RestoredConfig
from infrastructure.stacks.authorizer import AuthorizerStack
from infrastructure.stacks.core import CoreStack
from infrastructure.stacks.edge_alarms import EdgeAlarmsStack
from infrastructure.stacks.gate import GateStack
from infrastructure.stacks.inlet import InletStack
from infrastructure.stacks.openid import OpenIdStack
from infrastructure.stacks.policies import PoliciesStack
from infrastructure.stacks.room import Room
from infrastructure.stacks.sample import SampleStack


def build(app: App, region: str = "") -> dict[str, Stack]:
    """Add the stacks that the context selects; return them by name.

    ``region`` is that of the deployment, "" if it is not known. The templates do not depend on it:
    only parameters that cannot work there are rejected. Raises ParameterError, which names the
    parameter.
    """
    context = app.node.get_all_context()
    reject_unknown(context, CoreConfig, *PARAMETERS)
    config, names = CoreConfig.from_context(context), StacksConfig.from_context(context).names
    check_region(region, context, names)
    limits = Limits(rate=config.other_api_rate, burst=config.other_api_burst)
    with_an_api = {SAMPLE, OPENID, GATE}
    config.check_api_quota(len(with_an_api.intersection(names)))
    stacks: dict[str, Stack] = {}
    gate = GateConfig.from_context(context) if GATE in names else None
    account = AccountConfig.from_context(context)
    account.check_key(with_core=CORE in names)
    domains = DomainsConfig.from_context(context)
    domains.check_distinct(gate.domains if gate else ())
    openid = _openid(context, domains) if OPENID in names else None
    core = None
    if CORE in names:
        core = CoreStack(
            app,
            "Core",
            config=config,
            domain=domains.api,
            account=account,
            restored=RestoredConfig.from_context(context).of(serverless=config.serverless),
            gate_key_number=gate.key_number if gate else 0,
        )
    if core:
        stacks[CORE] = core
    if AUTHORIZER in names:
        stacks[AUTHORIZER] = AuthorizerStack(
            app,
            "Authorizer",
            stack_name=optional_stack_name(config.stack_name, "Authorizer"),
            defaults=_function_defaults(config, core),
            key_arn=account.key_arn,
            **_authorizer(core, context),
        )
    if SAMPLE in names:
        stacks[SAMPLE] = SampleStack(
            app,
            "Sample",
            stack_name=optional_stack_name(config.stack_name, "Sample"),
            authorizer_arn=_authorizer_arn(stacks.get(AUTHORIZER), context),
            defaults=_function_defaults(config, core),
            key_arn=account.key_arn,
            limits=limits,
            log_role=config.create_api_log_role and not core,
            page=PageConfig.from_context(context),
            brand=BrandConfig.from_context(context).brand,
            domains=domains,
            sign_in=OperatorSignInConfig.from_context(context),
            **_sample(core, context),
        )
    if openid:
        stacks[OPENID] = OpenIdStack(
            app,
            "OpenId",
            stack_name=optional_stack_name(config.stack_name, "OpenId"),
            room=Room.of(core) if core else _openid_room(config, context),
            config=openid,
            brand=BrandConfig.from_context(context).brand,
            domain=domains.openid_page,
            limits=limits,
            key_arn=account.key_arn,
        )
    if INLET in names:
        stacks[INLET] = InletStack(
            app,
            "Inlet",
            stack_name=optional_stack_name(config.stack_name, "Inlet"),
            room=Room.of(core) if core else _inlet_room(config, context),
            config=InletConfig.from_context(context),
            key_arn=account.key_arn,
        )
    if core and gate:
        stacks[GATE] = GateStack(
            app,
            "Gate",
            stack_name=optional_stack_name(config.stack_name, "Gate"),
            core=core,
            config=gate,
            policies=account.edge_policies,
            brand=BrandConfig.from_context(context).brand,
            limits=limits,
        )
    if EDGE_ALARMS in names:
        stacks[EDGE_ALARMS] = EdgeAlarmsStack(
            app,
            "EdgeAlarms",
            stack_name=optional_stack_name(config.stack_name, "EdgeAlarms"),
            config=EdgeAlarmsConfig.from_context(context),
            email=config.alarm_email,
        )
    if POLICIES in names:
        stacks[POLICIES] = PoliciesStack(
            app, "Policies", stack_name=optional_stack_name(config.stack_name, "EdgePolicies")
        )
    _add_tags(stacks.values(), account.all_tags(config.stack_name))
    return stacks


def _add_tags(stacks: Iterable[Stack], tags: Mapping[str, str]) -> None:
    for stack in stacks:
        for key, value in tags.items():
            Tags.of(stack).add(key, value)
        _tag_providers(stack, tags)


def _tag_providers(stack: Stack, tags: Mapping[str, str]) -> None:
    """Tag the functions and roles of CDK's own custom resources, which ``Tags`` does not reach."""
    for provider in stack.node.children:
        if provider.node.id.endswith("CustomResourceProvider"):
            for part in provider.node.children:
                if CfnResource.is_cfn_resource(part) and not TagManager.is_taggable(part):
                    listed = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
                    part.add_property_override("Tags", listed)


def _authorizer(core: CoreStack | None, context: Mapping[str, Any]) -> dict[str, str]:
    """Return the room's values for the authorizer: references to core, or parameters."""
    if core:
        return {
            "public_api": core.public_address,
            "event_id": core.config.event_id,
            "issuer": core.issuer,
        }
    given = AuthorizerConfig.from_context(context)
    return {
        "public_api": given.public_api.rstrip("/"),
        "event_id": given.event_id,
        "issuer": given.issuer,
    }


def _sample(core: CoreStack | None, context: Mapping[str, Any]) -> dict[str, str]:
    """Return the room's values for the sample: references to core, or parameters."""
    if core:
        return {
            "public_api": core.public_address,
            "private_api": core.private_address,
            "api_region": Aws.REGION,
            "event_id": core.config.event_id,
        }
    given = SampleConfig.from_context(context)
    return {
        "public_api": given.public_api.rstrip("/"),
        "private_api": given.private_api.rstrip("/"),
        "api_region": given.region,
        "event_id": given.event_id,
    }


def _openid_room(config: CoreConfig, context: Mapping[str, Any]) -> Room:
    """Return the room of an OpenID provider that is deployed without core."""
    given = OpenIdRoomConfig.from_context(context)
    return _room(
        config,
        context,
        event_id=given.event_id,
        region=given.region,
        public_address=given.public_api.rstrip("/"),
    )


def _inlet_room(config: CoreConfig, context: Mapping[str, Any]) -> Room:
    """Return the room of an inlet that is deployed without core."""
    given = InletRoomConfig.from_context(context)
    return _room(
        config,
        context,
        event_id=config.event_id,
        region=given.region,
        private_address=given.private_api.rstrip("/"),
    )


def _room(config: CoreConfig, context: Mapping[str, Any], **values: str) -> Room:
    return Room.imported(
        stack_name=config.stack_name,
        defaults=_function_defaults(config, None),
        restored=RestoredConfig.from_context(context).tables,
        **values,
    )


def _openid(context: Mapping[str, Any], domains: DomainsConfig) -> OpenIdConfig:
    config = OpenIdConfig.from_context(context)
    if domains.openid_page and config.waiting_room_url:
        raise ParameterError(
            "The parameters OpenIdPageDomain and OpenIdWaitingRoomUrl exclude each other: with the"
            " second, the stack has no page."
        )
    return config


def _authorizer_arn(authorizer: Any, context: Mapping[str, Any]) -> str:
    return str(authorizer.arn if authorizer else AuthorizerArn.from_context(context).arn)


def _function_defaults(config: CoreConfig, core: CoreStack | None) -> FunctionDefaults:
    """Return the defaults of a stack that can be deployed without core."""
    if core:
        return core.defaults
    return FunctionDefaults.of(
        log_retention_days=config.log_retention_days,
        keep=config.retain_data,
        snap_start=config.snap_start,
    )


if __name__ == "__main__":
    made = App()
    try:
        build(made, os.environ.get("CDK_DEFAULT_REGION", ""))
    except (ParameterError, BundleError, SitesError) as error:
        sys.exit(str(error))
    made.synth()
