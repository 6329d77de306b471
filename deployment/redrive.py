# SPDX-License-Identifier: Apache-2.0
"""Send joins from the dead letters to the queue again: ``python -m deployment.redrive``.

Of the room that runs on this machine, or of a stack on AWS (``--stack NAME``). A join keeps its
request id and the time at which SQS took it first (SQS's own redrive forgets that time): so it is
placed before later joins of its batch, and one from before a reset stays in the line that ended.
Messages that are no joins stay where they are; ``--drop-junk`` deletes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.session import Session

from deployment.local import config
from waiting_room.errors import InvalidInput
from waiting_room.messages import REQUEST_ID_ATTRIBUTE, SENT_AT_ATTRIBUTE
from waiting_room.queue import read_join

BATCH = 10  # messages of one request, SQS's limit
HELD = 60  # seconds that a message which was looked at stays out of the others' sight
ENDPOINTS = Path(__file__).resolve().parent.parent / ".local" / "endpoints.json"


@dataclass
class Redriven:
    """How many messages went to the queue, were no joins, or could not be sent."""

    sent: int = 0
    junk: int = 0
    failed: int = 0


def redrive(
    sqs: Any,
    dead: str,
    joins: str,
    *,
    event_id: str = "",
    drop_junk: bool = False,
    dry_run: bool = False,
) -> Redriven:
    """Move every join once. A crash leaves a join in both queues, which costs nothing: it has one
    request id, so it gets one place."""
    done = Redriven()
    for messages in _batches(sqs, dead):
        good = [message for message in messages if is_join(message, event_id)]
        junk = [message for message in messages if message not in good]
        sent = good if dry_run else _send(sqs, joins, good)
        done.sent += len(sent)
        done.failed += len(good) - len(sent)
        done.junk += len(junk)
        if not dry_run:
            _delete(sqs, dead, [*sent, *(junk if drop_junk else [])])
    return done


def is_join(message: dict[str, Any], event_id: str = "") -> bool:
    """Whether a message could become a place (of any event when none is named)."""
    attribute = message.get("MessageAttributes", {}).get(REQUEST_ID_ATTRIBUTE, {})
    try:
        named = event_id or json.loads(message["Body"])["event_id"]
        read_join(message["Body"], attribute.get("StringValue"), 0.0, "", named)
    except (InvalidInput, ValueError, TypeError, KeyError, RecursionError):
        return False
    return True


def _batches(sqs: Any, dead: str) -> Iterator[list[dict[str, Any]]]:
    """What the queue holds, each message once; SQS may need several looks to find all."""
    seen: set[str] = set()
    empty = 0
    while empty < 3:
        found = sqs.receive_message(
            QueueUrl=dead,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=HELD,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["SentTimestamp"],
        ).get("Messages", [])
        fresh = [message for message in found if message["MessageId"] not in seen]
        seen.update(message["MessageId"] for message in fresh)
        empty = 0 if fresh else empty + 1
        if fresh:
            yield fresh


def _send(sqs: Any, joins: str, messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send them; answers those that the queue took."""
    if not messages:
        return []
    entries = [
        {
            "Id": str(index),
            "MessageBody": message["Body"],
            "MessageAttributes": {
                SENT_AT_ATTRIBUTE: {
                    "DataType": "Number",
                    "StringValue": message["Attributes"]["SentTimestamp"],
                },
                **{name: _sendable(one) for name, one in message["MessageAttributes"].items()},
            },
        }
        for index, message in enumerate(messages)
    ]
    answer = sqs.send_message_batch(QueueUrl=joins, Entries=entries)
    return [messages[int(taken["Id"])] for taken in answer.get("Successful", [])]


def _sendable(attribute: dict[str, Any]) -> dict[str, Any]:
    names = ("DataType", "StringValue", "BinaryValue")
    return {name: attribute[name] for name in names if attribute.get(name) is not None}


def _delete(sqs: Any, dead: str, messages: Sequence[dict[str, Any]]) -> None:
    if messages:
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=dead, Entries=entries)


def queues_of_stack(stack: str) -> tuple[Any, str, str]:
    """A client, the dead letters and the queue of a stack on AWS, from its outputs."""
    session: Any = Session()
    found = session.create_client("cloudformation").describe_stacks(StackName=stack)
    outputs = {
        one["OutputKey"]: one["OutputValue"] for one in found["Stacks"][0].get("Outputs", [])
    }
    return session.create_client("sqs"), outputs["DeadLetters"], outputs["JoinsQueue"]


def queues_here(endpoints: Path) -> tuple[Any, str, str]:
    """The same of the room that runs on this machine."""
    room = json.loads(endpoints.read_text())
    sqs: Any = Session().create_client(
        "sqs",
        endpoint_url=room["aws_endpoint_url"],
        region_name=room["region"],
        aws_access_key_id=room["access_key_id"],
        aws_secret_access_key=room["secret_access_key"],
    )
    dead, joins = (
        sqs.get_queue_url(QueueName=name)["QueueUrl"]
        for name in (config.DEAD_LETTERS, config.QUEUE)
    )
    return sqs, dead, joins


def main(arguments: Sequence[str]) -> int:
    """Redrive and say what was done; 1 when a join could not be sent."""
    parser = argparse.ArgumentParser(prog="redrive", description="Send dead joins again.")
    parser.add_argument("--stack", help="name of the core stack on AWS; without: the room here")
    parser.add_argument("--event", default="", help="event id; joins of others count as junk")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--drop-junk", action="store_true", help="delete what is no join")
    chosen = parser.parse_args(arguments)
    if not chosen.stack and not ENDPOINTS.exists():
        print("No room runs here (make run), and no --stack was named.", file=sys.stderr)
        return 2
    sqs, dead, joins = queues_of_stack(chosen.stack) if chosen.stack else queues_here(ENDPOINTS)
    done = redrive(
        sqs,
        dead,
        joins,
        event_id=chosen.event,
        drop_junk=chosen.drop_junk,
        dry_run=chosen.dry_run,
    )
    would = "would be " if chosen.dry_run else ""
    print(
        f"{done.sent} joins {would}sent again, {done.failed} failed, {done.junk} messages are no "
        f"joins{' and were deleted' if chosen.drop_junk and not chosen.dry_run else ''}."
    )
    return int(done.failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
