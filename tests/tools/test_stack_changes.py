# SPDX-License-Identifier: Apache-2.0
"""Rules that find, in two made-up templates, what CloudFormation would refuse or lose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployment.stack_changes.__main__ import main, templates_of
from deployment.stack_changes.change_set import Kind, change_set
from deployment.stack_changes.plan import Step, check
from deployment.stack_changes.rules import RULES, violations

Resources = Mapping[str, Mapping[str, Any]]


def resource(kind: str, *, policy: str = "", needs: Any = (), **properties: Any) -> dict[str, Any]:
    """An entry of a template."""
    kept = {"DeletionPolicy": policy, "UpdateReplacePolicy": policy} if policy else {}
    return {"Type": kind, "Properties": properties, "DependsOn": list(needs), **kept}


def found(before: Resources, after: Resources) -> set[str]:
    """The rules that a change of a stack breaks."""
    changes = change_set("Room", {"Resources": before}, {"Resources": after})
    return {one.rule for one in violations(changes)}


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


TABLE, GROUP = "AWS::DynamoDB::Table", "AWS::ElastiCache::ReplicationGroup"
FUNCTION, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Version"
MAPPING, SUBSCRIPTION = "AWS::Lambda::EventSourceMapping", "AWS::SNS::Subscription"
METHOD, DEPLOYMENT = "AWS::ApiGateway::Method", "AWS::ApiGateway::Deployment"
ASSOCIATION = "AWS::WAFv2::WebACLAssociation"


def index(name: str, **more: Any) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], **more}


def warm(units: int) -> dict[str, int]:
    return {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": units}


def cache(**more: Any) -> dict[str, Any]:
    return resource(
        GROUP,
        **{"Engine": "valkey", "EngineVersion": "8.1", "NumCacheClusters": 2, **more},
    )


def room(name: str, *, needs: Any = ("Reader",), handler: str = "1", port: int = 1) -> Resources:
    """A cache with the logical id ``name``, a function that reads it, and the set-up."""
    address = {"Fn::GetAtt": [name, "PrimaryEndPoint.Address"]}
    return {
        name: cache(Port=port),
        "Reader": resource(FUNCTION, Environment={"Variables": {"HOST": address, "PORT": port}}),
        "SetUp": resource("Custom::Trigger", needs=needs, HandlerArn=handler),
    }


ONE_VERSION = {"V": resource(VERSION, FunctionName=ref("F"))}
API = {
    "M": resource(METHOD, RestApiId=ref("Api"), ResourceId="r", HttpMethod="GET"),
    "D1": resource(DEPLOYMENT, RestApiId=ref("Api")),
    "Api": resource("AWS::ApiGateway::RestApi"),
}
ANOTHER_METHOD = resource(
    METHOD, RestApiId=ref("Api"), ResourceId="r", HttpMethod="GET", Integration={"Uri": "new"}
)


def stream_reader(function: str) -> dict[str, Any]:
    return resource(
        MAPPING, EventSourceArn="s", FunctionName=function, StartingPosition="TRIM_HORIZON"
    )


# rule → a change that it finds, and the nearest change that it allows
CASES: dict[str, tuple[tuple[Resources, Resources], tuple[Resources, Resources]]] = {
    "state_is_kept": (
        ({"T": resource(TABLE, TableName="a")}, {"T": resource(TABLE, TableName="b")}),
        ({"T": resource(TABLE)}, {"T": resource(TABLE, DeletionProtectionEnabled=True)}),
    ),
    "types_are_kept": (
        ({"R": resource("AWS::SNS::TopicPolicy")}, {"R": resource("AWS::SQS::QueuePolicy")}),
        ({"R": resource("AWS::SNS::TopicPolicy")}, {"Q": resource("AWS::SQS::QueuePolicy")}),
    ),
    "copies_are_rebuilt": (
        (room("Old"), room("New", needs=(), handler="2")),
        (room("Old"), room("New", handler="2")),
    ),
    "cache_changes_one_setting": (
        ({"G": cache()}, {"G": cache(NumCacheClusters=1, CacheNodeType="cache.t4g.micro")}),
        ({"G": cache()}, {"G": cache(CacheNodeType="cache.t4g.micro", SnapshotRetentionLimit=1)}),
    ),
    "engine_is_not_downgraded": (
        ({"G": cache()}, {"G": cache(Engine="redis", EngineVersion="7.1")}),
        ({"G": cache(Engine="redis", EngineVersion="7.1")}, {"G": cache()}),
    ),
    "subnets_in_use_stay": (
        (
            {"S": resource("AWS::ElastiCache::SubnetGroup", SubnetIds=["a", "b"])},
            {"S": resource("AWS::ElastiCache::SubnetGroup", SubnetIds=["b", "c"])},
        ),
        (
            {"S": resource("AWS::ElastiCache::SubnetGroup", SubnetIds=["a", "b"])},
            {"S": resource("AWS::ElastiCache::SubnetGroup", SubnetIds=["b", "a", "c"])},
        ),
    ),
    "warm_throughput_is_not_lowered": (
        (
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("i", WarmThroughput=warm(9))])},
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("i", WarmThroughput=warm(8))])},
        ),
        (
            {"T": resource(TABLE, WarmThroughput=warm(9))},
            {"T": resource(TABLE, WarmThroughput=warm(10))},
        ),
    ),
    "one_index_at_a_time": (
        (
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a")])},
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("b")])},
        ),
        (
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a")])},
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("b"), index("a")])},
        ),
    ),
    "index_keys_are_kept": (
        (
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a")])},
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a", Projection={})])},
        ),
        (
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a")])},
            {"T": resource(TABLE, GlobalSecondaryIndexes=[index("a", WarmThroughput=warm(9))])},
        ),
    ),
    "stream_view_is_kept": (
        (
            {"T": resource(TABLE, StreamSpecification={"StreamViewType": "NEW_IMAGE"})},
            {"T": resource(TABLE)},
        ),
        (
            {"T": resource(TABLE)},
            {"T": resource(TABLE, StreamSpecification={"StreamViewType": "NEW_IMAGE"})},
        ),
    ),
    "no_two_with_one_name": (
        (
            {"R": resource("AWS::IAM::Role", RoleName="r", Path="/a/")},
            {"R": resource("AWS::IAM::Role", RoleName="r", Path="/b/")},
        ),
        (
            {"R": resource("AWS::IAM::Role", RoleName="r", Path="/a/")},
            {"R": resource("AWS::IAM::Role", RoleName="s", Path="/b/")},
        ),
    ),
    "settings_of_a_resource_stay": (
        (
            {"A": resource(ASSOCIATION, ResourceArn=ref("Stage"), WebACLArn="one")},
            {"A": resource(ASSOCIATION, ResourceArn=ref("Stage"), WebACLArn="two")},
        ),
        (
            {"A": resource(ASSOCIATION, ResourceArn=ref("Stage"), WebACLArn="one")},
            {"B": resource(ASSOCIATION, ResourceArn=ref("Other"), WebACLArn="two")},
        ),
    ),
    "no_two_rules_alike": (
        (
            {"A": resource("AWS::EC2::SecurityGroupIngress", GroupId="g", FromPort=1)},
            {"B": resource("AWS::EC2::SecurityGroupIngress", GroupId="g", FromPort=1)},
        ),
        (
            {"A": resource("AWS::EC2::SecurityGroupIngress", GroupId="g", FromPort=1)},
            {"B": resource("AWS::EC2::SecurityGroupIngress", GroupId="g", FromPort=2)},
        ),
    ),
    "stages_get_new_deployments": (
        (API, {**API, "M": ANOTHER_METHOD}),
        (
            API,
            {
                "Api": API["Api"],
                "M": ANOTHER_METHOD,
                "D2": resource(DEPLOYMENT, RestApiId=ref("Api")),
            },
        ),
    ),
    "aliases_get_new_versions": (
        (
            {"F": resource(FUNCTION, MemorySize=128), **ONE_VERSION},
            {"F": resource(FUNCTION, MemorySize=256), **ONE_VERSION},
        ),
        (
            {"F": resource(FUNCTION, MemorySize=128), **ONE_VERSION},
            {
                "F": resource(FUNCTION, MemorySize=256),
                "W": resource(VERSION, FunctionName=ref("F")),
            },
        ),
    ),
    "stream_readers_keep_their_checkpoint": (
        ({"A": stream_reader("f")}, {"B": stream_reader("f:live")}),
        ({"A": stream_reader("f")}, {"A": stream_reader("f:live")}),
    ),
    "messages_are_not_doubled": (
        (
            {"A": resource(SUBSCRIPTION, TopicArn="t", Protocol="lambda", Endpoint="f")},
            {"B": resource(SUBSCRIPTION, TopicArn="t", Protocol="lambda", Endpoint="f:live")},
        ),
        (
            {"A": resource(SUBSCRIPTION, TopicArn="t", Protocol="email", Endpoint="a@b.example")},
            {"B": resource(SUBSCRIPTION, TopicArn="t", Protocol="email", Endpoint="c@b.example")},
        ),
    ),
}  # fmt: skip


def test_each_rule_has_a_case() -> None:
    assert set(CASES) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_finds_its_change_and_allows_the_nearest_other(rule: str) -> None:
    refused, allowed = CASES[rule]
    assert rule in found(*refused)
    assert rule not in found(*allowed)


def test_a_removed_table_and_a_removed_secret_are_lost_state() -> None:
    for kind in (TABLE, "AWS::SecretsManager::Secret", "AWS::SQS::Queue", "AWS::KMS::Key"):
        assert found({"S": resource(kind)}, {}) == {"state_is_kept"}, kind


def test_the_cache_is_a_copy_and_may_be_replaced_with_a_rebuild() -> None:
    assert found(room("G"), room("G", handler="2", port=2)) == set()
    assert found(room("G"), room("G", port=2)) == {"copies_are_rebuilt"}


def test_a_room_that_gets_or_loses_its_cache_needs_a_rebuild() -> None:
    without = {
        "Reader": resource(FUNCTION, Environment={"Variables": {"STORE": "dynamodb"}}),
        "SetUp": resource("Custom::Trigger", needs=["Reader"], HandlerArn="0"),
    }
    for handler, rules in (("1", set()), ("0", {"copies_are_rebuilt"})):
        assert found(without, room("G", handler=handler)) == rules
        assert found(room("G", handler=handler), without) == rules
    assert found({}, room("G")) == set()  # a new stack


def test_a_reference_to_a_replaced_resource_replaces_what_cannot_change() -> None:
    before = {
        "P": resource("AWS::SNS::Topic", FifoTopic=False),
        "Permission": resource("AWS::Lambda::Permission", SourceArn=ref("P"), FunctionName="f"),
        "Alarm": resource("AWS::CloudWatch::Alarm", AlarmActions=[{"Fn::Sub": "${P}"}]),
    }
    after = {**before, "P": resource("AWS::SNS::Topic", FifoTopic=True)}
    changes = change_set("Room", {"Resources": before}, {"Resources": after}).changes
    assert {one.logical_id: (one.kind, one.causes) for one in changes} == {
        "P": (Kind.REPLACED, ("FifoTopic",)),
        "Permission": (Kind.REPLACED, ("SourceArn",)),
        "Alarm": (Kind.MODIFIED, ()),
    }


def test_replacement_follows_references_over_several_resources() -> None:
    before = {
        "Vpc": resource("AWS::EC2::VPC", CidrBlock="10.0.0.0/16"),
        "Subnet": resource("AWS::EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
        "Route": resource(
            "AWS::EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId="r"
        ),
    }
    after = {**before, "Vpc": resource("AWS::EC2::VPC", CidrBlock="10.1.0.0/16")}
    made = change_set("Room", {"Resources": before}, {"Resources": after})
    assert made.replaced == {"Vpc", "Subnet", "Route"}
    assert violations(made) == []  # an association is deleted first: the two have no common name


def test_a_resource_that_is_kept_at_its_end_removes_no_setting() -> None:
    old = {"A": resource("AWS::ApiGateway::Account", policy="Retain", CloudWatchRoleArn="a")}
    new = {"B": resource("AWS::ApiGateway::Account", policy="Retain", CloudWatchRoleArn="b")}
    assert "settings_of_a_resource_stay" not in found(old, new)


def producer(name: str = "Key", export: str = "Room:Key", **more: Any) -> dict[str, Any]:
    return {
        "Resources": {name: resource("AWS::ApiGateway::ApiKey", **more)},
        "Outputs": {"Key": {"Value": ref(name), "Export": {"Name": export}}},
    }


CONSUMER = {
    "Resources": {
        "Plan": resource(
            "AWS::ApiGateway::UsagePlanKey",
            KeyId={"Fn::ImportValue": "Room:Key"},
            KeyType="API_KEY",
        )
    }
}  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"Resources": {"Other": resource("AWS::ApiGateway::ApiKey")}},
        producer("Another"),
        producer(Value="changed"),  # replaced: its id changes
    ],
)
def test_an_export_that_a_deployed_stack_imports_is_kept(changed: dict[str, Any]) -> None:
    before = {"Room": producer(), "Gate": CONSUMER}
    for after in ({"Room": changed}, {"Room": changed, "Gate": {"Resources": {}}}):
        rules = {one.rule for one in check(before, [Step(stacks=after)]).found}
        assert rules == {"exports_in_use_stay"}


def test_an_export_may_end_after_the_stack_that_imports_it() -> None:
    before = {"Room": producer(), "Gate": CONSUMER}
    after = {"Room": {"Resources": {}}, "Gate": {"Resources": {}}}
    first = Step(stacks=after, only=["Gate"])
    assert check(before, [first, Step(stacks=after)]).found == []
    gone = Step(stacks=before, remove=["Gate"])
    assert check(before, [gone, Step(stacks={"Room": after["Room"]})]).found == []


def test_a_stack_that_others_import_from_is_not_removed() -> None:
    before = {"Room": producer(), "Gate": CONSUMER}
    account = check(before, [Step(stacks=before, remove=["Room"])])
    assert [one.rule for one in account.found] == ["exports_in_use_stay"]


def test_an_import_needs_an_export_and_an_export_has_one_stack() -> None:
    rules = {one.rule for one in check({}, [Step(stacks={"Gate": CONSUMER})]).found}
    assert rules == {"imports_exist"}
    both = {"Room": producer(), "Room2": producer()}
    assert {one.rule for one in check({}, [Step(stacks=both)]).found} == {"exports_are_unique"}


def _pairs() -> st.SearchStrategy[list[tuple[Resources, Resources]]]:
    """Some changes of the cases, each with logical ids of its own."""
    each = [pair for both in CASES.values() for pair in both]
    return st.lists(st.sampled_from(each), min_size=1, max_size=4)


def _apart(part: Any, number: int, names: set[str]) -> Any:
    """A template part with other logical ids, and other texts in its properties."""
    if isinstance(part, Mapping):
        return {
            _apart(key, number, names) if key in names else key: _apart(value, number, names)
            for key, value in part.items()
        }
    if isinstance(part, list):
        return [_apart(one, number, names) for one in part]
    return f"{part}{number}" if isinstance(part, str) and part in names else part


@given(_pairs())
def test_changes_that_come_together_break_each_rule_that_one_of_them_breaks(
    pairs: list[tuple[Resources, Resources]],
) -> None:
    """So a set of changes without a violation has no change with one."""
    together: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    alone: set[str] = set()
    for number, (before, after) in enumerate(pairs):
        alone |= found(before, after)
        names = {*before, *after}
        together[0].update(_apart(before, number, names))
        together[1].update(_apart(after, number, names))
    assert alone <= found(*together)


def synthesized(folder: Path, templates: Mapping[str, Any], order: Mapping[str, list[str]]) -> Path:
    """A folder as ``cdk synth`` writes it; ``order`` has the dependencies of each stack."""
    folder.mkdir()
    artifacts: dict[str, Any] = {"Tree": {"type": "cdk:tree"}}
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
        artifacts[name] = {
            "type": "aws:cloudformation:stack",
            "dependencies": [*order.get(name, []), f"{name}.assets"],
            "properties": {"templateFile": f"{name}.json", "stackName": f"My{name}"},
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def test_the_command_deploys_stacks_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"Gate": ["Room"]}
    before = synthesized(tmp_path / "before", {"Gate": {"Resources": {}}}, {})
    after = synthesized(tmp_path / "after", {"Gate": CONSUMER, "Room": producer()}, order)
    assert main([str(before), str(after)]) == 0
    assert list(templates_of(after)) == ["MyRoom", "MyGate"]
    printed = capsys.readouterr().out
    assert "MyRoom: 1 added" in printed
    assert "No rule finds a problem" in printed


def test_the_command_names_what_is_refused_and_checks_a_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"Gate": ["Room"]}
    before = synthesized(tmp_path / "before", {"Gate": CONSUMER, "Room": producer()}, order)
    after = synthesized(tmp_path / "after", {"Room": {"Resources": {}}}, {})
    assert main([str(before), str(after)]) == 1
    printed = capsys.readouterr().out
    assert "MyGate: is not in" in printed
    assert "REFUSED OR LOST  MyRoom: Room:Key: it is removed while MyGate imports it" in printed
    assert main([str(before), str(after), "--remove", "MyGate"]) == 0
    assert main([str(before), str(before), "--only", "MyGate"]) == 0


def test_the_command_refuses_another_folder_and_an_unknown_stack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = synthesized(tmp_path / "before", {"Room": producer()}, {})
    assert main([str(folder), str(tmp_path)]) == 2
    assert "has no templates of `make synth` or of CloudFormation" in capsys.readouterr().err
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("[]")
    assert main([str(tmp_path / "broken"), str(folder)]) == 2
    capsys.readouterr()
    assert main([str(folder), str(folder), "--only", "Door"]) == 2
    assert capsys.readouterr().err == "There is no stack Door.\n"


def test_the_command_reads_templates_that_were_downloaded(tmp_path: Path) -> None:
    for name, template in {"MyRoom": producer(), "MyGate": CONSUMER}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(template))
    order = {"Gate": ["Room"]}
    after = synthesized(tmp_path / "after", {"Gate": CONSUMER, "Room": producer("Other")}, order)
    assert set(templates_of(tmp_path)) == {"MyRoom", "MyGate"}
    assert main([str(tmp_path), str(after)]) == 1
