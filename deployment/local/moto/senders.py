# SPDX-License-Identifier: Apache-2.0
"""``SenderId`` of SQS messages; moto sets the same value for all messages.

On AWS it is the unique id of the role or user that signed the request; for a role,
``AROA…:session``. Here it is derived from the access key of the assumed role or of the user.
"""

from __future__ import annotations

import hashlib
import re
import threading
from typing import Any

from moto.sqs.models import Message
from moto.sqs.responses import SQSResponse
from moto.sts.models import sts_backends

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")
_now = threading.local()


def apply() -> None:
    """Patch moto in this process; idempotent."""
    if getattr(Message, "has_sender", False):
        return
    Message.has_sender = True
    for name in ("send_message", "send_message_batch"):
        setattr(SQSResponse, name, _with_sender(getattr(SQSResponse, name)))
    plain = Message.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs)
        self.sender_id = getattr(_now, "sender", self.sender_id)

    Message.__init__ = __init__


def _with_sender(send: Any) -> Any:
    def send_as(self: Any) -> Any:
        _now.sender = sender_of(self.headers.get("Authorization") or "")
        try:
            return send(self)
        finally:
            del _now.sender

    return send_as


def sender_of(authorization: str) -> str:
    """Return the unique id of the signer of a request (SigV4)."""
    found = _CREDENTIAL.search(authorization)
    key = found[1] if found else ""
    for partitions in sts_backends.values():
        for backend in partitions.values():
            if role := backend.get_assumed_role_from_access_key(key):
                return str(role.user_id)
    return "AIDA" + hashlib.sha256(key.encode()).hexdigest()[:17].upper()
