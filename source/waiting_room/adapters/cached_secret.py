# SPDX-License-Identifier: Apache-2.0
"""A text in Secrets Manager, cached by a warm function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from waiting_room.adapters.aws import translate_errors
from waiting_room.adapters.refreshing_value import RefreshingValue
from waiting_room.adapters.stored_keys import WHAT

T = TypeVar("T")


def secret_text(client: Any, secret_id: str) -> str:
    """Return the current text of a secret; raises Unavailable."""
    with translate_errors(WHAT):
        response = client.get_secret_value(SecretId=secret_id)
    return str(response["SecretString"])


class CachedSecret(Generic[T]):
    """A secret that ``parse`` reads, refreshed after ``keep`` seconds.

    After a rotation the new content is in use within that time. In an outage of the secret store
    the last content stays in use (``RefreshingValue``).
    """

    def __init__(
        self,
        client: Any,
        secret_id: str,
        parse: Callable[[str], T],
        monotonic: Callable[[], float],
        keep: float,
    ) -> None:
        self._cached = RefreshingValue(
            lambda: parse(secret_text(client, secret_id)), keep, monotonic, "the secret"
        )

    def load(self) -> T:
        """Return the content. Raises Unavailable without any, and what ``parse`` raises."""
        return self._cached.get()
