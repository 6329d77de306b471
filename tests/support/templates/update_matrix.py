# SPDX-License-Identifier: Apache-2.0
"""Documented changes of a deployed room, and the templates before and after each.

A cell of the matrix is a profile, a change and a direction. Settings that change no resource's kind
are synthesized together: a rule that one change breaks is broken by all of them together
(``tests/tools/test_stack_changes.py`` has the property). This saves minutes.

The module has more than 300 lines because it is one flat list of changes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from deployment import docs_tables
from deployment.stack_changes.plan import Account, Stacks, Step, check
from deployment.stack_changes.violation import Violation
from infrastructure.parameters.core import PROFILES
from tests.support.servers import ROOT
from tests.support.templates.synthesized import EVERYTHING, SHARED_POLICIES, Assembly

UPDATES = ROOT / "docs" / "updates.md"
ALL = str(EVERYTHING["Stacks"])
SITE = {name: value for name, value in EVERYTHING.items() if name.startswith("Site")}
NO_SITE = dict.fromkeys(SITE, "")
ROOM = "WaitingRoom"
BALANCER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/1a2b"


@dataclass(frozen=True, kw_only=True)
class Path:
    """A documented way in two steps: stacks to remove or to deploy first, or values between."""

    text: str
    remove: Sequence[str] = ()
    first: Sequence[str] = ()
    over: Mapping[str, Any] = field(default_factory=dict)


ONE_WAY = {  # the way back of a change that has none
    "GateApiKeyVersion by two": "[lower it by one, twice](#lower-it-by-one-twice)",
    "CustomerManagedKey=true": "[to its ARN, then to false](#remove-the-key-of-the-room)",
    "CustomerManagedKey, true to its ARN": "none: true creates another key",
}
GATE_FIRST = Path(text="[deploy the gate first](#deploy-the-gate-first)", first=[f"{ROOM}-Gate"])
OTHERS_FIRST = Path(
    text="[deploy the other stacks first](#remove-the-key-of-the-room)",
    first=[f"{ROOM}-{name}" for name in ("Authorizer", "Sample", "OpenId", "Inlet", "Gate")],
)


def removed(stack: str) -> Path:
    """Remove an optional stack before core is deployed without it."""
    return Path(
        text="[remove the stack first](#remove-the-stack-first)", remove=[f"{ROOM}-{stack}"]
    )


@dataclass(frozen=True, kw_only=True)
class Change:
    """Values of parameters ``before`` and ``after``, over those of EVERYTHING.

    ``up`` and ``down`` are the paths of the two directions, None for one step. ``ends`` are
    beginnings of logical ids of resources that the change removes on purpose, each with the reason.
    """

    name: str
    after: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    stacks: str = ALL
    without: str = ""  # the stacks before the change, if others than ``stacks``
    up: Path | None = None
    down: Path | None = None
    ends: Mapping[str, str] = field(default_factory=dict)
    profiles: Sequence[str] = PROFILES
    see: str = ""  # a section with more about both directions, as a link
    together: bool = False
    upwards_only: bool = False

    @property
    def parameters(self) -> set[str]:
        """The parameters that differ."""
        return {*self.before, *self.after, *(["Stacks"] if self.without else [])}


def setting(name: str, value: Any, **more: Any) -> Change:
    """A parameter that is synthesized together with others."""
    return Change(name=name, after={name: value}, together=True, **more)


def optional(stack: str, name: str, *, beside: str = "core", **more: Any) -> Change:
    """An optional stack that is added and removed."""
    return Change(
        name=f"stack {stack}", after={}, stacks=f"{beside},{stack}", without=beside, **more
    )


STANDARD = ["standard"]  # the parameters of its cache
CACHED = ["standard", "cheap"]  # profiles with a cache and a VPC
LEAN = ["cheap", "serverless"]  # profiles with the essential alarms
PAGES_AND_API = ("Api", "Page", "Console", "OpenIdPage")
CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/1b-2c"
KEY = {"PublicKey": "the previous API key"}
SETTINGS = (
    setting("EventId", "Another"),
    setting("ValidityPeriod", 900),
    setting("EnableEventsGeneration", "true"),
    setting("QueuePositionExpiryPeriod", 600),
    setting("EnableQueuePositionExpiry", "false"),
    setting("IncrSvcOnQueuePositionExpiry", "true"),
    setting("RequireClientSecret", "true"),
    setting("AdmissionStrategy", "rate"),
    setting("TargetActive", 10),
    setting("TargetPerMinute", 700),
    setting("MinPerMinute", 10),
    setting("NoShowAfter", 100),
    setting("AdmissionAlarmName", "site-is-slower"),
    setting("RedisNodeType", "cache.r7g.large", profiles=STANDARD),
    setting("SnapshotDays", 2, profiles=STANDARD),
    setting("DeletionProtection", "true"),
    setting("RetainData", "true"),
    setting("AssignConcurrency", 50),
    setting("WorkerReservedConcurrency", 200),
    setting("OperatorsReservedConcurrency", 5),
    setting("ApiRate", 7_000),
    setting("ApiBurst", 3_000),
    setting("PrivateApiRate", 900),
    setting("PrivateApiBurst", 400),
    setting("OtherApiRate", 400),
    setting("OtherApiBurst", 200),
    setting("AccountApiRate", 20_000),
    setting("AccountApiBurst", 9_000),
    setting("KeyRotationDays", 30),
    setting("EdgeApiKeyVersion", 2, ends=KEY),
    setting("LogRetentionDays", 7),
    setting("CreateApiLogRole", "false"),
    setting("AlarmEmail", "operators@shop.example"),
    setting("JoinRateLimitPerIp", 200),
    setting("RequestRateLimitPerIp", 5_000),
    setting("SiteEntrance", "https://shop.example/waiting-room/enter"),
    setting("SiteRedirectOrigins", "https://www.shop.example"),
    setting("PageBrand", {"name": "Night of Stars"}),
    setting("OpenIdRedirectUris", "https://tickets.example/callback"),
    setting("OpenIdRestartUrl", "https://tickets.example/restart"),
    setting("OpenIdRestartAfter", 300),
    setting("IncrementBy", 20),
    setting("MaxSize", 50),
    setting("StartTime", 1),
    setting("EndTime", 2_000_000_000),
    setting("CloudWatchAlarmName", "site-is-slower"),
    setting("OnInsufficientData", "hold"),
    setting("TicksPerMinute", 2),
    setting("SiteOrigin", "origin.tickets.example"),
    setting("SiteDomains", "tickets.example"),
    setting("SiteCertificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/1b-2c"),
    setting("GateWithoutStore", "open"),
    setting("AccountConcurrency", 2_000),
    setting("Alarms", "full", profiles=LEAN),
    setting("MetricsPerEvent", "true"),
    setting("RouteMetrics", "true"),
    setting("Tags", "Team=tickets"),
)
DOMAINS = {
    **{f"{one}Domain": f"{one.lower()}.queue.example" for one in PAGES_AND_API},
    **{f"{one}CertificateArn": CERTIFICATE for one in PAGES_AND_API},
}
OWN_VPC = {
    "VpcId": "vpc-0123456789abcdef0",
    "SubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
}
OTHER_SUBNETS = {**OWN_VPC, "SubnetIds": "subnet-0123456789abcdef1,subnet-0123456789abcdef2"}
ROOM_ALONE = {
    "PublicAPIEndpoint": "https://room.example",
    "IssuerURI": "https://room.example/api",
    "PrivateAPIEndpoint": "https://room.example/private",
    "APIGatewayRegion": "eu-central-1",
}
OTHER_ROOM = {
    "PublicAPIEndpoint": "https://other.example",
    "IssuerURI": "https://other.example/api",
    "PrivateAPIEndpoint": "https://other.example/private",
    "APIGatewayRegion": "eu-west-1",
    "WaitingRoomEventID": "Another",
    "EventID": "Another",
}
LABEL = "2026-11-30T10:00:00.000"
COPIES = f"QueuePositions=sale-q,Tokens=sale-t@{LABEL},ServingLog=sale-s,Events=sale-e@{LABEL}"
RESTORED = {"RestoredTables": COPIES}
OTHER_RESTORED = {"RestoredTables": COPIES.replace("sale", "other")}
KMS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000001"
OWN_KEY, GIVEN_KEY = {"CustomerManagedKey": "true"}, {"CustomerManagedKey": KMS_KEY}
SHARED = {"EdgePolicies": ",".join(f"{name}={one}" for name, one in SHARED_POLICIES.items())}
AUTHORIZER = "arn:aws:lambda:eu-central-1:123456789012:function:authorizer"
CACHE = {
    "CountersPassword": "the password of the cache that is removed",
    "NetworkRefusedLogs": "the log of refused packets of the VPC that is removed",
    "TablesOutbox": "messages of the VPC that is removed; the last second of them may be unsent",
    "WorkersFunctionsSendOutboxLogs": "the log of the worker that sends them",
}
COUNTERS = {
    "TablesCounters": "the table of the counters, which are rebuilt in the cache",
    "WorkersFunctionsCountOutcomesLogs": "the log of the worker that counts in tables",
}
PAGE = {"WaitingRoom": "the page of the stack, which you replace with your own"}
OPERATORS_PROVIDER = {
    "OperatorIssuer": "https://login.shop.example",
    "OperatorClientId": "console",
}
OTHER_PROVIDER = {
    "OperatorIssuer": "https://login.tickets.example/realm",
    "OperatorClientId": "operators",
    "OperatorScopes": "openid groups",
    "OperatorGroupsClaim": "roles",
    "OperatorGroupPrefix": "tickets-",
    "OperatorProviderArn": "arn:aws:iam::123456789012:oidc-provider/login.tickets.example/realm",
    "OperatorTokenOrigin": "https://tokens.tickets.example",
}
USERS = {
    "SignInUsers": "the user pool with the accounts of operators",
    "SignInIdentities": "the identity pool",
}
KINDS = (
    Change(name="RedisEngine", after={"RedisEngine": "redis"}, stacks="core", profiles=STANDARD),
    Change(name="RedisPort", after={"RedisPort": 6379}, stacks="core", profiles=CACHED),
    Change(
        name="VpcId, SubnetIds",
        after=OWN_VPC,
        stacks="core",
        profiles=CACHED,
        ends={"NetworkRefusedLogs": "the log of refused packets of the VPC that is removed"},
    ),
    Change(
        name="SubnetIds", before=OWN_VPC, after=OTHER_SUBNETS, stacks="core", profiles=CACHED
    ),
    Change(name="Dashboard", before={"Dashboard": "false"}, after={"Dashboard": "true"},
           stacks="core", ends={"OperationsDashboard": "the dashboard"}),
    Change(name="JoinPollers, MaxJoinPollers", after={"JoinPollers": 2, "MaxJoinPollers": 20},
           stacks="core", see="[Pollers](deploy.md#pollers)"),
    Change(name="RestoredTables", after=RESTORED, stacks="core,gate", profiles=CACHED),
    Change(name="RestoredTables to others", before=RESTORED, after=OTHER_RESTORED,
           stacks="core,gate", profiles=CACHED),
    Change(name="RestoredTables without Redis", stacks="core,gate", profiles=["serverless"],
           after={"RestoredTables": f"{COPIES},Counters=sale-c"}),
    Change(name="CustomerManagedKey=true", after=OWN_KEY, stacks="core,gate", upwards_only=True),
    Change(name="CustomerManagedKey, true to its ARN", before=OWN_KEY, after=GIVEN_KEY,
           upwards_only=True, up=OTHERS_FIRST,
           ends={"Key": "the key, which CloudFormation retains"}),
    Change(name="CustomerManagedKey, ARN", after=GIVEN_KEY, stacks="core,gate"),
    Change(name="EdgePolicies", after=SHARED, stacks="core,gate"),
    Change(name="custom domains", after=DOMAINS, stacks="core,authorizer,sample,openid"),
    Change(name="HostedZoneId", before=DOMAINS, after={**DOMAINS, "HostedZoneId": "Z0123456789AB"},
           stacks="core,authorizer,sample,openid"),
    Change(name="SiteHostedZoneId", after={"SiteHostedZoneId": "Z0123456789AB"},
           stacks="core,gate"),
    Change(name="EdgeDistributions", before={"EdgeDistributions": "E1A2B3C4D5E6F7"},
           after={"EdgeDistributions": "E1A2B3C4D5E6F7,E7F6E5D4C3B2A1"}, stacks="edge-alarms"),
    Change(name="SnapStart", after={"SnapStart": "true"}),
    Change(name="EnableWaf", before={"EnableWaf": "false"}, after={"EnableWaf": "true"},
           down=GATE_FIRST),
    Change(name="GateApiKeyVersion by one", after={"GateApiKeyVersion": 2}, stacks="core,gate",
           down=GATE_FIRST, ends={"PublicGateKey": "the previous API key"}),
    Change(name="GateApiKeyVersion by two", after={"GateApiKeyVersion": 3}, stacks="core,gate",
           upwards_only=True, ends={"PublicGateKey": "the previous API keys"}),
    Change(name="InletStrategy", before={"InletStrategy": "Periodic"},
           after={"InletStrategy": "MaxSize"}, stacks="core,inlet",
           ends={"ExitTopic": "the topic of exits, which belongs to MaxSize"}),
    Change(name="SiteOrigin, from none", before=NO_SITE, after=SITE, stacks="core,gate",
           ends={"Site": "the distribution of the site"}),
    Change(name="SiteLoadBalancerArn", stacks="core,gate", after={
        "SiteOrigin": "", "SiteLoadBalancerArn": BALANCER,
        "SiteLoadBalancerSecurityGroup": "sg-0123456789abcdef0"}),
    Change(name="OpenIdWaitingRoomUrl", after={"OpenIdWaitingRoomUrl": "https://page.example"},
           stacks="core,openid", ends=PAGE),
    Change(name="OpenIdRequestIdCodes", stacks="core,openid",
           before={"OpenIdWaitingRoomUrl": "https://page.example"},
           after={"OpenIdWaitingRoomUrl": "https://page.example", "OpenIdRequestIdCodes": "true"}),
    Change(name="authorizer and sample of another room", before=ROOM_ALONE, after=OTHER_ROOM,
           stacks="authorizer,sample"),
    Change(name="AuthorizerARN", stacks="sample",
           before={**ROOM_ALONE, "AuthorizerARN": AUTHORIZER},
           after={**ROOM_ALONE, "AuthorizerARN": f"{AUTHORIZER}:live"}),
    Change(name="OperatorSignIn", before={"OperatorSignIn": "false"},
           after={"OperatorSignIn": "true"}, stacks="core,authorizer,sample", ends=USERS),
    Change(name="OperatorIssuer", after=OPERATORS_PROVIDER, stacks="core,authorizer,sample",
           ends=USERS),
    Change(name="OperatorIssuer to another", before=OPERATORS_PROVIDER, after=OTHER_PROVIDER,
           stacks="core,authorizer,sample"),
    optional("authorizer", "Authorizer"),
    optional("sample", "Sample", beside="core,authorizer"),
    optional("openid", "OpenId"),
    optional("inlet", "Inlet"),
    optional("gate", "Gate", down=removed("Gate"),
             ends={"PublicGateKey": "the API key of the gate"}),
    Change(name="Profile to cheap", before={"Profile": "standard"}, after={"Profile": "cheap"},
           stacks="core,gate", profiles=STANDARD, ends=CACHE | COUNTERS),
    Change(name="Profile to serverless", before={"Profile": "standard"},
           after={"Profile": "serverless"}, stacks="core,gate", profiles=STANDARD, up=GATE_FIRST,
           ends=CACHE | COUNTERS),
)  # fmt: skip
CHANGES = (*SETTINGS, *KINDS)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One change of a room with a profile. ``upwards`` is the direction from before to after."""

    profile: str
    change: Change
    upwards: bool

    def __str__(self) -> str:
        return f"{self.profile}: {self.change.name} {'up' if self.upwards else 'down'}"

    @property
    def path(self) -> Path | None:
        """The documented path of two steps; None for one step."""
        return self.change.up if self.upwards else self.change.down

    @property
    def sides(self) -> tuple[Stacks, Stacks]:
        """The stacks before and after the cell's change."""
        before, after = self._contexts
        return synthesized(before), synthesized(after)

    def in_one_step(self) -> Account:
        """Deploy the other templates."""
        return one_step(*self._contexts)

    def by_path(self) -> Account:
        """Make the steps of the documented path."""
        before, after = self.sides
        path = self.path
        if path is None:
            return self.in_one_step()
        steps = [Step(stacks=after)]
        if path.remove:
            steps.insert(0, Step(stacks=before, remove=path.remove))
        if path.first:
            steps.insert(0, Step(stacks=after, only=path.first))
        if path.over:
            between = self._context(path.over, self.change.stacks)
            steps.insert(0, Step(stacks=synthesized(between)))
        return check(before, steps)

    def unwanted(self, account: Account) -> list[Violation]:
        """What was found, without the resources that the change removes on purpose."""
        purpose = tuple(self.change.ends) or ("\0",)
        if self.change.together:
            purpose = tuple(name for one in SETTINGS for name in one.ends)
        return [
            one
            for one in account.found
            if one.rule != "state_is_kept" or not one.resource.startswith(purpose)
        ]

    @property
    def _contexts(self) -> tuple[str, str]:
        low, high = self._low(), self._high()
        return (low, high) if self.upwards else (high, low)

    def _low(self) -> str:
        return self._context(self.change.before, self.change.without or self.change.stacks)

    def _high(self) -> str:
        after: dict[str, Any] = dict(self.change.after)
        if self.change.together:
            after = {}
            for one in SETTINGS:
                if self.profile in one.profiles:
                    after |= one.after
        return self._context(after, self.change.stacks)

    def _context(self, values: Mapping[str, Any], stacks: str) -> str:
        context = {**EVERYTHING, "Profile": self.profile, **values, "Stacks": stacks}
        return json.dumps(context, sort_keys=True)


