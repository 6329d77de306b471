# SPDX-License-Identifier: Apache-2.0
"""An AWS account with canned responses, for the checks before a deployment.

botocore's models check the request and the response of each call, as its Stubber does, but calls
may come in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import validate_parameters

from deployment.account.restore import STREAM, key_schema
from infrastructure.blueprint.resources import TABLES

REGION = "eu-central-1"
ENDPOINTS = [f"com.amazonaws.{REGION}.{one}" for one in ("secretsmanager", "sqs", "events")]
ZONES = {"eu-central-1a": "euc1-az2", "eu-central-1b": "euc1-az3", "eu-central-1c": "euc1-az1"}


def failure(operation: str, code: str, message: str = "") -> ClientError:
    """An error of an operation."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def endpoint(name: str, zones: list[str], kind: str = "Interface") -> dict[str, Any]:
    """An endpoint service and its zones."""
    return {"ServiceName": name, "ServiceType": [{"ServiceType": kind}], "AvailabilityZones": zones}


def endpoints(without: str = "") -> dict[str, Any]:
    """The endpoint services of the network, the first of them not in the zone ``without``."""
    first, *others = ENDPOINTS
    zones = sorted(ZONES)
    lacking = [one for one in zones if one != without]
    return {
        "ServiceDetails": [
            endpoint(first, lacking),
            endpoint(first, zones, "Gateway"),
            *(endpoint(one, zones) for one in others),
        ]
    }


def concurrency(total: int, unreserved: int | None = None) -> dict[str, Any]:
    """Lambda's concurrency of the account."""
    free = total if unreserved is None else unreserved
    limit = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": free}
    return {"AccountLimit": limit}


def quotas(**values: float) -> dict[str, Any]:
    """Quotas of Service Quotas, with the words of their names joined by underscores."""
    return {
        "Quotas": [
            {"QuotaName": name.replace("_", " "), "QuotaCode": f"L-{number}", "Value": value}
            for number, (name, value) in enumerate(values.items(), start=1)
        ]
    }


def distributions(count: int) -> dict[str, Any]:
    """A list of CloudFront distributions; only its length is real."""
    return {"DistributionList": {"Items": [{}] * count}}


def policies(count: int, following: str = "") -> dict[str, Any]:
    """A page of the account's cache policies."""
    page: dict[str, Any] = {"MaxItems": 100, "Quantity": count}
    return {"CachePolicyList": page | ({"NextMarker": following} if following else {})}


LABEL = "2026-11-30T10:00:00.000"  # of the streams of restored tables
RESTORED = "-c RestoredTables=" + ",".join(
    f"{one.name}=old-{one.name}" + (f"@{LABEL}" if one.stream else "") for one in TABLES
)


def restored_table(request: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A restored table as the room needs it, with ``changes`` of its description."""
    (table,) = (one for one in TABLES if f"old-{one.name}" == request["TableName"])
    indexes = [
        {
            "IndexName": one.name,
            "KeySchema": [
                {"AttributeName": one.partition_key, "KeyType": "HASH"},
                {"AttributeName": one.sort_key, "KeyType": "RANGE"},
            ],
        }
        for one in [table.index]
        if one
    ]
    stream = {"StreamSpecification": STREAM, "LatestStreamLabel": LABEL} if table.stream else {}
    found = {"TableStatus": "ACTIVE", "KeySchema": key_schema(table)}
    return {"Table": {**found, "GlobalSecondaryIndexes": indexes, **stream, **changes}}


def recovery(status: str) -> dict[str, Any]:
    """Backups of a table with a status of its point-in-time recovery."""
    described = {"PointInTimeRecoveryStatus": status}
    return {
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": described,
        }
    }


READY: dict[str, Any] = {
    "GetCallerIdentity": {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/me"},
    "DescribeStacks": failure("DescribeStacks", "ValidationError", "Stack does not exist"),
    "GetParameter": {"Parameter": {"Value": "28"}},
    "GetAccountSettings": concurrency(20_000),
    "GetAccount": {"throttleSettings": {"rateLimit": 10_000.0, "burstLimit": 5_000}},
    "DescribeLimits": {"TableMaxWriteCapacityUnits": 40_000},
    "DescribeTable": restored_table,
    "DescribeTimeToLive": {
        "TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
    },
    "DescribeContinuousBackups": recovery("ENABLED"),
    "ListDistributions": distributions(3),
    "ListCachePolicies": policies(2),
    "ListFunctions": {"FunctionList": {"MaxItems": 100, "Quantity": 3}},
    "ListKeyValueStores": {"KeyValueStoreList": {"MaxItems": 100, "Quantity": 1}},
    "ListVpcOrigins": {"VpcOriginList": {"MaxItems": 100, "Quantity": 0, "IsTruncated": False}},
    "ListServiceQuotas": quotas(
        Web_distributions_per_AWS_account=200,
        Cache_policies_per_AWS_account=20,
        VPCs_per_Region=5,
        Nodes_per_Region=300,
    ),
    "DescribeAvailabilityZones": {
        "AvailabilityZones": [{"ZoneName": name, "ZoneId": one} for name, one in ZONES.items()]
    },
    "DescribeVpcEndpointServices": endpoints(),
    "DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-01234567"}]},
    "DescribeSubnets": {"Subnets": [{"AvailabilityZone": "eu-central-1a"}]},
    "DescribeReservedCacheNodesOfferings": {"ReservedCacheNodesOfferings": [{}]},
    "DescribeCacheClusters": {"CacheClusters": []},
    "GetRole": failure("GetRole", "NoSuchEntity"),
}


@cache
def _client(service: str, region: str) -> Any:
    """A client of botocore; making one takes longer than all calls of a test."""
    session: Any = Session()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return session.create_client(service, region_name=region, **keys)


class CannedAccount:
    """An account whose calls return canned responses; ``calls`` are the operations in order.

    ``changes`` replace the responses of an account that is ready. A list is returned one by one, a
    function is called with the request.
    """

    def __init__(self, changes: Mapping[str, Any] | None = None, region: str = REGION) -> None:
        self.region = region
        self.calls: list[str] = []
        self._responses = {**READY, **(changes or {})}

    def client(self, service: str, region: str = "") -> Any:
        """Return a client that calls nothing."""
        made = _client(service, region or self.region)
        client = object.__new__(type(made))
        client.__dict__.update(made.__dict__)

        def respond(operation: str, request: dict[str, Any]) -> Any:
            model = client.meta.service_model.operation_model(operation)
            validate_parameters(request, model.input_shape)
            self.calls.append(operation)
            response = self._responses[operation]
            if isinstance(response, list):
                response = response.pop(0)
            elif callable(response):
                response = response(request)
            if isinstance(response, Exception):
                raise response
            unknown = set(response) - set(model.output_shape.members)
            assert not unknown, f"{operation} has no output {unknown}"
            return response

        client._make_api_call = respond
        return client
