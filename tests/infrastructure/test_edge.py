# SPDX-License-Identifier: Apache-2.0
"""What the templates say of edge, join and preflights is what one machine runs with."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import airspeed
import pytest

from deployment.local.gateway.edge_cache import EdgeCache as LocalEdge
from deployment.local.gateway.join_integration import render
from infrastructure.blueprint import join_integration, preflight
from infrastructure.blueprint.gateway_responses import HEADERS, RESPONSES
from infrastructure.blueprint.resources import (
    CACHE_RULES,
    CACHED_PATHS_HEADERS,
    FORWARDED_COOKIES,
    FORWARDED_HEADERS,
    CacheRule,
)
from tests.support.templates.synthesized import Synthesized, headers_of
from waiting_room.runtime.http_api import CORS


@pytest.fixture(scope="module")
def distribution(core: Synthesized) -> Any:
    return core.only("AWS::CloudFront::Distribution")["DistributionConfig"]


def cache_rules(core: Synthesized, distribution: Any) -> set[CacheRule]:
    """The cache rules that the template's behaviours and policies amount to."""
    policies = core.of_type("AWS::CloudFront::CachePolicy")
    rules = set()
    for behavior in distribution["CacheBehaviors"]:
        policy = policies[behavior["CachePolicyId"]["Ref"]]["CachePolicyConfig"]
        key = policy["ParametersInCacheKeyAndForwardedToOrigin"]
        assert policy["DefaultTTL"] == policy["MinTTL"]
        assert key["CookiesConfig"] == {"CookieBehavior": "none"}
        assert key["HeadersConfig"] == {"HeaderBehavior": "none"}
        assert not key["EnableAcceptEncodingGzip"]
        assert not key["EnableAcceptEncodingBrotli"]
        rules.add(
            CacheRule(
                behavior["PathPattern"],
                tuple(key["QueryStringsConfig"].get("QueryStrings", ())),
                policy["MaxTTL"],
                policy["MinTTL"],
            )
        )
    return rules


def test_the_edge_keeps_what_the_local_edge_keeps(core: Synthesized, distribution: Any) -> None:
    found = cache_rules(core, distribution)
    assert found == {replace(rule, query=rule.key, optional=()) for rule in CACHE_RULES}

    async def origin(_: Any) -> Any:
        raise AssertionError

    local = LocalEdge(origin, "key")
    assert set(local._rules.values()) == set(CACHE_RULES)
    assert local._error_ttls == error_ttls(distribution)


def error_ttls(distribution: Any) -> dict[int, int]:
    """Seconds that the edge keeps an error, by status."""
    return {
        one["ErrorCode"]: one["ErrorCachingMinTTL"] for one in distribution["CustomErrorResponses"]
    }


def test_an_account_has_room_for_four_edges(core: Synthesized) -> None:
    """CloudFront allows an account 20 cache policies of its own."""
    assert len(core.of_type("AWS::CloudFront::CachePolicy")) <= 5


def test_the_edge_keeps_no_error_and_nothing_else(distribution: Any) -> None:
    kept = error_ttls(distribution)
    assert set(kept.values()) == {0}
    assert {400, 403, 404, 405, 414, *range(500, 505)} <= set(kept)
    caching_disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # CloudFront's managed policy
    assert distribution["DefaultCacheBehavior"]["CachePolicyId"] == caching_disabled


def test_the_edge_sends_the_key_that_the_api_asks_for(core: Synthesized, distribution: Any) -> None:
    (origin,) = distribution["Origins"]
    (header,) = origin["OriginCustomHeaders"]
    (key,) = [
        one["Value"]
        for name, one in core.of_type("AWS::ApiGateway::ApiKey").items()
        if name.startswith("PublicApiKey")
    ]
    assert header == {"HeaderName": "x-api-key", "HeaderValue": key}
    assert json.dumps(key).count("resolve:secretsmanager") == 1
    public = [
        method
        for method in core.of_type("AWS::ApiGateway::Method").values()
        if method["RestApiId"]["Ref"].startswith("Public")
        and method["Integration"]["Type"] != "MOCK"  # preflights, discovery
    ]
    assert public
    assert all(method["ApiKeyRequired"] for method in public)


