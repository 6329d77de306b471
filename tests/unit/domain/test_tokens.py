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


def read(in_memory_room: InMemoryRoom, token: str) -> dict[str, object]:
    key = jwt.PyJWK(in_memory_room.room.keys.public_key(), algorithm="RS256").key
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
    claims: dict[str, object] = jwt.decode(
        token, key, algorithms=["RS256"], audience=EVENT, issuer=ISSUER, options=options
    )
    return claims


@pytest.fixture
def in_memory_room() -> InMemoryRoom:
    made = InMemoryRoom()
    made.room.workers.setup.run()
    return made


def test_a_token_set_says_what_the_contract_says(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(3)[1]
    in_memory_room.serve(2)
    answer = in_memory_room.token(visitor)
    now = int(in_memory_room.clock.now)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    for use in ("access", "refresh", "id"):
        token = answer[f"{use}_token"]
        header = jwt.get_unverified_header(token)
        assert header == {
            "alg": "RS256", "typ": "JWT", "kid": in_memory_room.room.keys.public_key()["kid"],
        }  # fmt: skip
        assert read(in_memory_room, token) == {
            "aud": EVENT, "sub": visitor, "queue_position": 2, "token_use": use, "iat": now,
            "nbf": now, "exp": now + 3600, "iss": ISSUER,
        }  # fmt: skip


def test_the_same_request_gets_the_same_set_until_it_expires(
    in_memory_room: InMemoryRoom,
) -> None:  # 12, 14
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    first = in_memory_room.token(visitor)
    in_memory_room.clock.now += 3599
    again = in_memory_room.token(visitor)
    assert again == {**first, "expires_in": 1}
    in_memory_room.clock.now += 1
    with pytest.raises(TokenExpired):
        in_memory_room.token(visitor)


def test_two_first_calls_count_once(in_memory_room: InMemoryRoom) -> None:  # lesson 11
    visitor, other = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    in_memory_room.outcomes.fail("get", "")
    first = in_memory_room.token(visitor)
    # the second call had read "no outcome" before the first one wrote it
    real = in_memory_room.outcomes.store.get
    in_memory_room.outcomes.store.get = lambda *_: None
    assert in_memory_room.token(visitor) == first
    in_memory_room.outcomes.store.get = real
    assert in_memory_room.waiting() == 1
    in_memory_room.token(other)
    assert in_memory_room.waiting() == 0


def test_a_token_is_counted_by_a_later_call_when_the_counters_did_not_answer(
    in_memory_room: InMemoryRoom,
) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.counters.fail("count_token", "before")
    first = in_memory_room.token(visitor)
    assert in_memory_room.waiting() == 1
    assert in_memory_room.token(visitor) == first
    assert in_memory_room.waiting() == 0


def test_a_token_that_was_not_counted_stands_whatever_became_of_its_turn(
    in_memory_room: InMemoryRoom,
) -> None:
    back, late = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    tokens = {}
    for visitor in (back, late):
        in_memory_room.counters.fail("count_token", "before")
        tokens[visitor] = in_memory_room.token(visitor)["access_token"]
    assert in_memory_room.memory.counts(EVENT, int(in_memory_room.clock.now)).tokens == 0
    in_memory_room.serve(-1)
    assert in_memory_room.token(late)["access_token"] == tokens[late]
    in_memory_room.clock.now += 901  # longer than a position stays open
    assert in_memory_room.token(back)["access_token"] == tokens[back]


def test_the_bus_is_not_on_the_visitors_path(in_memory_room: InMemoryRoom) -> None:  # lesson 11
    on = InMemoryRoom({"ENABLE_EVENTS_GENERATION": "true"})
    visitor = on.visitors(1)[0]
    on.serve(1)
    on.events.plan["*"] = ["before"] * 9
    assert on.token(visitor)["token_type"] == "Bearer"
    assert on.waiting() == 0


def test_one_token_is_one_event(in_memory_room: InMemoryRoom) -> None:
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
    in_memory_room = InMemoryRoom(options)
    visitor = in_memory_room.visitors(3)[0]
    in_memory_room.serve(2)
    in_memory_room.token(visitor)
    in_memory_room.room.publisher.publish_outcomes([in_memory_room.outcomes.get(EVENT, 1, 1)])
    in_memory_room.room.sessions.end(EVENT, visitor, -1)
    in_memory_room.room.publisher.publish_outcomes([in_memory_room.outcomes.get(EVENT, 1, 1)])
    for seconds in (91, 91, 901):
        in_memory_room.minute(seconds)
    in_memory_room.room.metrics.report(EVENT)
    in_memory_room.room.control.reset(EVENT)
    assert [kind for kind, _ in in_memory_room.published] == [
        "serving_counter_changed", "token_generated", "session_updated",
        "serving_counter_changed", "automatic_serving_counter_incr",
        *(["waiting_room_metrics"] if figures == "true" else []), "room_reset",
    ]  # fmt: skip


def test_an_override_holds_for_its_call_only(in_memory_room: InMemoryRoom) -> None:  # lesson 13
    one, two = in_memory_room.visitors(2)
    in_memory_room.serve(2)
    short = in_memory_room.room.tokens.issue_for_operator(
        EVENT, one, issuer="https://x", validity=60
    )
    assert short["expires_in"] == 60
    assert in_memory_room.token(two)["expires_in"] == 3600
    assert in_memory_room.token(one) == short


def test_no_token_before_the_turn_and_none_for_strangers(in_memory_room: InMemoryRoom) -> None:
    first, second = in_memory_room.visitors(2)
    in_memory_room.serve(1)
    with pytest.raises(NotServedYet):
        in_memory_room.token(second)
    with pytest.raises(UnknownRequest):
        in_memory_room.token(UNKNOWN)
    in_memory_room.serve(1)
    assert in_memory_room.token(second)
    in_memory_room.serve(-2)
    with pytest.raises(NotServedYet):
        in_memory_room.token(first)
    assert in_memory_room.token(second)


def test_an_ended_session_gives_no_token(in_memory_room: InMemoryRoom) -> None:  # lesson 16
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    in_memory_room.token(visitor)
    in_memory_room.room.sessions.end(EVENT, visitor, 1)
    with pytest.raises(SessionEnded):
        in_memory_room.token(visitor)
    assert in_memory_room.room.sessions.ended(EVENT) == ([visitor], None)
    in_memory_room.clock.now += 3600
    assert in_memory_room.room.sessions.ended(EVENT) == ([], None)
    assert (
        outcome_of(lambda: in_memory_room.room.sessions.end(EVENT, visitor, 1)) == "NoLiveSession"
    )


def test_the_secret_store_is_not_read_again_by_a_warm_function(
    in_memory_room: InMemoryRoom,
) -> None:  # 15
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    class Secrets:
        reads = 0

        def get_secret_value(self, SecretId: str, VersionStage: str) -> dict[str, str]:
            self.reads += 1
            return {"SecretString": in_memory_room.keys.load().to_json(), "VersionId": "1"}

    secrets, ticks = Secrets(), [0.0]
    store = SecretsManagerKeys(secrets, "keys", lambda: ticks[0], 60)
    for _ in range(5):
        store.load()
    assert secrets.reads == 1
    ticks[0] = 61
    store.load()
    assert secrets.reads == 2


def test_the_last_good_keys_sign_on_while_the_secret_store_is_away_for_minutes(
    in_memory_room: InMemoryRoom,
) -> None:
    from waiting_room.adapters.secrets_manager import SecretsManagerKeys

    good, ticks, away = in_memory_room.keys.load(), [0.0], [False]

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


def test_only_who_joined_with_a_secret_takes_the_token(in_memory_room: InMemoryRoom) -> None:
    join = in_memory_room.join(secret_hash=hashlib.sha256(b"mine").hexdigest())
    in_memory_room.room.workers.assignment.assign(EVENT, [join])
    in_memory_room.serve(1)
    for wrong in (None, "", "yours", "\ud800"):
        with pytest.raises(WrongClientSecret):
            in_memory_room.token(join.request_id, client_secret=wrong)
    assert in_memory_room.token(join.request_id, client_secret="mine")


def test_a_room_may_insist_on_the_secret() -> None:
    in_memory_room = InMemoryRoom({"REQUIRE_CLIENT_SECRET": "true"})
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    with pytest.raises(WrongClientSecret):
        in_memory_room.token(visitor, client_secret="any")


def test_a_position_expires_a_period_after_its_turn(in_memory_room: InMemoryRoom) -> None:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.clock.now += 5000
    in_memory_room.serve(1)
    in_memory_room.clock.now += 900
    assert in_memory_room.room.tokens.time_to_expiry(EVENT, visitor) == 0
    in_memory_room.clock.now += 1
    with pytest.raises(PositionExpired):
        in_memory_room.token(visitor)
    with pytest.raises(PositionExpired):
        in_memory_room.room.tokens.time_to_expiry(EVENT, visitor)


def test_rotation_keeps_every_living_token_verifiable() -> None:
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    token = in_memory_room.token(visitor)["access_token"]
    old = jwt.get_unverified_header(token)["kid"]
    in_memory_room.room.keys.rotate()
    published = [key["kid"] for key in in_memory_room.room.keys.jwks()["keys"]]
    assert published[0] == old
    assert len(published) == 2
    assert in_memory_room.room.keys.public_key()["kid"] == old
    second = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    assert jwt.get_unverified_header(in_memory_room.token(second)["access_token"])["kid"] == old
    in_memory_room.clock.now += 300
    third = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    assert (
        jwt.get_unverified_header(in_memory_room.token(third)["access_token"])["kid"]
        == published[1]
    )
    assert in_memory_room.room.keys.public_key()["kid"] == published[1]
    assert in_memory_room.token(visitor)["access_token"] == token


def test_a_key_set_does_not_show_its_secrets() -> None:
    in_memory_room = InMemoryRoom()
    keys = in_memory_room.keys.load()
    assert keys.keys[0].jwk["d"] not in repr(keys)
    assert set(keys.jwks()["keys"][0]) == {"kty", "alg", "kid", "n", "e", "use"}
