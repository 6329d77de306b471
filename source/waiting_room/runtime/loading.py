# SPDX-License-Identifier: Apache-2.0
"""Loading of what a view needs before its first request, while Lambda starts the function.

The stack sets ``STORES_AT_INIT``: fields of ``Stores``, separated by commas. Without it, each store
is built by the first request that uses it. Nothing is read and no connection is opened.
"""

from __future__ import annotations

import logging
import os

from waiting_room.adapters.snapstart import load_before_snapshot
from waiting_room.domain.room_settings import CountersStore
from waiting_room.runtime.safe_traceback import safe_traceback
from waiting_room.runtime.wiring import build, room, settings, stores

logger = logging.getLogger("waiting_room")
# A snapshot may not contain clients: they hold the credentials of the function.
SNAPSTART = "snap-start"


def load_at_init() -> None:
    """Build the stores of ``STORES_AT_INIT``, or with SnapStart load libraries before the snapshot.

    An error is logged. The first request then fails with the error response of the room.
    """
    load_before_snapshot()
    names = [name for name in os.environ.get("STORES_AT_INIT", "").split(",") if name]
    if not names or os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == SNAPSTART:
        return
    try:
        room()
        for name in names:
            build(getattr(stores(settings()), name))
        _load_libraries(names)
    except Exception as error:
        logger.error("stores were not loaded at init\n%s", safe_traceback(error))


def _load_libraries(names: list[str]) -> None:
    """Load what the stores import at their first call."""
    import encodings.idna  # noqa: F401  (of the address of the first connection)

    if "counters" in names and settings().counters_store is CountersStore.REDIS:
        from waiting_room.adapters.redis.counters import source

        source("counts")
        if settings().redis_secret:
            from waiting_room.adapters import cached_secret  # noqa: F401
            from waiting_room.adapters.aws import client

            client("secretsmanager")
    if "keys" in names:
        import jwt

        jwt.get_algorithm_by_name("RS256")
