# SPDX-License-Identifier: Apache-2.0
"""Redrive the dead-letter queue of the joins: ``python -m deployment.redrive``.

The room is the one on this machine, or a stack on AWS (``--stack NAME``). A join keeps its request
id and its first time in SQS; the redrive of SQS itself sets a new id and time. So the visitor finds
the position, and the order within a batch is kept. The worker trusts these attributes only from
the redrive role, which sends the messages. Invalid joins stay in the dead-letter queue;
``--drop-invalid`` deletes them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.session import Session

from deployment.local import config
from waiting_room.adapters.join_queue import COUNT, FIRST_ID, FIRST_SENT, REASON
from waiting_room.adapters.operator_access import new_session
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.joins import parse_join
from waiting_room.domain.limits import EVENT_ID
from waiting_room.domain.parsing import UNREADABLE
from waiting_room.runtime.lambda_events import first_id_and_time

BATCH = 10  # messages of one request, SQS's limit
HELD = 60  # s; the visibility timeout of a received message
OUTPUTS = ("JoinDeadLetterQueueUrl", "JoinQueueUrl", "RedriveRole")  # of the core stack
ENDPOINTS = Path(__file__).resolve().parent.parent / ".local" / "endpoints.json"
SESSION = "redrive"  # the session name of the role, as in CloudTrail


@dataclass
class Redriven:
    """The numbers of messages that were sent, were invalid, or could not be sent."""

    sent: int = 0
    invalid: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Queues:
    """The dead-letter queue and the join queue, with a client of the redrive role."""

    sqs: Any
    dead: str
    joins: str
    role_id: str


@dataclass(frozen=True)
class FailedJoin:
    """A valid join in the dead-letter queue, with its event, its first id and time (ms)."""

    message: dict[str, Any]
    event_id: str
    request_id: str
    sent_at_ms: int


class NotACoreStack(Exception):
    """The stack lacks an output of the core stack; the message names it."""


def redrive(
    queues: Queues, *, event_id: str = "", drop_invalid: bool = False, dry_run: bool = False
) -> Redriven:
    """Move every join once, and return the counts.

    After a crash a join can be in both queues. It still gets one position: it has one request id.
    """
    done = Redriven()
    for messages in _batches(queues.sqs, queues.dead):
        read = [(message, failed_join(message, queues.role_id, event_id)) for message in messages]
        good = [join for _, join in read if join]
        invalid = [message for message, join in read if join is None]
        sent = good if dry_run else _send(queues, good)
        done.sent += len(sent)
        done.failed += len(good) - len(sent)
        done.invalid += sum(map(message_count, invalid))
        if not dry_run:
            gone = [join.message for join in sent] + (invalid if drop_invalid else [])
            _delete(queues.sqs, queues.dead, gone)
    return done


def failed_join(message: dict[str, Any], role_id: str, event_id: str = "") -> FailedJoin | None:
    """Parse a message of the dead-letter queue as a join; None if it is invalid.

    Without ``event_id`` a join of any event is valid. Messages that the worker moved itself have a
    reason and are invalid.
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
        if not isinstance(named, str) or not EVENT_ID.fullmatch(named):
            return None
        parse_join(message["Body"], request_id, sent_at / 1000, "", named)
    except (InvalidInput, *UNREADABLE):
        return None
    return FailedJoin(message, named, request_id, sent_at)


def message_count(message: dict[str, Any]) -> int:
    """Return the number of invalid messages that one message represents; they are batched."""
    count = message.get("MessageAttributes", {}).get(COUNT, {}).get("StringValue", "1")
    return int(count) if count.isascii() and count.isdigit() and len(count) < 7 else 1


def _batches(sqs: Any, dead: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the messages of the queue, each once; SQS may need several receives for all."""
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
    """Send joins; return those that SQS accepted."""
    if not joins:
        return []
    entries = [
        {
            "Id": str(index),
            "MessageBody": join.message["Body"],
            "MessageGroupId": join.event_id,  # as in the join integration
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
    """Return the queues of a stack on AWS, from its outputs."""
    session = new_session()
    found = session.create_client("cloudformation").describe_stacks(StackName=stack)
    outputs: dict[str, str] = {
        one["OutputKey"]: one["OutputValue"] for one in found["Stacks"][0].get("Outputs", [])
    }
    missing = [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise NotACoreStack(f"the stack {stack} has no output {missing[0]}: name the core stack")
    dead, joins, role = (outputs[name] for name in OUTPUTS)
    return as_role(session, role, dead, joins)


def queues_here(endpoints: Path) -> Queues:
    """Return the queues of the room on this machine."""
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
    """Assume the redrive role and return the queues with its client."""
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
    """Redrive and print the counts; return 1 if a join could not be sent, 2 without a room."""
    parser = argparse.ArgumentParser(
        prog="redrive", description="Redrive the dead-letter queue of the joins."
    )
    parser.add_argument(
        "--stack", help="name of the core stack on AWS; default: the room on this machine"
    )
    parser.add_argument(
        "--event", default="", help="event id; joins of other events count as invalid"
    )
    parser.add_argument("--dry-run", action="store_true", help="count, without any change")
    parser.add_argument("--drop-invalid", action="store_true", help="delete invalid joins")
    chosen = parser.parse_args(arguments)
    if not chosen.stack and not ENDPOINTS.exists():
        print(
            "No room runs on this machine: start one with `make run`, or name a --stack.",
            file=sys.stderr,
        )
        return 2
    try:
        queues = queues_of_stack(chosen.stack) if chosen.stack else queues_here(ENDPOINTS)
    except NoRegionError:
        print(
            "--stack: the AWS region is not set: set AWS_REGION to the stack's region.",
            file=sys.stderr,
        )
        return 2
    except (NotACoreStack, BotoCoreError, ClientError) as error:
        print(f"The queues cannot be opened: {error}", file=sys.stderr)
        return 2
    done = redrive(
        queues,
        event_id=chosen.event,
        drop_invalid=chosen.drop_invalid,
        dry_run=chosen.dry_run,
    )
    would = "would be " if chosen.dry_run else ""
    print(
        f"{done.sent} joins {would}sent again, {done.failed} failed, {done.invalid} messages are "
        f"invalid{' and were deleted' if chosen.drop_invalid and not chosen.dry_run else ''}."
    )
    return int(done.failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
