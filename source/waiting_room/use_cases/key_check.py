# SPDX-License-Identifier: Apache-2.0
"""Check the keys of the deployment before visitors notice that one is missing.

Functions sign with cached keys for up to a day. This check reads the stores themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.ports.gate_keys import RootKeyStore
    from waiting_room.domain.ports.signing_keys import KeyStore, PublicKeys


class KeyCheck:
    """The check of the signing keys, their publication and the root keys of the gate."""

    def __init__(
        self, keys: KeyStore, public_keys: PublicKeys, gate_keys: RootKeyStore, clock: Clock
    ) -> None:
        self._keys, self._public_keys = keys, public_keys
        self._gate_keys, self._clock = gate_keys, clock

    def faults(self) -> list[str]:
        """Return what is wrong with the keys, in English; without any secret.

        A change of the keys in progress is no fault. Raises Unavailable if a store does not respond
        or refuses access.
        """
        found, now = [], int(self._clock())
        published, keys = self._public_keys.refresh(), self._keys.refresh()
        if not published.is_changing(now):
            if published.signer(keys, now) is None:
                found.append("no published key can sign tokens")
            elif not published.newest_signer_is_in(keys, now):
                found.append("the secret does not have the newest published key")
            if not published.covers(keys):
                found.append("the secret has a key that is not published")
        if not self._gate_keys.refresh().keys:
            found.append("the gate has no root key")
        return found
