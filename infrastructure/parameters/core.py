# SPDX-License-Identifier: Apache-2.0
"""The parameters of the core stack. Names and defaults of the first seven are the AWS solution's.

Give them to CDK as context: ``cdk deploy -c EventId=Sale -c ValidityPeriod=900``, or in the
``context`` of ``cdk.json``. ``docs/deploy.md`` lists them; a test compares it with this file. The
parameters stay in one file, longer than 300 lines: it is one flat list with its checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from infrastructure.blueprint.permissions import PRIVATE
from infrastructure.blueprint.resources import ASSIGN, MAX_ROTATION_DAYS
from infrastructure.parameters.parameter import (
    ParameterError,
    Parameters,
    choice,
    flag,
    number,
    switch,
    text,
    texts,
)
from waiting_room.domain.limits import EVENT_ID, MAX_INCREMENT, MAX_VALIDITY, MIN_VALIDITY

# CloudWatch's periods in days → CDK's names
LOG_PERIODS = {
    1: "ONE_DAY",
    3: "THREE_DAYS",
    7: "ONE_WEEK",
    14: "TWO_WEEKS",
    30: "ONE_MONTH",
    90: "THREE_MONTHS",
    180: "SIX_MONTHS",
    365: "ONE_YEAR",
    731: "TWO_YEARS",
    1827: "FIVE_YEARS",
    3653: "TEN_YEARS",
}
PROFILES = ("standard", "cheap", "serverless")
AN_EVENT = "1 to 64 letters, digits, dashes, dots or underscores"


@dataclass(frozen=True, kw_only=True)
class CacheNodeSize:
    """The size of the Redis replication group. With several nodes it spans zones and fails over."""

    engine: str
    node_type: str
    nodes: int
    snapshot_days: int


UNRESERVED = 100  # Lambda concurrency of an account that cannot be reserved
WORKERS_SHARE = 5  # join workers get at most a fifth of the account's concurrency by default
CALLS_OF_A_POLLER = 10  # of a function at once, by Lambda's documentation
LEAST_WORKERS = 2  # MaximumConcurrency, or pollers, of an event source mapping of SQS

CHEAP_PROFILE = CacheNodeSize(
    engine="valkey", node_type="cache.t4g.micro", nodes=1, snapshot_days=0
)
ZONES = 2  # of the network
NODES = 2  # of the standard profile: a primary and its replica in another zone
# Parameters that have no meaning without Redis. RedisPort is accepted and ignored: the AWS solution
# has it.
REDIS_ONLY = (
    "RedisEngine",
    "RedisNodeType",
    "SnapshotDays",
    "VpcId",
    "SubnetIds",
    "AvailabilityZones",
)


@dataclass(frozen=True, kw_only=True)
class CoreConfig(Parameters):
    """Parameters of the core stack. Periods are in seconds unless the name has another unit."""

    event_id: str = text(
        "EventId",
        "event id of the event of the deployment; clients send it",
        default="Sample",
        pattern=EVENT_ID.pattern,
        constraint=AN_EVENT,
    )
    validity_period: int = number(
        "ValidityPeriod",
        "validity of a token in seconds",
        default=3600,
        low=MIN_VALIDITY,
        high=MAX_VALIDITY,
    )
    enable_events_generation: bool = flag(
        "EnableEventsGeneration",
        "send metrics to the event bus each minute; bus events of other types are always sent",
        default=False,
    )
    redis_port: int = number(
        "RedisPort",
        "port of Redis; ignored with the profile `serverless`",
        default=1785,
        low=1024,
        high=65_535,
    )
    queue_position_expiry_period: int = number(
        "QueuePositionExpiryPeriod",
        "seconds until a served position without a token expires",
        default=900,
        low=1,
        high=MAX_VALIDITY,
    )
    enable_queue_position_expiry: bool = flag(
        "EnableQueuePositionExpiry", "expire served positions without a token", default=True
    )
    incr_svc_on_queue_position_expiry: bool = flag(
        "IncrSvcOnQueuePositionExpiry",
        "raise the serving counter by the number of expired positions",
        default=False,
    )
    require_client_secret: bool = flag(
        "RequireClientSecret",
        "require that every join sends the hash of a client secret",
        default=False,
    )
    admission_strategy: str = choice(
        "AdmissionStrategy",
        "`manual`, `rate`, `active` or `both`: how the event admits visitors",
        default="manual",
        among=("manual", "rate", "active", "both"),
    )
    target_active: int = number(
        "TargetActive",
        "with the strategies `active` and `both`: maximum of visitors on the site at the same time",
        default=1000,
        low=0,
        high=MAX_INCREMENT,
    )
    target_per_minute: int = number(
        "TargetPerMinute",
        "with the strategies `rate` and `both`: maximum of positions admitted per minute",
        default=600,
        low=0,
        high=MAX_INCREMENT,
    )
    min_per_minute: int = number(
        "MinPerMinute",
        "positions admitted per minute while the site is unhealthy",
        default=0,
        low=0,
        high=MAX_INCREMENT,
    )
    no_show_after: int = number(
        "NoShowAfter",
        "seconds after which an admitted visitor without a token counts as a no-show",
        default=90,
        low=10,
        high=3600,
    )
    admission_alarm: str = text(
        "AdmissionAlarmName",
        "CloudWatch alarm that slows admission while it is in ALARM",
        default="",
        pattern=r"[^\x00-\x1f]{1,255}",
        constraint="the name of an alarm",
    )
    stack_name: str = text(
        "StackName",
        "name of the core stack; part of the names of the other stacks and the bus",
        default="WaitingRoom",
        pattern=r"[A-Za-z][A-Za-z0-9-]{0,127}",
        constraint="1 to 128 letters, digits or dashes, the first a letter",
    )
    profile: str = choice(
        "Profile",
        "`standard`; `cheap`: one small Valkey node without failover, endpoint in one zone;"
        " `serverless`: no Redis and no VPC",
        default="standard",
        among=PROFILES,
    )
    redis_engine: str = choice(
        "RedisEngine",
        "`valkey`, or `redis`, which costs more",
        default="valkey",
        among=("valkey", "redis"),
    )
    redis_node_type: str = text(
        "RedisNodeType",
        "ElastiCache node type of the standard profile",
        default="cache.t4g.small",
        pattern=r"cache\.[a-z0-9]+\.[a-z0-9]+",
        constraint="an ElastiCache node type like cache.t4g.small",
    )
    snapshot_days: int = number(
        "SnapshotDays",
        "retention of the daily Redis snapshots, in days; 0 for no snapshots",
        default=1,
        low=0,
        high=35,
    )
    vpc_id: str = text(
        "VpcId",
        "existing VPC; its subnets must reach DynamoDB and Secrets Manager",
        default="",
        pattern=r"vpc-[0-9a-f]{8,17}",
        constraint="a VPC id like vpc-0123456789abcdef0",
    )
    subnet_ids: tuple[str, ...] = texts(
        "SubnetIds",
        "private subnets of the VPC in two zones, separated by commas",
        pattern=r"subnet-[0-9a-f]{8,17}",
        constraint="subnet ids, separated by commas",
    )
    warm_write_units: int = number(
        "WarmWriteUnits",
        "writes per second for which `make deploy` pre-warms the tables; 0 for the AWS default",
        default=0,
        low=0,
        high=1_000_000,
    )
    deletion_protection: bool = flag(
        "DeletionProtection", "reject deletion of the tables", default=False
    )
    retain_data: bool = flag(
        "RetainData", "retain tables, secrets and logs when the stack is removed", default=False
    )
    zones: tuple[str, ...] = texts(
        "AvailabilityZones",
        "two zones of the stack's own VPC, separated by commas; by default the first two of the"
        " region. Cannot be changed later",
        pattern=r"[a-z]{2}(-[a-z]+)+-[0-9][a-z]",
        constraint="names of zones like eu-central-1a, separated by commas",
    )
    account_concurrency: int = number(
        "AccountConcurrency",
        "Lambda concurrency of the account in the region (`make doctor` prints it)",
        default=1_000,
        low=10,
        high=1_000_000,
    )
    assign_concurrency: int = number(
        "AssignConcurrency",
        "maximum number of join workers at the same time; 0 for a fifth of AccountConcurrency,"
        " between 2 and 100",
        default=0,
        low=0,
        high=1000,
    )
    join_pollers: int = number(
        "JoinPollers",
        "pollers of the join queue that always run, instead of AssignConcurrency; AWS charges for"
        " them by the hour. 0 for none",
        default=0,
        low=0,
        high=200,
    )
    max_join_pollers: int = number(
        "MaxJoinPollers",
        "with JoinPollers: maximum number of pollers; 0 for JoinPollers",
        default=0,
        low=0,
        high=2_000,
    )
    worker_reserved_concurrency: int = number(
        "WorkerReservedConcurrency",
        "Lambda concurrency reserved for the join worker; 0 for none",
        default=0,
        low=0,
        high=100_000,
    )
    operators_reserved_concurrency: int = number(
        "OperatorsReservedConcurrency",
        "Lambda concurrency reserved for each function of the private API; 0 for none",
        default=0,
        low=0,
        high=1_000,
    )
    api_rate: int = number(
        "ApiRate",
        "throttle of the public API: requests per second",
        default=7_500,
        low=1,
        high=10**6,
    )
    api_burst: int = number(
        "ApiBurst",
        "throttle of the public API: burst",
        default=3_750,
        low=1,
        high=10**6,
    )
    private_api_rate: int = number(
        "PrivateApiRate",
        "throttle of the private API: requests per second",
        default=1_000,
        low=1,
        high=10**6,
    )
    private_api_burst: int = number(
        "PrivateApiBurst",
        "throttle of the private API: burst",
        default=500,
        low=1,
        high=10**6,
    )
    other_api_rate: int = number(
        "OtherApiRate",
        "throttle of the API of each other stack: requests per second",
        default=500,
        low=1,
        high=10**6,
    )
    other_api_burst: int = number(
        "OtherApiBurst",
        "throttle of the API of each other stack: burst",
        default=250,
        low=1,
        high=10**6,
    )
    account_api_rate: int = number(
        "AccountApiRate",
        "account quota of API Gateway: requests per second",
        default=10_000,
        low=1,
        high=10**6,
    )
    account_api_burst: int = number(
        "AccountApiBurst",
        "account quota of API Gateway: burst",
        default=5_000,
        low=1,
        high=10**6,
    )
    key_rotation_days: int = number(
        "KeyRotationDays",
        "days between two key rotations; 0 for none: authorizers that cache one key need 0",
        default=0,
        low=0,
        high=MAX_ROTATION_DAYS,
    )
    edge_api_key_version: int = number(
        "EdgeApiKeyVersion",
        "version of the API key that CloudFront sends; a higher number creates a new key",
        default=1,
        low=1,
        high=10_000,
    )
    snap_start: bool = flag(
        "SnapStart",
        "use Lambda SnapStart for the public API and the workers; AWS charges for it",
        default=False,
    )
    log_retention_days: int = number(
        "LogRetentionDays",
        "days that logs are retained: " + ", ".join(str(days) for days in LOG_PERIODS),
        default=30,
        low=1,
        high=3653,
    )
    create_api_log_role: bool = flag(
        "CreateApiLogRole",
        "create the CloudWatch role of API Gateway for the account; false if the account has one",
        default=True,
    )
    alarm_email: str = text(
        "AlarmEmail",
        "e-mail address that receives the alarms",
        default="",
        pattern=r"[^@\s]+@[^@\s]+\.[^@\s]+",
        constraint="an e-mail address",
    )
    alarms: str = choice(
        "Alarms",
        "`full`, or `essential` (about ten metrics); "
        "default: `full` with the profile `standard`, else `essential`",
        default="",
        among=("essential", "full"),
    )
    dashboard_given: bool | None = switch(
        "Dashboard",
        "create the CloudWatch dashboard; default: true with the profile `standard`, else false",
    )
    metrics_per_event: bool = flag(
        "MetricsPerEvent",
        "send the metrics of each event to CloudWatch; without it only their sum over all events",
        default=False,
    )
    route_metrics: bool = flag(
        "RouteMetrics",
        "CloudWatch metrics of each route of both APIs, which cost; those of each API are free",
        default=False,
    )
    waf_given: bool | None = switch(
        "EnableWaf",
        "put AWS WAF in front of the public API; "
        "default: false with the profile `serverless`, else true",
    )
    join_rate_limit_per_ip: int = number(
        "JoinRateLimitPerIp",
        "joins per IP address in five minutes",
        default=300,
        low=10,
        high=2_000_000_000,
    )
    request_rate_limit_per_ip: int = number(
        "RequestRateLimitPerIp",
        "requests per IP address in five minutes that the cache does not serve",
        default=6_000,
        low=10,
        high=2_000_000_000,
    )
    challenge_on_join: bool = flag(
        "ChallengeOnJoin",
        "only false is accepted: a page on another host cannot solve an AWS WAF challenge",
        default=False,
    )

    def __post_init__(self) -> None:
        if self.serverless:
            self._reject_redis_parameters()
        if self.log_retention_days not in LOG_PERIODS:
            days = ", ".join(str(day) for day in LOG_PERIODS)
            raise ParameterError(f"The parameter LogRetentionDays must be one of {days}.")
        if self.min_per_minute > self.target_per_minute:
            raise ParameterError("The parameter MinPerMinute must not be above TargetPerMinute.")
        if bool(self.vpc_id) != bool(self.subnet_ids):
            raise ParameterError("The parameters VpcId and SubnetIds belong together.")
        if self.vpc_id and len(self.subnet_ids) < (1 if self.cheap else 2):
            raise ParameterError("The parameter SubnetIds must name subnets in two zones.")
        if self.challenge_on_join:
            raise ParameterError(
                "The parameter ChallengeOnJoin must be false: a join would need an AWS WAF token, "
                "which the waiting page cannot get for the host of the API."
            )
        self._check_zones()
        self._check_concurrency()
        self._check_pollers()
        if self.request_rate_limit_per_ip < self.join_rate_limit_per_ip:
            raise ParameterError(
                "The parameter RequestRateLimitPerIp must not be below JoinRateLimitPerIp: "
                "a join is a request too."
            )

    def _reject_redis_parameters(self) -> None:
        for field, parameter in self.known():
            given = getattr(self, field.name)
            if parameter.name in REDIS_ONLY and given != field.default:
                raise ParameterError(
                    f"The parameter {parameter.name} has no effect with Profile=serverless, which "
                    "has no Redis and no VPC: remove it."
                )

    def _check_zones(self) -> None:
        if self.zones and self.vpc_id:
            raise ParameterError(
                "The parameters AvailabilityZones and VpcId exclude each other: the subnets of "
                "SubnetIds have their zones."
            )
        if self.zones and len(set(self.zones)) != ZONES:
            raise ParameterError("The parameter AvailabilityZones must name two zones.")

    def _check_concurrency(self) -> None:
        """Raise ParameterError for concurrency that Lambda would reject or throttle."""
        if self.assign_concurrency and self.assign_concurrency < LEAST_WORKERS:
            raise ParameterError(
                f"The parameter AssignConcurrency must be 0 or at least {LEAST_WORKERS}: Lambda "
                "accepts no lower maximum for a queue."
            )
        if self.assign_concurrency > self.account_concurrency:
            raise ParameterError(
                f"The parameter AssignConcurrency ({self.assign_concurrency}) must not be above "
                f"AccountConcurrency ({self.account_concurrency}): Lambda would throttle the join "
                "queue."
            )
        if 0 < self.worker_reserved_concurrency < self.join_workers and not self.join_pollers:
            raise ParameterError(
                f"The parameter AssignConcurrency ({self.join_workers}) must not be above "
                "WorkerReservedConcurrency: Lambda would throttle the join queue."
            )
        if 0 < self.reserved_concurrency > self.account_concurrency - UNRESERVED:
            raise ParameterError(
                "The parameters WorkerReservedConcurrency and OperatorsReservedConcurrency reserve "
                f"{self.reserved_concurrency} of AccountConcurrency ({self.account_concurrency}); "
                f"Lambda requires that {UNRESERVED} stay unreserved."
            )

    def _check_pollers(self) -> None:
        """Raise ParameterError for pollers that Lambda would reject or throttle."""
        if not self.join_pollers:
            if self.max_join_pollers:
                raise ParameterError("The parameter MaxJoinPollers needs JoinPollers.")
            return
        if self.join_pollers < LEAST_WORKERS:
            raise ParameterError(
                f"The parameter JoinPollers must be 0 or at least {LEAST_WORKERS}: Lambda accepts "
                "no lower number for a queue."
            )
        if self.assign_concurrency:
            raise ParameterError(
                "The parameters JoinPollers and AssignConcurrency exclude each other: Lambda "
                "accepts pollers or a maximum concurrency."
            )
        low, high = self.pollers
        if high < low:
            raise ParameterError("The parameter MaxJoinPollers must not be below JoinPollers.")
        for name, limit in (
            ("AccountConcurrency", self.account_concurrency),
            ("WorkerReservedConcurrency", self.worker_reserved_concurrency),
        ):
            if 0 < limit < high * CALLS_OF_A_POLLER:
                raise ParameterError(
                    f"{high} pollers (JoinPollers, MaxJoinPollers) call the join worker up to "
                    f"{high * CALLS_OF_A_POLLER} times at once, more than the parameter {name} "
                    f"({limit}): Lambda would throttle the join queue."
                )

    def check_api_quota(self, others: int) -> None:
        """Raise ParameterError unless the APIs of core and of ``others`` fit into the quota.

        All APIs of an account in a region share one quota. The limit of the public API must leave
        capacity for the private API. Otherwise visitors' requests block the operators.
        """
        for what, parts, quota in (
            ("Rate", (self.api_rate, self.private_api_rate, self.other_api_rate),
             self.account_api_rate),
            ("Burst", (self.api_burst, self.private_api_burst, self.other_api_burst),
             self.account_api_burst),
        ):  # fmt: skip
            visitors, operators, other = parts
            total = visitors + operators + others * other
            if total > quota:
                raise ParameterError(
                    f"The parameters Api{what} ({visitors}), PrivateApi{what} ({operators}) and "
                    f"{others} times OtherApi{what} ({other}) must not be above AccountApi{what} "
                    f"({quota}) together."
                )

    @property
    def join_workers(self) -> int:
        """Return the maximum number of join workers at the same time, at least 2."""
        if self.join_pollers:
            return self.pollers[1] * CALLS_OF_A_POLLER
        if self.assign_concurrency:
            return self.assign_concurrency
        share = max(LEAST_WORKERS, self.account_concurrency // WORKERS_SHARE)
        workers = min(ASSIGN.max_concurrency, share)
        if self.worker_reserved_concurrency:
            workers = min(workers, max(LEAST_WORKERS, self.worker_reserved_concurrency))
        return workers

    @property
    def pollers(self) -> tuple[int, int]:
        """Return the minimum and the maximum number of pollers; zeros without pollers."""
        return self.join_pollers, self.max_join_pollers or self.join_pollers

    @property
    def reserved_concurrency(self) -> int:
        """Return the Lambda concurrency that all functions of the stack reserve."""
        operators = self.operators_reserved_concurrency * len(PRIVATE)
        return self.worker_reserved_concurrency + operators

    @property
    def cheap(self) -> bool:
        """Return whether the profile is ``cheap``."""
        return self.profile == "cheap"

    @property
    def serverless(self) -> bool:
        """Return whether the counters are in DynamoDB, without Redis and a VPC."""
        return self.profile == "serverless"

    @property
    def cache_node_size(self) -> CacheNodeSize | None:
        """Return the size of Redis for the profile; None without Redis."""
        if self.serverless:
            return None
        return (
            CHEAP_PROFILE
            if self.cheap
            else CacheNodeSize(
                engine=self.redis_engine,
                node_type=self.redis_node_type,
                nodes=NODES,
                snapshot_days=self.snapshot_days,
            )
        )

    @property
    def settings(self) -> dict[str, str]:
        """Return the functions' environment; ``waiting_room.runtime.settings.room`` reads it."""
        flags = {
            "ENABLE_EVENTS_GENERATION": self.enable_events_generation,
            "ENABLE_QUEUE_POSITION_EXPIRY": self.enable_queue_position_expiry,
            "INCR_SVC_ON_QUEUE_POSITION_EXPIRY": self.incr_svc_on_queue_position_expiry,
            "REQUIRE_CLIENT_SECRET": self.require_client_secret,
            "METRICS_PER_EVENT": self.metrics_per_event,
        }
        return {
            "EVENT_ID": self.event_id,
            "VALIDITY_PERIOD": str(self.validity_period),
            "QUEUE_POSITION_EXPIRY_PERIOD": str(self.queue_position_expiry_period),
            **{name: str(value).lower() for name, value in flags.items()},
        }

    @property
    def first_admission(self) -> dict[str, str]:
        """Return the environment of the set-up: the admission of the event's first version."""
        values = {
            "ADMISSION_STRATEGY": self.admission_strategy,
            "TARGET_ACTIVE": str(self.target_active),
            "TARGET_PER_MINUTE": str(self.target_per_minute),
            "MIN_PER_MINUTE": str(self.min_per_minute),
            "NO_SHOW_AFTER": str(self.no_show_after),
            "ADMISSION_ALARM_NAME": self.admission_alarm,
        }
        return {name: value for name, value in values.items() if value}

    @property
    def full_alarms(self) -> bool:
        """Return whether the stack has all alarms, not only the essential ones."""
        return (self.alarms or ("full" if self.profile == "standard" else "essential")) == "full"

    @property
    def dashboard(self) -> bool:
        """Return whether the stack has the dashboard."""
        given = self.dashboard_given
        return self.profile == "standard" if given is None else given

    @property
    def enable_waf(self) -> bool:
        """Return whether AWS WAF is in front of the public API."""
        return not self.serverless if self.waf_given is None else self.waf_given
