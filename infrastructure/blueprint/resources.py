# SPDX-License-Identifier: Apache-2.0
"""Tables, queues, functions and cache rules of all stacks, for CDK and the local room.

Plain data without a CDK import, so that the local room starts without CDK. Times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Index:
    """A global secondary index: partition key (S), sort key (N), other projected attributes."""

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
# The index is sparse: it contains a row after the session of the row has ended.
TOKENS = Table(
    "Tokens",
    "TOKENS_TABLE",
    ("shard", "S"),
    ("position", "N"),
    index=Index("EndedSessions", "ended_shard", "expires_at", ("request_id",)),
    stream=True,
)
SERVING_LOG = Table("ServingLog", "SERVING_LOG_TABLE", ("event_id", "S"), ("entry", "S"))
# Event documents, the registry of all events, audit entries and points of the history. The writer
# of the gate's store reads the stream.
EVENTS = Table("Events", "EVENTS_TABLE", ("event_id", "S"), ("item", "S"), stream=True)
# Messages that functions inside the VPC cannot send themselves; SEND_OUTBOX reads the stream.
OUTBOX = Table("Outbox", "OUTBOX_TABLE", ("id", "S"), stream=True)
TABLES = (POSITIONS, TOKENS, SERVING_LOG, EVENTS)
# Counts of tokens and sessions, only with COUNTERS_STORE=dynamodb. The partition key is the event
# and generation, for blocks of positions with the number of a part. COUNT_OUTCOMES writes it, and
# ``sweep_positions`` each minute; functions that read the counters read it.
COUNTERS = Table("Counters", "COUNTERS_TABLE", ("id", "S"), ("entry", "S"))
CODES = Table("OpenIdCodes", "OPENID_CODES_TABLE", ("code", "S"))  # in the OpenID stack


@dataclass(frozen=True)
class Function:
    """A worker function: name in ``apps/workers/app.py``, limits (s, MB), schedule or batches."""

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
# Only with COUNTERS_STORE=dynamodb: the second reader of the stream of TOKENS. It has no limit of
# retries: a batch that is skipped would never be counted.
COUNT_OUTCOMES = Function("count_outcomes", 30, 512, batch_size=1000, batch_window=1)
SEND_OUTBOX = Function("send_outbox", 30, 256, batch_size=100)
SWEEP = Function("sweep_positions", 55, 1024, schedule="rate(1 minute)")
# Both run for the minute while an event has a queue. A run of ADMIT lasts 65 s: the next run
# continues it without a gap.
ADMIT = Function("admit", 80, 512, schedule="rate(1 minute)")
READ_ALARMS = Function("read_alarms", 75, 256, schedule="rate(1 minute)")
# For each event in which visitors were admitted, it reads up to twenty positions.
REPORT = Function("report_metrics", 50, 512, schedule="rate(1 minute)")
ROTATE = Function("rotate_keys", 30, 512)  # the schedule is a parameter: see rotation
CHECK_KEYS = Function("check_keys", 30, 512, schedule="rate(1 hour)")
SET_UP = Function("set_up", 60, 512)
WORKERS = (ASSIGN, PUBLISH, SWEEP, ADMIT, READ_ALARMS, REPORT, ROTATE, CHECK_KEYS, SET_UP)
TABLE_COUNTER_WORKERS = (COUNT_OUTCOMES,)  # beside WORKERS, only with COUNTERS_STORE=dynamodb
OUTBOX_WORKERS = (SEND_OUTBOX,)  # beside WORKERS, only with a VPC
MAX_ROTATION_DAYS = 365
# In ``apps/gate_store/app.py``; one run at a time. Changes of the gate are in records of documents,
# of the version of all rules, and of resets.
WRITE_GATE_STORE = Function(
    "write_gate_store", 60, 512, schedule="rate(6 hours)", batch_size=100, batch_window=1
)
# Outside the room: no VPC, no counters. A run lasts two minutes while the room has a fault, so runs
# overlap then.
WATCH_ROOM = Function("watch_room", 180, 512, schedule="rate(1 minute)")
GATE_RECORDS: tuple[dict[str, object], ...] = (  # patterns of the event source mapping
    {"dynamodb": {"Keys": {"item": {"S": ["document", "gates"]}}}},
    {"dynamodb": {"NewImage": {"what": {"S": ["reset"]}}}},
)


def rotation(days: int) -> str:
    """Return the schedule of ROTATE for a new key every ``days`` days; "" (never) for 0."""
    if not days:
        return ""
    return "rate(1 day)" if days == 1 else f"rate({days} days)"


# The inlet stack deploys the function of its strategy. Each runs once a minute and sleeps between
# its steps, so the timeout is above 60 s. The SNS exit topic also starts the MaxSize inlet.
PERIODIC_INLET = Function("periodic_inlet", 75, 256, schedule="rate(1 minute)")
MAX_SIZE_INLET = Function("max_size_inlet", 75, 256, schedule="rate(1 minute)")
INLETS = {"Periodic": PERIODIC_INLET, "MaxSize": MAX_SIZE_INLET}
# The routes of the private API that an inlet may call. It may also read and update one row of the
# serving log and call cloudwatch:DescribeAlarms, which accepts no narrower resource than *.
PRIVATE_ROUTES = {
    "Periodic": ("POST /increment_serving_counter",),
    "MaxSize": ("POST /increment_serving_counter", "POST /update_session", "GET /metrics"),
}


@dataclass(frozen=True)
class Queue:
    """The join queue. The visibility timeout is six times the worker's timeout, as AWS advises.

    The worker shortens the timeout of joins that it could not process. The whole timeout passes
    only after a worker crashed or Lambda had no environment for the batch. An invalid message is
    sent to the dead-letter queue at once. A valid join moves there only after Lambda has throttled
    it for a day without a break, and before SQS deletes it at the end of the retention.
    """

    visibility_timeout: int = 6 * ASSIGN.timeout
    retention: int = 4 * 86_400
    max_receive_count: int = 480  # times the visibility timeout: a day
    dead_letter_retention: int = 14 * 86_400


JOINS = Queue()
EVENT_SOURCE = "custom.waitingroom"


# Headers and cookies that the edge forwards to the origin; CloudFront allows at most ten of each.
# Never `x-amzn-requestid`: it would let callers set API Gateway's request id.
FORWARDED_HEADERS = (
    "Accept",
    "Access-Control-Request-Headers",  # preflights: the response allows these headers
    "Content-Type",
    "User-Agent",  # rules of AWS WAF read it
    "x-aws-waf-token",
    "x-client-address",
)
# The same for cached paths. None of these headers changes a cached response.
CACHED_PATHS_HEADERS = ("Access-Control-Request-Headers", "x-client-address")
FORWARDED_COOKIES = ("aws-waf-token",)


@dataclass(frozen=True)
class CacheRule:
    """The edge cache's key of a path, and its minimum and maximum TTL in seconds.

    A response's ``Cache-Control`` selects a TTL between the two. No header is in the key: each
    response allows any origin, so it is the same for all callers.

    ``shortest`` is above 0 only for paths whose responses are the same for all callers and never
    "not yet". CloudFront then sends one of several simultaneous misses to the origin, and caches
    even a ``no-store`` response for this time. A request needs all members of ``query``.
    """

    path: str
    query: tuple[str, ...]
    longest: int
    shortest: int = 0
    optional: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """The query members in the cache key; only these are forwarded to the origin."""
        return self.query + self.optional


SHARED = 1  # s; CloudFront collapses simultaneous requests only with a minimum TTL above 0
CACHE_RULES = (
    # for one visitor, with status 202 until there is a position: never collapsed
    CacheRule("/queue_num", ("event_id", "request_id"), 5),
    CacheRule("/queue_pos_expiry", ("event_id", "request_id"), 5),
    CacheRule("/serving_num", ("event_id",), 5, SHARED),
    CacheRule("/waiting_num", ("event_id",), 5, SHARED),
    CacheRule("/status", ("event_id",), 5, SHARED),
    CacheRule("/ended_sessions", ("event_id",), 5, SHARED, ("next_token",)),
    CacheRule("/page", ("event_id",), 300, SHARED),  # its responses say 60 s
    CacheRule("/public_key", ("event_id",), 300, SHARED),
    CacheRule("/.well-known/jwks.json", (), 300, SHARED),
)
# Seconds for which the edge caches errors, by status. It contains each status whose TTL can be set.
# Without it CloudFront caches 404, 405, 414 and 500 to 504 for 10 s and ignores `Cache-Control`.
ERROR_TTLS = dict.fromkeys((400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504), 0)
