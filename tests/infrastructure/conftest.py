# SPDX-License-Identifier: Apache-2.0
"""What the tests of the deployment share; built once for a run, and only when asked for."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infrastructure.assets.bundle import APPS, bundle
from tests.support.templates.lambda_process import LambdaProcess, Start, sdk
from tests.support.templates.synthesized import (
    SECOND_ROOM,
    Assembly,
    Reviewed,
    Synthesized,
    everything,
)

if TYPE_CHECKING:
    from infrastructure.templates.template import Written

WITH_SDK = ("public_api", "private_api", "entrance", "workers", "openid", "inlet", "gate_store")

WITH_REDIS = ("public_api", "private_api", "workers")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every bundle, built by the recipe for this machine and this Python."""
    into = tmp_path_factory.mktemp("bundles")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return {app: bundle(app, platform.machine(), python, into=into) for app in APPS}


@pytest.fixture(scope="session")
def start(bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start an app's bundle as Lambda does; only those that use Lambda's SDK get to see it."""
    yield from _starting(bundles, tmp_path_factory)


@pytest.fixture(scope="session")
def start_without_redis(
    bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    """As ``start``, with bundles that have no client of Redis."""
    into, python = (
        tmp_path_factory.mktemp("without-redis"),
        f"{sys.version_info[0]}.{sys.version_info[1]}",
    )
    own = {
        app: bundle(app, platform.machine(), python, into=into, redis=False) for app in WITH_REDIS
    }
    yield from _starting({**bundles, **own}, tmp_path_factory)


def _starting(
    bundles: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    runtime = sdk(tmp_path_factory.mktemp("runtime") / "sdk")
    started: list[LambdaProcess] = []

    def start(app: str, env: dict[str, str]) -> LambdaProcess:
        behind = [runtime] if app in WITH_SDK else []
        started.append(LambdaProcess(bundles[app], *behind, env=env))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def assembly() -> Assembly:
    """All stacks there are, with events off."""
    return everything()


@pytest.fixture(scope="session")
def dist() -> dict[str, Written]:
    """The templates of `make dist`, with plain code; only `make matrix` has those of core."""
    from infrastructure.templates.__main__ import written

    every = os.environ.get("MATRIX") == "all"
    return written(
        {"plainCode": True}, () if every else ("authorizer", "sample", "openid", "inlet")
    )


@pytest.fixture(scope="session")
def core(assembly: Assembly) -> Synthesized:
    """The core stack."""
    return assembly.stacks["Core"]


@pytest.fixture(scope="session")
def eventful() -> Assembly:
    """All stacks there are, with events on."""
    return everything(eventful=True)


@pytest.fixture(scope="session")
def serverless() -> Assembly:
    """All stacks with the profile serverless and events on."""
    return everything(eventful=True, profile="serverless")


@pytest.fixture(scope="session")
def second_room() -> Assembly:
    """A second room of the account, with the longest stack name and custom domains."""
    return Assembly(SECOND_ROOM)


@pytest.fixture(scope="session")
def reviewed() -> Reviewed:
    """The stacks with events off, made a second time, with what cdk-nag finds in them."""
    return Reviewed()
