# SPDX-License-Identifier: Apache-2.0
"""Authorizer, sample, openid and inlet: what they are made of, and what they know of core."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infrastructure.blueprint.gateway_responses import STAGE
from infrastructure.blueprint.resources import INLETS, PRIVATE_ROUTES
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.blueprint.site_config import (
    console_config,
    security_headers,
    waiting_room_config,
)
from infrastructure.blueprint.site_config import headers_of as site_headers
from infrastructure.stacks.core import CoreStack
from infrastructure.stacks.room import EXPORTS
from tests.support.templates.intrinsics import Values
from tests.support.templates.synthesized import EVERYTHING, Assembly, Synthesized
from waiting_room.runtime.settings.authorizer import read_authorizer_settings
from waiting_room.runtime.settings.openid import read_openid_settings

FUNCTION, METHOD = "AWS::Lambda::Function", "AWS::ApiGateway::Method"
HEADERS = "AWS::CloudFront::ResponseHeadersPolicy"
COPIER = "Custom::CDKBucketDeployment"


@pytest.fixture(scope="session")
def values(assembly: Assembly) -> Values:
    """The values of all stacks, as a deployment would resolve them."""
    return Values(assembly.stacks)


@pytest.fixture(scope="session")
def elsewhere() -> Assembly:
    """Authorizer and sample without core, as another region or account has them."""
    room = {
        "PublicAPIEndpoint": "https://d1.cloudfront.net/",
        "PrivateAPIEndpoint": "https://a1.execute-api.eu-central-1.amazonaws.com/api/",
        "APIGatewayRegion": "eu-central-1",
        "IssuerURI": "https://a2.execute-api.eu-central-1.amazonaws.com/api",
        "WaitingRoomEventID": "Sale",
        "EventID": "Sale",
        "SiteEntrance": "https://shop.example/waiting-room/enter",
        "SiteRedirectOrigins": "https://www.shop.example,https://shop.example",
        "OperatorSignIn": "false",
    }
    return Assembly({"Stacks": "authorizer,sample", **room})


def methods(stack: Synthesized, values: Values) -> dict[tuple[str, str], dict[str, Any]]:
    """The properties of every method of a stack's API, without preflights."""
    parts = stack.of_type("AWS::ApiGateway::Resource")

    def path(ref: dict[str, Any]) -> str:
        if "Fn::GetAtt" in ref:
            return ""
        return f"{path(parts[ref['Ref']]['ParentId'])}/{parts[ref['Ref']]['PathPart']}"

    return {
        (made["HttpMethod"], path(made["ResourceId"])): values.of(stack, made)
        for made in stack.of_type(METHOD).values()
        if made["HttpMethod"] != "OPTIONS"
    }


def of_app(name: str) -> set[tuple[str, str]]:
    return {(method, one.path) for one in routes_of(load_app(name)) for method in one.methods}


def environment(stack: Synthesized, values: Values, handler: str, name: str = "") -> dict[str, str]:
    (found,) = (
        made["Environment"]["Variables"]
        for logical, made in stack.of_type(FUNCTION).items()
        if made["Handler"] == handler and name in logical
    )
    return dict(values.of(stack, found))


def config_of(stack: Synthesized, values: Values, site: str, assembly: Assembly) -> Any:
    """``config.json`` as the deployment writes it: the asset with its markers replaced."""
    (copier,) = (made for name, made in stack.of_type(COPIER).items() if name.startswith(site))
    digest = copier["SourceObjectKeys"][1].partition(".")[0]
    text = (assembly.folder / f"asset.{digest}" / "config.json").read_text(encoding="utf-8")
    for marker, value in values.of(stack, copier["SourceMarkers"][1]).items():
        text = text.replace(marker, value)
    return json.loads(text)


