# SPDX-License-Identifier: Apache-2.0
"""Who made a change: what API Gateway says of the signer decides, nothing that the caller sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waiting_room.adapters.dynamodb.packed_moves import move_of, move_text
from waiting_room.domain.actors import (
    LONGEST_SHORT,
    LONGEST_WHO,
    UNKNOWN,
    Actor,
    ActorKind,
    caller,
    check_call_id,
    scheduled,
)
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.records import ServingMove

ROLE = "WaitingRoom-inlet-eu-central-1"
INLET = f"arn:aws:sts::123456789012:assumed-role/{ROLE}/WaitingRoom-Inlet-Function"
ALICE = "arn:aws:iam::123456789012:user/staff/alice"
SHARED = "arn:aws:sts::123456789012:assumed-role/Operators/CognitoIdentityCredentials"
POOL = ",".join(["cognito-idp.eu-central-1.amazonaws.com/eu-central-1_x"] * 2)


def test_the_role_of_the_inlet_is_the_inlet() -> None:
    assert caller({"userArn": INLET}, ROLE) == Actor(ActorKind.INLET, INLET)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:sts::123456789012:assumed-role/Operators/{ROLE}",  # a session that is called so
        f"arn:aws:sts::123456789012:assumed-role/{ROLE}x/session",
        f"arn:aws:sts::123456789012:assumed-role/x{ROLE}/session",
        f"arn:aws:sts::123456789012:federated-user/{ROLE}/session",
        f"arn:aws:iam::123456789012:user/{ROLE}",
        f"arn:aws:iam::123456789012:user/{'x' * 500}:sts::1:assumed-role/{ROLE}/alice",
        f"arn:aws:iam::123456789012:assumed-role/{ROLE}/alice",
    ],
)
def test_nobody_else_is_the_inlet(arn: str) -> None:
    assert caller({"userArn": arn}, ROLE).kind is ActorKind.PERSON


def test_without_a_role_nobody_is_the_inlet() -> None:
    arn = "arn:aws:sts::123456789012:assumed-role//session"
    assert caller({"userArn": arn}, "").kind is ActorKind.PERSON
    assert caller({"userArn": ALICE}, "").kind is ActorKind.PERSON


def test_sessions_of_one_role_are_different_actors() -> None:
    first, second = (
        caller({"userArn": SHARED, "cognitoAuthenticationProvider": f"{POOL}:CognitoSignIn:{one}"})
        for one in ("sub-1", "sub-2")
    )  # fmt: skip
    assert first.who == f"{SHARED}/sub-1"
    assert second.short == "person assumed-role/Operators/CognitoIdentityCredentials/sub-2"
    by_id = caller({"userArn": SHARED, "cognitoIdentityId": "eu-central-1:42"})
    assert by_id.who.endswith("/eu-central-1:42")


@pytest.mark.parametrize("identity", [None, {}, {"userArn": None}, {"userArn": ""}, {"userArn": 7}])
def test_a_call_without_an_identity_is_nobodys(identity: dict[str, object] | None) -> None:
    assert caller(identity, ROLE) == UNKNOWN


def test_who_signed_is_one_short_line() -> None:
    made = caller({"userArn": f"arn:aws:iam::1:user/{'y' * 2000}\nname"})
    assert len(made.who) == LONGEST_WHO
    assert made.who.endswith("y?name")
    assert len(made.short) <= LONGEST_SHORT + len("schedule ")


def test_a_mark_is_of_one_actor_and_one_call() -> None:
    alice, bob = Actor(ActorKind.PERSON, ALICE), Actor(ActorKind.PERSON, ALICE + "b")
    assert alice.mark("call") == alice.mark("call")
    marks = {alice.mark("call"), alice.mark("cal"), bob.mark("call"), alice.mark(), alice.mark()}
    assert len(marks) == 5


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "ü", "a\n", 7, True, ["a"], {}])
def test_a_call_id_that_cannot_be_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="call_id"):
        check_call_id(value)
    assert check_call_id(None) == ""


@given(st.text(max_size=700), st.sampled_from(["operator", "expiry"]))
def test_a_move_is_read_as_it_was_written(arn: str, reason: str) -> None:
    actor = caller({"userArn": arn}).short
    for made in (actor, scheduled("sweep_positions").short, ""):
        move = ServingMove(7, 3, 9, 1_800_000_000, reason, "mark", made)
        assert move_of(move_text(move)) == move


def test_a_move_of_before_actors_were_noted_is_read() -> None:
    assert move_of("7:3:9:1800000000:mark:operator") == ServingMove(
        7, 3, 9, 1_800_000_000, "operator", "mark", ""
    )


def test_only_an_arn_is_shortened_and_a_long_name_keeps_its_end() -> None:
    arn = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/" + "x" * LONGEST_SHORT)
    assert arn.short == f"person {'x' * LONGEST_SHORT}"
    for who in ("a:b:c:d:e:f", "arn:aws:iam::1", "sweep_positions"):
        assert Actor(ActorKind.SCHEDULE, who).short == f"schedule {who}"


def test_a_mark_has_128_bits() -> None:
    for call_id in ("", "call"):
        assert len(Actor(ActorKind.PERSON, ALICE).mark(call_id)) == 32


def test_an_arn_of_fewer_parts_is_no_assumed_role() -> None:
    for arn in (
        "arn:aws:sts",
        f"a:b:sts:c:assumed-role/{ROLE}/x",
        f"a:b:c:d:e:assumed-role/{ROLE}",
    ):
        assert caller({"userArn": arn}, ROLE).kind is ActorKind.PERSON
    assert caller({"userArn": f"a:b:sts:d:e:assumed-role/{ROLE}"}, ROLE).kind is ActorKind.INLET
    assert check_call_id("x" * 64) == "x" * 64
