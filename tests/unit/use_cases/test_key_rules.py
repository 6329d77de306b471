# SPDX-License-Identifier: Apache-2.0
"""Each rule of the signing keys by itself, and those of who makes a change."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.in_memory_room import EVENT, START, InMemoryRoom, one_jwk, outcome_of, settings
from waiting_room.domain import actors, reset, sessions, tokens
from waiting_room.domain.actors import Actor, ActorKind, caller, check_call_id
from waiting_room.domain.errors import (
    InvalidInput,
    NoKeysYet,
    NoLiveSession,
    OtherGeneration,
    Unavailable,
    UnknownKey,
)
from waiting_room.domain.published_keys import KEEP_AFTER_SUCCESSOR, Publication, PublishedKey
from waiting_room.domain.records import (
    Ending,
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    SessionStatus,
)
from waiting_room.domain.sessions import VisitorState
from waiting_room.domain.signing_keys import KeySet, SigningKey
from waiting_room.use_cases.key_rotation import CHANGE_TIME, KeyDelays, SigningKeys, check_rotation

NOW = START


def jwk(name: str) -> dict[str, str]:
    return {"kty": "RSA", "alg": "RS256", "kid": name, "n": "n", "e": "AQAB"}


def published(name: str, signs_from: int = 0, confirmed: bool = True) -> PublishedKey:
    return PublishedKey(jwk(name), signs_from, confirmed)


def held(*names: str, signs_from: int = 0) -> KeySet:
    return KeySet(tuple(SigningKey(jwk(name), signs_from) for name in names))


def names(found: Publication) -> list[str]:
    return [key.key_id for key in found.keys]


# --- the publication --------------------------------------------------------------------------


def test_a_published_key_signs_from_its_time_on_once_it_is_confirmed() -> None:
    assert published("a", NOW).signs(NOW)
    assert not published("a", NOW + 1).signs(NOW)
    assert not published("a", NOW, confirmed=False).signs(NOW)
    assert (PublishedKey(jwk("a")).signs_from, Publication().version) == (0, 0)
    assert (Publication().lease_until, PublishedKey(jwk("a")).confirmed) == (0, True)


@pytest.mark.parametrize(
    ("lease_id", "lease_until", "changing"),
    [("t", NOW + 1, True), ("t", NOW, False), ("", NOW + 1, False)],
)
def test_a_change_is_under_way_until_it_is_given_up(
    lease_id: str, lease_until: int, changing: bool
) -> None:
    assert Publication((), 1, lease_id, lease_until).is_changing(NOW) is changing


def test_the_youngest_key_that_may_sign_signs() -> None:
    found = Publication((
        published("old"), published("young", NOW), published("later", NOW + 5),
        published("unsure", confirmed=False),
    ))  # fmt: skip
    keys = held("old", "young", "later", "unsure")
    signer = found.signer(keys, NOW)
    assert signer is not None
    assert signer.key_id == "young"
    assert found.public_key(NOW)["kid"] == "young"
    assert found.signer(held("other"), NOW) is None
    assert found.starts(NOW) == NOW + 5
    assert found.starts(NOW + 5) is None
    assert found.covers(held("old", "young"))
    assert not found.covers(held("old", "unsure"))
    assert found.holds("unsure")
    assert not found.holds("other")
    assert {key["use"] for key in found.jwks()["keys"]} == {"sig"}


def test_where_no_key_signs_yet_the_youngest_confirmed_one_is_shown() -> None:
    found = Publication((published("a", NOW + 5), published("b", NOW + 9)))
    assert found.public_key(NOW)["kid"] == "b"
    for none in (Publication(), Publication((published("a", confirmed=False),))):
        with pytest.raises(NoKeysYet):
            none.public_key(NOW)


def test_the_first_write_of_a_change_adds_what_is_new_unconfirmed() -> None:
    before = Publication((published("a"), published("lost", confirmed=False)), 4)
    after = before.announced(
        held("a", "b"), NOW, starts=NOW + 300, lease_id="t", lease_until=NOW + 90
    )
    assert after.keys == (published("a"), published("b", NOW + 300, confirmed=False))
    assert (after.version, after.lease_id, after.lease_until) == (5, "t", NOW + 90)
    late = before.announced(
        held("a", "b", signs_from=NOW + 500), NOW, starts=NOW + 300, lease_id="t", lease_until=0
    )
    assert late.keys[1].signs_from == NOW + 500


@pytest.mark.parametrize(
    ("started", "confirmed", "in_secret", "leaves"),
    [
        (NOW - KEEP_AFTER_SUCCESSOR, True, True, True),
        (NOW - KEEP_AFTER_SUCCESSOR + 1, True, True, False),
        (NOW - KEEP_AFTER_SUCCESSOR, False, True, False),
        (NOW - KEEP_AFTER_SUCCESSOR, True, False, False),
    ],
)
def test_a_key_leaves_once_no_living_token_of_it_can_exist(
    started: int, confirmed: bool, in_secret: bool, leaves: bool
) -> None:
    before = Publication((published("old"), published("young", started, confirmed)))
    keys = held("old", *(["young"] if in_secret else []))
    after = before.announced(keys, NOW, starts=NOW, lease_id="t", lease_until=NOW)
    assert ("old" in names(after)) is not leaves
    assert ("young" in names(after)) is (confirmed or in_secret), "the youngest stays"


def test_the_last_write_confirms_what_the_secret_holds_and_lets_the_revoked_key_go() -> None:
    before = Publication((
        published("a", 5), published("b", NOW - 9, False), published("c", NOW + 9, False),
        published("d", 7, False), published("gone"),
    ), 8, "t", NOW)  # fmt: skip
    after = before.confirmed(held("a", "b", "c"), NOW, "gone")
    assert after.keys == (
        published("a", 5), published("b", NOW), published("c", NOW + 9), published("d", 7, False)
    )  # fmt: skip
    assert (after.version, after.lease_id, after.lease_until) == (9, "", 0)


def test_the_first_keys_of_a_room_sign_at_once() -> None:
    before = Publication((published("a", 0, False),), 1, "t", NOW)
    assert before.confirmed(held("a"), NOW, None).keys == (published("a", 0),)


def test_a_publication_is_read_as_it_was_written_and_nothing_else_is() -> None:
    found = Publication((published("a", 3), published("b", 5, False)), 7, "t", 9)
    text = found.to_json()
    assert Publication.from_json(text, 7, "t", 9) == found
    plain = json.dumps({"keys": [jwk("a")]})
    assert Publication.from_json(plain, 0, "", 0).keys == (published("a", 0),)
    for changes in ({"kid": 5}, {"n": None}, {"signs_from": "-1"}, {"signs_from": "x"},
                    {"signs_from": "1" * 16}, {"signs_from": 5}):  # fmt: skip
        odd = json.dumps({"keys": [{**jwk("a"), **changes}]})
        with pytest.raises(ValueError, match="no published keys"):
            Publication.from_json(odd, 0, "", 0)
    for odd in ("", "[]", "{}", '{"keys": 5}', '{"keys": [5]}', '{"keys": [{}]}'):
        with pytest.raises(ValueError, match="no published keys"):
            Publication.from_json(odd, 0, "", 0)


# --- the key ring -----------------------------------------------------------------------------


class Room:
    """Both halves of the keys in memory; new keys are k1, k2, …"""

    def __init__(self, keys: KeySet | None = None, public: Publication | None = None) -> None:
        self.now, self.made = NOW, 0
        self.keys, self.public = MemoryKeys(keys or KeySet(())), MemoryPublicKeys(
            public or Publication()
        )  # fmt: skip

    def ring(self) -> SigningKeys:
        return SigningKeys(
            settings(), self.keys, self.public, lambda: self.now, KeyDelays(300, 60), self.make
        )  # fmt: skip

    def make(self) -> dict[str, str]:
        self.made += 1
        return jwk(f"k{self.made}")

    def starts(self) -> dict[str, int]:
        return {key.key_id: key.signs_from for key in self.public.refresh().keys}


def test_a_new_key_waits_for_every_copy_while_another_signs_and_for_the_edge_otherwise() -> None:
    room = Room()
    room.ring().set_up()
    assert room.starts() == {"k1": 0}
    room.ring().rotate()
    assert room.starts()["k2"] == NOW + 300
    room.now += 1000
    room.ring().rotate("k2")
    assert room.starts() == {"k1": 0, "k3": NOW + 1060}, "after a theft"
    lost = Room(KeySet(()), Publication((published("other"),), 1))
    lost.ring().rotate()
    assert lost.starts()["k1"] == NOW + 60, "no key could sign"


def test_a_set_up_of_a_room_that_is_set_up_writes_nothing() -> None:
    room = Room()
    room.ring().set_up()
    before = room.public.refresh()
    room.ring().set_up()
    assert room.public.refresh() == before
    assert room.made == 1


def test_a_set_up_publishes_keys_that_the_secret_has_and_the_publication_lacks() -> None:
    room = Room(held("old"))
    room.ring().set_up()
    assert (room.made, room.starts()) == (0, {"old": 0})
    assert room.public.refresh().covers(room.keys.refresh())


def test_another_change_is_waited_for_until_its_time_is_over() -> None:
    busy = Publication((published("a"),), 3, "t", NOW + 70)
    room = Room(held("a"), busy)
    room.ring().set_up()  # it can sign: whoever changes the keys confirms them
    assert room.public.refresh() == busy
    with pytest.raises(Unavailable) as raised:
        room.ring().rotate()
    assert raised.value.retry_after == 70
    room.now = NOW + 70
    room.ring().rotate()
    assert CHANGE_TIME == 90


@pytest.mark.parametrize(("count", "refused"), [(15, False), (16, True)])
def test_sixteen_keys_are_published_at_most_but_a_stolen_one_always_leaves(
    count: int, refused: bool
) -> None:
    many = [f"old{number}" for number in range(count)]
    room = Room(held(*many), Publication(tuple(published(one, NOW) for one in many), 1))
    if refused:
        with pytest.raises(Unavailable) as raised:
            room.ring().rotate()
        assert raised.value.retry_after == 3600
    else:
        room.ring().rotate()
    room.ring().rotate("old3")
    assert "old3" not in room.starts()


def test_a_key_to_revoke_is_one_of_the_rooms() -> None:
    for room in (
        Room(held("a", "b"), Publication((published("a"),), 1)),
        Room(held("a"), Publication((published("a"), published("b")), 1)),
    ):
        with pytest.raises(UnknownKey, match="revoke"):
            room.ring().rotate("c")
        room.ring().rotate("b")
        assert "b" not in room.starts()
        assert room.keys.refresh().by_id("b") is None


def test_who_cannot_sign_yet_says_when() -> None:
    later = Room(held("a"), Publication((published("a", NOW + 40),), 1))
    with pytest.raises(Unavailable) as raised:
        later.ring().current(NOW)
    assert raised.value.retry_after == 40
    never = Room(held("a"), Publication((published("a", confirmed=False),), 1))
    with pytest.raises(Unavailable) as raised:
        never.ring().current(NOW)
    assert raised.value.retry_after == 5


@pytest.mark.parametrize("key", [None, "a", "k" * 128])
def test_a_rotation_names_the_key_to_revoke_or_none(key: str | None) -> None:
    assert check_rotation({"revoke": key, "event_id": "Sample"}) == key
    assert check_rotation({}) is None


@pytest.mark.parametrize(("name", "shown"), [("revok", "revok"), ("é", "a member")])
def test_a_misspelt_member_of_a_rotation_is_refused(name: str, shown: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{shown} is not a member of this call"):
        check_rotation({name: "k"})


def test_a_key_set_is_the_youngest_ready_key_and_is_read_as_it_was_written() -> None:
    private = one_jwk()
    keys = KeySet((SigningKey(private, NOW), SigningKey({**private, "kid": "b"}, NOW + 5)))
    assert keys.current(NOW).key_id == private["kid"]
    assert keys.current(NOW + 5).key_id == "b"
    assert keys.current(NOW - 1).key_id == private["kid"]
    assert KeySet.from_json(keys.to_json()) == keys
    assert [key.key_id for key in keys.without("b").keys] == [private["kid"]]
    assert keys.without(None) == keys
    assert SigningKey(private).signs_from == 0
    for wrong in ("d", "kid", "p"):
        odd = {"keys": [{"jwk": {**private, wrong: 5}, "signs_from": 0}]}
        with pytest.raises(ValueError, match="no key set"):
            KeySet.from_json(json.dumps(odd))
    for starts in (True, "0", None, 1.5):
        with pytest.raises(ValueError, match="no key set"):
            KeySet.from_json(json.dumps({"keys": [{"jwk": private, "signs_from": starts}]}))


# --- who makes a change -----------------------------------------------------------------------

ROLE = "arn:aws:sts::123456789012:assumed-role/Inlet/function"


@pytest.mark.parametrize(
    ("arn", "inlet"),
    [
        (ROLE, True), ("arn:aws:sts::123456789012:assumed-role/Inlet2/function", False),
        ("arn:aws:iam::123456789012:role/Inlet", False),
        ("arn:aws:iam::123456789012:assumed-role/Inlet/x", False),
        ("arn:aws:zzz::123456789012:assumed-role/Inlet/x", False),
        ("arn:aws:sts::123456789012:federated-user/Inlet", False),
        ("arn:aws:sts::123456789012:zzz/Inlet/x", False), ("Inlet", False),
    ],
)  # fmt: skip
def test_who_has_assumed_exactly_the_inlets_role_is_the_inlet(arn: str, inlet: bool) -> None:
    kind = caller({"userArn": arn}, "Inlet").kind
    assert kind is (ActorKind.INLET if inlet else ActorKind.PERSON)
    assert caller({"userArn": arn}).kind is ActorKind.PERSON


@pytest.mark.parametrize(
    ("who", "short"),
    [
        (ROLE, "person assumed-role/Inlet/function"), ("sweep", "person sweep"),
        ("arn:aws:sts:x", "person arn:aws:sts:x"), ("a:b:c:d:e:f", "person a:b:c:d:e:f"),
        ("x" * 200, "person " + "x" * 160), ("arn:a:b:c:d:e:f", "person e:f"),
        ("zrn:a:b:c:d:e", "person zrn:a:b:c:d:e"),
    ],
)  # fmt: skip
def test_the_short_name_of_an_arn_is_without_its_account(who: str, short: str) -> None:
    assert Actor(ActorKind.PERSON, who).short == short


def test_people_of_an_identity_pool_are_told_apart() -> None:
    said: dict[str, Any] = {"userArn": ROLE, "cognitoIdentityId": "pool:1"}
    provider = "cognito-idp.x/pool,cognito-idp.x/pool:CognitoSignIn:subject-1"
    assert caller({**said, "cognitoAuthenticationProvider": provider}).who == f"{ROLE}/subject-1"
    assert caller(said).who == f"{ROLE}/pool:1"
    assert caller({"userArn": ROLE}).who == ROLE
    assert len(caller({"userArn": "x" * 900}).who) == 600
    assert caller({"userArn": "a\nb"}).who == "a?b"
    for none in (None, {}, {"userArn": ""}, {"userArn": 5}):
        assert caller(none) == actors.UNKNOWN


def test_a_mark_without_a_call_id_is_like_no_other() -> None:
    one = Actor(ActorKind.PERSON, "a")
    assert one.mark("c") == one.mark("c")
    assert len(one.mark("c")) == len(one.mark()) == 32
    assert one.mark() != one.mark()
    assert one.mark("c") != one.mark("d")
    assert one.mark("c") != replace(one, who="b").mark("c")
    assert one.mark("c") != replace(one, kind=ActorKind.INLET).mark("c")
    assert check_call_id(None) == ""
    assert check_call_id("a" * 64) == "a" * 64
    for wrong in ("", "a" * 65, "a b", 5):
        with pytest.raises(InvalidInput, match="call_id"):
            check_call_id(wrong)


# --- tokens, sessions, resets -----------------------------------------------------------------


def test_a_token_holds_from_now_until_its_validity_is_over() -> None:
    place = Position(EVENT, 3, "r", 7, NOW)
    row = tokens.issue(place, key_id="k", issuer="i", validity=60, now=NOW)
    assert (row.at, row.expires_at, row.generation, row.position) == (NOW, NOW + 60, 3, 7)
    claims = tokens.claims(row, "access")
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (NOW, NOW, NOW + 60)
    tokens.check_usable(row, NOW + 59)
    for changed, now, error in (
        (row, NOW + 60, "TokenExpired"),
        (replace(row, kind=OutcomeKind.EXPIRED), NOW, "PositionExpired"),
        (replace(row, status=SessionStatus.COMPLETED), NOW, "SessionEnded"),
        (replace(row, status=SessionStatus.ABANDONED), NOW, "SessionEnded"),
    ):
        assert outcome_of(partial(tokens.check_usable, changed, now)) == error


def test_what_an_operator_gives_to_a_token_has_limits() -> None:
    assert [tokens.check_validity(one) for one in (1, 86_400)] == [1, 86_400]
    for wrong in (0, 86_401, True, "60", 1.5, None):
        with pytest.raises(InvalidInput, match="validity_period"):
            tokens.check_validity(wrong)
    assert tokens.check_issuer("x" * 2048)
    for odd in ("", "x" * 2049, "a\nb", 5, None):
        with pytest.raises(InvalidInput, match="issuer"):
            tokens.check_issuer(odd)


@pytest.mark.parametrize("value", [0, 2, -2, True, False, "1", 1.0, None])
def test_a_session_ends_as_completed_or_abandoned(value: object) -> None:
    assert sessions.check_status(1) is SessionStatus.COMPLETED
    assert sessions.check_status(-1) is SessionStatus.ABANDONED
    with pytest.raises(InvalidInput, match="status"):
        sessions.check_status(value)


def row_of(status: SessionStatus, kind: OutcomeKind = OutcomeKind.TOKEN) -> Outcome:
    return Outcome(EVENT, 1, 1, "r", kind, NOW, NOW + 60, status=status)


def test_who_ends_a_session_that_has_ended_is_told_how() -> None:
    ended = row_of(SessionStatus.ABANDONED)
    assert sessions.check_ended(Ending(True, ended)) == ended
    for ending, status in (
        (Ending(False, ended), -1), (Ending(False, row_of(SessionStatus.COMPLETED)), 1),
        (Ending(False, row_of(SessionStatus.OPEN)), None), (Ending(False), None),
        (Ending(True), None),
    ):  # fmt: skip
        with pytest.raises(NoLiveSession) as raised:
            sessions.check_ended(ending)
        assert raised.value.members.get("status") == status


@pytest.mark.parametrize(
    ("outcome", "served", "over", "now", "state"),
    [
        (None, False, False, NOW, VisitorState.WAITING),
        (None, True, False, NOW, VisitorState.ELIGIBLE),
        (None, True, True, NOW, VisitorState.POSITION_EXPIRED),
        (row_of(SessionStatus.OPEN), True, False, NOW + 59, VisitorState.TOKEN_ISSUED),
        (row_of(SessionStatus.OPEN), True, True, NOW + 59, VisitorState.TOKEN_ISSUED),
        (row_of(SessionStatus.OPEN), True, False, NOW + 60, VisitorState.TOKEN_EXPIRED),
        (row_of(SessionStatus.COMPLETED), True, False, NOW + 60, VisitorState.COMPLETED),
        (row_of(SessionStatus.ABANDONED), True, False, NOW, VisitorState.ABANDONED),
        (row_of(SessionStatus.OPEN, OutcomeKind.EXPIRED), True, False, NOW,
         VisitorState.POSITION_EXPIRED),
    ],
)  # fmt: skip
def test_a_visitor_is_in_one_state(
    outcome: Outcome | None, served: bool, over: bool, now: int, state: VisitorState
) -> None:
    found = sessions.state_of(outcome, served=served, position_expired=over, now=now)
    assert found is state


def test_a_reset_names_a_generation_that_can_be_and_that_stands() -> None:
    assert reset.check_generation(None) is None
    assert [reset.check_generation(one) for one in (1, 2**53)] == [1, 2**53]
    for wrong in (0, -1, 2**53 + 1, True, "1", 1.0):
        with pytest.raises(InvalidInput, match="generation"):
            reset.check_generation(wrong)
    state = EventState(EVENT, generation=4, queue=9, version=7)
    reset.check_is_current(state, None)
    reset.check_is_current(state, 4)
    for other in (3, 5):
        with pytest.raises(OtherGeneration):
            reset.check_is_current(state, other)
    assert state.next_generation(1.5) == EventState(EVENT, generation=5, reset_at=1.5)


def test_of_two_resets_at_once_only_the_one_that_was_made_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    in_memory_room = InMemoryRoom()
    before = in_memory_room.log.read(EVENT)
    caplog.set_level("INFO")
    in_memory_room.room.control.reset(EVENT)
    assert caplog.text.count('"change": "reset"') == 1
    real = in_memory_room.log.store.read
    stale = [before]
    in_memory_room.log.store.read = lambda event_id: stale.pop() if stale else real(event_id)
    in_memory_room.clock.now += 1
    assert in_memory_room.room.control.reset(EVENT) == 2
    assert caplog.text.count('"change": "reset"') == 1
