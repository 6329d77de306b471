# SPDX-License-Identifier: Apache-2.0
"""Real servers, started once for a run and only when a test asks for one."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from tests.support import servers
from tests.support.local_stack import FAST, RunningRoom, running_room
from tests.tools import sharing

if TYPE_CHECKING:
    from xdist.remote import Producer

# How long an example takes says how busy the machine is, not whether the rule holds.
# In CI every property draws the same examples, so that a run fails because of a change alone.
settings.register_profile(
    "patient",
    deadline=None,
    print_blob=True,
    derandomize=servers.in_ci(),
    database=None if servers.in_ci() else settings.default.database,
)
settings.load_profile("patient")
# Hypothesis also draws constants of the project's modules, of those loaded so far: one seed would
# give other examples in another order of tests.
providers._get_local_constants = lambda: providers._local_constants


@pytest.fixture(autouse=True)
def fake_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can reach an account."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Valkey]:
    """A Valkey server; tests use their own event ids on it."""
    server = servers.Valkey(Path(tmp_path_factory.mktemp("valkey")))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of a moto server."""
    with servers.moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def dynamodb_local_url() -> Iterator[str]:
    """The address of DynamoDB Local; skips with a sentence where it cannot run, but not in CI."""
    missing = servers.missing_for_dynamodb_local()
    if missing:
        if servers.in_ci():
            pytest.fail(missing)
        pytest.skip(missing)
    with servers.dynamodb_local(*servers.FAST_START) as url:
        yield url


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    """A room as `make run` starts it. Tests share its line: they bring visitors of their own."""
    with running_room(tmp_path_factory.mktemp("running"), **FAST) as started:
        yield started


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse ids that differ from process to process: tests could not be shared out."""
    for item in items:
        if " at 0x" in item.nodeid:
            raise pytest.UsageError(f"an id holds an address of the memory: {item.nodeid}")
    sharing.sort(items)


@pytest.hookimpl(optionalhook=True)  # `make broken` runs without xdist
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> sharing.SharedFixtures | None:
    """Share the tests out by file, as ``--dist loadfile`` asks for."""
    return sharing.SharedFixtures(config, log) if config.option.dist == "loadfile" else None


def pytest_collection_finish() -> None:
    """Keep what the collection made out of later garbage collections: it stays until the end."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the ten files whose tests took longest, with their seconds."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("ten slowest files")
    for file, took in seconds.most_common(10):
        terminalreporter.write_line(f"{took:7.1f} s  {file}")