def test_the_edge_passes_on_a_list_of_headers_and_cookies(
    core: Synthesized, distribution: Any
) -> None:
    policies = core.of_type("AWS::CloudFront::OriginRequestPolicy")
    used = distribution["DefaultCacheBehavior"]["OriginRequestPolicyId"]["Ref"]
    assert len(policies) == 2, "an account may have few of them"
    config = policies[used]["OriginRequestPolicyConfig"]
    assert config["HeadersConfig"] == {
        "HeaderBehavior": "whitelist",
        "Headers": list(FORWARDED_HEADERS),
    }
    assert config["CookiesConfig"] == {
        "CookieBehavior": "whitelist",
        "Cookies": list(FORWARDED_COOKIES),
    }
    names = {name.lower() for name in FORWARDED_HEADERS}
    assert {"content-type", "x-client-address", "x-aws-waf-token"} <= names
    assert "access-control-request-headers" in names, "or no preflight is answered with them"
    assert not names & {"host", "x-api-key", "x-amzn-requestid", "cookie"}
    assert len(names) <= 10
    for behavior in distribution["CacheBehaviors"]:
        other = policies[behavior["OriginRequestPolicyId"]["Ref"]]["OriginRequestPolicyConfig"]
        assert other["HeadersConfig"]["Headers"] == list(CACHED_PATHS_HEADERS), "beside the key"


def test_the_private_api_asks_for_a_signature(core: Synthesized) -> None:
    private = [
        method
        for method in core.of_type("AWS::ApiGateway::Method").values()
        if method["RestApiId"]["Ref"].startswith("Private") and method["HttpMethod"] != "OPTIONS"
    ]
    assert private
    assert {method["AuthorizationType"] for method in private} == {"AWS_IAM"}


@pytest.fixture(scope="module")
def join(core: Synthesized) -> Any:
    (method,) = (
        one
        for one in core.of_type("AWS::ApiGateway::Method").values()
        if one["Integration"]["Type"] == "AWS"
    )
    return method


def test_the_join_is_checked_by_the_model_of_the_local_gateway(
    core: Synthesized, join: Any
) -> None:
    model = core.of_type("AWS::ApiGateway::Model")[join["RequestModels"]["application/json"]["Ref"]]
    schema = {**model["Schema"]}
    assert schema == join_integration.request_model("Sample")
    assert join["RequestValidatorId"]
    assert join["Integration"]["PassthroughBehavior"] == "NEVER"


def test_the_join_becomes_the_form_that_the_local_gateway_sends(join: Any) -> None:
    (template,) = join["Integration"]["RequestTemplates"].values()
    assert template == join_integration.request_template("Sample")
    content = {"event_id": "Sample", "client_secret_hash": "a" * 64, "x": "a&b+c%d=é"}
    rendered = render(airspeed.Template(template), json.dumps(content), content)
    sent = parse_qs(rendered, strict_parsing=True)
    assert set(sent) == {"Action", "MessageBody", "MessageGroupId"}
    assert sent["MessageGroupId"] == ["Sample"]
    del content["x"]
    assert json.loads(sent["MessageBody"][0]) == content


def test_no_value_that_a_caller_can_set_is_in_a_template_of_the_join(join: Any) -> None:
    used = {name for text in _templates(join) for name in re.findall(r"\$!?\{?(\w+[.\w]*)", text)}
    assert {name for name in used if name.startswith("context")} == {
        "context.responseOverride.status"
    }
    assert not [text for text in _templates(join) if "Attribute" in text or "params" in text]


def test_sqs_is_asked_for_json_whatever_the_caller_accepts(join: Any) -> None:
    headers = {
        name.removeprefix("integration.request.header."): value.strip("'")
        for name, value in join["Integration"]["RequestParameters"].items()
    }
    assert headers == join_integration.REQUEST_HEADERS
    assert headers["Accept"] == "application/json"


def _templates(join: Any) -> list[str]:
    asked = join["Integration"]["RequestTemplates"].values()
    answers = join["Integration"]["IntegrationResponses"]
    return [*asked, *(text for one in answers for text in one["ResponseTemplates"].values())]


def test_what_sqs_answers_becomes_an_answer_of_the_contract(join: Any) -> None:
    answers = {
        one["StatusCode"]: (one.get("SelectionPattern"), one)
        for one in join["Integration"]["IntegrationResponses"]
    }
    assert {status: pattern for status, (pattern, _) in answers.items()} == {
        "200": None,
        "400": r"4\d{2}",
        "503": r"5\d{2}",
    }
    for _, answer in answers.values():
        (template,) = answer["ResponseTemplates"].values()
        content = {"SendMessageResponse": {"SendMessageResult": {"MessageId": "id-1"}}}
        said = json.loads(render(airspeed.Template(template), "", content))
        assert set(said) <= {"api_request_id", "error"}
        assert said.get("api_request_id", "id-1") == "id-1"
        headers = headers_of(answer["ResponseParameters"])
        assert headers.items() >= HEADERS.items()


