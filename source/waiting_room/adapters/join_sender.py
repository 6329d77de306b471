# SPDX-License-Identifier: Apache-2.0
"""Joins of clients without scripts: the entrance writes them to the join queue.

Joins of the public API are written by API Gateway. Both have the same form, and the id that SQS
gives the message is the request id.
"""

from __future__ import annotations

import json
from typing import Any

from waiting_room.adapters.aws import translate_errors
from waiting_room.domain.errors import Unavailable


class SqsJoinSender:
    """The JoinSender port on SQS."""

    def __init__(self, client: Any, joins: str) -> None:
        self._client, self._joins = client, joins

    def send(self, event_id: str, client_secret_hash: str) -> str:
        """Send a join; an empty hash is left out."""
        join = {"event_id": event_id, "client_secret_hash": client_secret_hash}
        try:
            with translate_errors("the join queue"):
                sent = self._client.send_message(
                    QueueUrl=self._joins,
                    MessageBody=json.dumps({name: value for name, value in join.items() if value}),
                    MessageGroupId=event_id,
                )
        except self._client.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            raise Unavailable(f"the join queue rejected the join: {code}") from None
        return str(sent["MessageId"])
