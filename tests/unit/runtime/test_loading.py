# SPDX-License-Identifier: Apache-2.0
"""Stores that are built at init, and those that the stack names for each view."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from infrastructure.blueprint import loading as blueprint
from infrastructure.blueprint import permissions
from waiting_room.runtime import loading, wiring
from waiting_room.use_cases.room import Stores


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    caches = (wiring.settings, wiring.room, wiring.stores)
    for cached in caches:
        cached.cache_clear()
    monkeypatch.setenv("EVENT_ID", "Sample")
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", "9")
    yield monkeypatch
    for cached in caches:
        cached.cache_clear()


def built() -> set[str]:
    """Names of the stores of this function that are built."""
    made = wiring.stores(wiring.settings())
    names = [field.name for field in dataclasses.fields(made)]
    return {name for name in names if "_built" in vars(getattr(made, name))}


def test_only_the_named_stores_are_built(environment: pytest.MonkeyPatch) -> None:
    loading.load_at_init()
    assert built() == set()
    environment.setenv("STORES_AT_INIT", "counters")
    loading.load_at_init()
    assert built() == {"counters"}


def test_an_error_at_init_is_logged_and_leaves_the_response_to_the_request(
    environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("STORES_AT_INIT", "counters")
    environment.setenv("REDIS_PORT", "secret-port")
    loading.load_at_init()
    (record,) = caplog.records
    assert "stores were not loaded at init" in record.getMessage()
    assert "SettingsError" in record.getMessage()
    assert "secret-port" not in record.getMessage()


@pytest.mark.parametrize("api", ["PUBLIC", "PRIVATE"])
def test_each_view_has_a_grant_for_each_store_that_it_builds(api: str) -> None:
    stores, grants = getattr(blueprint, api), getattr(permissions, api)
    fields = {field.name for field in dataclasses.fields(Stores)}
    assert set(blueprint.RESOURCES) <= fields
    for view, names in stores.items():
        granted = {grant.resource for grant in grants[view]}
        assert all(granted.intersection(blueprint.RESOURCES[name]) for name in names), view


def test_every_public_view_names_its_stores() -> None:
    assert set(blueprint.PUBLIC) == set(permissions.PUBLIC)
    found = blueprint.with_stores({"jwks": {"A": "b"}, "other": {"C": "d"}}, {"jwks": ("log",)})
    assert found == {"jwks": {"A": "b", "STORES_AT_INIT": "log"}, "other": {"C": "d"}}