@pytest.fixture(scope="module")
def preflights(core: Synthesized) -> list[Any]:
    methods = core.of_type("AWS::ApiGateway::Method").values()
    found = [one for one in methods if one["HttpMethod"] == "OPTIONS"]
    paths = {json.dumps(one["ResourceId"]) for one in methods}
    assert {json.dumps(one["ResourceId"]) for one in found} == paths
    return found


def test_every_path_answers_preflights_with_the_apps_own_headers(preflights: list[Any]) -> None:
    for one in preflights:
        (answer,) = one["Integration"]["IntegrationResponses"]
        assert headers_of(answer["ResponseParameters"]) == CORS
        assert set(one["MethodResponses"][0]["ResponseParameters"]) == set(
            answer["ResponseParameters"]
        )
        assert answer["StatusCode"] == "200"
        assert not one.get("ApiKeyRequired")
        assert one["AuthorizationType"] == "NONE"


USUAL = CORS["Access-Control-Allow-Headers"]
ASKED = [
    # as browsers send it: of tracing, of AWS's signing clients, of AWS WAF, of a page's own fetch
    ("traceparent,tracestate,baggage", True), ("x-amz-content-sha256,x-amz-user-agent", True),
    ("x-aws-waf-token", True), ("authorization, content-type , x-requested-with", True),
    ("X-Custom_1.2!%&*+^|~", True), ("*", True), ("a" * 64, True), (",".join("a" * 64), True),
    (",".join(["a" * 30] * 64), True),
    ("", False), (" ", False), ("a,,b", False), (",a", False), ("a,", False), ("a b", False),
    ("a" * 65, False), (",".join("a" * 65), False), (",".join(["a" * 31] * 64), False),
    ("a\r\nSet-Cookie: x=y", False), ("a\n", False), ("a\tb", False), ("a:b", False),
    ("é", False), ("a;b", False), ("\"a\"", False), ("a$b", False), ("a#b", False), ("a'b", False),
    ("$context.identity", False), ("<script>", False), ("ſ", False),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "granted"), ASKED)
def test_a_preflight_allows_what_is_asked_for_and_is_a_list_of_names(
    preflights: list[Any], asked: str, granted: bool
) -> None:
    assert preflight.allowed(asked) == (asked if granted else USUAL)
    for name in ("access-control-request-headers", "Access-Control-Request-Headers"):
        sent = {"accept": "*/*", name: asked, "x-access-control-request-headers": "no"}
        assert overridden(preflights, sent) == (asked if granted else None)


def test_a_preflight_without_a_list_allows_the_usual_headers(preflights: list[Any]) -> None:
    assert overridden(preflights, {}) is None
    assert overridden(preflights, {"accept": "x-a"}) is None


def overridden(preflights: list[Any], headers: dict[str, str]) -> str | None:
    """The header that the template of every preflight sets in place of the usual ones."""
    templates = {
        json.dumps(one["Integration"]["IntegrationResponses"][0]["ResponseTemplates"])
        for one in preflights
    }
    (template,) = json.loads(templates.pop()).values()
    assert not templates
    # airspeed knows no hyphen in a name
    template = template.replace("header.Access-Control-Allow-Headers", "header.allowed")
    override: dict[str, str] = {}
    given = {"input": _Params(headers), "context": {"responseOverride": {"header": override}}}
    assert airspeed.Template(template).merge(given) == ""
    return override.get("allowed")


class _Headers(dict[str, str]):
    def keySet(self) -> list[str]:
        return list(self)


class _Params:
    """``$input`` of API Gateway, as far as the template uses it."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._headers = _Headers(headers)

    def params(self) -> dict[str, Any]:
        return {"header": self._headers}


def test_what_api_gateway_says_by_itself_is_json_with_cors_and_not_kept(core: Synthesized) -> None:
    for api in ("Public", "Private"):
        found = {
            one["ResponseType"]: one
            for one in core.of_type("AWS::ApiGateway::GatewayResponse").values()
            if one["RestApiId"]["Ref"].startswith(api)
        }
        assert set(found) == {one.kind for one in RESPONSES}
        for one in RESPONSES:
            made = found[one.kind]
            assert made["ResponseTemplates"] == {"application/json": one.template}
            assert made.get("StatusCode") == (str(one.status) if one.status else None)
            assert headers_of(made["ResponseParameters"]) == {**HEADERS, **one.more}


def test_api_gateways_own_429_says_when_to_come_back(core: Synthesized) -> None:
    throttled = [
        one
        for one in core.of_type("AWS::ApiGateway::GatewayResponse").values()
        if one["ResponseType"] == "THROTTLED"
    ]
    assert len(throttled) == 2
    for one in throttled:
        headers = headers_of(one["ResponseParameters"])
        assert int(headers["Retry-After"]) >= 1
        assert "Retry-After" in headers["Access-Control-Expose-Headers"]
