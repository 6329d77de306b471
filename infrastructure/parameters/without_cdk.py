# SPDX-License-Identifier: Apache-2.0
"""The parameters that the templates declare, and those that are fixed when a template is written.

A new parameter of core needs a place here; a test names those that have none.
"""

from __future__ import annotations

from collections.abc import Mapping

FIXED_VALUES = "fixed.json"  # file of the parameters that a build fixes, by name
# Parameters of core that a template declares. Others are fixed when it is written.
OF_CORE = (
    "EventId", "ValidityPeriod", "EnableEventsGeneration", "RedisPort",
    "QueuePositionExpiryPeriod", "EnableQueuePositionExpiry", "IncrSvcOnQueuePositionExpiry",
    "RequireClientSecret", "AdmissionStrategy", "TargetActive", "TargetPerMinute", "MinPerMinute",
    "NoShowAfter", "AdmissionAlarmName", "Profile", "RedisEngine", "RedisNodeType", "SnapshotDays",
    "DeletionProtection", "RetainData", "ApiRate", "ApiBurst", "PrivateApiRate", "PrivateApiBurst",
    "OtherApiRate", "OtherApiBurst", "KeyRotationDays", "LogRetentionDays", "CreateApiLogRole",
    "AlarmEmail", "MetricsPerEvent", "RouteMetrics", "EnableWaf",
    "JoinRateLimitPerIp", "RequestRateLimitPerIp",
)  # fmt: skip
# Flags that need a text; a rule of the template refuses the flag without it.
NEEDS: Mapping[str, str] = {"OpenIdRequestIdCodes": "OpenIdWaitingRoomUrl"}
# Parameters that decide a resource or a property together. The list saves syntheses: for a set that
# is not here, `make dist` synthesizes until no other set explains the difference.
TOGETHER = (("Profile", "RedisEngine"), ("Profile", "EnableWaf"), *NEEDS.items())
# Parameters that a template does not declare if another one is fixed.
EXCLUDED_BY: Mapping[str, tuple[str, ...]] = {
    "OpenIdPageDomain": ("OpenIdWaitingRoomUrl", "OpenIdRequestIdCodes")
}
_NAMES = "it changes the names of resources"
_COMPUTED = "CDK computes other values from it"
_BELONG = "its rules relate several parameters"
# Parameters that a template does not declare, each with the reason.
FIXED: Mapping[str, str] = {
    "SnapStart": "templates with both kinds of functions exceed CloudFormation's limit",
    "EdgeApiKeyVersion": _NAMES,
    "VpcId": _NAMES,
    "SubnetIds": _NAMES,
    "CustomerManagedKey": "its statements differ in each stack",
    "RestoredTables": "it replaces resources by names",
    "PageBrand": "it is the content of a file",
    "AccountConcurrency": _COMPUTED,
    "AssignConcurrency": _COMPUTED,
    "WorkerReservedConcurrency": _COMPUTED,
    "OperatorsReservedConcurrency": _COMPUTED,
    "JoinPollers": _COMPUTED,
    "MaxJoinPollers": _COMPUTED,
    "Alarms": "the dashboard shows the alarms, which depend on further parameters",
    "Dashboard": "it shows the alarms, which depend on further parameters",
    "EdgePolicies": _BELONG,
    "AvailabilityZones": _BELONG,
    **{
        f"{one}{part}": _BELONG
        for one in ("Api", "Page", "Console", "OpenIdPage")
        for part in ("Domain", "CertificateArn")
    },
    "HostedZoneId": _BELONG,
    "SiteEntrance": _BELONG,
    "SiteRedirectOrigins": _BELONG,
    "OperatorSignIn": "it decides several resources and values of two files",
    **{
        f"Operator{part}": _BELONG
        for part in (
            "Issuer",
            "ClientId",
            "Scopes",
            "GroupsClaim",
            "GroupPrefix",
            "ProviderArn",
            "TokenOrigin",
        )
    },
}
# Parameters of the stacks openid and inlet that their templates declare.
OF_OPENID = (
    "PublicAPIEndpoint", "APIRegion", "EventID", "OpenIdRedirectUris", "OpenIdRestartUrl",
    "OpenIdRestartAfter", "OpenIdWaitingRoomUrl", "OpenIdRequestIdCodes",
)  # fmt: skip
OF_INLET = (
    "EventId", "PrivateCoreApiEndpoint", "CoreApiRegion", "CloudWatchAlarmName", "InletStrategy",
    "IncrementBy", "StartTime", "EndTime", "MaxSize", "OnInsufficientData", "TicksPerMinute",
)  # fmt: skip
# Parameters that change none of these templates, each with what to do instead.
NO_PART: Mapping[str, str] = {
    "Stacks": "the stack WaitingRoom has core, authorizer and sample; others have templates",
    "StackName": "it is the name of the stack in the command that deploys",
    "Tags": "give --tags to the command that deploys",
    "WarmWriteUnits": "run make warm after the deployment",
    "ChallengeOnJoin": "only false is accepted",
    "AccountApiRate": "only the checks use it",
    "AccountApiBurst": "only the checks use it",
}