def headers_of(stack: Synthesized, values: Values, site: str) -> dict[str, str]:
    """The headers that CloudFront adds to a site's files, by the contract's names."""
    (policy,) = (
        values.of(stack, made)["ResponseHeadersPolicyConfig"]
        for name, made in stack.of_type(HEADERS).items()
        if name.startswith(site)
    )
    security = policy["SecurityHeadersConfig"]
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 31_536_000
    shared = policy.get("CorsConfig", {}).get("AccessControlAllowOrigins", {}).get("Items")
    return {
        **({"Access-Control-Allow-Origin": shared[0]} if shared else {}),
        "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "X-Content-Type-Options": "nosniff" if security["ContentTypeOptions"] else "",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        **{one["Header"]: one["Value"] for one in policy["CustomHeadersConfig"]["Items"]},
    }


# --- authorizer ---------------------------------------------------------------------------------


def test_the_authorizer_knows_the_room_by_reference(assembly: Assembly, values: Values) -> None:
    stack, core = assembly.stacks["Authorizer"], assembly.stacks["Core"]
    told = read_authorizer_settings(environment(stack, values, "app.token_authorizer"))
    assert told.public_api == values.output(core, "PublicApiInvokeURL")
    assert told.expected.issuer == values.output(core, "PublicTokenIssuer")
    assert told.expected.event_id == "Sample"
    made = values.output(stack, "AuthorizerFunctionARN")
    assert made.startswith("arn:aws:lambda:eu-central-1:123456789012:function:Authorizer")


def test_elsewhere_authorizer_and_sample_know_it_by_plain_values(elsewhere: Assembly) -> None:
    values = Values(elsewhere.stacks)
    authorizer, sample = elsewhere.stacks["Authorizer"], elsewhere.stacks["Sample"]
    told = environment(authorizer, values, "app.token_authorizer")
    assert told == {
        "PUBLIC_API_ENDPOINT": "https://d1.cloudfront.net",
        "WAITING_ROOM_EVENT_ID": "Sale",
        "ISSUER": "https://a2.execute-api.eu-central-1.amazonaws.com/api",
    }
    assert config_of(sample, values, "ControlPanel", elsewhere) == console_config(
        event_id="Sale",
        region="eu-central-1",
        public_api="https://d1.cloudfront.net",
        private_api="https://a1.execute-api.eu-central-1.amazonaws.com/api",
        page=values.output(sample, "WaitingRoomURL"),
    )


def test_elsewhere_the_sample_brings_the_role_that_a_fresh_account_lacks(
    elsewhere: Assembly, assembly: Assembly
) -> None:
    account = "AWS::ApiGateway::Account"
    sample = elsewhere.stacks["Sample"]
    (role,) = sample.of_type(account)
    (stage,) = (one for one in sample.resources.values() if one["Type"].endswith("Gateway::Stage"))
    assert role in stage["DependsOn"]
    assert not assembly.stacks["Sample"].of_type(account)  # core has brought it


# --- sample -------------------------------------------------------------------------------------


def test_every_route_of_the_store_stands_behind_the_authorizer(
    assembly: Assembly, values: Values
) -> None:
    stack = assembly.stacks["Sample"]
    served = methods(stack, values)
    assert set(served) == of_app("sample_store")
    (authorizer,) = stack.of_type("AWS::ApiGateway::Authorizer")
    for method in served.values():
        assert method["AuthorizationType"] == "CUSTOM"
        assert method["AuthorizerId"] == authorizer.lower()


