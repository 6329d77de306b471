# SPDX-License-Identifier: Apache-2.0
"""Events at run time, shown on a running room: ``python -m tests.demos.events``.

It uses the room of ``make run`` (``.local/endpoints.json``, or the folder of LOCAL_DIR), and
creates, uses and deletes events of its own. It prints times and returns 1 when a rule is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.local_stack import RunningRoom

EVENTS, VISITORS = 20, 3  # events at once, and joins of each
PATIENCE = 60.0  # s until a join without a position counts as lost
POLL = 0.1
# members of /status that only time changes
BY_TIME = ("now", "admission_rate_per_minute", "optimistic_rate_per_minute", "poll_after_seconds")


class Broken(Exception):
    """A rule that does not hold; the text names it."""


@dataclass
class Demo:
    """The calls of the demonstration, and the events that it created."""

    room: RunningRoom
    created: list[str] = field(default_factory=list)
    client: httpx.Client = field(default_factory=httpx.Client)  # its connections stay open

    def public(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the public API, as a browser does."""
        return self.client.request(method, f"{self.room.endpoints['public_api']}{path}", **options)

    def operate(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Call a route below ``/events`` as an operator; raises Broken unless it succeeds."""
        text = "" if body is None else json.dumps(body)
        answer = self.room.call(method, f"{self.room.endpoints['private_api']}/events{path}", text)
        if answer.status_code not in (200, 201):
            raise Broken(f"{method} /events{path}: {answer.status_code} {answer.text}")
        content: dict[str, Any] = answer.json()
        return content

    def create(self, name: str, content: Mapping[str, Any] | None = None) -> str:
        """Create an event; return its id."""
        event_id = f"{name}-{uuid.uuid4().hex[:8]}"
        self.operate("PUT", f"/{event_id}", dict(content or {}))
        self.created.append(event_id)
        return event_id

    def act(self, event_id: str, action: str, body: Any = None) -> dict[str, Any]:
        """Carry out an action."""
        return self.operate("POST", f"/{event_id}/actions/{action}", body)

    def delete(self, event_id: str) -> None:
        """Delete a closed event."""
        self.operate("DELETE", f"/{event_id}")
        self.created.remove(event_id)

    def remove_all(self) -> None:
        """Delete every event that is left."""
        for event_id in list(self.created):
            with suppress(Broken):
                self.act(event_id, "close")
            with suppress(Broken):
                self.delete(event_id)

    def join(self, event_id: str) -> str:
        """Join as a browser does; return the request id."""
        answer = self.public("POST", "/assign_queue_num", json={"event_id": event_id})
        if answer.status_code != 200:
            raise Broken(f"join of {event_id}: {answer.status_code} {answer.text}")
        return str(answer.json()["api_request_id"])

    def result(self, event_id: str, request_id: str) -> int | str:
        """Return the position of a join, or the reason for which it has none."""
        end = time.monotonic() + PATIENCE
        asked = {"event_id": event_id, "request_id": request_id}
        while (answer := self.public("GET", "/queue_num", params=asked)).status_code == 202:
            if time.monotonic() > end:
                raise Broken(f"a join of {event_id} has no result after {PATIENCE:.0f} s")
            time.sleep(POLL)
        content = answer.json()
        if answer.status_code == 410:
            return str(content["reason"])
        return int(content["queue_number"])

    def status(self, event_id: str) -> dict[str, Any]:
        """Return ``/status`` without the members that time changes."""
        answer = self.public("GET", "/status", params={"event_id": event_id})
        return {name: value for name, value in answer.json().items() if name not in BY_TIME}

    def statuses(self, event_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return ``/status`` of events."""
        return {event_id: self.status(event_id) for event_id in event_ids}


def first_position(demo: Demo) -> float:
    """Return the seconds from PUT of an event to the first position in it."""
    began = time.monotonic()
    event_id = demo.create("first")
    position = demo.result(event_id, demo.join(event_id))
    took = time.monotonic() - began
    if position != 1:
        raise Broken(f"the first join of {event_id} has {position}")
    return took


def own_queues(demo: Demo, count: int = EVENTS, visitors: int = VISITORS) -> list[float]:
    """Create events, let visitors of all join at once; return the seconds of each event.

    The time of an event runs from its first join until its last position. Each event assigns the
    positions from 1, each once.
    """
    event_ids = [demo.create("queue") for _ in range(count)]

    def run(event_id: str) -> float:
        began = time.monotonic()
        requests = [demo.join(event_id) for _ in range(visitors)]
        positions = [demo.result(event_id, request) for request in requests]
        if sorted(map(str, positions)) != [str(number + 1) for number in range(visitors)]:
            raise Broken(f"{event_id} assigned {positions}")
        return time.monotonic() - began

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, event_ids))


