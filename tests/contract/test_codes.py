# SPDX-License-Identifier: Apache-2.0
"""The store of authorization codes: its twin in memory, moto and DynamoDB Local alike."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from infrastructure.blueprint.resources import CODES
from tests.support import servers
from tests.support.fakes.openid_codes import MemoryCodes
from waiting_room.adapters.dynamodb.openid_codes import LEAVES_AFTER, DynamoCodes
from waiting_room.domain.errors import Conflict, Unavailable
from waiting_room.openid.protocol import Code, CodeStore

NOW = 1_800_000_000


def a_code(**changes: Any) -> Code:
    code = Code(
        hash=uuid.uuid4().hex,
        client_id="Sample",
        redirect_uri="https://shop.example/cb",
        nonce="",
        code_challenge="c",
        request_id="r",
        position=7,
        auth_time=NOW - 5,
        token_expires_at=NOW + 3600,
        expires_at=NOW + 60,
        sealed="sealed",
    )
    return dataclasses.replace(code, **changes)


def on_server(url: str) -> tuple[Any, str]:
    client = servers.aws_client("dynamodb", url)
    name = f"wr-{uuid.uuid4().hex[:8]}-codes"
    servers.create_table(client, CODES, name)
    return client, name


@pytest.fixture(scope="module")
def moto_codes(moto_url: str) -> tuple[Any, str]:
    return on_server(moto_url)


@pytest.fixture(scope="module")
def dynamodb_local_codes(dynamodb_local_url: str) -> tuple[Any, str]:
    return on_server(dynamodb_local_url)


@pytest.fixture(params=["memory", "moto", "dynamodb_local"])
def codes(request: pytest.FixtureRequest) -> CodeStore:
    if request.param == "memory":
        return MemoryCodes()
    return DynamoCodes(*request.getfixturevalue(f"{request.param}_codes"))


def test_a_code_is_redeemed_once_and_comes_back_whole(codes: CodeStore) -> None:
    code = a_code()
    codes.save(code)
    assert codes.redeem(code.hash, "Sample", NOW) == code
    assert codes.redeem(code.hash, "Sample", NOW) is None


def test_an_unknown_code_is_none(codes: CodeStore) -> None:
    assert codes.redeem("unknown", "Sample", NOW) is None


def test_another_clients_code_is_none_and_stays_good(codes: CodeStore) -> None:
    code = a_code()
    codes.save(code)
    assert codes.redeem(code.hash, "Other", NOW) is None
    assert codes.redeem(code.hash, "Sample", NOW) == code


def test_a_code_is_good_to_its_last_second(codes: CodeStore) -> None:
    early, late = a_code(), a_code()
    codes.save(early)
    codes.save(late)
    assert codes.redeem(early.hash, "Sample", NOW + 59) == early
    assert codes.redeem(late.hash, "Sample", NOW + 60) is None


def test_a_code_is_never_overwritten(codes: CodeStore) -> None:
    code = a_code()
    codes.save(code)
    with pytest.raises(Conflict):
        codes.save(dataclasses.replace(code, request_id="another"))
    assert codes.redeem(code.hash, "Sample", NOW) == code
    with pytest.raises(Conflict):
        codes.save(code)


def test_of_twenty_who_redeem_at_once_one_wins(codes: CodeStore) -> None:
    for _ in range(5):
        code = a_code()
        codes.save(code)
        start = threading.Barrier(20)

        def redeem(_: int, code: Code = code, start: threading.Barrier = start) -> Code | None:
            start.wait(30)
            return codes.redeem(code.hash, "Sample", NOW)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(redeem, range(20)))
        assert [found for found in answers if found] == [code]


def test_a_used_row_keeps_no_token_and_leaves_by_itself(
    dynamodb_local_codes: tuple[Any, str],
) -> None:
    client, name = dynamodb_local_codes
    code = a_code()
    store = DynamoCodes(client, name)
    store.save(code)
    store.redeem(code.hash, "Sample", NOW)
    row = client.get_item(TableName=name, Key={"code": {"S": code.hash}})["Item"]
    assert "sealed" not in row
    assert row[CODES.ttl]["N"] == str(code.expires_at + LEAVES_AFTER)


def test_a_table_that_does_not_answer_is_unavailable() -> None:
    with servers.closed_port() as port:
        client = servers.aws_client("dynamodb", f"http://127.0.0.1:{port}", attempts=1)
        store = DynamoCodes(client, "codes")
        with pytest.raises(Unavailable):
            store.save(a_code())
        with pytest.raises(Unavailable):
            store.redeem("x", "Sample", NOW)
