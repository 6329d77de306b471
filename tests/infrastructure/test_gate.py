# SPDX-License-Identifier: Apache-2.0
"""The gate stack: distribution in front of a site, its behaviours, and its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infrastructure.assets import edge
from infrastructure.blueprint.gate_paths import ENTER, ORIGIN_HEADER, PAGE_PATH, ROOM_PATHS
from infrastructure.blueprint.site_config import PLAIN_ROOM, with_plain_room
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.parameter import ParameterError
from tests.support.servers import ROOT
from tests.support.templates.synthesized import Assembly, Synthesized
from waiting_room.adapters.metric_line import NAMESPACE
from waiting_room.domain.gate.decision import HANDOVER

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a-1b"
BALANCER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/0a1b"
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHED = [path for path in ROOM_PATHS if path.longest]


@pytest.fixture(scope="module")
def gate(assembly: Assembly) -> Synthesized:
    return assembly.stacks["Gate"]


@pytest.fixture(scope="module")
def distribution(gate: Synthesized) -> Mapping[str, Any]:
    return dict(gate.only("AWS::CloudFront::Distribution")["DistributionConfig"])


@pytest.fixture(scope="module")
def behaviors(distribution: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["PathPattern"]: one for one in distribution["CacheBehaviors"]}


def functions(behavior: Mapping[str, Any]) -> dict[str, str]:
    """The functions of a behaviour by their event."""
    return {
        one["EventType"]: one["FunctionARN"]["Fn::GetAtt"][0]
        for one in behavior["FunctionAssociations"]
    }


def test_the_gate_is_on_each_path_of_the_site_and_on_none_of_the_room(
    distribution: Mapping[str, Any], behaviors: Mapping[str, Mapping[str, Any]]
) -> None:
    site = functions(distribution["DefaultCacheBehavior"])
    assert site["viewer-request"].startswith("EdgeGate")
    assert site["viewer-response"].startswith("EdgeResponse")
    assert list(behaviors) == [HANDOVER, *(path.pattern for path in ROOM_PATHS), PAGE_PATH.pattern]
    assert set(functions(behaviors[HANDOVER])) == {"viewer-request"}
    assert functions(behaviors[HANDOVER])["viewer-request"].startswith("EdgeGate")
    for pattern, behavior in behaviors.items():
        if pattern == HANDOVER:
            continue
        found = functions(behavior)
        assert "EdgeGate" not in " ".join(found.values()), pattern
        page = pattern == PAGE_PATH.pattern
        assert found["viewer-request"].startswith("EdgePage" if page else "EdgeRoom")
        assert ("viewer-response" in found) is (pattern == ENTER.pattern)


def test_nothing_of_the_site_is_cached_and_the_origin_can_recognise_its_requests(
    distribution: Mapping[str, Any],
) -> None:
    site = distribution["DefaultCacheBehavior"]
    assert site["CachePolicyId"] == CACHING_DISABLED
    assert len(site["AllowedMethods"]) == 7
    assert site["ViewerProtocolPolicy"] == "redirect-to-https"
    (origin,) = [one for one in distribution["Origins"] if one["Id"] == site["TargetOriginId"]]
    assert origin["DomainName"] == "origin.shop.example"
    (header,) = origin["OriginCustomHeaders"]
    assert header["HeaderName"] == ORIGIN_HEADER
    assert "{{resolve:secretsmanager:" in json.dumps(header["HeaderValue"])
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    errors = {one["ErrorCode"]: one for one in distribution["CustomErrorResponses"]}
    assert set(errors) == {500, 501, 502, 503, 504}
    assert all(one["ErrorCachingMinTTL"] == 0 for one in errors.values())
    assert all("ResponsePagePath" not in one for one in errors.values())


def test_cloudfront_tries_a_request_to_the_room_once_and_sends_its_key(
    distribution: Mapping[str, Any],
) -> None:
    apis = [one for one in distribution["Origins"] if one.get("OriginPath") == "/api"]
    assert len(apis) == 2
    for origin in apis:
        assert origin["ConnectionAttempts"] == 1
        (header,) = origin["OriginCustomHeaders"]
        assert header["HeaderName"] == "x-api-key"


def test_shared_responses_are_cached_by_their_query_and_get_no_cookie(
    gate: Synthesized, behaviors: Mapping[str, Mapping[str, Any]]
) -> None:
    policies = gate.of_type("AWS::CloudFront::CachePolicy")
    forwarding = gate.of_type("AWS::CloudFront::OriginRequestPolicy")
    used = {}
    for path in CACHED:
        behavior = behaviors[path.pattern]
        policy = policies[behavior["CachePolicyId"]["Ref"]]["CachePolicyConfig"]
        used[behavior["CachePolicyId"]["Ref"]] = policy
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert (policy["MinTTL"], policy["MaxTTL"]) == (path.shortest, path.longest)
        assert key["QueryStringsConfig"]["QueryStrings"] == list(path.query)
        assert key["CookiesConfig"] == {"CookieBehavior": "none"}
        headers = key["HeadersConfig"]
        assert headers.get("Headers", []) == (["Accept"] if path is ENTER else [])
        request = forwarding[behavior["OriginRequestPolicyId"]["Ref"]]
        cookies = request["OriginRequestPolicyConfig"]["CookiesConfig"]
        assert cookies == {"CookieBehavior": "none"}
    assert set(used) == set(policies), "no policy without use: an account has twenty"


def test_session_routes_are_not_cached_and_get_cookies(
    gate: Synthesized, behaviors: Mapping[str, Mapping[str, Any]]
) -> None:
    forwarding = gate.of_type("AWS::CloudFront::OriginRequestPolicy")
    for path in ROOM_PATHS:
        if path in CACHED:
            continue
        behavior = behaviors[path.pattern]
        assert behavior["CachePolicyId"] == CACHING_DISABLED
        request = forwarding[behavior["OriginRequestPolicyId"]["Ref"]]
        policy = request["OriginRequestPolicyConfig"]
        assert policy["CookiesConfig"] == {"CookieBehavior": "all"}
        assert len(policy["HeadersConfig"]["Headers"]) <= 10


def test_only_the_gate_reads_the_store_and_every_function_fits(gate: Synthesized) -> None:
    made = gate.of_type("AWS::CloudFront::Function")
    with_store = {
        name for name, one in made.items() if one["FunctionConfig"].get("KeyValueStoreAssociations")
    }
    assert len(made) == 4
    assert [name.startswith("EdgeGate") for name in with_store] == [True]
    for one in made.values():
        assert one["AutoPublish"] is True
        assert one["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
        assert len(one["FunctionCode"].encode()) <= edge.MAX_BYTES


def test_the_entrance_needs_a_key_and_counts_with_aws_waf(gate: Synthesized) -> None:
    for name, method in gate.of_type("AWS::ApiGateway::Method").items():
        assert method["ApiKeyRequired"] is True, name
    assert len(gate.of_type("AWS::ApiGateway::UsagePlanKey")) == 1
    assert gate.of_type("AWS::WAFv2::WebACLAssociation")
    assert not gate.of_type("AWS::EC2::VPC")
    for function in gate.of_type("AWS::Lambda::Function").values():
        assert "VpcConfig" not in function


def test_without_scripts_the_page_goes_on_to_the_plain_room(gate: Synthesized) -> None:
    index = (ROOT / "source" / "sites" / "waiting_room" / "index.html").read_text(encoding="utf-8")
    changed = with_plain_room(index)
    assert changed.replace(f"{PLAIN_ROOM}\n    ", "") == index
    assert changed.index(PLAIN_ROOM) < changed.index("</head>")
    with pytest.raises(ValueError, match="noscript"):
        with_plain_room("<html></html>")
    policy = gate.only("AWS::CloudFront::ResponseHeadersPolicy")["ResponseHeadersPolicyConfig"]
    referrer = policy["SecurityHeadersConfig"]["ReferrerPolicy"]
    assert referrer == {"Override": True, "ReferrerPolicy": "same-origin"}
    content = policy["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert "form-action 'self' https:;" in content, "the site may redirect the form to any host"
    copied = gate.only("Custom::CDKBucketDeployment")
    assert len(copied["SourceObjectKeys"]) == 3
    assert copied["DestinationBucketKeyPrefix"] == "_waiting-room"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_new_key_is_accepted_before_the_distributions_send_it(number: int) -> None:
    stacks = Assembly({"Stacks": "core,gate", "GateApiKeyVersion": str(number)}).stacks
    accepted = 1 if number == 1 else 2
    keys = stacks["Core"].of_type("AWS::ApiGateway::ApiKey")
    assert len([name for name in keys if "GateApiKey" in name]) == number  # the deployed gate's too
    of_the_edge = 1
    plan = stacks["Core"].of_type("AWS::ApiGateway::UsagePlanKey")
    assert len(plan) == accepted + of_the_edge
    assert len(stacks["Gate"].of_type("AWS::ApiGateway::UsagePlanKey")) == accepted
    exported = json.dumps(stacks["Core"].template["Outputs"])
    for one in range(max(1, number - 1), number + 1):
        assert f"PublicGateKey{'' if one == 1 else one}" in exported


def test_without_an_origin_it_has_what_a_distribution_of_the_owner_needs() -> None:
    stacks = Assembly({"Stacks": "core,gate", "EnableWaf": "false"}).stacks
    gate = stacks["Gate"]
    assert not gate.of_type("AWS::CloudFront::Distribution")
    assert not gate.of_type("AWS::WAFv2::WebACLAssociation")
    assert set(gate.template["Outputs"]) == {
        "GateStore", "GateFunction", "ResponseFunction", "RoomFunction", "PageFunction",
        "EntranceOrigin", "PublicApiOrigin",
        "PageOrigin", "PageAccessControl", "PageHeadersPolicy", "ForwardedPolicy", "SharedPolicy",
        "PageCachePolicy",
        "EnterCachePolicy", "StatusCachePolicy", "QueueCachePolicy", "ApiKeySecret",
    }  # fmt: skip
    outputs = {name: one["Value"] for name, one in gate.template["Outputs"].items()}
    policies = gate.of_type("AWS::CloudFront::CachePolicy")
    for path in CACHED:
        policy = policies[outputs[path.policy_output]["Ref"]]["CachePolicyConfig"]
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert key["QueryStringsConfig"]["QueryStrings"] == list(path.query)
    exported = stacks["Core"].template["Outputs"]
    name = outputs["ApiKeySecret"]["Fn::ImportValue"].partition(":")[2]
    assert exported[name]["Value"]["Ref"].startswith("PublicGateKey"), "not the keys of sessions"


def test_a_load_balancer_is_reached_inside_its_network() -> None:
    stacks = Assembly(
        {
            "Stacks": "core,gate", "SiteLoadBalancerArn": BALANCER,
            "SiteLoadBalancerSecurityGroup": "sg-0a1b", "SiteDomains": "shop.example",
            "SiteCertificateArn": CERTIFICATE,
        }
    ).stacks  # fmt: skip
    gate = stacks["Gate"]
    origin = gate.only("AWS::CloudFront::VpcOrigin")["VpcOriginEndpointConfig"]
    assert origin["Arn"] == BALANCER
    assert origin["OriginProtocolPolicy"] == "https-only"
    config = gate.only("AWS::CloudFront::Distribution")["DistributionConfig"]
    assert [one["DomainName"] for one in config["Origins"] if "VpcOriginConfig" in one] == [
        "shop.example"
    ]


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        ({"SiteOrigin": "https://shop.example"}, "SiteOrigin must be a host name"),
        ({"SiteOrigin": "Shop.example"}, "SiteOrigin must be a host name"),
        ({"SiteOrigin": "shop"}, "SiteOrigin must be a host name"),
        ({"SiteOrigin": "a.example", "SiteLoadBalancerArn": BALANCER}, "exclude each other"),
        ({"SiteLoadBalancerArn": BALANCER}, "SiteLoadBalancerSecurityGroup need each other"),
        ({"SiteLoadBalancerSecurityGroup": "sg-1"}, "need each other"),
        (
            {"SiteLoadBalancerArn": BALANCER, "SiteLoadBalancerSecurityGroup": "sg-1"},
            "SiteLoadBalancerArn needs SiteDomains",
        ),
        ({"SiteOrigin": "a.example", "SiteDomains": "b.example"}, "need each other"),
        (
            {"SiteDomains": "b.example", "SiteCertificateArn": CERTIFICATE},
            "SiteDomains needs SiteOrigin or SiteLoadBalancerArn",
        ),
        (
            {"SiteCertificateArn": CERTIFICATE.replace("us-east-1", "eu-west-1")},
            "in us-east-1, not",
        ),
        ({"GateWithoutStore": "maybe"}, "GateWithoutStore must be one of closed, open"),
        ({"GateApiKeyVersion": "0"}, "GateApiKeyVersion must be between 1"),
    ],
)
def test_parameters_that_cannot_work_are_rejected(context: dict[str, str], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        GateConfig.from_context(context)


def test_an_owner_can_open_the_site_while_the_gate_reads_no_rule() -> None:
    found = {}
    for choice in ("closed", "open"):
        stacks = Assembly({"Stacks": "core,gate", "GateWithoutStore": choice}).stacks
        (found[choice],) = [
            one["FunctionCode"]
            for name, one in stacks["Gate"].of_type("AWS::CloudFront::Function").items()
            if name.startswith("EdgeGate")
        ]
    assert found["closed"] == edge.cloudfront_function(ROOT)
    assert found["open"] == edge.cloudfront_function(ROOT, open_without_store=True)
    assert found["open"] != found["closed"]


def test_the_store_has_a_writer_that_the_events_invoke(
    gate: Synthesized, assembly: Assembly
) -> None:
    mapping = gate.only("AWS::Lambda::EventSourceMapping")
    patterns = [json.loads(one["Pattern"]) for one in mapping["FilterCriteria"]["Filters"]]
    assert patterns == [
        {"dynamodb": {"Keys": {"item": {"S": ["document", "gates"]}}}},
        {"dynamodb": {"NewImage": {"what": {"S": ["reset"]}}}},
    ]
    assert mapping["ParallelizationFactor"] == 1
    table = assembly.stacks["Core"].template["Resources"]["TablesEventsE8DD42EA"]["Properties"]
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    (writer,) = (
        one
        for one in gate.of_type("AWS::Lambda::Function").values()
        if one["Handler"] == "app.write_gate_store"
    )
    assert "VpcConfig" not in writer
    store = writer["Environment"]["Variables"]["GATE_STORE_ARN"]
    assert store["Fn::GetAtt"][0].startswith("EdgeStore")
    others = {
        one["Handler"]
        for one in gate.of_type("AWS::Lambda::Function").values()
        if "GATE_STORE_ARN" in json.dumps(one)
    }
    assert others == {"app.write_gate_store", "app.watch_room"}
    rules = gate.of_type("AWS::Events::Rule").values()
    assert sorted(one["ScheduleExpression"] for one in rules) == ["rate(1 minute)", "rate(6 hours)"]


def test_the_watchdog_is_outside_the_room(gate: Synthesized, assembly: Assembly) -> None:
    """No VPC, no counters, no keys of the gate. It reads documents, and the key of the edge."""
    (watchdog,) = (
        one
        for one in gate.of_type("AWS::Lambda::Function").values()
        if one["Handler"] == "app.watch_room"
    )
    assert "VpcConfig" not in watchdog
    variables = watchdog["Environment"]["Variables"]
    assert {name for name in variables if "REDIS" in name or "KEYS" in name} == set()
    secret = variables["GATE_API_KEY_SECRET"]
    assert "GateKey" in json.dumps(secret), "the ARN of a secret of the core stack, not its value"
    assert "resolve:" not in json.dumps(variables)
    for name in ("WATCHED_PUBLIC_API", "WATCHED_ENTRANCE"):
        assert "execute-api" in json.dumps(variables[name]), "not through a distribution"
    role = watchdog["Role"]["Fn::GetAtt"][0]
    policy = gate.statements_of(role)
    actions = {
        action
        for one in policy
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }
    assert {one for one in actions if one.startswith("dynamodb:")} == {
        "dynamodb:GetItem", "dynamodb:BatchGetItem",
    }  # fmt: skip
    assert [one for one in actions if one.startswith("secretsmanager:")] == [
        "secretsmanager:GetSecretValue"
    ]
    tables = [one["Resource"] for one in policy if "dynamodb" in json.dumps(one["Action"])]
    assert len(tables) == 1, "the Events table alone"


def test_an_opened_gate_and_a_silent_watchdog_raise_alarms(gate: Synthesized) -> None:
    alarms = {
        name.removeprefix("Alarms")[:-8]: one
        for name, one in gate.of_type("AWS::CloudWatch::Alarm").items()
    }
    assert set(alarms) == {"GateStoreErrors", "GateOpened", "WatchdogErrors"}
    opened = alarms["GateOpened"]
    assert (opened["Namespace"], opened["MetricName"]) == (NAMESPACE, "GateOpened")
    assert opened["Dimensions"] == [{"Name": "Stack", "Value": "WaitingRoom"}]
    assert opened["TreatMissingData"] == "notBreaching"
    watchdog = alarms["WatchdogErrors"]
    assert watchdog["MetricName"] == "Errors"
    assert watchdog["TreatMissingData"] == "breaching", "a watchdog that does not run"
    assert all(one["AlarmActions"] and one["OKActions"] for one in alarms.values())


def test_the_records_that_invoke_the_writer_are_those_of_the_table() -> None:
    """The patterns name attributes of the items that the adapter writes."""
    from waiting_room.adapters.dynamodb import events
    from waiting_room.adapters.dynamodb.audit_items import new_entry
    from waiting_room.domain.events.audit import AuditEntry

    assert events._key("sale", "document")["item"] == {"S": "document"}
    assert events.GATES["item"] == {"S": "gates"}
    _, values = new_entry(AuditEntry(1.0, "a", "person", "reset", {}, {}))
    assert values["what"] == {"S": "reset"}


def test_the_join_queue_accepts_joins_of_clients_without_scripts(
    gate: Synthesized, assembly: Assembly
) -> None:
    (role,) = [
        one["RoleName"]
        for name, one in gate.of_type("AWS::IAM::Role").items()
        if "FunctionsJoinRole" in name
    ]
    assert "gate-join" in json.dumps(role)
    with_gate, without = assembly.stacks["Core"], Assembly({"Stacks": "core"}).stacks["Core"]
    for core, accepted in ((with_gate, True), (without, False)):
        (denied,) = [
            statement["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
            for policy in core.of_type("AWS::SQS::QueuePolicy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if "ArnNotEquals" in statement.get("Condition", {})
        ]
        assert ("-gate-join-" in json.dumps(denied)) is accepted