def isolated(demo: Demo, others: Sequence[str]) -> tuple[str, list[str]]:
    """Operate on one event; no other ``/status`` changes. Return its id and the operations."""
    event_id = demo.create("operated")
    for _ in range(2):
        demo.result(event_id, demo.join(event_id))
    before, done = demo.statuses([demo.room.event_id, *others]), []
    for action, body in (
        ("admit", {"by": 1}), ("pause", None), ("resume", None), ("reset", {}), ("drain", None),
        ("open", None), ("pass_through", None), ("queue", None), ("close", None), ("delete", None),
    ):  # fmt: skip
        if action == "delete":
            demo.delete(event_id)
        else:
            demo.act(event_id, action, body)
        time.sleep(1.1)  # s for which the edge keeps a response
        if (now := demo.statuses(before)) != before:
            changed = [one for one in before if now[one] != before[one]]
            raise Broken(f"{action} of {event_id} changed /status of {', '.join(changed)}")
        done.append(action)
    return event_id, done


def audited(demo: Demo, event_id: str, operations: Sequence[str]) -> str:
    """Check that the audit log has each operation with its author, the latest first.

    Return the authors.
    """
    entries = demo.operate("GET", f"/{event_id}/audit")["entries"]
    found = [entry["what"] for entry in entries][::-1]
    if found != ["create", *operations] or not all(entry["who"] for entry in entries):
        raise Broken(f"the audit log of {event_id} has {', '.join(found)}")
    return ", ".join(sorted({f"{entry['role']} {entry['who']}" for entry in entries}))


def reasons(demo: Demo) -> dict[str, int | str]:
    """Return what a join of a closed, draining, scheduled and made-up event becomes."""
    later = int(time.time()) + 3_600
    events = {
        "closed": demo.create("closed"),
        "draining": demo.create("draining"),
        "not_open": demo.create("later", {"schedule": {"opens_at": later}}),
        "unknown_event": f"made-up-{uuid.uuid4().hex[:8]}",
    }
    demo.act(events["closed"], "close")
    demo.act(events["draining"], "drain")
    time.sleep(1)  # a join of the same second as an action may come before it
    found = {reason: demo.result(one, demo.join(one)) for reason, one in events.items()}
    if any(reason != result for reason, result in found.items()):
        raise Broken(f"the reasons are {found}")
    return found


def main() -> int:
    """Run everything against the room of ``make run``."""
    argparse.ArgumentParser(prog="tests.demos.events", description=__doc__).parse_args()
    file = Path(os.environ.get("LOCAL_DIR", ".local")) / "endpoints.json"
    if not file.exists():
        print(f"There is no {file}: start the room with `make run`.")
        return 2
    demo = Demo(RunningRoom(json.loads(file.read_text()), file.parent))
    try:
        print(f"From PUT to the first position: {first_position(demo):.2f} s")
        seconds = own_queues(demo)
        print(
            f"{EVENTS} events, {VISITORS} joins of each at once: positions 1 to {VISITORS} in each;"
            f" slowest event {max(seconds):.2f} s"
        )
        operated, done = isolated(demo, list(demo.created))
        print(f"No other /status changed after: {', '.join(done)}")
        print(f"The audit log has each of them, made by {audited(demo, operated, done)}")
        print(f"Reasons of refused joins: {', '.join(map(str, reasons(demo).values()))}")
    except Broken as error:
        print(f"Broken: {error}")
        return 1
    finally:
        demo.remove_all()
    return 0


if __name__ == "__main__":
    sys.exit(main())
