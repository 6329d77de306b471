# SPDX-License-Identifier: Apache-2.0
"""Send joins from the dead letters to the queue again: ``python -m deployment.redrive``.

Of the room that runs on this machine, or of a stack on AWS (``--stack NAME``). A join keeps its
request id and the time at which SQS took it first (SQS's own redrive gives a message a new id and
a new time): so its visitor finds the place, and it is placed before later joins of its batch. The
worker believes that of the room's redrive role alone; so the messages are sent as that role.
Messages that are no joins stay where they are; ``--drop-junk`` deletes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.session import Session

from deployment.local import config
from waiting_room.adapters.join_queue import COUNT
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.joins import parse_join
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.runtime.lambda_events import FIRST_ID, FIRST_SENT, REASON, first_id_and_time

BATCH = 10  # messages of one request, SQS's limit
HELD = 60  # seconds that a message which was looked at stays out of the others' sight
ENDPOINTS = Path(__file__).resolve().parent.parent / ".local" / "endpoints.json"
SESSION = "redrive"  # the name under which the role's calls are logged


@dataclass
class Redriven:
    """How many messages went to the queue, were no joins, or could not be sent."""

    sent: int = 0
    junk: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Queues:
    """The dead letters and the queue of joins, as the redrive role sees them."""

    sqs: Any
    dead: str
    joins: str
    role_id: str


@dataclass(frozen=True)
class FailedJoin:
    """A dead letter that is a join, with the id and the time (ms) that it had at first."""

    message: dict[str, Any]
    request_id: str
    sent_at_ms: int


def redrive(
    queues: Queues, *, event_id: str = "", drop_junk: bool = False, dry_run: bool = False
) -> Redriven:
    """Move every join once. A crash leaves a join in both queues, which costs nothing: it has one
    request id, so it gets one place."""
    done = Redriven()
    for messages in _batches(queues.sqs, queues.dead):
        read = [(message, failed_join(message, queues.role_id, event_id)) for message in messages]
        good = [join for _, join in read if join]
        junk = [message for message, join in read if join is None]
        sent = good if dry_run else _send(queues, good)
        done.sent += len(sent)
        done.failed += len(good) - len(sent)
        done.junk += sum(map(message_count, junk))
        if not dry_run:
            gone = [join.message for join in sent] + (junk if drop_junk else [])
            _delete(queues.sqs, queues.dead, gone)
    return done


def failed_join(message: dict[str, Any], role_id: str, event_id: str = "") -> FailedJoin | None:
    """The join that a dead letter is (of any event when none is named); None when it is none.

    What the worker sent to the dead letters by itself has a reason, and can never be a join.
    """
    more = {
        name: value.get("StringValue")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    if REASON in more:
        return None
    try:
        request_id, sent_at = first_id_and_time(
            message["MessageId"], message["Attributes"], more, role_id
        )
        named = event_id or json.loads(message["Body"])["event_id"]
        parse_join(message["Body"], request_id, sent_at / 1000, "", named)
    except (InvalidInput, *UNREADABLE):
        return None
    return FailedJoin(message, request_id, sent_at)


def message_count(message: dict[str, Any]) -> int:
    """How many invalid messages a dead letter stands for: a flood of them goes together."""
    count = message.get("MessageAttributes", {}).get(COUNT, {}).get("StringValue", "1")
    return int(count) if count.isascii() and count.isdigit() and len(count) < 7 else 1


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
            MessageSystemAttributeNames=["SentTimestamp", "SenderId"],
        ).get("Messages", [])
        fresh = [message for message in found if message["MessageId"] not in seen]
        seen.update(message["MessageId"] for message in fresh)
        empty = 0 if fresh else empty + 1
        if fresh:
            yield fresh


def _send(queues: Queues, joins: Sequence[FailedJoin]) -> list[FailedJoin]:
    """Send them; answers those that the queue took."""
    if not joins:
        return []
    entries = [
        {
            "Id": str(index),
            "MessageBody": join.message["Body"],
            "MessageAttributes": {
                FIRST_ID: {"DataType": "String", "StringValue": join.request_id},
                FIRST_SENT: {"DataType": "Number", "StringValue": str(join.sent_at_ms)},
            },
        }
        for index, join in enumerate(joins)
    ]
    answer = queues.sqs.send_message_batch(QueueUrl=queues.joins, Entries=entries)
    return [joins[int(taken["Id"])] for taken in answer.get("Successful", [])]


def _delete(sqs: Any, dead: str, messages: Sequence[dict[str, Any]]) -> None:
    if messages:
        entries = [
            {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
            for index, message in enumerate(messages)
        ]
        sqs.delete_message_batch(QueueUrl=dead, Entries=entries)


def queues_of_stack(stack: str) -> Queues:
    """The queues of a stack on AWS, from its outputs."""
    session: Any = Session()
    found = session.create_client("cloudformation").describe_stacks(StackName=stack)
    outputs = {
        one["OutputKey"]: one["OutputValue"] for one in found["Stacks"][0].get("Outputs", [])
    }
    dead, joins = outputs["JoinDeadLetterQueueUrl"], outputs["JoinQueueUrl"]
    return as_role(session, outputs["RedriveRole"], dead, joins)


def queues_here(endpoints: Path) -> Queues:
    """The same of the room that runs on this machine."""
    room = json.loads(endpoints.read_text())
    session: Any = Session()
    where = {"endpoint_url": room["aws_endpoint_url"], "region_name": room["region"]}
    keys = {
        "aws_access_key_id": room["access_key_id"],
        "aws_secret_access_key": room["secret_access_key"],
    }
    sqs = session.create_client("sqs", **where, **keys)
    dead, joins = (
        sqs.get_queue_url(QueueName=name)["QueueUrl"]
        for name in (config.DEAD_LETTERS, config.QUEUE)
    )
    role = f"arn:aws:iam::123456789012:role/{config.REDRIVE_ROLE}"
    return as_role(session, role, dead, joins, where=where, keys=keys)


def as_role(
    session: Any,
    role: str,
    dead: str,
    joins: str,
    *,
    where: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
) -> Queues:
    """The queues as the redrive role sees them, which the caller takes on."""
    at = where or {}
    sts = session.create_client("sts", **at, **(keys or {}))
    taken = sts.assume_role(RoleArn=role, RoleSessionName=SESSION)
    lent = taken["Credentials"]
    sqs = session.create_client(
        "sqs",
        **at,
        aws_access_key_id=lent["AccessKeyId"],
        aws_secret_access_key=lent["SecretAccessKey"],
        aws_session_token=lent["SessionToken"],
    )
    role_id = taken["AssumedRoleUser"]["AssumedRoleId"].partition(":")[0]
    return Queues(sqs, dead, joins, role_id)


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
    done = redrive(
        queues_of_stack(chosen.stack) if chosen.stack else queues_here(ENDPOINTS),
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