def cells() -> Iterator[Cell]:
    """Every cell of the matrix."""
    for change in CHANGES:
        for profile in change.profiles:
            for upwards in (True,) if change.upwards_only else (True, False):
                yield Cell(profile=profile, change=change, upwards=upwards)


def table() -> str:
    """The changes of the matrix as a table: one step, or the path of two."""
    lines = ["| change | up | down |", "|---|---|---|"]
    for change in KINDS:
        if not set(change.profiles) & set(PROFILES):
            continue
        ways = [path.text if path else "one step" for path in (change.up, change.down)]
        if change.upwards_only:
            ways[1] = ONE_WAY[change.name]
        if change.see:
            ways = [f"{way}; see {change.see}" for way in ways]
        lines.append(f"| {change.name} | {' | '.join(ways)} |")
    return "\n".join(lines)


@cache
def synthesized(context: str) -> Stacks:
    """Return the templates of a context (JSON), in the order of their deployment."""
    made = Assembly(json.loads(context)).app.synth().stacks
    return {one.stack_name: one.template for one in made}


@cache
def one_step(before: str, after: str) -> Account:
    """Deploy the templates of a context over those of another; settings together have one pair."""
    return check(synthesized(before), [Step(stacks=synthesized(after))])


def main() -> None:
    """Write the table of docs/updates.md again."""
    docs_tables.replace(UPDATES, "changes", table())


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="tests.support.templates.update_matrix", description=main.__doc__
    ).parse_args()
    main()
