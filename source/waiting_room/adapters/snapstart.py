# SPDX-License-Identifier: Apache-2.0
"""Libraries that a function loads before Lambda takes its snapshot (SnapStart).

Without a snapshot, each route loads the client of its store at its first request. With a snapshot,
all clients are loaded before it, so a restored function has them. The snapshot contains no
connection and no credential.
"""

from __future__ import annotations

from snapshot_restore_py import register_before_snapshot

SERVICES = ("dynamodb", "secretsmanager")


def load_before_snapshot() -> None:
    """Register ``load_libraries`` to run before a snapshot; without SnapStart it never runs."""
    register_before_snapshot(load_libraries)


def load_libraries() -> None:
    """Import the libraries, and load the session's models of the services."""
    import botocore.client  # noqa: F401
    import jwt  # noqa: F401

    import waiting_room.adapters.redis.counters  # noqa: F401
    from waiting_room.adapters.aws import session

    for service in SERVICES:
        session().get_service_model(service)
