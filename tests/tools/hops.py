# SPDX-License-Identifier: Apache-2.0
"""``make hops``: count the calls between an API view, or a worker, and what it decides or writes.

A hop is one call of a function of ``source``; the view itself is hop 0. The paths run on the
in-memory room. The call of a store's method is the last hop: adapters add their own. Comprehensions
and generated methods do not count, so each version of Python gives the same numbers.

A path that is too long usually holds a function that only forwards. Run ``make hops`` to see the
functions of each path in order.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import apps.private_api.app
import apps.public_api.app
import apps.workers.app
from tests.support.fakes.counters import MemoryCounters
from tests.support.fakes.outcomes import MemoryOutcomes
from tests.support.fakes.positions import MemoryPositions
from tests.support.fakes.serving_log import MemoryServingLog
from tests.support.in_memory_room import EVENT, InMemoryRoom, settings
from tests.support.lambda_proxy_events import call
from waiting_room.domain import expiry, joins, serving_counter
from waiting_room.domain.records import EventState

SOURCE = str(Path(__file__).resolve().parents[2] / "source")
STORES = (MemoryCounters, MemoryOutcomes, MemoryPositions, MemoryServingLog)
RULE, WRITE, COUNTERS = "rule", "write", "counters"
LIMITS = {RULE: 4, WRITE: 4, COUNTERS: 5}  # hops


@dataclass(frozen=True)
class Operation:
    """A call of the room, and the functions whose hops are counted."""

    name: str
    view: str  # the function of ``source/apps`` that is hop 0
    rules: tuple[Callable[..., Any], ...]
    writes: tuple[Callable[..., Any], ...]  # reads where the operation writes nothing
    prepare: Callable[[InMemoryRoom], Any]
    run: Callable[[Any], Any]  # takes what ``prepare`` returned


@dataclass
class Paths:
    """The longest path to each kind of function: the names of its functions, the view first."""

    longest: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, path: list[str]) -> None:
        """Keep the longer of ``path`` and the one known so far."""
        if len(path) > len(self.longest.get(kind, [])):
            self.longest[kind] = path

    def hops(self, kind: str) -> int | None:
        """The hops of the longest path of a kind; None when no call of the kind was made."""
        return len(self.longest[kind]) - 1 if kind in self.longest else None


def measure(operation: Operation) -> Paths:
    """Run an operation on a room of its own and return its longest paths."""
    in_memory_room = InMemoryRoom()
    in_memory_room.room.workers.setup.run()
    kinds = {_code(rule): RULE for rule in operation.rules}
    kinds |= {_code(write): WRITE for write in operation.writes}
    kinds |= {
        _code(method): COUNTERS
        for name, method in vars(MemoryCounters).items()
        if callable(method) and not name.startswith("_")
    }
    paths = Paths()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code in kinds:
            path = _path(frame, operation.view)
            if path:
                paths.add(kinds[frame.f_code], path)

    with _apps_on(in_memory_room):
        prepared = operation.prepare(in_memory_room)
        sys.setprofile(profile)
        try:
            operation.run(prepared)
        finally:
            sys.setprofile(None)
    return paths


def _code(function: Callable[..., Any]) -> CodeType:
    code = function.__code__
    assert isinstance(code, CodeType)
    return code


def _path(frame: FrameType, view: str) -> list[str]:
    """The functions of ``source`` from the view to ``frame``; empty when no view is above it.

    A store that calls a method of its own is below the last hop: it gives no path.
    """
    names = [_name(frame)]
    caller = frame.f_back
    while caller is not None:
        code = caller.f_code
        if any(code in map(_code, _functions(store)) for store in STORES):
            return []
        if code.co_filename.startswith(SOURCE) and not _is_comprehension(code):
            names.append(_name(caller))
            if code.co_name == view and "/apps/" in code.co_filename:
                return names[::-1]
        caller = caller.f_back
    return []


def _functions(owner: type) -> Iterator[Callable[..., Any]]:
    return (value for value in vars(owner).values() if hasattr(value, "__code__"))


def _is_comprehension(code: CodeType) -> bool:
    return code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


def _name(frame: FrameType) -> str:
    return frame.f_code.co_qualname.replace("<locals>.", "")


@contextmanager
def _apps_on(in_memory_room: InMemoryRoom) -> Iterator[None]:
    """Let the apps use the room of ``in_memory_room``."""
    with ExitStack() as stack:
        for module in (apps.public_api.app, apps.private_api.app, apps.workers.app):
            stack.enter_context(patch.object(module, "room", lambda: in_memory_room.room))
        for module in (apps.private_api.app, apps.workers.app):
            stack.enter_context(patch.object(module, "settings", settings))
        stack.enter_context(
            patch.object(apps.workers.app, "joins_queue", lambda: in_memory_room.joins_queue)
        )
        yield


# --- the operations --------------------------------------------------------------------------


def _served_visitor(in_memory_room: InMemoryRoom) -> str:
    visitor = in_memory_room.visitors(1)[0]
    in_memory_room.serve(1)
    return visitor


def _expired_visitor(in_memory_room: InMemoryRoom) -> None:
    _served_visitor(in_memory_room)
    in_memory_room.minute()
    in_memory_room.clock.now += 1000  # more than the 900 s of the default position expiry


def _join_message(in_memory_room: InMemoryRoom) -> dict[str, Any]:
    join = in_memory_room.join()
    return {
        "messageId": join.message_id,
        "receiptHandle": "receipt",
        "body": json.dumps({"event_id": EVENT}),
        "attributes": {
            "SentTimestamp": str(int(join.sent_at * 1000)),
            "ApproximateReceiveCount": "1",
        },
        "messageAttributes": {},
    }


def _request(request_id: str) -> dict[str, str]:
    return {"event_id": EVENT, "request_id": request_id}


def _post(app: Any, path: str, body: dict[str, Any]) -> None:
    answer = call(app.app, "POST", path, body=body)
    assert answer.status == 200, answer.text


def _generate_token(request_id: str) -> None:
    _post(apps.public_api.app, "/generate_token", _request(request_id))


def _join(message: dict[str, Any]) -> None:
    failed = apps.workers.app.assign_positions({"Records": [message]}, None)
    assert failed == {"batchItemFailures": []}


def _queue_num(request_id: str) -> None:
    answer = call(apps.public_api.app.app, "GET", "/queue_num", query=_request(request_id))
    assert answer.status == 200, answer.text


def _increment(_: Any) -> None:
    body = {"event_id": EVENT, "increment_by": 1}
    _post(apps.private_api.app, "/increment_serving_counter", body)


def _reset(_: Any) -> None:
    _post(apps.private_api.app, "/reset_initial_state", {"event_id": EVENT})


def _sweep(_: Any) -> None:
    swept = apps.workers.app.sweep_positions({}, None)
    assert swept == {"swept": 1}, "_expired_visitor must wait longer than the expiry period"


OPERATIONS = (
    Operation(
        name="generate_token",
        view="generate_token",
        rules=(expiry.turn_of,),
        writes=(MemoryOutcomes.put_if_absent,),
        prepare=_served_visitor,
        run=_generate_token,
    ),
    Operation(
        name="join",
        view="assign_positions",
        rules=(joins.split_at_reset, joins.assign_positions),
        writes=(MemoryServingLog.reserve, MemoryPositions.insert),
        prepare=_join_message,
        run=_join,
    ),
    Operation(
        name="queue_num",
        view="queue_num",
        rules=(joins.check_request_id,),
        writes=(MemoryPositions.get_with_generation,),
        prepare=_served_visitor,
        run=_queue_num,
    ),
    Operation(
        name="increment",
        view="increment_serving_counter",
        rules=(serving_counter.move,),
        writes=(MemoryServingLog.write,),
        prepare=_served_visitor,
        run=_increment,
    ),
    Operation(
        name="reset",
        view="reset_initial_state",
        rules=(EventState.next_generation,),
        writes=(MemoryServingLog.reset,),
        prepare=_served_visitor,
        run=_reset,
    ),
    Operation(
        name="minute sweep",
        view="sweep_positions",
        rules=(expiry.sweep, expiry.after_sweep),
        writes=(MemoryOutcomes.put_expired, MemoryServingLog.write),
        prepare=_expired_visitor,
        run=_sweep,
    ),
)


def too_long(paths: Paths) -> dict[str, list[str]]:
    """The paths that have more hops than LIMITS allow."""
    return {kind: path for kind, path in paths.longest.items() if len(path) - 1 > LIMITS[kind]}


def main() -> int:
    """Print the table and each path; 1 when a path is too long."""
    measured = {operation.name: measure(operation) for operation in OPERATIONS}
    heads = {RULE: "rule", WRITE: "write or read", COUNTERS: "counters"}
    heads = {kind: f"{head} (≤ {LIMITS[kind]})" for kind, head in heads.items()}
    print("Hops from the view or worker, by operation")
    print("".join([f"{'':16}", *(f"{head:>22}" for head in heads.values())]))
    for name, paths in measured.items():
        hops = [paths.hops(kind) for kind in heads]
        shown = ["-" if count is None else str(count) for count in hops]
        print("".join([f"{name:16}", *(f"{count:>22}" for count in shown)]))
    for name, paths in measured.items():
        print(f"\n{name}")
        for kind, path in paths.longest.items():
            mark = "  TOO LONG" if kind in too_long(paths) else ""
            print(f"  {kind:9} {len(path) - 1}  {' → '.join(path)}{mark}")
    return 1 if any(too_long(paths) for paths in measured.values()) else 0


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make hops", description=__doc__).parse_args()
    sys.exit(main())
