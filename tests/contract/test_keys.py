# SPDX-License-Identifier: Apache-2.0
"""The two halves of the signing keys: what is replaced is only what was read before."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support import servers
from tests.support.fakes.gate_keys import MemoryGateKeys
from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.in_memory_room import Clock, one_jwk
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.gate_keys import SecretsManagerGateKeys
from waiting_room.adapters.secrets_manager import SecretsManagerKeys
from waiting_room.domain.errors import Conflict, NoKeysYet
from waiting_room.domain.gate.root_keys import ACTIVATION, RootKeys, derive
from waiting_room.domain.ports.gate_keys import GateKeyStore
from waiting_room.domain.ports.signing_keys import KeyStore, PublicKeys
from waiting_room.domain.published_keys import Publication, PublishedKey
from waiting_room.domain.signing_keys import KeySet

KEEP = 60
PUBLIC = {"kty": "RSA", "alg": "RS256", "kid": "a", "n": "x", "e": "AQAB"}


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture(params=["memory", "moto"])
def secret(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], KeyStore]:
    """Makes one process after another that looks at the same secret."""
    if request.param == "memory":
        store = MemoryKeys()
        return lambda: store
    client, name = secrets_of(request), f"keys-{uuid.uuid4().hex[:8]}"
    client.create_secret(Name=name, SecretString="made by the deployment")
    return lambda: SecretsManagerKeys(client, name, clock, KEEP)


@pytest.fixture(params=["memory", "moto", "dynamodb_local"])
def published(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], PublicKeys]:
    """Makes one process after another that looks at the same published keys."""
    if request.param == "memory":
        store = MemoryPublicKeys()
        return lambda: store
    client, table = table_of(request, f"{request.param}_url")
    return lambda: DynamoPublicKeys(client, table, clock, KEEP)


def secrets_of(request: pytest.FixtureRequest) -> Any:
    return servers.aws_client("secretsmanager", request.getfixturevalue("moto_url"))


def table_of(request: pytest.FixtureRequest, server: str) -> tuple[Any, str]:
    client = servers.aws_client("dynamodb", request.getfixturevalue(server))
    names = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")
    return client, names["SERVING_LOG_TABLE"]


def at_once(calls: list[Callable[[], None]]) -> list[str]:
    """How calls end that start together: "Conflict" or "done"."""
    ready, ends = threading.Barrier(len(calls)), []

    def run(call: Callable[[], None]) -> None:
        ready.wait()
        try:
            call()
        except Conflict:
            ends.append("Conflict")
        else:
            ends.append("done")

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(ends)


def test_the_first_keys_and_the_next(secret: Callable[[], KeyStore]) -> None:
    with pytest.raises(NoKeysYet):
        secret().load()
    nothing = secret().refresh()
    assert nothing.keys == ()
    secret().save(KeySet(()).added(one_jwk(), 5), nothing)
    first = secret().load()
    assert first == secret().refresh() == KeySet(()).added(one_jwk(), 5)
    secret().save(first.added({**one_jwk(), "kid": "b"}, 7), first)
    assert [key.key_id for key in secret().load().keys] == [one_jwk()["kid"], "b"]


def test_keys_are_not_replaced_by_who_read_older_ones(secret: Callable[[], KeyStore]) -> None:
    slow, nothing = secret(), secret().refresh()
    first = KeySet(()).added(one_jwk(), 1)
    secret().save(first, nothing)
    with pytest.raises(Conflict):
        slow.save(KeySet(()).added(one_jwk(), 2), nothing)
    assert secret().refresh() == first
    stands = secret().refresh()
    secret().save(stands.added({**one_jwk(), "kid": "b"}, 2), stands)
    with pytest.raises(Conflict):
        slow.save(stands.added({**one_jwk(), "kid": "c"}, 3), stands)
    assert len(secret().refresh().keys) == 2


def test_of_saves_at_once_one_is_made(secret: Callable[[], KeyStore]) -> None:
    stands = secret().refresh()
    calls = [
        lambda at=at: secret().save(KeySet(()).added(one_jwk(), at), stands)  # type: ignore[misc]
        for at in range(4)
    ]
    ends = at_once(calls)
    assert ends.count("done") == 1


@pytest.fixture(params=["memory", "moto"])
def gate_secret(request: pytest.FixtureRequest, clock: Clock) -> Callable[[], GateKeyStore]:
    """Makes one process after another that looks at the same root keys of the gate."""
    if request.param == "memory":
        store = MemoryGateKeys(RootKeys(), clock)
        return lambda: store
    client, name = secrets_of(request), f"gate-keys-{uuid.uuid4().hex[:8]}"
    client.create_secret(Name=name, SecretString="made by the deployment")
    return lambda: SecretsManagerGateKeys(client, name, clock, KEEP, clock)


def test_the_keys_of_an_event_are_those_of_the_current_root_keys(
    gate_secret: Callable[[], GateKeyStore], clock: Clock
) -> None:
    with pytest.raises(NoKeysYet):
        gate_secret().keys("sale")
    nothing = gate_secret().refresh()
    assert nothing == RootKeys()
    one = nothing.rotated("a", "5" * 64, 0)
    gate_secret().save(one, nothing)
    with pytest.raises(Conflict):
        gate_secret().save(one, nothing)
    first = gate_secret().refresh()
    assert first == one
    gate_secret().save(first.rotated("b", "6" * 64, 0), first)
    found = gate_secret().keys("sale")
    assert (found.signing, found.keys) == (
        "a", {"a": derive("5" * 64, "sale"), "b": derive("6" * 64, "sale")},
    )  # fmt: skip
    clock.now = ACTIVATION
    assert gate_secret().keys("sale").signing == "b"
    assert "5" * 64 not in repr((gate_secret().refresh(), found))
    assert found.keys["a"] not in repr(found)


def test_what_is_published_comes_back(published: Callable[[], PublicKeys]) -> None:
    nothing = published().refresh()
    assert nothing == published().load() == Publication()
    keys = (
        PublishedKey(PUBLIC, 1_800_000_000, confirmed=False),
        PublishedKey({**PUBLIC, "kid": "b"}),
    )
    made = Publication(keys, 1, "a lease", 1_800_000_090)
    published().save(made, nothing)
    assert published().refresh() == published().load() == made
    after = replace(made, version=2, lease_id="", lease_until=0)
    published().save(after, made)
    assert published().refresh() == after


def test_a_publication_that_was_not_read_is_not_replaced(
    published: Callable[[], PublicKeys],
) -> None:
    nothing = published().refresh()
    made = Publication((PublishedKey(PUBLIC),), 1)
    published().save(made, nothing)
    with pytest.raises(Conflict):
        published().save(Publication((), 1), nothing)
    published().save(replace(made, version=2), made)
    with pytest.raises(Conflict):
        published().save(replace(made, version=2, keys=()), made)
    assert published().refresh() == replace(made, version=2)


def test_of_publications_at_once_one_is_made(published: Callable[[], PublicKeys]) -> None:
    stands = published().refresh()
    calls = [
        lambda at=at: published().save(Publication((PublishedKey(PUBLIC, at),), 1), stands)  # type: ignore[misc]
        for at in range(4)
    ]
    assert at_once(calls) == ["Conflict"] * 3 + ["done"]


def test_a_row_without_a_version_is_taken_over(request: pytest.FixtureRequest) -> None:
    """As a deployment before the version wrote it."""
    client, table = table_of(request, "moto_url")
    old = {"keys": [{**PUBLIC, "use": "sig", "signs_from": "7"}]}
    row = {"event_id": {"S": "#keys"}, "entry": {"S": "jwks"}, "jwks": {"S": json.dumps(old)}}
    client.put_item(TableName=table, Item=row)
    keys = DynamoPublicKeys(client, table, Clock(0.0), KEEP)
    stands = keys.refresh()
    assert stands == Publication((PublishedKey(PUBLIC, 7),))
    keys.save(replace(stands, version=1), stands)
    assert keys.refresh().version == 1


def test_a_save_that_was_sent_twice_is_made_once(request: pytest.FixtureRequest) -> None:
    """The client repeats a call whose answer was lost; the label has moved by then."""

    class Repeats:
        def __init__(self, client: Any) -> None:
            self.client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self.client, name)

        def update_secret_version_stage(self, **asked: str) -> Any:
            self.client.update_secret_version_stage(**asked)
            return self.client.update_secret_version_stage(**asked)

    client, name = secrets_of(request), f"keys-{uuid.uuid4().hex[:8]}"
    client.create_secret(Name=name, SecretString="{}")
    keys = SecretsManagerKeys(Repeats(client), name, Clock(0.0), KEEP)
    keys.save(KeySet(()).added(one_jwk(), 1), keys.refresh())
    assert len(SecretsManagerKeys(client, name, Clock(0.0), KEEP).load().keys) == 1


def test_a_copy_is_kept_for_its_time(request: pytest.FixtureRequest, clock: Clock) -> None:
    client, table = table_of(request, "moto_url")
    first, second = (DynamoPublicKeys(client, table, clock, KEEP) for _ in range(2))
    made = Publication((PublishedKey(PUBLIC),), 1)
    assert first.load() == Publication()
    second.save(made, Publication())
    clock.now = KEEP - 1
    assert first.load() == Publication()
    clock.now = KEEP
    assert first.load() == made
