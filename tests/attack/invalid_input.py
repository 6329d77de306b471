# SPDX-License-Identifier: Apache-2.0
"""Findings 1 and 2: joins that can never become a place, at the door and in the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator

from deployment.local import config
from tests.attack.report import Attempt
from tests.attack.target import Target

FAULT = "invalid_input"
PAIRS = 40  # valid joins, each beside one that is none
TOO_MUCH = ("nine members", "1 MB", "1 MB of members")  # beyond the contract's bounds
GONE_SECONDS = 20  # for the queue to be empty again; a message that failed stays for 180


def run(target: Target) -> list[Attempt]:
    """Every odd body at the door, then half a queue of junk."""
    return [*_bodies(target), *_queue(target)]


def bodies(event: str) -> dict[str, bytes]:
    """Bodies that two parsers could read in two ways, by what is odd about them."""
    name = json.dumps(event).encode()

    def with_member(value: bytes) -> bytes:
        return b'{"event_id":' + name + b',"x":' + value + b"}"

    def with_hash(value: bytes) -> bytes:
        return b'{"event_id":' + name + b',"client_secret_hash":"' + value + b'"}'

    whole = b'{"event_id":' + name + b"}"
    return {
        "a number of 5,000 digits": with_member(b"1" * 5000),
        "an exponent that is too large": with_member(b"1e400"),
        "a key twice": b'{"event_id":"no event","event_id":' + name + b"}",
        "a key twice, the other last": b'{"event_id":' + name + b',"event_id":"no event"}',
        "an escaped key twice": b'{"event_id":' + name + b',"event\\u005fid":"no event"}',
        "text after it": whole + b" and more",
        "a second document after it": whole + whole,
        "a lone surrogate": with_member(b'"\\ud800"'),
        "a lone surrogate as a key": b'{"event_id":' + name + b',"\\udc00":1}',
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "a NUL after it": whole + b"\x00",
        "a NUL within": with_member(b'"a\\u0000b"'),
        "a raw NUL within": with_member(b'"a\x00b"'),
        "a raw line end within": with_member(b'"a\nb"'),
        "bytes that are no UTF-8": with_member(b'"\xff\xfe"'),
        "an overlong slash": with_member(b'"\xc0\xaf"'),
        "NaN": with_member(b"NaN"),
        "Infinity": with_member(b"-Infinity"),
        "a comma too many": b'{"event_id":' + name + b",}",
        "single quotes": whole.replace(b'"', b"'"),
        "a comment": b"/**/" + whole,
        "brackets 5,000 deep": with_member(b"[" * 5000 + b"]" * 5000),
        "nine members": json.dumps(
            {"event_id": event, **{f"m{index}": 1 for index in range(8)}}
        ).encode(),
        "1 MB": with_member(b'"' + b"x" * 1_000_000 + b'"'),
        "1 MB of members": json.dumps(
            {"event_id": event, **{f"m{index}": 1 for index in range(70_000)}}
        ).encode(),
        "a list": b"[" + whole + b"]",
        "nothing": b"",
        "a hash that is none": with_hash(b"g" * 64),
        "a hash with a line end": with_hash(b"a" * 64 + b"\\n"),
    }  # fmt: skip


def _bodies(target: Target) -> Iterator[Attempt]:
    tried = []
    for what, body in bodies(target.room.event_id).items():
        answer = target.post("/assign_queue_num", body)
        given = ""
        if answer.status_code == 200:
            given = str(answer.json()["api_request_id"])
            target.ids.add(given)
        tried.append((what, answer.status_code, given))
    for what, status, given in tried:
        if given:
            position = target.position(given, 10)
            result = f"{status}, position {position}"
            yield Attempt(FAULT, f"join with {what}", result, position is None or what in TOO_MUCH)
        else:
            yield Attempt(FAULT, f"join with {what}", f"{status}", not 400 <= status < 500)


def _queue(target: Target) -> Iterator[Attempt]:
    client, url = target.sqs()
    before = target.queued(config.DEAD_LETTERS)
    odd = [
        text
        for body in bodies(target.room.event_id).values()
        if len(body) < 10_000 and _is_text(text := body.decode("latin-1"))
    ]
    valid = []
    for index in range(PAIRS):
        client.send_message(QueueUrl=url, MessageBody=odd[index % len(odd)] or " ")
        valid.append(target.join())
    placed = [target.position(one) for one in valid]
    lost = placed.count(None)
    yield Attempt(
        FAULT, f"every second of {2 * PAIRS} messages is no join, by other credentials",
        f"{PAIRS - lost} of {PAIRS} joins have a position", bool(lost),
    )  # fmt: skip
    gone = target.until(lambda: target.queued(config.QUEUE) == 0, GONE_SECONDS)
    left, dead = target.queued(config.QUEUE), target.queued(config.DEAD_LETTERS) - before
    yield Attempt(
        FAULT, "junk stays in the queue and comes again",
        f"{left} messages in the queue after {GONE_SECONDS} s, {dead} set aside", not gone,
    )  # fmt: skip


def _is_text(text: str) -> bool:
    """Return whether SQS accepts the text: XML allows each of its characters."""
    return all(sign in "\t\n\r" or sign >= " " for sign in text)
