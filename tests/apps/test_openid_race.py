# SPDX-License-Identifier: Apache-2.0
"""Twenty clients with one stolen code: one of them gets tokens, on every kind of table."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infrastructure.blueprint.resources import CODES
from tests.support import servers
from tests.support.fakes.openid_codes import MemoryCodes
from tests.support.in_memory_room import EVENT
from tests.support.openid_room import CALLBACK, CLIENT_SECRET, OpenId, install
from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes

FORM = {
    "grant_type": "authorization_code",
    "redirect_uri": CALLBACK,
    "client_id": EVENT,
    "client_secret": CLIENT_SECRET,
}


@pytest.fixture(params=["memory", "dynamodb_local"])
def openid(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> OpenId:
    if request.param == "memory":
        return install(monkeypatch, OpenId(codes=MemoryCodes()))
    client: Any = servers.aws_client("dynamodb", request.getfixturevalue("dynamodb_local_url"))
    name = f"{CODES.name}-race"
    servers.create_table(client, CODES, name)
    return install(monkeypatch, OpenId(codes=DynamoCodes(client, name)))


def test_of_twenty_who_present_one_code_at_once_one_gets_tokens(openid: OpenId) -> None:
    for _ in range(3):
        form = list({**FORM, "code": openid.code()}.items())
        together = threading.Barrier(20)

        def redeem(
            _: int, form: list[tuple[str, str]] = form, together: threading.Barrier = together
        ) -> tuple[int, bool]:
            together.wait(30)
            answer = openid.provider.token(form, "")
            return answer.status, "access_token" in answer.body

        with ThreadPoolExecutor(20) as pool:
            answers = Counter(pool.map(redeem, range(20)))
        assert answers == {(200, True): 1, (400, False): 19}
