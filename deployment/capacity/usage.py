# SPDX-License-Identifier: Apache-2.0
"""Usage of each service by an event, from a simulated run."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np

from deployment.capacity.operations import Operation, Operations
from deployment.capacity.parts import Times
from deployment.capacity.quotas import Assumptions
from deployment.capacity.simulation import API_MEMORY, EDGE_SECONDS, Outcome, edge_polls
from infrastructure.blueprint.resources import COUNT_OUTCOMES, PUBLISH, REPORT, SEND_OUTBOX, SWEEP

THEIR_POLL = 5.0  # seconds between the polls of a page of the AWS solution
THEIR_POLL_REQUESTS = 2  # serving_num and waiting_num
THEIR_JOIN_BATCH = 10  # joins of one call of its worker: the default of an SQS mapping
THEIR_TOKEN_CALLS = 9  # AWS and Redis calls of a first token, from its documentation
# Tokens of one batch; each shard of the stream has its own batches. Each batch is a row of the
# outbox and a call of its sender, which lasts as long as the write: one request.
STREAM_BATCH = 5
SQS_BATCH = 10  # messages of one read or delete
ROW_BYTES = 400.0  # of a position or a token, with its share of the index


@dataclass(frozen=True)
class Usage:
    """Counts for a whole event; ``gb`` is data from the edge to browsers.

    ``bus_events`` counts the tokens; each ended session adds one event. ``page_files`` are the edge
    requests for files of the page, which run no function of the API's distribution.
    """

    edge_requests: float = 0.0
    page_files: float = 0.0
    gb: float = 0.0
    api_requests: float = 0.0
    function_calls: float = 0.0
    gb_seconds: float = 0.0
    queue_requests: float = 0.0
    writes: float = 0.0
    reads: float = 0.0
    stored_gb: float = 0.0
    redis_commands: float = 0.0
    log_gb: float = 0.0
    bus_events: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Usage(*(one + another for one, another in pairs))


@dataclass(frozen=True)
class Flow:
    """Requests per second of an event at the edge and at the API, second by second."""

    polls: Times
    polls_at_origin: Times
    api: Times
    edge: Times


def flow_of(outcome: Outcome, assumed: Assumptions) -> Flow:
    """Return the requests of an event; each cache of the edge polls the origin once a second."""
    polls = edge_polls(outcome)
    origin = np.minimum(polls, assumed.edge_origins / EDGE_SECONDS)
    direct = _stretch(outcome.series["join"] + outcome.series["ask"], len(polls))
    direct += tokens_per_second(outcome, len(polls))
    files = np.bincount(outcome.arrived.astype(np.int64), minlength=len(polls))[: len(polls)]
    return Flow(polls, origin, direct + origin, direct + polls + files * assumed.page_requests)


def tokens_per_second(outcome: Outcome, seconds: int) -> Times:
    """Return the tokens issued in each second of the event."""
    taken = outcome.admitted[np.isfinite(outcome.admitted)].astype(np.int64)
    counted: Times = np.bincount(taken, minlength=seconds)[:seconds].astype(np.float64)
    return counted


def _stretch(values: Times, length: int) -> Times:
    kept = values[:length]
    return np.concatenate([kept, np.zeros(length - len(kept))])


def usage_of(outcome: Outcome, operations: Operations, assumed: Assumptions) -> Usage:
    """Return the usage of this room for an event."""
    return sum(usage_by_operation(outcome, operations, assumed).values(), Usage())


def usage_by_operation(
    outcome: Outcome, operations: Operations, assumed: Assumptions
) -> dict[str, Usage]:
    """Return the usage of this room for an event by what causes it.

    ``operations`` are those of counters in Redis or in tables.
    """
    visitors, flow = outcome.plan.visitors, flow_of(outcome, assumed)
    joins, asks = (float(outcome.series[name].sum()) for name in ("join", "ask"))
    polls, origin = float(flow.polls.sum()), float(flow.polls_at_origin.sum())
    minutes = math.ceil(len(flow.polls) / 60)
    batch = operations.join_batch(max(1, round(visitors / max(1, outcome.batches))))
    increments = minutes if outcome.plan.admission_per_minute else 0

    def called(calls: float, name: str, memory: int = API_MEMORY) -> Usage:
        """Return the usage of a function; ``memory`` in MB."""
        operation = operations[name]
        return _called(calls, operation, operation.duration_ms(memory, assumed), memory, assumed)

    def requested(edge: float, api: float) -> Usage:
        return Usage(edge_requests=edge, api_requests=api, gb=edge * assumed.answer_bytes / 1e9)

    # In the VPC, a function sends the rows of the outbox; outside, one counts the tokens.
    if "count_five" in operations.by_name:
        after, after_memory = "count_five", COUNT_OUTCOMES.memory
    else:
        after, after_memory = "outbox_row", PUBLISH.memory + SEND_OUTBOX.memory
    files = visitors * assumed.page_requests
    rows = Usage(stored_gb=visitors * ROW_BYTES / 1e9)
    worker = _called(outcome.batches, batch, 0, 0, assumed)
    return {
        "files of the page": Usage(
            edge_requests=files, page_files=files, gb=visitors * assumed.page_bytes / 1e9
        ),
        "joins": requested(joins, joins)
        + worker
        + rows
        + Usage(
            gb_seconds=outcome.busy_seconds,  # the worker has 1,024 MB
            queue_requests=visitors + 2 * visitors / SQS_BATCH,
        ),
        "requests for the position": requested(asks, asks) + called(asks, "queue_num"),
        "polls": requested(polls, origin) + called(origin, "status"),
        "tokens": called(visitors, "token")
        + called(visitors / STREAM_BATCH, "publish_five", PUBLISH.memory)
        + called(visitors / STREAM_BATCH, after, after_memory)
        + rows
        + Usage(
            edge_requests=visitors,
            api_requests=visitors,
            gb=visitors * assumed.token_bytes / 1e9,
            bus_events=visitors,
        ),
        "minutes and admission": called(minutes, "idle_minute", SWEEP.memory + REPORT.memory)
        + called(increments, "increment"),
    }


def _called(
    calls: float, operation: Operation, duration_ms: float, memory: int, assumed: Assumptions
) -> Usage:
    return Usage(
        function_calls=calls,
        gb_seconds=calls * duration_ms / 1000 * memory / 1024,
        writes=calls * operation.write_units,
        reads=calls * operation.read_units,
        redis_commands=calls * operation.redis,
        log_gb=calls * assumed.log_bytes / 1e9,
    )


def their_usage(outcome: Outcome, operations: Operations, assumed: Assumptions) -> Usage:
    """Return an estimate for the AWS solution with the same visitors, in its favour where unknown.

    Its pages poll two addresses every five seconds. Each documented call counts as one read unit,
    the minimum; its functions get the durations of this room.
    """
    visitors, flow = outcome.plan.visitors, flow_of(outcome, assumed)
    waiting = np.cumsum(_stretch(_learned(outcome), len(flow.polls)))
    waiting -= np.cumsum(tokens_per_second(outcome, len(flow.polls)))
    polls = waiting * THEIR_POLL_REQUESTS / THEIR_POLL
    origin = float(np.minimum(polls, THEIR_POLL_REQUESTS * assumed.edge_origins).sum())
    asks, batches = float(outcome.series["ask"].sum()), visitors / THEIR_JOIN_BATCH
    direct = float(flow.api.sum() - flow.polls_at_origin.sum())
    called = [
        (asks, operations["queue_num"]),
        (origin, operations["status"]),
        (visitors, operations["token"]),
        (batches, operations.join_batch(THEIR_JOIN_BATCH)),
    ]
    calls = sum(count for count, _ in called)
    return Usage(
        edge_requests=direct + float(polls.sum()) + visitors * assumed.page_requests,
        page_files=visitors * assumed.page_requests,
        gb=_gb(flow, visitors, assumed)
        + float(polls.sum() - flow.polls.sum()) * assumed.answer_bytes / 1e9,
        api_requests=direct + origin,
        function_calls=calls,
        gb_seconds=sum(n * op.duration_ms(API_MEMORY, assumed) / 1000 for n, op in called),
        queue_requests=visitors + 2 * visitors / SQS_BATCH,
        writes=visitors,
        reads=asks / 2 + visitors * THEIR_TOKEN_CALLS,
        stored_gb=2 * visitors * ROW_BYTES / 1e9,
        redis_commands=visitors + 2.5 * origin,
        log_gb=calls * assumed.log_bytes / 1e9,
        bus_events=visitors,
    )


def _learned(outcome: Outcome) -> Times:
    found = outcome.learned[np.isfinite(outcome.learned)].astype(np.int64)
    counted: Times = np.bincount(found).astype(np.float64)
    return counted


def _gb(flow: Flow, visitors: int, assumed: Assumptions) -> float:
    small = float(flow.edge.sum()) - visitors * (1 + assumed.page_requests)
    page = assumed.page_bytes + assumed.token_bytes
    return (small * assumed.answer_bytes + visitors * page) / 1e9
