# SPDX-License-Identifier: Apache-2.0
"""Tables, queues, functions and cache rules of all stacks, for CDK and the local stack alike.

Plain data, no CDK import, so that the local stack starts without it. Times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Index:
    """A global secondary index: partition key (S), sort key (N), further projected attributes."""

    name: str
    partition_key: str
    sort_key: str
    projected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A DynamoDB table on demand; keys as (name, type)."""

    name: str
    setting: str
    partition_key: tuple[str, str]
    sort_key: tuple[str, str] | None = None
    index: Index | None = None
    stream: bool = False
    ttl: str = "ttl"


POSITIONS = Table(
    "QueuePositions",
    "QUEUE_POSITIONS_TABLE",
    ("id", "S"),
    index=Index("ByPosition", "shard", "position", ("entry_time",)),
)
# The index is sparse: a row enters it when its session ends.
TOKENS = Table(
    "Tokens",
    "TOKENS_TABLE",
    ("shard", "S"),
    ("position", "N"),
    index=Index("EndedSessions", "ended_shard", "expires_at", ("request_id",)),
    stream=True,
)
SERVING_LOG = Table("ServingLog", "SERVING_LOG_TABLE", ("event_id", "S"), ("entry", "S"))
TABLES = (POSITIONS, TOKENS, SERVING_LOG)
CODES = Table("OpenIdCodes", "OPENID_CODES_TABLE", ("code", "S"))  # of the OpenID stack


@dataclass(frozen=True)
class Function:
    """A worker function: its name in ``apps/workers/app.py``, its limits, what starts it."""

    name: str
    timeout: int
    memory: int
    schedule: str = ""  # an EventBridge schedule expression
    batch_size: int = 0
    batch_window: int = 0
    max_concurrency: int = 0


ASSIGN = Function(
    "assign_positions", 30, 1024, batch_size=1000, batch_window=1, max_concurrency=100
)
PUBLISH = Function("publish_events", 30, 512, batch_size=100, batch_window=1)
SWEEP = Function("sweep_positions", 55, 1024, schedule="rate(1 minute)")
REPORT = Function("report_metrics", 20, 512, schedule="rate(1 minute)")
ROTATE = Function("rotate_keys", 30, 512)  # its schedule is a choice: rotation
SET_UP = Function("set_up", 60, 512)
WORKERS = (ASSIGN, PUBLISH, SWEEP, REPORT, ROTATE, SET_UP)
MAX_ROTATION_DAYS = 365


def rotation(days: int) -> str:
    """The schedule of ROTATE for a new key every so many days; empty for 0, which is never."""
    if not days:
        return ""
    return "rate(1 day)" if days == 1 else f"rate({days} days)"


# The inlet stack deploys the function of its strategy. All run each minute and sleep between
# their steps, hence the timeout above 60 s. The SNS exit topic starts the MaxSize inlet too.
PERIODIC_INLET = Function("periodic_inlet", 75, 256, schedule="rate(1 minute)")
MAX_SIZE_INLET = Function("max_size_inlet", 75, 256, schedule="rate(1 minute)")
AUTOMATIC_INLET = Function("automatic_inlet", 75, 256, schedule="rate(1 minute)")
INLETS = {"Periodic": PERIODIC_INLET, "MaxSize": MAX_SIZE_INLET, "Automatic": AUTOMATIC_INLET}
# The routes of the private API that an inlet may call. It may also read and update one row of the
# serving log and call cloudwatch:DescribeAlarms, which accepts no narrower resource than *.
PRIVATE_ROUTES = {
    "Periodic": ("POST /increment_serving_counter",),
    "MaxSize": ("POST /increment_serving_counter", "POST /update_session", "GET /metrics"),
    "Automatic": ("POST /increment_serving_counter", "GET /metrics"),
}


@dataclass(frozen=True)
class Queue:
    """The queue of joins. Visibility is six times the worker's timeout, as AWS advises.

    The worker lets what failed come again sooner; what waits out the visibility is the batch of a
    worker that died, or one that Lambda had no environment for. A message that can be no join goes
    to the dead letters at once, so many receives are for joins alone: hours of an outage.
    """

    visibility_timeout: int = 6 * ASSIGN.timeout
    retention: int = 4 * 86_400
    max_receive_count: int = 100
    dead_letter_retention: int = 14 * 86_400


JOINS = Queue()
EVENT_SOURCE = "custom.waitingroom"


# What the edge passes on of a request that it does not answer itself. Never `x-amzn-requestid`:
# with it a caller sets API Gateway's request id. CloudFront takes at most ten of each.
FORWARDED_HEADERS = (
    "Accept",
    "Access-Control-Request-Headers",  # a preflight's: its answer allows them
    "Content-Type",
    "User-Agent",  # rules of AWS WAF read it
    "x-aws-waf-token",
    "x-client-address",
)
# the same of a path whose answers the edge keeps; none of them changes an answer that it keeps
CACHED_PATHS_HEADERS = ("Access-Control-Request-Headers", "x-client-address")
FORWARDED_COOKIES = ("aws-waf-token",)


@dataclass(frozen=True)
class CacheRule:
    """What an edge cache keys a path on, and the shortest and longest time that it keeps it, in s.

    Answers say how long, within the two. No header is in a key: every answer allows any origin, so
    it is the same for every caller. ``shortest`` is for paths whose answers are the same for every
    caller and never "not yet": requests that miss together wait for one call to the origin, and
    even an answer that says ``no-store`` is kept that long. A call needs every member of ``query``.
    """

    path: str
    query: tuple[str, ...]
    longest: int
    shortest: int = 0
    optional: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The query members in the cache key; no other reaches the origin."""
        return self.query + self.optional


SHARED = 1  # s; CloudFront promises to collapse requests only with a minimum above 0
CACHE_RULES = (
    # of one visitor, and 202 before there is a number: never collapsed
    CacheRule("/queue_num", ("event_id", "request_id"), 5),
    CacheRule("/queue_pos_expiry", ("event_id", "request_id"), 5),
    CacheRule("/serving_num", ("event_id",), 5, SHARED),
    CacheRule("/waiting_num", ("event_id",), 5, SHARED),
    CacheRule("/status", ("event_id",), 5, SHARED),
    CacheRule("/ended_sessions", ("event_id",), 5, SHARED, ("next_token",)),
    CacheRule("/public_key", ("event_id",), 300, SHARED),
    CacheRule("/.well-known/jwks.json", (), 300, SHARED),
)
# Seconds that an edge keeps an error, by status: every status whose time CloudFront lets one set,
# and 404, 405, 414 and 500 to 504 it keeps for 10 s otherwise, whatever they say themselves.
ERROR_TTLS = dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)
