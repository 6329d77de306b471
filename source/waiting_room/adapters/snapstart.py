# SPDX-License-Identifier: Apache-2.0
"""What a function loads before Lambda takes its snapshot (SnapStart).

Without a snapshot each route loads its own store's client when it is first asked. With one, all of
that is done before, so that a restored function finds it loaded. No connection and no credential
goes into a snapshot.
"""

from __future__ import annotations

from snapshot_restore_py import register_before_snapshot

SERVICES = ("dynamodb", "secretsmanager")


def load_before_snapshot() -> None:
    """Have ``load`` called before a snapshot; Lambda calls nothing while SnapStart is off."""
    register_before_snapshot(load_libraries)


def load_libraries() -> None:
    """Import the libraries, and let the session read what it knows about the services."""
    import botocore.client  # noqa: F401
    import jwt  # noqa: F401

    import waiting_room.adapters.redis.counters  # noqa: F401
    from waiting_room.adapters.aws import session

    for service in SERVICES:
        session().get_service_model(service)
