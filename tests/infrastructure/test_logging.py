# SPDX-License-Identifier: Apache-2.0
"""Invariant 9 in the templates: what AWS logs by itself holds no request id and no address.

Every stack there is, with every switch that writes requests anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.templates.synthesized import Assembly

# What an access log may say, with the reason why it is harmless.
ALLOWED = {
    "extendedRequestId": "made by AWS; no header sets it, and it names no visitor",
    "httpMethod": "a verb",
    "resourcePath": "the route, not what was called: no id in it",
    "status": "a status",
    "responseLatency": "a time",
    "error.responseType": "a kind of gateway response",
    "integrationErrorMessage": "API Gateway's own words about a function",
    "requestTimeEpoch": "a time",
    "identity.userArn": "who signed: an operator or a helper; '-' for a visitor",
}
# Some that must never be there, so that nobody adds them to the list above without a thought.
FORBIDDEN = re.compile(
    r"requestId$|sourceIp|userAgent|^path$|requestOverride|authorizer|principalId|clientCert|apiKey"
    r"|identity\.(?!userArn$)|error\.message|validationErrorString|querystring|customDomain",
)


def stages(eventful: Assembly) -> Iterator[tuple[str, Any]]:
    """Every stage of an API, with its stack."""
    for stack_name, stack in eventful.stacks.items():
        for made in stack.of_type("AWS::ApiGateway::Stage").values():
            yield stack_name, made


def test_every_api_there_is_was_looked_at(eventful: Assembly) -> None:
    found = [name for name, _ in stages(eventful)]
    assert found.count("Core") == 2
    assert {"Sample", "OpenId"} <= set(found)
    for stack in eventful.stacks.values():
        assert not [one for one in stack.resources.values() if "ApiGatewayV2" in one["Type"]]


def test_an_access_log_holds_what_the_list_allows(eventful: Assembly) -> None:
    for name, stage in stages(eventful):
        line = json.loads(stage["AccessLogSetting"]["Format"])
        fields = {value.removeprefix("$context.") for value in line.values()}
        assert fields <= set(ALLOWED), name
        assert "$" not in "".join(fields)
        assert line["caller"] == "$context.identity.userArn"


def test_the_list_of_an_access_log_allows_no_id_and_no_address() -> None:
    assert not [name for name in ALLOWED if FORBIDDEN.search(name) and name != "extendedRequestId"]
    for name in ("requestId", "identity.sourceIp", "identity.userAgent", "path", "identity.apiKey"):
        assert FORBIDDEN.search(name)


def test_no_stage_traces_or_logs_what_was_sent(eventful: Assembly) -> None:
    """A stage's X-Ray segment holds the URL with its query and the caller's address."""
    for name, stage in stages(eventful):
        assert stage.get("TracingEnabled", False) is False, name
        for settings in stage["MethodSettings"]:
            assert settings["DataTraceEnabled"] is False, name
            assert settings["LoggingLevel"] == "ERROR", name


def test_no_function_is_traced_by_a_library() -> None:
    """Lambda's own segments hold a function's name and Lambda's id; a library's hold URLs."""
    root = Path(__file__).resolve().parents[2]
    assert "xray" not in (root / "requirements" / "runtime.in").read_text().lower()
    code = "".join(path.read_text() for path in (root / "source").rglob("*.py"))
    assert "xray" not in code.lower()
    assert "Tracer" not in code


def test_the_firewall_keeps_no_requests(eventful: Assembly) -> None:
    seen = 0
    for stack in eventful.stacks.values():
        assert not stack.of_type("AWS::WAFv2::LoggingConfiguration")
        for acl in stack.of_type("AWS::WAFv2::WebACL").values():
            for one in (acl, *acl["Rules"]):
                seen += 1
                assert one["VisibilityConfig"]["SampledRequestsEnabled"] is False
            assert "DataProtectionConfig" not in acl
    assert seen > 3


def test_the_edge_keeps_no_requests(eventful: Assembly) -> None:
    seen = 0
    for stack in eventful.stacks.values():
        assert not stack.of_type("AWS::CloudFront::RealtimeLogConfig")
        assert not stack.of_type("AWS::Logs::DeliverySource")
        for made in stack.of_type("AWS::CloudFront::Distribution").values():
            seen += 1
            assert "Logging" not in made["DistributionConfig"]
            for one in (
                made["DistributionConfig"]["DefaultCacheBehavior"],
                *made["DistributionConfig"].get("CacheBehaviors", ()),
            ):
                assert "RealtimeLogConfigArn" not in one
        for made in stack.of_type("AWS::CloudFront::Function").values():
            assert "console" not in made["FunctionCode"]
    assert seen >= 3


def test_no_bucket_topic_or_balancer_keeps_requests(eventful: Assembly) -> None:
    for stack in eventful.stacks.values():
        for made in stack.of_type("AWS::S3::Bucket").values():
            assert "LoggingConfiguration" not in made
        for made in stack.of_type("AWS::SNS::Topic").values():
            assert "DeliveryStatusLogging" not in made
        assert not stack.of_type("AWS::CloudTrail::Trail")


def test_flow_logs_are_of_the_inside_alone(eventful: Assembly) -> None:
    """Functions and the counters talk inside the VPC; no visitor's packet gets there."""
    for stack in eventful.stacks.values():
        for made in stack.of_type("AWS::EC2::FlowLog").values():
            assert (made["ResourceType"], made["TrafficType"]) == ("VPC", "REJECT")
        assert not stack.of_type("AWS::EC2::InternetGateway")
        assert not stack.of_type("AWS::EC2::NatGateway")


def test_a_metric_is_of_an_event_or_a_part_never_of_a_visitor(eventful: Assembly) -> None:
    for stack in eventful.stacks.values():
        for one in stack.of_type("AWS::Logs::MetricFilter").values():
            assert all("Dimensions" not in made for made in one["MetricTransformations"])
        for acl in stack.of_type("AWS::WAFv2::WebACL").values():
            for one in (acl, *acl["Rules"]):
                assert re.fullmatch(r"[A-Za-z-]+", one["VisibilityConfig"]["MetricName"])
