# SPDX-License-Identifier: Apache-2.0
"""Create and rotate the root keys of the gate. A rotation ends no visitor's access."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from waiting_room.domain.actors import UNKNOWN, Actor, deployment
from waiting_room.domain.errors import Conflict, KeysBusy, UnknownKey
from waiting_room.domain.gate.root_keys import RootKeys
from waiting_room.use_cases import change_log

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.events import EventDocuments
    from waiting_room.domain.ports.gate_keys import RootKeyStore

AGAIN = 5  # s after which a caller whose write conflicted can repeat it


class GateKeyRotation:
    """The root keys of the deployment; ``make_key`` returns a new key id and a new secret.

    A change is announced in the table of events, so that the store of the edge gets it.
    """

    def __init__(
        self,
        store: RootKeyStore,
        documents: EventDocuments,
        clock: Clock,
        make_key: Callable[[], tuple[str, str]],
    ) -> None:
        self._store, self._documents = store, documents
        self._clock, self._make_key = clock, make_key

    def set_up(self) -> None:
        """Create the first key if there is none; a concurrent set-up may do so."""
        before = self._store.refresh()
        if not before.keys:
            try:
                self._save(before, self._new(before), deployment("set_up"))
            except KeysBusy:
                if not self._store.refresh().keys:
                    raise

    def is_due(self) -> bool:
        """Return whether a rotation is possible: no session needs the older of two keys."""
        return self._store.refresh().free_at() <= self._clock()

    def rotate(self, revoke: str | None = None, *, actor: Actor = UNKNOWN) -> RootKeys:
        """Add a key, which signs later and replaces the older of two keys.

        ``revoke`` is the id of a key to remove instead: its sessions become invalid, and the other
        key signs at once. Raises UnknownKey for another id, KeysBusy while sessions need both keys.
        """
        before = self._store.refresh()
        if revoke is None:
            wait = before.free_at() - int(self._clock())
            if wait > 0:
                raise KeysBusy("sessions need both keys of the gate; retry later", wait)
            return self._save(before, self._new(before), actor)
        if revoke not in (key.key_id for key in before.keys):
            self._documents.announce_gates()  # perhaps the call before failed to do so
            raise UnknownKey("revoke is not the id of a key of the gate")
        kept = before.without(revoke, int(self._clock()))
        return self._save(before, kept if kept.keys else self._new(kept), actor)

    def _new(self, kept: RootKeys) -> RootKeys:
        return kept.rotated(*self._make_key(), int(self._clock()))

    def _save(self, before: RootKeys, after: RootKeys, actor: Actor) -> RootKeys:
        try:
            self._store.save(after, before)
        except Conflict:
            raise KeysBusy(
                "another call changed the keys at the same time; retry later", AGAIN
            ) from None
        change_log.record("", "gate_keys", actor, _ids(before), _ids(after))
        if before.keys:  # otherwise no gate has a key yet
            self._documents.announce_gates()
        return after


def _ids(keys: RootKeys) -> list[str]:
    """Return the ids of keys, which are no secret: each session contains one."""
    return [key.key_id for key in keys.keys]
