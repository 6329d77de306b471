# SPDX-License-Identifier: Apache-2.0
"""Corrections of moto where the room relies on a behaviour of AWS.

moto 5.2 does not read ``?`` parameters in ``BatchExecuteStatement``, and its ``INSERT`` overwrites
an existing key; AWS returns ``DuplicateItem`` for that statement only (seen on DynamoDB Local).
Its server runs each request in a thread without a lock, so two conditional writes could both
succeed, and two moves of one label of a secret. A secret whose label ``AWSCURRENT`` was moved is
still read at its former version. ``tests/local/test_moto_fixes.py`` fails when a later moto
no longer has these faults; this module can be deleted then.
"""

from __future__ import annotations

import re
import threading
from typing import Any

from moto.dynamodb.exceptions import ConditionalCheckFailed, MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.responses import DynamoHandler
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler
from moto.secretsmanager.models import SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

Statement = dict[str, Any]
_INSERT = re.compile(
    r"""\s*INSERT\s+INTO\s+"?(?P<table>[\w.-]+)"?\s+VALUE\s*\{(?P<members>[^{}]*)\}\s*""",
    re.IGNORECASE,
)
_MEMBER = re.compile(r"\s*'(?P<name>[^']+)'\s*:\s*\?\s*")
LOCK = threading.RLock()


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(DynamoDBBackend, "corrected", False):
        return
    DynamoDBBackend.corrected = True
    moto_batch = DynamoDBBackend.batch_execute_statement

    def batch_execute_statement(
        self: DynamoDBBackend, statements: list[Statement]
    ) -> list[dict[str, Any]]:
        return [_insert(self, one) or moto_batch(self, [one])[0] for one in statements]

    DynamoDBBackend.batch_execute_statement = batch_execute_statement
    for handler in (DynamoHandler, DynamoDBStreamsHandler, SecretsManagerResponse):
        _one_at_a_time(handler)
    _read_the_current_version()


def _read_the_current_version() -> None:
    move = SecretsManagerBackend.update_secret_version_stage

    def update_secret_version_stage(self: Any, **asked: str) -> Any:
        answer = move(self, **asked)
        if asked["version_stage"] == "AWSCURRENT" and asked["move_to_version_id"]:
            secret = self.secrets[asked["secret_id"]]
            secret.set_default_version_id(asked["move_to_version_id"])
        return answer

    SecretsManagerBackend.update_secret_version_stage = update_secret_version_stage


def _one_at_a_time(handler: Any) -> None:
    call = handler.call_action

    def call_action(self: Any) -> Any:
        with LOCK:
            return call(self)

    handler.call_action = call_action


def _insert(backend: Any, statement: Statement) -> dict[str, Any] | None:
    """Return the result of an ``INSERT`` with parameters only; None for other statements."""
    found = _INSERT.fullmatch(statement["Statement"])
    members = [_MEMBER.fullmatch(one) for one in found["members"].split(",")] if found else [None]
    names = [member["name"] for member in members if member]
    if found is None or len(names) < len(members):
        return None
    table_name, parameters = found["table"], statement.get("Parameters", [])
    if table_name not in backend.tables:
        return _error("ResourceNotFound", "Requested resource not found")
    if len(parameters) != len(names):
        return _error("ValidationError", "Number of parameters in request and statement differ")
    table = backend.tables[table_name]
    try:
        table.put_item(
            dict(zip(names, parameters, strict=True)),
            condition_expression="attribute_not_exists(#key)",
            expression_attribute_names={"#key": table.hash_key_attr},
        )
    except ConditionalCheckFailed:
        return _error("DuplicateItem", "Duplicate primary key exists in table")
    except MockValidationException as error:
        return _error("ValidationError", error.exception_msg)
    return {"TableName": table_name}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}}