def test_the_store_asks_the_authorizer_of_the_other_stack(
    assembly: Assembly, values: Values
) -> None:
    stack = assembly.stacks["Sample"]
    made = values.of(stack, stack.only("AWS::ApiGateway::Authorizer"))
    arn = values.output(assembly.stacks["Authorizer"], "AuthorizerFunctionARN")
    assert made["Type"] == "TOKEN"
    assert made["IdentitySource"] == "method.request.header.Authorization"
    assert made["AuthorizerResultTtlInSeconds"] == 60
    assert made["AuthorizerUri"] == (
        f"arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    )
    role = made["AuthorizerCredentials"].rpartition("/")[2]
    (policy,) = (
        values.of(stack, one["PolicyDocument"]["Statement"])
        for one in stack.of_type("AWS::IAM::Policy").values()
        if one["Roles"] == [{"Ref": role}]
    )
    assert policy == [{"Action": "lambda:InvokeFunction", "Effect": "Allow", "Resource": arn}]


def test_the_stores_refusals_are_api_gateways_own_and_any_script_may_read_them(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["Sample"]
    answers = stack.of_type("AWS::ApiGateway::GatewayResponse").values()
    assert {one["ResponseType"] for one in answers} == {"DEFAULT_4XX", "DEFAULT_5XX"}
    for one in answers:
        assert one["ResponseTemplates"]["application/json"].startswith('{"message": ')
        origin = "gatewayresponse.header.Access-Control-Allow-Origin"
        assert one["ResponseParameters"][origin] == "'*'"


@pytest.mark.parametrize("stack_name", ["Sample", "OpenId"])
def test_files_are_read_by_cloudfront_alone(
    assembly: Assembly, values: Values, stack_name: str
) -> None:
    stack = assembly.stacks[stack_name]
    buckets = stack.of_type("AWS::S3::Bucket")
    assert len(buckets) == (2 if stack_name == "Sample" else 1)
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        (readers,) = (
            values.of(stack, one["PolicyDocument"]["Statement"])
            for one in stack.of_type("AWS::S3::BucketPolicy").values()
            if one["Bucket"] == {"Ref": name}
        )
        services = [one for one in readers if "s3:GetObject" in one["Action"]]
        assert [one["Principal"] for one in services] == [{"Service": "cloudfront.amazonaws.com"}]
        assert "distribution/" in json.dumps(services[0]["Condition"]["StringEquals"])
    for made in stack.of_type("AWS::CloudFront::Distribution").values():
        settings = made["DistributionConfig"]
        (origin,) = settings["Origins"]
        assert "OriginAccessControlId" in origin
        assert settings["DefaultRootObject"] == "index.html"
        missing = {one["ErrorCode"]: one for one in settings["CustomErrorResponses"]}
        assert missing.keys() == {403, 404}
        for one in missing.values():
            assert (one["ResponseCode"], one["ResponsePagePath"]) == (404, "/404.html")
        assert settings["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"


def test_the_pages_headers_are_those_of_one_machine(assembly: Assembly, values: Values) -> None:
    core, sample = assembly.stacks["Core"], assembly.stacks["Sample"]
    public = values.output(core, "PublicApiInvokeURL")
    store = values.output(sample, "StoreApiInvokeURL")
    private = values.output(core, "PrivateApiInvokeURL")
    found = headers_of(sample, values, "WaitingRoom")
    wanted = site_headers("waiting_room", [public, store])
    assert {**found, "Content-Security-Policy": ""} == {**wanted, "Content-Security-Policy": ""}
    assert parsed(found) == parsed(wanted)
    panel = headers_of(sample, values, "ControlPanel")
    assert "Access-Control-Allow-Origin" in found
    assert "Access-Control-Allow-Origin" not in panel
    sign_in = config_of(sample, values, "ControlPanel", assembly)["sign_in"]
    login = sign_in["endpoints"]["token_endpoint"]
    called = [public, private, login, sign_in["identity_api"], sign_in["users_api"]]
    assert parsed(panel) == parsed(security_headers(called))
    assert (found["Referrer-Policy"], panel["Referrer-Policy"]) == ("strict-origin", "no-referrer")


def parsed(headers: dict[str, str]) -> dict[str, set[str]]:
    """A content security policy; the order of its sources means nothing."""
    rules = headers["Content-Security-Policy"].split("; ")
    return {rule.split()[0]: set(rule.split()[1:]) for rule in rules}


def test_the_pages_settings_are_written_at_deployment(assembly: Assembly, values: Values) -> None:
    core, sample = assembly.stacks["Core"], assembly.stacks["Sample"]
    public = values.output(core, "PublicApiInvokeURL")
    assert config_of(sample, values, "WaitingRoom", assembly) == waiting_room_config(
        event_id="Sample",
        public_api=public,
        store_api=values.output(sample, "StoreApiInvokeURL"),
        brand=EVERYTHING["PageBrand"],
    )
    assert config_of(sample, values, "ControlPanel", assembly) == console_config(
        event_id="Sample",
        region="eu-central-1",
        public_api=public,
        private_api=values.output(core, "PrivateApiInvokeURL"),
        page=values.output(sample, "WaitingRoomURL"),
        sign_in=config_of(sample, values, "ControlPanel", assembly)["sign_in"],
    )


def test_the_waiting_page_hands_over_to_the_gate_of_a_site(elsewhere: Assembly) -> None:
    values, sample = Values(elsewhere.stacks), elsewhere.stacks["Sample"]
    config = config_of(sample, values, "WaitingRoom", elsewhere)
    assert config["entrance"] == "https://shop.example/waiting-room/enter"
    forms = {"'self'", "https://shop.example", "https://www.shop.example"}
    assert parsed(headers_of(sample, values, "WaitingRoom"))["form-action"] == forms
    assert parsed(headers_of(sample, values, "ControlPanel"))["form-action"] == {"'self'"}


def test_the_addresses_of_the_pages_are_put_out(assembly: Assembly, values: Values) -> None:
    sample = assembly.stacks["Sample"]
    for output in ("WaitingRoomURL", "ControlPanelURL"):
        assert values.output(sample, output).startswith("https://")
        assert values.output(sample, output).endswith(".cloudfront.net/")


# --- openid -------------------------------------------------------------------------------------


def test_the_provider_has_the_routes_of_its_app_and_anybody_may_call_them(
    assembly: Assembly, values: Values
) -> None:
    stack = assembly.stacks["OpenId"]
    served = methods(stack, values)
    assert set(served) == of_app("openid")
    assert {made["AuthorizationType"] for made in served.values()} == {"NONE"}


def test_every_openid_function_reads_its_settings(assembly: Assembly, values: Values) -> None:
    stack, core = assembly.stacks["OpenId"], assembly.stacks["Core"]
    issuer = values.output(stack, "Issuer")
    for view in {route.view for route in routes_of(load_app("openid"))}:
        name = "Views" + view.title().replace("_", "") + "Function"
        told = read_openid_settings(environment(stack, values, "app.app", name))
        assert told.issuer == issuer
        assert told.public_api == values.output(core, "PublicApiInvokeURL")
        assert told.token_issuer == values.output(core, "PublicTokenIssuer")
        assert told.waiting_room_url == values.output(stack, "WaitingRoomURL")
        assert told.event_id == values.output(stack, "ClientId") == "Sample"
        assert told.client_secret_id == values.output(stack, "ClientSecretId")
        assert " ".join(told.redirect_uris).split() == EVERYTHING["OpenIdRedirectUris"].split(",")
        assert (told.restart_url, told.restart_after) == ("https://tickets.example/login", 150)


def test_the_providers_endpoints_are_put_out(assembly: Assembly, values: Values) -> None:
    stack = assembly.stacks["OpenId"]
    issuer = values.output(stack, "Issuer")
    assert issuer.endswith(f".execute-api.eu-central-1.amazonaws.com/{STAGE}")
    endpoints = {
        "AuthorizationEndpoint": "/authorize",
        "TokenEndpoint": "/token",
        "UserInfoEndpoint": "/userInfo",
        "JwksUri": "/.well-known/jwks.json",
        "DiscoveryDocument": "/.well-known/openid-configuration",
    }
    for output, path in endpoints.items():
        assert values.output(stack, output) == issuer + path
        assert path in {route for _, route in of_app("openid")}


def test_the_providers_waiting_page_sends_its_form_to_it_and_on_to_clients(
    assembly: Assembly, values: Values
) -> None:
    stack, core = assembly.stacks["OpenId"], assembly.stacks["Core"]
    issuer = values.output(stack, "Issuer")
    public = values.output(core, "PublicApiInvokeURL")
    config = config_of(stack, values, "WaitingRoom", assembly)
    assert config == waiting_room_config(
        event_id="Sample", public_api=public, store_api="", openid=issuer,
        brand=EVERYTHING["PageBrand"],
    )  # fmt: skip
    forms = ["https:", "http://127.0.0.1:*", "http://localhost:*"]  # a callback is on this machine
    found = parsed(headers_of(stack, values, "WaitingRoom"))
    assert found == parsed(security_headers([public], forms, ["https:"]))


def test_the_clients_secret_is_made_by_aws_and_in_no_template(assembly: Assembly) -> None:
    made = assembly.stacks["OpenId"].only("AWS::SecretsManager::Secret")
    assert "SecretString" not in made
    assert made["GenerateSecretString"]["PasswordLength"] >= 43
    assert made["GenerateSecretString"]["GenerateStringKey"] == "client_secret"


# --- inlet --------------------------------------------------------------------------------------

INLET_STACKS = {"Periodic": "PeriodicInlet", "MaxSize": "Inlet"}


@pytest.mark.parametrize("strategy", INLET_STACKS)
def test_an_inlet_is_its_function_by_the_minute(
    assembly: Assembly, values: Values, strategy: str
) -> None:
    stack = assembly.stacks[INLET_STACKS[strategy]]
    definition = INLETS[strategy]
    told = environment(stack, values, f"app.{definition.name}")
    assert told["INLET_STRATEGY"] == strategy
    core = assembly.stacks["Core"]
    assert told["PRIVATE_API_ENDPOINT"] == values.output(core, "PrivateApiInvokeURL")
    (function,) = (
        name
        for name, made in stack.of_type(FUNCTION).items()
        if made["Handler"] == f"app.{definition.name}"
    )
    rule = stack.only("AWS::Events::Rule")
    assert rule["ScheduleExpression"] == "rate(1 minute)"
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": [function, "Arn"]}


@pytest.mark.parametrize("strategy", INLET_STACKS)
def test_an_inlet_may_call_the_routes_of_its_strategy_and_no_other(
    assembly: Assembly, values: Values, strategy: str
) -> None:
    stack = assembly.stacks[INLET_STACKS[strategy]]
    allowed: list[str] = []
    alarms = []
    for role in stack.of_type("AWS::IAM::Role"):
        for statement in values.of(stack, stack.statements_of(role)):
            if statement["Action"] == "execute-api:Invoke":
                found = statement["Resource"]
                allowed += [found] if isinstance(found, str) else found
            alarms += [one for one in [statement["Action"]] if one == "cloudwatch:DescribeAlarms"]
    core = assembly.stacks["Core"]
    address = values.output(core, "PrivateApiInvokeURL")
    api = address.removeprefix("https://").partition(".")[0]
    prefix = f"arn:aws:execute-api:eu-central-1:123456789012:{api}/{STAGE}/"
    routes = {route.replace(" ", "") for route in PRIVATE_ROUTES[strategy]}
    assert {one.removeprefix(prefix) for one in allowed} == routes
    assert bool(alarms) == (strategy == "MaxSize")  # the one that was given an alarm's name


def test_routes_that_inlets_call_are_routes_of_the_private_api() -> None:
    served = {f"{method} {path}" for method, path in of_app("private_api")}
    for routes in PRIVATE_ROUTES.values():
        assert set(routes) <= served


def test_departures_start_the_max_size_inlet_and_are_kept_when_it_fails(
    assembly: Assembly, values: Values
) -> None:
    stack = assembly.stacks["Inlet"]
    subscription = stack.only("AWS::SNS::Subscription")
    (function,) = stack.of_type(FUNCTION)
    (queue,) = stack.of_type("AWS::SQS::Queue")
    kept = {"Fn::GetAtt": [queue, "Arn"]}
    assert subscription["Endpoint"] == {"Fn::GetAtt": [function, "Arn"]}
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": kept}
    failure = stack.only("AWS::Lambda::EventInvokeConfig")["DestinationConfig"]["OnFailure"]
    assert failure == {"Destination": kept}
    (topic,) = stack.of_type("AWS::SNS::Topic")
    assert values.output(stack, "InletTopicARN") == topic.lower()


def test_an_inlet_has_no_api(assembly: Assembly) -> None:
    for stack in INLET_STACKS.values():
        assert not assembly.stacks[stack].of_type("AWS::ApiGateway::RestApi")


def test_alarms_of_the_optional_stacks_go_to_cores_topic(
    assembly: Assembly, values: Values
) -> None:
    topic = values.output(assembly.stacks["Core"], "AlarmTopic")
    for name in ("OpenId", "Inlet", "PeriodicInlet"):
        stack = assembly.stacks[name]
        alarms = stack.of_type("AWS::CloudWatch::Alarm")
        assert alarms
        for alarm in alarms.values():
            assert values.of(stack, alarm["AlarmActions"]) == [topic]


# --- openid and inlet without core --------------------------------------------------------------


@pytest.fixture(scope="session")
def alone(assembly: Assembly, values: Values) -> Assembly:
    """Openid and inlet beside the core stack of an earlier deployment."""
    core = assembly.stacks["Core"]
    public, private = (
        values.output(core, name) for name in ("PublicApiInvokeURL", "PrivateApiInvokeURL")
    )
    room = {
        "PublicAPIEndpoint": public,
        "APIRegion": "eu-central-1",
        "PrivateCoreApiEndpoint": private,
        "CoreApiRegion": "eu-central-1",
    }
    return Assembly({**EVERYTHING, "Stacks": "openid,inlet", **room})


@pytest.mark.parametrize("name", ["OpenId", "Inlet"])
def test_without_core_a_stack_is_the_same(
    assembly: Assembly, values: Values, alone: Assembly, name: str
) -> None:
    core, beside, other = assembly.stacks["Core"], assembly.stacks[name], alone.stacks[name]
    resolved = Values({"Core": core, name: other})
    assert beside.name == other.name
    assert set(other.resources) == set(beside.resources)
    for logical, made in beside.resources.items():
        found, wanted = (
            resolver.of(stack, one.get("Properties", {}))
            for resolver, stack, one in (
                (resolved, other, other.resources[logical]),
                (values, beside, made),
            )
        )
        if made["Type"] == COPIER:  # compared below: the addresses are values or markers
            for part in (found, wanted):
                part.pop("SourceObjectKeys")
                part.pop("SourceMarkers", None)
        assert found == wanted, logical
    for output in beside.template.get("Outputs", {}):
        assert resolved.output(other, output) == values.output(beside, output)
    if name == "OpenId":
        assert config_of(other, resolved, "WaitingRoom", alone) == config_of(
            beside, values, "WaitingRoom", assembly
        )


def test_core_exports_what_a_stack_without_core_imports(
    assembly: Assembly, serverless: Assembly
) -> None:
    for made in (assembly, serverless):
        core = made.stacks["Core"]
        exported = {
            output["Export"]["Name"]
            for output in core.template["Outputs"].values()
            if "Export" in output
        }
        assert {f"{core.name}:{name}" for name in EXPORTS} <= exported


def test_a_restored_serving_log_is_that_of_the_inlet() -> None:
    room = {"PrivateCoreApiEndpoint": "https://a.example/api", "CoreApiRegion": "eu-central-1"}
    tables = "QueuePositions=a-1,Tokens=a-2@2026-01-31T12:00:00.000,ServingLog=a-3"
    made = Assembly({"Stacks": "inlet", "RestoredTables": tables, **room})
    function = made.stacks["Inlet"].only(FUNCTION)
    assert function["Environment"]["Variables"]["SERVING_LOG_TABLE"] == "a-3"
    (role,) = made.stacks["Inlet"].of_type("AWS::IAM::Role")
    assert ":table/a-3" in json.dumps(made.stacks["Inlet"].statements_of(role))


# --- all of them --------------------------------------------------------------------------------


def test_stacks_are_named_after_core(assembly: Assembly) -> None:
    names = {key: stack.name for key, stack in assembly.stacks.items()}
    assert names["Authorizer"] == f"{names['Core']}-Authorizer"
    assert names["Sample"] == f"{names['Core']}-Sample"
    assert isinstance(assembly.built["core"], CoreStack)


def test_every_view_and_handler_has_its_function(assembly: Assembly) -> None:
    for stack, app in (("Sample", "sample_store"), ("OpenId", "openid")):
        made = assembly.stacks[stack].of_type(FUNCTION)
        views = {route.view.title().replace("_", "") for route in routes_of(load_app(app))}
        ours = [name for name in made if name.startswith("Views")]
        assert {name.removeprefix("Views").partition("Function")[0] for name in ours} == views
