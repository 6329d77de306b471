# SPDX-License-Identifier: Apache-2.0
"""Tokens; the lessons under *Tokens*."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import jwt
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.support.in_memory_room import EVENT, ISSUER, InMemoryRoom, outcome_of
from waiting_room.domain.errors import (
    NotServedYet,
    PositionExpired,
    SessionEnded,
    TokenExpired,
    Unavailable,
    UnknownRequest,
    WrongClientSecret,
)

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def read(world: InMemoryRoom, token: str) -> dict[str, object]:
    key = jwt.PyJWK(world.room.keys.public_key(EVENT), algorithm="RS256").key
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims: dict[str, object] = jwt.decode(
        token, key, algorithms=["RS256"], audience=EVENT, issuer=ISSUER, options=options
    )
    return claims


@pytest.fixture
def world() -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    return made


def test_a_token_set_says_what_the_contract_says(world: InMemoryRoom) -> None:
    visitor = world.visitors(3)[1]
    world.serve(2)
    answer = world.token(visitor)
    now = int(world.clock.now)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    for use in ("access", "refresh", "id"):
        token = answer[f"{use}_token"]
        header = jwt.get_unverified_header(token)
        assert header == {
            "alg": "RS256", "typ": "JWT", "kid": world.room.keys.public_key(EVENT)["kid"],
        }  # fmt: skip
        assert read(world, token) == {
            "aud": EVENT, "sub": visitor, "queue_position": 2, "token_use": use, "iat": now,
            "nbf": now, "exp": now + 3600, "iss": ISSUER,
        }  # fmt: skip


def test_the_same_request_gets_the_same_set_until_it_expires(world: InMemoryRoom) -> None:  # 12, 14
    visitor = world.visitors(1)[0]
    world.serve(1)
    first = world.token(visitor)
    world.clock.now += 3599
    again = world.token(visitor)
    assert again == {**first, "expires_in": 1}
    world.clock.now += 1
    with pytest.raises(TokenExpired):
        world.token(visitor)


def test_two_first_calls_count_once(world: InMemoryRoom) -> None:  # lesson 11
    visitor, other = world.visitors(2)
    world.serve(2)
    world.outcomes.fail("get", "")
    first = world.token(visitor)
    # the second call had read "no outcome" before the first one wrote it
    real = world.outcomes.store.get
    world.outcomes.store.get = lambda *_: None
    assert world.token(visitor) == first
    world.outcomes.store.get = real
    assert world.waiting() == 1
    world.token(other)
    assert world.waiting() == 0


def test_a_token_is_counted_by_a_later_call_when_the_counters_did_not_answer(
    world: InMemoryRoom,
) -> None:
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.counters.fail("count_token", "before")
    first = world.token(visitor)
    assert world.waiting() == 1
    assert world.token(visitor) == first
    assert world.waiting() == 0


def test_a_token_that_was_not_counted_stands_whatever_became_of_its_turn(
    world: InMemoryRoom,
) -> None:
    back, late = world.visitors(2)
    world.serve(2)
    tokens = {}
    for visitor in (back, late):
        world.counters.fail("count_token", "before")
        tokens[visitor] = world.token(visitor)["access_token"]
    assert world.memory.counts(EVENT, int(world.clock.now)).tokens == 0
    world.serve(-1)
    assert world.token(late)["access_token"] == tokens[late]
    world.clock.now += 901  # longer than a position stays open
    assert world.token(back)["access_token"] == tokens[back]


def test_the_bus_is_not_on_the_visitors_path(world: InMemoryRoom) -> None:  # lesson 11
    on = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    visitor = on.visitors(1)[0]
    on.serve(1)
    on.events.plan["*"] = ["before"] * 9
    assert on.token(visitor)["token_type"] == "Bearer"
    assert on.waiting() == 0


def test_one_token_is_one_event(world: InMemoryRoom) -> None:
    on = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    visitor = on.visitors(1)[0]
    on.serve(1)
    on.token(visitor)
    on.token(visitor)
    row = on.outcomes.get(EVENT, 1, 1)
    on.room.publisher.publish_outcomes([row])
    told = [detail for kind, detail in on.published if kind == "token_generated"]
    assert told == [{"event_id": EVENT, "request_id": visitor}]


@pytest.mark.parametrize("figures", ["false", "true"])
def test_the_setting_is_about_the_figures_of_the_minute_alone(figures: str) -> None:
    options = {"ENABLE_EVENTS_GENERATION": figures, "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": "true"}
    world = InMemoryRoom(options)
    visitor = world.visitors(3)[0]
    world.serve(2)
    world.token(visitor)
    world.room.publisher.publish_outcomes([world.outcomes.get(EVENT, 1, 1)])
    world.room.sessions.end(EVENT, visitor, -1)
    world.room.publisher.publish_outcomes([world.outcomes.get(EVENT, 1, 1)])
    for seconds in (91, 91, 901):
        world.minute(seconds)
    world.room.metrics.report(EVENT)
    world.room.control.reset(EVENT)
    assert [kind for kind, _ in world.published] == [
        "serving_counter_changed", "token_generated", "session_updated",
        "serving_counter_changed", "automatic_serving_counter_incr",
        *(["waiting_room_metrics"] if figures == "true" else []), "room_reset",
    ]  # fmt: skip


def test_an_override_holds_for_its_call_only(world: InMemoryRoom) -> None:  # lesson 13
    one, two = world.visitors(2)
    world.serve(2)
    short = world.room.tokens.issue_for_operator(EVENT, one, issuer="https://x", validity=60)
    assert short["expires_in"] == 60
    assert world.token(two)["expires_in"] == 3600
    assert world.token(one) == short


def test_no_token_before_the_turn_and_none_for_strangers(world: InMemoryRoom) -> None:
    first, second = world.visitors(2)
    world.serve(1)
    with pytest.raises(NotServedYet):
        world.token(second)
    with pytest.raises(UnknownRequest):
        world.token(UNKNOWN)
    world.serve(1)
    assert world.token(second)
    world.serve(-2)
    with pytest.raises(NotServedYet):
        world.token(first)
    assert world.token(second)


def test_an_ended_session_gives_no_token(world: InMemoryRoom) -> None:  # lesson 16
    visitor = world.visitors(1)[0]
    world.serve(1)
    world.token(visitor)
    world.room.sessions.end(EVENT, visitor, 1)
    with pytest.raises(SessionEnded):
        world.token(visitor)
    assert world.room.sessions.ended(EVENT) == ([visitor], None)
    world.clock.now += 3600
    assert world.room.sessions.ended(EVENT) == ([], None)
    assert outcome_of(lambda: world.room.sessions.end(EVENT, visitor, 1)) == "NoLiveSession"


def test_the_secret_store_is_not_read_again_by_a_warm_function(world: InMemoryRoom) -> None:  # 15
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    class Secrets:
        reads = 0

        def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, str]:
            self.reads += 1
            return {"SecretString": world.keys.load().to_json(), "VersionId": "1"}

    secrets, ticks = Secrets(), [0.0]
    store = SecretsManagerKeys(secrets, "keys", lambda: ticks[0], 60)
    for _ in range(5):
        store.load()
    assert secrets.reads == 1
    ticks[0] = 61
    store.load()
    assert secrets.reads == 2


def test_the_last_good_keys_sign_on_while_the_secret_store_is_away_for_minutes(
    world: InMemoryRoom,
) -> None:
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    good, ticks, away = world.keys.load(), [0.0], [False]

    class Secrets:
        exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

        def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, str]:
            if away[0]:
                raise EndpointConnectionError(endpoint_url="https://secrets.example")
            return {"SecretString": good.to_json(), "VersionId": "1"}

    store = SecretsManagerKeys(Secrets(), "keys", lambda: ticks[0], 60)
    assert store.load() == good
    away[0] = True
    for ticks[0] in range(0, 600, 30):
        assert store.load() == good
    with pytest.raises(Unavailable):
        SecretsManagerKeys(Secrets(), "keys", lambda: ticks[0], 60).load()
    ticks[0] = 86_400 + 1  # a published key is kept as long as a copy may serve
    with pytest.raises(Unavailable):
        store.load()
    away[0] = False
    ticks[0] += 61
    assert store.load() == good


def test_only_who_joined_with_a_secret_takes_the_token(world: InMemoryRoom) -> None:
    join = world.join(secret_hash=hashlib.sha256(b"mine").hexdigest())
    world.room.workers.assignment.assign(EVENT, [join])
    world.serve(1)
    for wrong in (None, "", "yours", "\ud800"):
        with pytest.raises(WrongClientSecret):
            world.token(join.request_id, client_secret=wrong)
    assert world.token(join.request_id, client_secret="mine")


def test_a_room_may_insist_on_the_secret() -> None:
    world = InMemoryRoom({"REQUIRE_CLIENT_SECRET": "true"})
    visitor = world.visitors(1)[0]
    world.serve(1)
    with pytest.raises(WrongClientSecret):
        world.token(visitor, client_secret="any")


def test_a_position_expires_a_period_after_its_turn(world: InMemoryRoom) -> None:
    visitor = world.visitors(1)[0]
    world.clock.now += 5000
    world.serve(1)
    world.clock.now += 900
    assert world.room.tokens.time_to_expiry(EVENT, visitor) == 0
    world.clock.now += 1
    with pytest.raises(PositionExpired):
        world.token(visitor)
    with pytest.raises(PositionExpired):
        world.room.tokens.time_to_expiry(EVENT, visitor)


def test_rotation_keeps_every_living_token_verifiable() -> None:
    world = InMemoryRoom()
    world.room.workers.setup.run()
    visitor = world.visitors(1)[0]
    world.serve(1)
    token = world.token(visitor)["access_token"]
    old = jwt.get_unverified_header(token)["kid"]
    world.room.keys.rotate()
    published = [key["kid"] for key in world.room.keys.jwks()["keys"]]
    assert published[0] == old
    assert len(published) == 2
    assert world.room.keys.public_key(EVENT)["kid"] == old
    second = world.visitors(1)[0]
    world.serve(1)
    assert jwt.get_unverified_header(world.token(second)["access_token"])["kid"] == old
    world.clock.now += 300
    third = world.visitors(1)[0]
    world.serve(1)
    assert jwt.get_unverified_header(world.token(third)["access_token"])["kid"] == published[1]
    assert world.room.keys.public_key(EVENT)["kid"] == published[1]
    assert world.token(visitor)["access_token"] == token


def test_a_key_set_does_not_show_its_secrets() -> None:
    world = InMemoryRoom()
    keys = world.keys.load()
    assert keys.keys[0].jwk["d"] not in repr(keys)
    assert set(keys.jwks()["keys"][0]) == {"kty", "alg", "kid", "n", "e", "use"}
