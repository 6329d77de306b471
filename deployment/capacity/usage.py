# SPDX-License-Identifier: Apache-2.0
"""Usage of each service by an event, from a simulated run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from deployment.capacity.operations import Operation, Operations
from deployment.capacity.parts import Times
from deployment.capacity.quotas import Assumptions
from deployment.capacity.simulation import API_MEMORY, EDGE_SECONDS, Outcome, edge_polls
from infrastructure.blueprint.resources import PUBLISH, REPORT, SWEEP

THEIR_POLL = 5.0  # seconds between the polls of a page of the AWS solution
THEIR_POLL_REQUESTS = 2  # serving_num and waiting_num
THEIR_JOIN_BATCH = 10  # joins of one call of its worker: the default of an SQS mapping
THEIR_TOKEN_CALLS = 9  # AWS and Redis calls of a first token, from its documentation
STREAM_BATCH = 5  # tokens of one batch; each shard of the stream has its own batches
SQS_BATCH = 10  # messages of one read or delete
ROW_BYTES = 400.0  # of a position or a token, with its share of the index


@dataclass(frozen=True)
class Usage:
    """Counts for a whole event; ``gb`` is data from the edge to browsers.

    ``bus_events`` counts the tokens; each ended session adds one event.
    """

    edge_requests: float = 0.0
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
    visitors, flow = outcome.plan.visitors, flow_of(outcome, assumed)
    asks, origin = float(outcome.series["ask"].sum()), float(flow.polls_at_origin.sum())
    minutes = math.ceil(len(flow.polls) / 60)
    batch = operations.join_batch(max(1, round(visitors / max(1, outcome.batches))))
    published = visitors / STREAM_BATCH
    called: list[tuple[float, Operation, int]] = [
        (asks, operations["queue_num"], API_MEMORY),
        (origin, operations["status"], API_MEMORY),
        (visitors, operations["token"], API_MEMORY),
        (published, operations["publish_five"], PUBLISH.memory),
        (minutes, operations["idle_minute"], SWEEP.memory + REPORT.memory),
        (outcome.plan.admission_per_minute and minutes, operations["increment"], API_MEMORY),
    ]
    seconds = sum(n * op.duration_ms(mb, assumed) / 1000 * mb / 1024 for n, op, mb in called)
    seconds += outcome.busy_seconds  # the worker has 1,024 MB
    calls = sum(count for count, _, _ in called) + outcome.batches
    everything = [*called, (outcome.batches, batch, 0)]
    return Usage(
        edge_requests=float(flow.edge.sum()),
        gb=_gb(flow, visitors, assumed),
        api_requests=float(flow.api.sum()),
        function_calls=calls,
        gb_seconds=seconds,
        queue_requests=visitors + 2 * visitors / SQS_BATCH,
        writes=sum(count * op.write_units for count, op, _ in everything),
        reads=sum(count * op.read_units for count, op, _ in everything),
        stored_gb=2 * visitors * ROW_BYTES / 1e9,
        redis_commands=sum(count * op.redis for count, op, _ in everything),
        log_gb=calls * assumed.log_bytes / 1e9,
        bus_events=visitors,
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
