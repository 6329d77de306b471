# SPDX-License-Identifier: Apache-2.0
"""The core stack: what it is made of."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deployment.capacity.topology import UnknownCost, of_template
from deployment.local.resources import table_request
from infrastructure.blueprint import discovery, join_integration, loading, permissions
from infrastructure.blueprint.permissions import (
    ADMINISTRATORS,
    DENIED,
    OPERATORS,
    STEERING,
    WATCHING,
)
from infrastructure.blueprint.resources import ASSIGN, JOINS, TABLES, WORKERS
from infrastructure.blueprint.routes import load_app, routes_of
from infrastructure.constructs.names import inlet_role_name
from infrastructure.parameters.docs_table import PAGE
from infrastructure.parameters.optional_stacks import EdgeAlarmsConfig
from infrastructure.parameters.parameter import ParameterError
from tests.support.templates.synthesized import JOIN_QUEUE, Assembly, Synthesized, headers_of


def routes(core: Synthesized, api: str) -> set[tuple[str, str]]:
    """Method and path of every method of an API, without preflights."""
    parents = core.of_type("AWS::ApiGateway::Resource")

    def path(ref: dict[str, object]) -> str:
        if "Fn::GetAtt" in ref:
            return ""
        part = parents[str(ref["Ref"])]
        return f"{path(part['ParentId'])}/{part['PathPart']}"

    return {
        (made["HttpMethod"], path(made["ResourceId"]))
        for made in core.of_type("AWS::ApiGateway::Method").values()
        if made["RestApiId"]["Ref"].startswith(api) and made["HttpMethod"] != "OPTIONS"
    }


def of_app(name: str) -> set[tuple[str, str]]:
    return {(method, one.path) for one in routes_of(load_app(name)) for method in one.methods}


def test_the_public_api_has_the_routes_of_its_app_the_join_and_discovery(
    core: Synthesized,
) -> None:
    assert routes(core, "Public") == of_app("public_api") | {
        ("POST", join_integration.PATH), ("GET", discovery.PATH), ("HEAD", discovery.PATH),
    }  # fmt: skip


def test_the_private_api_has_the_routes_of_its_app(core: Synthesized) -> None:
    assert routes(core, "Private") == of_app("private_api")


def test_every_body_but_a_joins_reaches_its_function_as_it_came(core: Synthesized) -> None:
    assert not [one for one in core.of_type("AWS::ApiGateway::RestApi").values()
                if one.get("BinaryMediaTypes")]  # fmt: skip
    methods = core.of_type("AWS::ApiGateway::Method")
    (join,) = (name for name, one in methods.items() if one.get("RequestModels"))
    assert "assignqueuenum" in join.lower()
    for name, one in methods.items():
        if one["HttpMethod"] != "OPTIONS" and name != join:
            assert one["Integration"]["Type"] in ("AWS_PROXY", "MOCK"), name
            assert one["Integration"].get("PassthroughBehavior") != "NEVER", name


def test_every_view_and_worker_has_its_grants() -> None:
    permissions.check_grants("PUBLIC", {one.view for one in routes_of(load_app("public_api"))})
    permissions.check_grants("PRIVATE", {one.view for one in routes_of(load_app("private_api"))})
    permissions.check_grants("WORKERS", {one.name for one in WORKERS})


def test_the_queue_is_the_one_that_one_machine_makes(core: Synthesized) -> None:
    queues = core.of_type("AWS::SQS::Queue")
    (joins,) = (one for name, one in queues.items() if re.fullmatch(JOIN_QUEUE, name))
    (dead,) = (one for name, one in queues.items() if name.startswith("JoinQueueDeadLetters"))
    assert joins["VisibilityTimeout"] == JOINS.visibility_timeout >= 6 * ASSIGN.timeout
    assert joins["MessageRetentionPeriod"] == JOINS.retention
    assert joins["RedrivePolicy"]["maxReceiveCount"] == JOINS.max_receive_count
    assert dead["MessageRetentionPeriod"] == JOINS.dead_letter_retention


def test_the_tables_are_the_ones_that_one_machine_makes(core: Synthesized) -> None:
    made = core.of_type("AWS::DynamoDB::Table")
    for table in TABLES:
        (found,) = (one for name, one in made.items() if name.startswith(f"Tables{table.name}"))
        asked = table_request(table, "any")
        for part in ("KeySchema", "BillingMode"):
            assert found[part] == asked[part], table.name
        assert sorted(found["AttributeDefinitions"], key=str) == sorted(
            asked["AttributeDefinitions"], key=str
        )
        indexes = {one["IndexName"]: one for one in found.get("GlobalSecondaryIndexes", [])}
        assert set(indexes) == {one["IndexName"] for one in asked.get("GlobalSecondaryIndexes", [])}
        for one in asked.get("GlobalSecondaryIndexes", []):
            assert indexes[one["IndexName"]]["KeySchema"] == one["KeySchema"]
            assert indexes[one["IndexName"]]["Projection"] == one["Projection"]
        assert found["TimeToLiveSpecification"] == {"AttributeName": table.ttl, "Enabled": True}
        assert found["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert ("StreamSpecification" in found) == table.stream


def test_the_workers_are_started_as_their_definitions_say(core: Synthesized) -> None:
    mappings = core.of_type("AWS::Lambda::EventSourceMapping")
    (joins,) = (one for name, one in mappings.items() if "AssignPositions" in name)
    (changes,) = (one for name, one in mappings.items() if "PublishEvents" in name)
    (messages,) = (one for name, one in mappings.items() if "SendOutbox" in name)
    assert joins["BatchSize"] == ASSIGN.batch_size
    assert joins["MaximumBatchingWindowInSeconds"] == ASSIGN.batch_window
    assert joins["ScalingConfig"] == {"MaximumConcurrency": ASSIGN.max_concurrency}
    assert messages["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}
    for one in (changes, messages):
        assert one["BisectBatchOnFunctionError"] is True
        assert one["DestinationConfig"]["OnFailure"]["Destination"]
    for one in (joins, changes, messages):
        assert one["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    schedules = sorted(
        one["ScheduleExpression"] for one in core.of_type("AWS::Events::Rule").values()
    )
    assert schedules == sorted(worker.schedule for worker in WORKERS if worker.schedule)
    assert schedules == ["rate(1 hour)", *["rate(1 minute)"] * 4]  # and none changes the keys


@pytest.mark.parametrize(("days", "schedule"), [("1", "rate(1 day)"), ("30", "rate(30 days)")])
def test_keys_rotate_by_a_schedule_where_a_deployment_asks_for_it(days: str, schedule: str) -> None:
    made = Assembly({"Stacks": "core", "KeyRotationDays": days}).stacks["Core"]
    (rule,) = (
        one for one in made.of_type("AWS::Events::Rule").values()
        if one["ScheduleExpression"] not in ("rate(1 minute)", "rate(1 hour)")
    )  # fmt: skip
    assert rule["ScheduleExpression"] == schedule
    assert "RotateKeys" in str(rule["Targets"])


def test_the_counters_are_encrypted_guarded_and_fail_over(core: Synthesized) -> None:
    group = core.only("AWS::ElastiCache::ReplicationGroup")
    assert group["TransitEncryptionEnabled"] is True
    assert group["AtRestEncryptionEnabled"] is True
    assert group["AutomaticFailoverEnabled"] is True
    assert group["MultiAZEnabled"] is True
    assert (group["NumCacheClusters"], group["Port"], group["Engine"]) == (2, 1785, "valkey")
    assert group["SnapshotRetentionLimit"] > 0
    assert "resolve:secretsmanager" in str(group["AuthToken"])
    assert group["NotificationTopicArn"]


def test_there_is_no_way_out_of_the_network_and_one_paid_endpoint(core: Synthesized) -> None:
    assert not core.of_type("AWS::EC2::NatGateway")
    assert not core.of_type("AWS::EC2::InternetGateway")
    assert interface_endpoints(core) == ["secretsmanager"]


def test_no_function_inside_the_vpc_needs_a_service_without_an_endpoint(core: Synthesized) -> None:
    """It writes to the outbox. A call of SQS or EventBridge would wait for its timeout."""
    unreachable = {"EVENT_BUS_NAME", "JOIN_QUEUE_URL", "JOIN_DEAD_LETTER_QUEUE_URL"}
    functions, roles = core.of_type("AWS::Lambda::Function"), core.of_type("AWS::IAM::Role")
    inside = {name: made for name, made in functions.items() if "VpcConfig" in made}
    assert inside
    writing = 0
    for name, made in inside.items():
        variables = set(made["Environment"]["Variables"])
        assert not unreachable & variables, name
        writing += "OUTBOX_TABLE" in variables
        (own,) = roles[made["Role"]["Fn::GetAtt"][0]]["Policies"]  # others are for Lambda's pollers
        for statement in own["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            for action in [actions] if isinstance(actions, str) else actions:
                assert action.partition(":")[0] not in ("events", "sqs"), (name, action)
    assert writing
    (sender,) = (made for name, made in functions.items() if "SendOutbox" in name)
    assert "VpcConfig" not in sender
    assert unreachable < set(sender["Environment"]["Variables"])
    assert "OUTBOX_TABLE" not in sender["Environment"]["Variables"], "it would write to its stream"


def test_bus_events_are_published_with_or_without_the_metrics_of_the_minute(
    core: Synthesized,
) -> None:
    """Inside the VPC through the outbox."""
    functions = core.of_type("AWS::Lambda::Function")
    told = {
        setting: {
            name.split("Functions")[1][:12] for name, made in functions.items()
            if setting in made.get("Environment", {}).get("Variables", {})
        }
        for setting in ("EVENT_BUS_NAME", "OUTBOX_TABLE")
    }  # fmt: skip
    assert told["EVENT_BUS_NAME"] == {"PatchEventFu", "SendOutboxFu"}
    assert told["OUTBOX_TABLE"] == {
        "IncrementSer", "ResetInitial", "PutEventFunc", "DeleteEventF", "ActOnEventFu",
        "PublishEvent", "SweepPositio", "ReportMetric", "AdmitFunctio", "AssignPositi",
    }  # fmt: skip


def interface_endpoints(core: Synthesized) -> list[str]:
    return sorted(
        one["ServiceName"]["Fn::Join"][1][-1].strip(".")
        for one in core.of_type("AWS::EC2::VPCEndpoint").values()
        if one["VpcEndpointType"] == "Interface"
    )


def test_every_alarm_has_somebody_to_tell(core: Synthesized) -> None:
    alarms = core.of_type("AWS::CloudWatch::Alarm")
    assert alarms
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"], name
        assert alarm["AlarmDescription"].endswith("."), name


def test_each_alarm_has_a_description_for_operators(core: Synthesized) -> None:
    page = (PAGE.parent / "operations.md").read_text(encoding="utf-8")
    for logical in core.of_type("AWS::CloudWatch::Alarm"):
        name = logical.removeprefix("OperationsAlarms")[:-8]
        assert f"`{name}`" in page, name


def test_the_alarm_of_the_account_is_below_its_quota(core: Synthesized) -> None:
    (alarm,) = alarms_on(core, "ClaimedAccountConcurrency")
    assert alarm["Namespace"] == "AWS/Lambda"
    assert alarm["Threshold"] == 800
    assert "Dimensions" not in alarm


def test_rejected_requests_of_both_apis_have_an_alarm(core: Synthesized) -> None:
    filters = core.of_type("AWS::Logs::MetricFilter").values()
    stages = core.of_type("AWS::ApiGateway::Stage").values()
    logs = {one["LogGroupName"]["Ref"] for one in filters}
    assert logs == {
        stage["AccessLogSetting"]["DestinationArn"]["Fn::GetAtt"][0] for stage in stages
    }
    (alarm,) = alarms_on(core, "TooManyRequests")
    for one in filters:
        (metric,) = one["MetricTransformations"]
        assert metric["MetricNamespace"] == alarm["Namespace"] == "WaitingRoom/WaitingRoom"
        assert "$.status" in one["FilterPattern"]
        assert "DefaultValue" not in metric, "a metric without data costs nothing"


def test_the_alarm_of_aws_waf_reads_the_metric_of_the_acl(core: Synthesized) -> None:
    (alarm,) = alarms_on(core, "BlockedRequests")
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    acl = core.only("AWS::WAFv2::WebACL")["VisibilityConfig"]["MetricName"]
    assert dimensions == {"WebACL": acl, "Region": {"Ref": "AWS::Region"}, "Rule": "ALL"}
    assert acl == "WaitingRoom-WaitingRoom"


def alarms_on(stack: Synthesized, metric: str) -> list[Any]:
    found = stack.of_type("AWS::CloudWatch::Alarm").values()
    return [alarm for alarm in found if alarm.get("MetricName") == metric]


def test_the_edge_has_alarms_in_its_own_region() -> None:
    made = Assembly({"Stacks": "edge-alarms", "EdgeDistributions": "E1A2B3C4D5E6F7,E7F6E5D4C3B2A1"})
    (stack,) = made.stacks.values()
    assert made.built["edge-alarms"].region == "us-east-1"
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    read = {
        one["MetricStat"]["Metric"]["Dimensions"][0]["Value"]
        for alarm in alarms
        for one in alarm["Metrics"]
        if "MetricStat" in one
    }
    assert read == {"E1A2B3C4D5E6F7", "E7F6E5D4C3B2A1"}
    assert all(alarm["AlarmActions"] for alarm in alarms)


@pytest.mark.parametrize("ids", ["", "E1A2B3C4D5E6F7,E1A2B3C4D5E6F7", "shop.example"])
def test_ids_of_distributions_are_checked(ids: str) -> None:
    with pytest.raises(ParameterError, match="EdgeDistributions"):
        EdgeAlarmsConfig.from_context({"EdgeDistributions": ids} if ids else {})


def test_a_fresh_account_has_the_log_role_before_any_stage(core: Synthesized) -> None:
    (account,) = core.of_type("AWS::ApiGateway::Account")
    stages = {
        name: made
        for name, made in core.resources.items()
        if made["Type"] == "AWS::ApiGateway::Stage"
    }
    assert len(stages) == 2
    assert all(account in made["DependsOn"] for made in stages.values())


def test_the_outputs_are_the_contracts(core: Synthesized) -> None:
    contract = {
        "PublicApiInvokeURL",
        "PrivateApiInvokeURL",
        "PublicTokenIssuer",
        "PrivateTokenIssuer",
        "OperatorsGroup",
    }
    assert contract <= set(core.template["Outputs"])


def test_the_issuer_is_the_stage_of_the_public_api(core: Synthesized) -> None:
    issuer = core.template["Outputs"]["PublicTokenIssuer"]["Value"]["Fn::Join"][1]
    (stage,) = (
        one
        for one in core.of_type("AWS::ApiGateway::Stage").values()
        if one["RestApiId"]["Ref"].startswith("Public")
    )
    assert issuer[0] == "https://"
    assert issuer[1] == stage["RestApiId"]
    assert issuer[-1] == f"/{stage['StageName']}"
    signers = [
        one["Environment"]["Variables"]["TOKEN_ISSUER"]["Fn::Join"][1]
        for one in core.of_type("AWS::Lambda::Function").values()
        if "TOKEN_ISSUER" in one.get("Environment", {}).get("Variables", {})
    ]
    assert signers == [issuer, issuer]


def test_each_function_of_the_public_api_builds_its_stores_at_init(core: Synthesized) -> None:
    found = [
        one["Environment"]["Variables"].get("STORES_AT_INIT")
        for name, one in core.of_type("AWS::Lambda::Function").items()
        if name.startswith("PublicFunctions")
    ]
    assert sorted(map(str, found)) == sorted(map(",".join, loading.PUBLIC.values()))


def test_verifiers_find_at_the_issuer_that_the_keys_are_at_the_edge(core: Synthesized) -> None:
    outputs = core.template["Outputs"]
    found = [
        one
        for one in core.of_type("AWS::ApiGateway::Method").values()
        if one["Integration"]["Type"] == "MOCK" and one["HttpMethod"] != "OPTIONS"
    ]
    assert {one["HttpMethod"] for one in found} == {"GET", "HEAD"}
    for one in found:
        assert not one.get("ApiKeyRequired"), "the issuer is not the edge, which adds the key"
        assert one["AuthorizationType"] == "NONE"
        (answer,) = one["Integration"]["IntegrationResponses"]
        headers = headers_of(answer["ResponseParameters"])
        assert headers == discovery.HEADERS
        ((_, parts),) = answer["ResponseTemplates"]["application/json"].values()
        document = json.loads("".join(_text(part) for part in parts))
        issuer, edge = (
            "".join(_text(part) for part in outputs[name]["Value"]["Fn::Join"][1])
            for name in ("PublicTokenIssuer", "PublicApiInvokeURL")
        )
        assert document == json.loads(discovery.document(issuer, edge))


def _text(part: object) -> str:
    """A part of a text; references as text."""
    return part if isinstance(part, str) else json.dumps(part).replace('"', "")


def test_who_floods_the_document_leaves_the_room_its_requests(core: Synthesized) -> None:
    settings = {
        (one["ResourcePath"], one["HttpMethod"]): one
        for stage in core.of_type("AWS::ApiGateway::Stage").values()
        if stage["RestApiId"]["Ref"].startswith("Public")
        for one in stage["MethodSettings"]
    }
    room = settings["/*", "*"]
    for method in ("GET", "HEAD"):
        narrow = settings["/" + discovery.PATH.replace("/", "~1"), method]
        assert narrow["ThrottlingRateLimit"] == discovery.RATE < room["ThrottlingRateLimit"]
        assert narrow["ThrottlingBurstLimit"] == discovery.BURST
        for name in ("LoggingLevel", "DataTraceEnabled", "MetricsEnabled"):
            assert narrow[name] == room[name]


def test_the_groups_may_call_what_their_lists_say(core: Synthesized) -> None:
    def called(group: str, effect: str = "Allow") -> set[str]:
        (policy,) = (
            made
            for name, made in core.of_type("AWS::IAM::ManagedPolicy").items()
            if name.startswith(f"Operators{group}Policy")
        )
        text = json.dumps([
            one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == effect
        ])  # fmt: skip
        return set(re.findall(r"/((?:GET|PUT|POST|PATCH|DELETE|\*)/[a-z_*/]*)", text))

    def listed(routes: tuple[str, ...]) -> set[str]:
        return {re.sub(r"{\w+}", "*", route).replace(" ", "") for route in routes}

    assert called("Watching") == listed(WATCHING)
    assert called("Steering") == listed(STEERING)
    assert called("Administrators") == listed(ADMINISTRATORS)
    assert called("") == listed(OPERATORS)
    for group in ("Watching", "Steering", "Administrators", ""):
        assert called(group, "Deny") == listed(DENIED), group


def test_a_managed_policy_is_within_the_limit_of_iam(core: Synthesized) -> None:
    """6,144 characters without white space; a partition, region, account and id take their own."""
    for name, made in core.of_type("AWS::IAM::ManagedPolicy").items():
        text = re.sub(r"\s", "", statements_as_text(made["PolicyDocument"]))
        assert len(text) <= 6_144, name


def statements_as_text(document: dict[str, Any]) -> str:
    """Return a policy document with each reference as long as its longest value."""

    def text(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() & {"Ref", "Fn::GetAtt"}:
            return "x" * 20
        if isinstance(value, dict) and "Fn::Join" in value:
            return "".join(text(part) for part in value["Fn::Join"][1])
        if isinstance(value, dict):
            return {key: text(part) for key, part in value.items()}
        return [text(part) for part in value] if isinstance(value, list) else value

    return json.dumps(text(document))


def test_nobody_invokes_a_function_past_the_private_api(core: Synthesized) -> None:
    policies = json.dumps(core.of_type("AWS::IAM::ManagedPolicy"))
    assert "execute-api:Invoke" in policies
    assert "lambda:" not in policies


def test_core_and_the_inlets_stack_agree_on_the_inlets_role(eventful: Assembly) -> None:
    core, inlet = eventful.stacks["Core"], eventful.stacks["Inlet"]
    (name,) = (
        made["RoleName"] for made in inlet.of_type("AWS::IAM::Role").values() if "RoleName" in made
    )
    told = [
        (made["Description"], made["Environment"]["Variables"]["INLET_ROLE"])
        for made in core.of_type("AWS::Lambda::Function").values()
        if "INLET_ROLE" in made.get("Environment", {}).get("Variables", {})
    ]
    assert sorted(told) == sorted(
        (f"Waiting room: {view.replace('_', ' ')}", name)
        for view in (
            "increment_serving_counter", "generate_token", "update_session", "update_message",
            "change_inlet", "reset_initial_state", "rotate_keys", "rotate_gate_keys", "put_event",
            "patch_event", "delete_event", "act_on_event", "report_health",
        )
    )  # fmt: skip


@pytest.mark.parametrize("stack", ["W", "WaitingRoom", "x" * 100])
def test_the_name_of_the_inlets_role_fits_into_iams_limit(stack: str) -> None:
    name = inlet_role_name(stack, "ap-southeast-1")
    assert len(name) <= 64
    assert name != inlet_role_name(stack + "y", "ap-southeast-1")
    assert name != inlet_role_name(stack, "eu-central-1")


def test_warm_throughput_is_in_no_template() -> None:
    """DynamoDB rejects a lower value, so a template with one would not deploy after an event."""
    made = Assembly({"Stacks": "core", "WarmWriteUnits": "50000"}).stacks["Core"]
    assert "WarmThroughput" not in json.dumps(made.template)


def test_a_new_account_with_a_concurrency_of_ten_gets_two_join_workers_and_its_zones() -> None:
    context = {
        "Stacks": "core",
        "AccountConcurrency": "10",
        "AvailabilityZones": "us-east-1b,us-east-1d",
    }
    made = Assembly(context).stacks["Core"]
    assert "ReservedConcurrentExecutions" not in json.dumps(made.template)
    (scaling,) = (
        one["ScalingConfig"]
        for one in made.of_type("AWS::Lambda::EventSourceMapping").values()
        if "ScalingConfig" in one
    )
    assert scaling == {"MaximumConcurrency": 2}
    zones = [one["AvailabilityZone"] for one in made.of_type("AWS::EC2::Subnet").values()]
    assert sorted(zones) == ["us-east-1b", "us-east-1d"]
    assert "Fn::GetAZs" not in json.dumps(made.template)


def test_pollers_that_always_run_replace_the_maximum_concurrency() -> None:
    """Lambda rejects a mapping with both."""
    context = {"Stacks": "core", "JoinPollers": "5", "MaxJoinPollers": "20"}
    made = Assembly(context).stacks["Core"]
    mappings = made.of_type("AWS::Lambda::EventSourceMapping")
    (joins,) = (one for name, one in mappings.items() if "AssignPositions" in name)
    assert joins["ProvisionedPollerConfig"] == {"MinimumPollers": 5, "MaximumPollers": 20}
    assert "ScalingConfig" not in joins
    with pytest.raises(UnknownCost, match="EventSourceMapping with ProvisionedPollerConfig"):
        of_template("pollers", made.template)
