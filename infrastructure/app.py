# SPDX-License-Identifier: Apache-2.0
"""The CDK app, which ``npx cdk synth``, ``deploy``, ``diff`` and ``destroy`` run.

Without parameters it contains the core, authorizer and sample stacks.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from aws_cdk import App, Aws, Stack

from infrastructure.assets.bundle import BundleError
from infrastructure.assets.sites import SitesError
from infrastructure.constructs.api.rest_api import Limits
from infrastructure.constructs.compute.function import FunctionDefaults
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.optional_stacks import (
    AUTHORIZER,
    CORE,
    EDGE_ALARMS,
    GATE,
    INLET,
    OPENID,
    PARAMETERS,
    SAMPLE,
    AuthorizerArn,
    AuthorizerConfig,
    BrandConfig,
    EdgeAlarmsConfig,
    InletConfig,
    OpenIdConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.parameters.parameter import ParameterError, reject_unknown
from infrastructure.stacks.authorizer import AuthorizerStack
from infrastructure.stacks.core import CoreStack
from infrastructure.stacks.edge_alarms import EdgeAlarmsStack
from infrastructure.stacks.gate import GateStack
from infrastructure.stacks.inlet import InletStack
from infrastructure.stacks.openid import OpenIdStack
from infrastructure.stacks.sample import SampleStack


def build(app: App) -> dict[str, Stack]:
    """Add the stacks that the context selects; return them by name.

    Raises ParameterError, which names the parameter.
    """
    context = app.node.get_all_context()
    reject_unknown(context, CoreConfig, *PARAMETERS)
    config, names = CoreConfig.from_context(context), StacksConfig.from_context(context).names
    limits = Limits(rate=config.other_api_rate, burst=config.other_api_burst)
    with_an_api = {SAMPLE, *((OPENID, GATE) if CORE in names else ())}
    config.check_api_quota(len(with_an_api.intersection(names)))
    stacks: dict[str, Stack] = {}
    gate = GateConfig.from_context(context) if GATE in names else None
    core = None
    if CORE in names:
        core = CoreStack(app, "Core", config=config, gate_key_number=gate.key_number if gate else 0)
    if core:
        stacks[CORE] = core
    if AUTHORIZER in names:
        stacks[AUTHORIZER] = AuthorizerStack(
            app,
            "Authorizer",
            stack_name=f"{config.stack_name}-Authorizer",
            defaults=_function_defaults(config),
            **_authorizer(core, context),
        )
    if SAMPLE in names:
        stacks[SAMPLE] = SampleStack(
            app,
            "Sample",
            stack_name=f"{config.stack_name}-Sample",
            authorizer_arn=_authorizer_arn(stacks.get(AUTHORIZER), context),
            defaults=_function_defaults(config),
            limits=limits,
            log_role=config.create_api_log_role and not core,
            page=PageConfig.from_context(context),
            brand=BrandConfig.from_context(context).brand,
            **_sample(core, context),
        )
    if core and OPENID in names:
        stacks[OPENID] = OpenIdStack(
            app,
            "OpenId",
            stack_name=f"{config.stack_name}-OpenId",
            core=core,
            config=OpenIdConfig.from_context(context),
            brand=BrandConfig.from_context(context).brand,
            limits=limits,
        )
    if core and INLET in names:
        stacks[INLET] = InletStack(
            app,
            "Inlet",
            stack_name=f"{config.stack_name}-Inlet",
            core=core,
            config=InletConfig.from_context(context),
        )
    if core and gate:
        stacks[GATE] = GateStack(
            app,
            "Gate",
            stack_name=f"{config.stack_name}-Gate",
            core=core,
            config=gate,
            brand=BrandConfig.from_context(context).brand,
            limits=limits,
        )
    if EDGE_ALARMS in names:
        stacks[EDGE_ALARMS] = EdgeAlarmsStack(
            app,
            "EdgeAlarms",
            stack_name=f"{config.stack_name}-EdgeAlarms",
            config=EdgeAlarmsConfig.from_context(context),
            email=config.alarm_email,
        )
    return stacks


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


def _authorizer_arn(authorizer: Any, context: Mapping[str, Any]) -> str:
    return str(authorizer.arn if authorizer else AuthorizerArn.from_context(context).arn)


def _function_defaults(config: CoreConfig) -> FunctionDefaults:
    return FunctionDefaults.of(
        log_retention_days=config.log_retention_days,
        keep=config.retain_data,
        snap_start=config.snap_start,
    )


if __name__ == "__main__":
    made = App()
    try:
        build(made)
    except (ParameterError, BundleError, SitesError) as error:
        sys.exit(str(error))
    made.synth()
