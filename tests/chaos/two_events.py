# SPDX-License-Identifier: Apache-2.0
"""8. Two events at once: what one event suffers never changes the responses of the other.

The quiet event runs a script that its seed decides. The loud event is reset, flooded, opened,
closed, deleted and created again; its operators send wrong documents, rejected actions and made-up
event ids. The script's responses have to equal those of a run without the loud event.

``python -m tests.chaos.two_events --alone --seed 7`` prints requests, errors and times of the quiet
event alone; without ``--alone``, beside the loud one.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.loud_event import THREADS, LoudEvent, joins_of
from tests.chaos.report import Result, markdown
from tests.chaos.servers import room_at, tables
from tests.support.join_worker import process
from tests.support.real_stores import RealRoom
from tests.support.servers import Valkey
from waiting_room.domain.actors import UNKNOWN
from waiting_room.domain.errors import RoomError, Unavailable
from waiting_room.domain.records import Join

ROUNDS, LOUD_CALLS = 40, 8  # rounds of the script, and calls of the loud event in each
PAGE = ("event_id", "serving_counter", "waiting_num", "queue_counter", "message")


@dataclass
class Figures:
    """Requests of an event; ``responses`` are what they returned, without times and ids."""

    requests: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    responses: list[object] = field(default_factory=list)

    def request(self, what: str, call: Callable[[], object]) -> None:
        """Make a request; a refusal is a response, anything else an error."""
        began = time.perf_counter()
        try:
            response = call()
        except Unavailable as error:
            self.errors[f"{what}: 503 {error}"] += 1
            response = "503"
        except RoomError as error:
            response = f"{type(error).__name__}: {error}"
        except Exception as error:
            self.errors[f"{what}: 500 {type(error).__name__}: {error}"] += 1
            response = "500"
        self.seconds.append(time.perf_counter() - began)
        self.requests[what] += 1
        self.responses.append((what, response))

    def percentile(self, share: float) -> float:
        """Return the time of a request in ms that ``share`` of them do not exceed."""
        ordered = sorted(self.seconds)
        return 1_000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def row(self, title: str) -> tuple[str, ...]:
        """Return the cells of a table."""
        total, errors = sum(self.requests.values()), sum(self.errors.values())
        times = [f"{self.percentile(share):.1f} ms" for share in (0.5, 0.95)]
        return title, f"{total:,}", str(errors), *times


FIGURES = ("run", "requests of the quiet event", "errors", "p50", "p95")


class QuietEvent:
    """The script of an event: joins, positions, tokens, operators, documents."""

    def __init__(self, real: RealRoom, seed: int) -> None:
        self.event_id, self.figures = f"quiet-{uuid.uuid4().hex[:8]}", Figures()
        self._real, self._dice = real, random.Random(seed)
        self._order = random.Random(seed)  # of a batch, whose size differs with and without others
        self._room = real.new_room()
        self._documents = real.event_documents(self._room)  # its changes apply at once
        self._documents.put(self.event_id, {"title": "quiet"}, None, actor=UNKNOWN)
        self._visitors: list[str] = []

    def round(self, number: int, company: list[Join]) -> None:
        """Make the requests of a round; ``company`` are joins of others in the same batch."""
        room, event, request = self._room, self.event_id, self.figures.request
        joins = joins_of(event, self._dice.randint(1, 6))
        self._visitors += [join.request_id for join in joins]
        batch = [*company, *joins]
        self._order.shuffle(batch)
        request("assign", lambda: self._assigned(batch, joins))
        for visitor in self._visitors[-8:]:
            request("queue_num", lambda v=visitor: room.positions.queue_number(event, v).position)
        request("status", lambda: self._status())
        by = self._dice.randint(1, 4)
        request("increment", lambda: room.control.increment(event, by))
        for visitor in self._dice.sample(self._visitors, min(6, len(self._visitors))):
            request("generate_token", lambda v=visitor: sorted(room.tokens.issue(event, v)))
        request("serving_num", lambda: room.metrics.serving_number(event))
        request("waiting_num", lambda: room.metrics.waiting_number(event))
        action = ("pause", "resume", "", "")[number % 4]
        if action:
            request(action, lambda: self._act(action))
        if number % 5 == 0:
            title = {"title": f"quiet {number}"}
            request("patch", lambda: self._shown(self._documents.patch(event, title, None,
                                                                       actor=UNKNOWN)))  # fmt: skip
        request("show", lambda: self._shown(self._documents.show(event)))

    def check(self, found: Result) -> None:
        """Compare the rows with the script: each join once, from 1 without a gap."""
        rows = self._real.positions.get_many(self.event_id, self._visitors)
        found.cases += len(self._visitors)
        found.lost += len(self._visitors) - len(rows)
        positions = Counter(row.position for row in rows.values())
        found.duplicated += sum(count - 1 for count in positions.values())
        if sorted(positions) != list(range(1, len(self._visitors) + 1)):
            found.wrong.append("the positions of the quiet event have gaps")
        found.wrong += [f"{error} ({count} times)" for error, count in self.figures.errors.items()]

    def _assigned(self, batch: list[Join], mine: list[Join]) -> int:
        again = process(self._room, batch)
        return sum(join.message_id in again for join in mine)

    def _status(self) -> dict[str, object]:
        page = self._room.metrics.status_page(self.event_id)
        return {**{name: page[name] for name in PAGE}, "event_id": "quiet"}

    def _act(self, action: str) -> object:
        return self._documents.act(self.event_id, action, actor=UNKNOWN)["phase"]

    @staticmethod
    def _shown(document: dict[str, Any]) -> dict[str, Any]:
        """Return a document without its id and the times of its actions."""
        times = {name: at is not None for name, at in document["control"].items()}
        return {**document, "event_id": "quiet", "control": times}


def script(
    tables_url: str, valkey: Any, *, rounds: int, seed: int, calls: int = 0
) -> tuple[QuietEvent, LoudEvent | None]:
    """Run the script of the quiet event, with ``calls`` of the loud one in each round."""
    real = room_at(tables_url, valkey)
    quiet = QuietEvent(real, seed)
    loud = LoudEvent(real, seed) if calls else None
    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(rounds):
            under_way = loud.start(pool, calls) if loud else []
            quiet.round(number, loud.company() if loud else [])
            for call in under_way:
                call.result()
    return quiet, loud


def run(tables_url: str, valkey: Any, *, rounds: int, calls: int, seed: int) -> Result:
    """Run the script alone and beside the loud event; compare the responses."""
    alone, _ = script(tables_url, valkey, rounds=rounds, seed=seed)
    beside, loud = script(tables_url, valkey, rounds=rounds, seed=seed, calls=calls)
    assert loud is not None
    found = Result("two events: one reset, flooded and wrongly operated", seed=seed)
    beside.check(found)
    found.wrong += loud.unexpected
    pairs = zip(alone.figures.responses, beside.figures.responses, strict=True)
    found.wrong += [f"{first} alone, {second} beside" for first, second in pairs if first != second]
    quiet, before = beside.figures, alone.figures
    found.notes = (
        f"{sum(loud.done.values())} calls of the loud event; the quiet event:"
        f" {sum(quiet.requests.values())} requests, {sum(quiet.errors.values())} errors,"
        f" p95 {quiet.percentile(0.95):.0f} ms, alone {before.percentile(0.95):.0f} ms"
    )
    return found


def main() -> int:
    """Print the figures of one run; 1 when the quiet event had an error."""
    parser = argparse.ArgumentParser(prog="tests.chaos.two_events", description=__doc__)
    parser.add_argument("--alone", action="store_true", help="without the loud event")
    parser.add_argument("--seed", type=int, default=20_261_129)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    found, calls = Result("two events", seed=chosen.seed), 0 if chosen.alone else LOUD_CALLS
    with tables() as url, tempfile.TemporaryDirectory() as folder:
        valkey = Valkey(Path(folder))
        try:
            quiet, loud = script(url, valkey, rounds=chosen.rounds, seed=chosen.seed, calls=calls)
            quiet.check(found)
        finally:
            valkey.kill()
    title = f"seed {chosen.seed}, {'alone' if loud is None else 'beside the loud event'}"
    print(markdown(FIGURES, [quiet.figures.row(title)]))
    print(
        "Requests:", ", ".join(f"{count} {what}" for what, count in quiet.figures.requests.items())
    )
    if loud:
        print("Loud event:", ", ".join(f"{n} {what}" for what, n in sorted(loud.done.items())))
    for sentence in (*found.wrong, *(loud.unexpected if loud else ())):
        print(sentence)
    return int(not found.clean)


if __name__ == "__main__":
    sys.exit(main())
