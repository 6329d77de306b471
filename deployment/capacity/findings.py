# SPDX-License-Identifier: Apache-2.0
"""Quotas that an event reaches, the time, and the quota to raise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deployment.capacity.operations import Operations
from deployment.capacity.parts import Times
from deployment.capacity.plan import Limits
from deployment.capacity.quotas import Assumptions, Quotas
from deployment.capacity.simulation import API_MEMORY, CALLS_PER_CONCURRENCY, Outcome
from deployment.capacity.usage import flow_of, tokens_per_second
from waiting_room.adapters.dynamodb.items import SHARDS

FIRST_SECONDS = 2


@dataclass(frozen=True)
class Finding:
    """A quota and the need of the event; ``at`` is the first second above the quota, or None."""

    quota: str
    limit: float
    needed: float
    at: int | None
    remedy: str

    @property
    def hit(self) -> bool:
        """Whether the event exceeds the quota."""
        return self.at is not None


def find(
    demand: Outcome, limits: Limits, quotas: Quotas, operations: Operations, assumed: Assumptions
) -> list[Finding]:
    """Compare ``demand``, a run without limits, with the limits."""
    flow = flow_of(demand, assumed)
    joins, asks, rows = (demand.series[name] for name in ("join", "ask", "rows"))
    tokens = tokens_per_second(demand, len(flow.polls))
    ask_s = operations["queue_num"].duration_ms(API_MEMORY, assumed) / 1000
    token_s = operations["token"].duration_ms(API_MEMORY, assumed) / 1000
    pollers = joins / assumed.messages_per_poller
    calls = _add(asks, tokens)
    under_way = _add(_add(asks * ask_s, tokens * token_s), pollers)
    cold = _cold(calls, assumed)
    under_way = np.maximum(under_way, cold)
    grown = limits.start_batches + limits.batch_ramp_per_minute / 60 * np.arange(
        len(pollers), dtype=np.float64
    )
    state_writes = pollers / max(1.0, limits.batch_window)
    redis = _add(2 * state_writes, _add(2 * tokens, flow.polls_at_origin))
    return [
        _finding("CloudFront requests/s", quotas.cloudfront_requests_per_second, flow.edge,
                 "request a higher rate of the distribution from AWS"),
        _bucket("API Gateway requests/s", limits, flow.api,
                "`ApiRate` and `ApiBurst` of the stack; above the account's rate Service Quotas "
                "first, then `AccountApiRate` and `AccountApiBurst`"),
        _finding("Lambda concurrent calls", limits.lambda_concurrency, under_way,
                 "Service Quotas: concurrent executions"),
        _finding("Lambda calls/s of one function",
                 CALLS_PER_CONCURRENCY * limits.lambda_concurrency, asks,
                 "Service Quotas: concurrent executions (ten calls/s for each)"),
        _finding("Lambda new function instances in 10 s", limits.lambda_ramp, cold,
                 "cannot be raised; keep instances ready: provisioned concurrency"),
        _against("join queue: concurrent batches, limit of AWS's ramp", grown, pollers,
                 "provisioned mode of the event source mapping: pollers that are always running"),
        _finding("join queue: concurrent batches, limit of the stack", limits.most_batches, pollers,
                 "`AssignConcurrency` of the stack"),
        _finding("DynamoDB QueuePositions writes/s", limits.table_writes, rows,
                 "`make warm`, an hour before"),
        _finding("DynamoDB QueuePositions index writes/s", limits.index_writes, rows,
                 "`make warm`, an hour before"),
        _finding("DynamoDB Tokens writes/s", quotas.table_write_units, tokens,
                 "`make warm`, or admit in smaller steps"),
        _finding("DynamoDB one shard of a queue, writes/s", limits.partition_writes,
                 np.maximum(rows, tokens[: len(rows)]) / SHARDS,
                 f"more shards than {SHARDS} (`SHARDS` in `adapters/dynamodb/items.py`)"),
        _finding("DynamoDB state row of the event, writes/s", limits.partition_writes,
                 state_writes, "larger batches (`batch_window` in resources.py)"),
        _finding("Redis scripts/s (assumed limit)", assumed.redis_commands_per_second, redis,
                 "a larger node: `RedisNodeType` of the stack"),
    ]  # fmt: skip


def _cold(calls: Times, assumed: Assumptions) -> Times:
    """Return the environments that start at first: each call needs one until the first is ready."""
    needed = np.zeros(len(calls))
    first = int(np.argmax(calls > 0))
    needed[first : first + FIRST_SECONDS] = (
        calls[first : first + FIRST_SECONDS] * assumed.cold_start_ms / 1000
    )
    return needed


def _add(one: Times, other: Times) -> Times:
    length = max(len(one), len(other))
    summed: Times = np.pad(one, (0, length - len(one))) + np.pad(other, (0, length - len(other)))
    return summed


def _finding(quota: str, limit: float, needed: Times, remedy: str) -> Finding:
    return _against(
        quota, np.full(len(needed), float(limit), dtype=np.float64), needed, remedy, float(limit)
    )


def _against(
    quota: str, limits: Times, needed: Times, remedy: str, limit: float | None = None
) -> Finding:
    """Compare each second; show ``limit``, or without it the limit of the first second above."""
    above = np.flatnonzero(needed > limits)
    at = int(above[0]) if len(above) else None
    shown = (
        limit if limit is not None else float(limits[int(np.argmax(needed)) if at is None else at])
    )
    return Finding(quota, shown, float(needed.max(initial=0.0)), at, remedy)


def _bucket(quota: str, limits: Limits, needed: Times, remedy: str) -> Finding:
    """Compare with a token bucket: more than the rate is allowed until the burst is used up."""
    tokens, at = limits.api_burst, None
    for second, wanted in enumerate(needed.tolist()):
        tokens = min(limits.api_burst, tokens + limits.api_rate - wanted)
        if tokens < 0:
            at = second
            break
    return Finding(quota, limits.api_rate, float(needed.max(initial=0.0)), at, remedy)
