# SPDX-License-Identifier: Apache-2.0
"""Published keys and key sets: which key signs, verifies, is retired, each at its second."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.fakes.keys import MemoryKeys, MemoryPublicKeys
from tests.support.in_memory_room import one_jwk, settings
from waiting_room.domain.errors import InvalidInput, NoKeysYet, TokenExpired, Unavailable
from waiting_room.domain.parsing import LARGEST
from waiting_room.domain.published_keys import KEEP_AFTER_SUCCESSOR, Publication, PublishedKey
from waiting_room.domain.records import Outcome, OutcomeKind
from waiting_room.domain.signing_keys import (
    PUBLIC_MEMBERS,
    RSA_MEMBERS,
    KeySet,
    Signer,
    SigningKey,
    new_jwk,
)
from waiting_room.use_cases.key_rotation import CHANGE_TIME, KeyDelays, SigningKeys, check_rotation

NOW = 1_800_000_000


def jwk(name: str) -> dict[str, str]:
    return {"kty": "RSA", "alg": "RS256", "kid": name, "n": name, "e": "AQAB"}


def public(name: str, starts: int = 0, *, confirmed: bool = True) -> PublishedKey:
    return PublishedKey(jwk(name), starts, confirmed)


def secret(*names: str, starts: int = 0) -> KeySet:
    return KeySet(tuple(SigningKey(jwk(name), starts) for name in names))


def ids(publication: Publication) -> list[str]:
    return [key.key_id for key in publication.keys]


def test_a_key_signs_from_its_second_once_it_is_confirmed() -> None:
    assert public("a", NOW).signs(NOW)
    assert not public("a", NOW + 1).signs(NOW)
    assert not public("a", NOW, confirmed=False).signs(NOW)


def test_a_published_key_is_confirmed_and_signs_at_once_unless_it_says_otherwise() -> None:
    assert PublishedKey(jwk("a")) == PublishedKey(jwk("a"), 0, True)
    assert Publication() == Publication((), 0, "", 0)
    assert SigningKey(jwk("a")).signs_from == 0


def test_a_change_is_under_way_until_its_second() -> None:
    assert Publication(lease_id="t", lease_until=NOW).is_changing(NOW - 1)
    assert not Publication(lease_id="t", lease_until=NOW).is_changing(NOW)
    assert not Publication(lease_id="", lease_until=NOW).is_changing(NOW - 1)


def test_the_youngest_key_of_the_secret_that_may_sign_does() -> None:
    kept = Publication((public("a"), public("b", NOW), public("c", NOW + 1), public("d")))
    assert kept.signer(secret("a", "b", "c"), NOW) == secret("b").keys[0]
    assert kept.signer(secret("a", "b", "c"), NOW + 1) == secret("c").keys[0]
    assert kept.signer(secret("x"), NOW) is None


def test_the_next_start_is_the_first_that_is_still_to_come() -> None:
    kept = Publication(
        (public("a", NOW), public("b", NOW + 9), public("c", NOW + 5),
         public("d", NOW + 1, confirmed=False))
    )  # fmt: skip
    assert kept.starts(NOW) == NOW + 5
    assert kept.starts(NOW + 9) is None


def test_the_public_key_is_the_youngest_that_signs_else_the_youngest_confirmed() -> None:
    kept = Publication((public("a", NOW), public("b", NOW + 1), public("c", 0, confirmed=False)))
    assert kept.public_key(NOW)["kid"] == "a"
    assert kept.public_key(NOW + 1)["kid"] == "b"
    assert kept.public_key(NOW - 1)["kid"] == "b"
    with pytest.raises(NoKeysYet):
        Publication((public("a", confirmed=False),)).public_key(NOW)


def test_a_publication_covers_keys_that_it_has_confirmed() -> None:
    kept = Publication((public("a"), public("b", confirmed=False)))
    assert kept.covers(secret("a"))
    assert kept.covers(secret())
    assert not kept.covers(secret("a", "b"))
    assert kept.holds("b")
    assert not kept.holds("c")


def test_an_announced_key_starts_no_earlier_than_the_change_and_than_its_secret() -> None:
    after = Publication((public("a"),), 4).announced(
        KeySet((*secret("a").keys, *secret("b", starts=NOW + 9).keys, *secret("c").keys)),
        NOW,
        starts=NOW + 5,
        lease_id="t",
        lease_until=NOW + 90,
    )
    assert after.keys[1:] == (
        public("b", NOW + 9, confirmed=False), public("c", NOW + 5, confirmed=False),
    )  # fmt: skip
    assert (after.version, after.lease_id, after.lease_until) == (5, "t", NOW + 90)


def test_an_unconfirmed_key_that_the_secret_lacks_leaves_with_the_next_change() -> None:
    kept = Publication((public("a"), public("lost", confirmed=False)))
    after = kept.announced(secret("a"), NOW, starts=NOW, lease_id="t", lease_until=NOW)
    assert ids(after) == ["a"]


@pytest.mark.parametrize(
    ("younger", "leaves"),
    [
        (public("b", NOW - KEEP_AFTER_SUCCESSOR), True),
        (public("b", NOW - KEEP_AFTER_SUCCESSOR + 1), False),
        (public("b", NOW - KEEP_AFTER_SUCCESSOR, confirmed=False), False),
        (public("gone", NOW - KEEP_AFTER_SUCCESSOR), False),
    ],
)
def test_an_old_key_leaves_when_a_younger_one_has_signed_for_long_enough(
    younger: PublishedKey, leaves: bool
) -> None:
    kept = Publication((public("a"), younger))
    after = kept.announced(secret("a", "b"), NOW, starts=NOW, lease_id="t", lease_until=NOW)
    assert ("a" not in ids(after)) is leaves


def test_a_key_is_confirmed_with_the_secret_and_starts_no_earlier_than_now() -> None:
    kept = Publication(
        (public("a", 5), public("b", NOW - 9, confirmed=False),
         public("c", NOW + 9, confirmed=False), public("lost", 0, confirmed=False)), 7
    )  # fmt: skip
    after = kept.confirmed(secret("a", "b", "c"), NOW, "a")
    assert after.keys == (
        public("b", NOW), public("c", NOW + 9), public("lost", 0, confirmed=False),
    )  # fmt: skip
    assert (after.version, after.lease_id, after.lease_until) == (8, "", 0)


def test_the_very_first_key_signs_at_once() -> None:
    kept = Publication((public("a", 0, confirmed=False),))
    assert kept.confirmed(secret("a"), NOW, None).keys == (public("a", 0),)


def test_a_publication_is_read_as_it_was_written() -> None:
    kept = Publication((public("a", 5), public("b", LARGEST, confirmed=False)), 3, "t", 9)
    assert Publication.from_json(kept.to_json(), 3, "t", 9) == kept
    old = json.dumps({"keys": [jwk("a")]})  # a row of before keys had a start
    assert Publication.from_json(old, 0, "", 0).keys == (public("a", 0),)


@pytest.mark.parametrize(
    "keys",
    [
        None, [{}], [None], [{**jwk("a"), "n": 5}], [{**jwk("a"), "signs_from": "-1"}],
        [{**jwk("a"), "signs_from": str(LARGEST + 1)}], [{**jwk("a"), "signs_from": 5}],
    ],
)  # fmt: skip
def test_a_row_that_holds_something_else_is_not_read(keys: Any) -> None:
    for text in (json.dumps({"keys": keys}), "{}", "[]", "{"):
        with pytest.raises(ValueError, match="contains no published keys"):
            Publication.from_json(text, 0, "", 0)


def test_of_a_key_set_the_youngest_whose_time_has_come_signs_else_the_oldest() -> None:
    made = KeySet((SigningKey(jwk("a"), NOW), SigningKey(jwk("b"), NOW + 5)))
    assert made.current(NOW + 5).key_id == "b"
    assert made.current(NOW + 4).key_id == "a"
    assert made.current(NOW - 1).key_id == "a"


def test_a_key_set_without_a_key_has_the_others() -> None:
    made = secret("a", "b")
    assert made.without("a") == secret("b")
    assert made.without(None) == made
    assert made.by_id("c") is None
    assert [one["use"] for one in made.jwks()["keys"]] == ["sig", "sig"]
    assert KeySet((), "1") == KeySet((), "2")  # the version is no part of the keys


def test_the_secret_is_read_as_it_was_written_and_anything_else_is_refused() -> None:
    whole = dict.fromkeys((*PUBLIC_MEMBERS, *RSA_MEMBERS), "x")
    made = KeySet((SigningKey(whole, NOW),))
    assert KeySet.from_json(made.to_json()) == made
    wrong: list[Any] = [
        {"jwk": whole, "signs_from": True}, {"jwk": whole, "signs_from": "5"}, {"jwk": whole},
        {"jwk": [], "signs_from": 0}, 5,
    ]  # fmt: skip
    wrong += [{"jwk": {**whole, name: 5}, "signs_from": 0} for name in RSA_MEMBERS]
    for entry in wrong:
        with pytest.raises(ValueError, match="holds no key set"):
            KeySet.from_json(json.dumps({"keys": [entry]}))


def test_no_printed_key_shows_its_secret() -> None:
    assert "jwk" not in repr(SigningKey({"kid": "a", "d": "private"}))


def test_a_new_key_has_2048_bits_and_its_thumbprint_as_name() -> None:
    from jwcrypto import jwk as library

    made = new_jwk()
    loaded = library.JWK(**{name: made[name] for name in (*RSA_MEMBERS, "kty")})
    assert made["kid"] == loaded.thumbprint()
    assert loaded.get_op_key("verify").key_size == 2048
    assert made["alg"] == "RS256"


def test_a_signer_loads_a_key_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    real = __import__("waiting_room.domain.signing_keys", fromlist=["private_key"])
    load = real.private_key
    monkeypatch.setattr(real, "private_key", lambda one: (loads.append(one["kid"]), load(one))[1])
    signer = Signer()
    outcome = Outcome("Sample", 1, 1, "r", OutcomeKind.TOKEN, NOW, NOW + 3600)
    for _ in range(3):
        assert set(signer.sign(outcome, SigningKey(one_jwk()))) == {
            "access_token", "refresh_token", "id_token",
        }  # fmt: skip
    assert len(loads) == 1


class Watched:
    """A store that counts how often it is read now instead of from its copy."""

    def __init__(self, store: Any) -> None:
        self.store, self.copy, self.refreshed = store, store.refresh(), 0

    def load(self) -> Any:
        return self.copy

    def refresh(self) -> Any:
        self.refreshed += 1
        self.copy = self.store.refresh()
        return self.copy

    def save(self, *args: Any) -> None:
        self.store.save(*args)


class Ring:
    """A room that has been set up, and a function whose copies may be old."""

    def __init__(self) -> None:
        self.now, names = NOW, iter("abcdefgh")
        self.keys, self.public = MemoryKeys(), MemoryPublicKeys()
        self.make = lambda: jwk(next(names))
        self.ring = self.over(self.keys, self.public)
        self.ring.set_up()
        self.kept_keys, self.kept_public = Watched(self.keys), Watched(self.public)
        self.function = self.over(self.kept_keys, self.kept_public)

    def over(self, keys: Any, public: Any) -> SigningKeys:
        return SigningKeys(
            settings(), keys, public, lambda: self.now + 0.9, KeyDelays(300, 60), self.make
        )

    def outcome(self, key_id: str) -> Outcome:
        return Outcome(
            "Sample", 1, 1, "r", OutcomeKind.TOKEN, NOW, NOW + 3600, key_id=key_id
        )  # fmt: skip


def test_a_token_is_signed_with_the_key_of_its_row_from_the_copies_while_they_have_it() -> None:
    room = Ring()
    assert room.function.key_for(room.outcome("a")).key_id == "a"
    assert (room.kept_keys.refreshed, room.kept_public.refreshed) == (0, 0)


def test_a_key_that_the_copies_lack_is_looked_up_in_both_stores() -> None:
    room = Ring()
    room.ring.rotate()
    assert room.function.key_for(room.outcome("b")).key_id == "b"
    assert (room.kept_keys.refreshed, room.kept_public.refreshed) == (1, 1)


def test_a_key_that_one_of_both_stores_lacks_is_retired() -> None:
    room = Ring()
    with pytest.raises(TokenExpired, match="retired"):
        room.function.key_for(room.outcome("x"))
    room.keys.save(KeySet(()), room.keys.refresh())
    room.kept_keys.refresh()
    with pytest.raises(TokenExpired, match="retired"):
        room.function.key_for(room.outcome("a"))


def test_while_no_key_signs_the_caller_learns_when_one_does() -> None:
    room = Ring()
    room.ring.rotate("a")
    room.kept_public.refresh()
    with pytest.raises(Unavailable, match="no published key signs") as told:
        room.function.current(NOW + 10)
    assert told.value.retry_after == 50
    assert room.kept_keys.refreshed == 0  # another secret would sign no earlier
    room.keys.save(KeySet(()), room.keys.refresh())
    room.now += 100
    with pytest.raises(Unavailable) as told:
        room.over(room.keys, room.public).current(room.now)
    assert told.value.retry_after == 5


def test_a_function_whose_copy_of_the_secret_is_old_reads_it_again_to_sign() -> None:
    room = Ring()
    room.ring.rotate("a")
    room.kept_public.refresh()
    room.now += 60
    assert room.function.current(room.now).key_id == "b"
    assert (room.kept_keys.refreshed, room.kept_public.refreshed) == (1, 2)
    assert room.function.current(room.now).key_id == "b"
    assert (room.kept_keys.refreshed, room.kept_public.refreshed) == (1, 2)


def test_a_new_key_signs_after_the_delay_of_its_kind() -> None:
    room = Ring()
    room.ring.rotate()
    assert room.public.refresh().keys[-1].signs_from == NOW + 300
    room.ring.rotate("b")
    assert room.public.refresh().keys[-1].signs_from == NOW + 60


def test_a_second_change_is_told_how_long_the_first_may_take() -> None:
    room = Ring()
    before = room.public.refresh()
    changing = Publication(before.keys, before.version + 1, "t", NOW + CHANGE_TIME)
    room.public.save(changing, before)
    room.now += 40
    with pytest.raises(Unavailable, match="another call") as told:
        room.ring.rotate()
    assert told.value.retry_after == 50


@pytest.mark.parametrize("revoke", ["", "k" * 129, 5, True, [], {}, ["k"]])
def test_what_cannot_be_a_key_to_revoke_is_refused_by_name(revoke: object) -> None:
    with pytest.raises(InvalidInput, match="revoke must be the kid"):
        check_rotation({"revoke": revoke})
