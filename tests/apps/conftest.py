# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the apps' tests."""

from __future__ import annotations

import pytest

from tests.support.openid_room import OpenId, install


@pytest.fixture
def openid(monkeypatch: pytest.MonkeyPatch) -> OpenId:
    """The OpenID provider in front of a room in memory."""
    return install(monkeypatch, OpenId())
