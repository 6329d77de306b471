# SPDX-License-Identifier: Apache-2.0
"""Saves the state of moto as a JSON file, and loads it: items, messages, secrets.

moto keeps all data in memory. ``load`` finds tables, queues and secrets by name, and ignores those
that the deployment no longer creates.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.dynamodb.models import dynamodb_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import Message, sqs_backends

MESSAGE_ATTRIBUTES = (  # without the visibility timeout: its receiver no longer runs
    "sender_id",
    "group_id",
    "sent_timestamp",
    "approximate_first_receive_timestamp",
    "approximate_receive_count",
    "message_attributes",
    "system_attributes",
)


def save(path: Path) -> None:
    """Write the state; the file is replaced atomically."""
    state = {
        "items": {
            f"{region}/{name}": [item.to_json()["Attributes"] for item in table.all_items()]
            for region, backend in _regions(dynamodb_backends)
            for name, table in backend.tables.items()
        },
        "messages": {
            f"{region}/{name}": [_message(message) for message in queue._messages]
            for region, backend in _regions(sqs_backends)
            for name, queue in backend.queues.items()
        },
        "secrets": {
            f"{region}/{secret.name}": version["secret_string"]
            for region, backend in _regions(secretsmanager_backends)
            for secret in backend.secrets.values()
            for version in secret.versions.values()
            if "AWSCURRENT" in version["version_stages"]
        },
    }
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(state, file, default=_binary)
    part.replace(path)


def load(path: Path) -> None:
    """Load the state that ``save`` wrote, without stream records."""
    state = json.loads(path.read_text())
    for region, backend in _regions(dynamodb_backends):
        for name, table in backend.tables.items():
            shard, table.stream_shard = table.stream_shard, None
            for item in state["items"].get(f"{region}/{name}", []):
                table.put_item(item, overwrite=True)
            table.stream_shard = shard
    for region, backend in _regions(sqs_backends):
        for name, queue in backend.queues.items():
            for kept in state["messages"].get(f"{region}/{name}", []):
                message = Message(kept.pop("id"), kept.pop("body"))
                vars(message).update(kept)
                queue._messages.append(message)
    for path_of_secret, text in state["secrets"].items():
        region, _, name = path_of_secret.partition("/")
        backend = secretsmanager_backends[_account()][region]
        backend.put_secret_value(name, text, None, None, ["AWSCURRENT"])


def _message(message: Any) -> dict[str, Any]:
    kept = {name: getattr(message, name) for name in MESSAGE_ATTRIBUTES}
    return {"id": message.id, "body": message.body, **kept}


def _account() -> str:
    from moto.core import DEFAULT_ACCOUNT_ID

    return str(DEFAULT_ACCOUNT_ID)


def _regions(backends: Any) -> Iterator[tuple[str, Any]]:
    yield from list(backends[_account()].items())


def _binary(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot be saved as JSON")
