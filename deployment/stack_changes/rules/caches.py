# SPDX-License-Identifier: Apache-2.0
"""What ElastiCache refuses to change in an existing replication group.

Sources: ElastiCache, "Modifying a replication group" (an engine version is never lowered) and
"Upgrade from Redis OSS to Valkey" (no way back); ModifyCacheSubnetGroup (SubnetInUse). A change of
node number and failover in one update fails: aws-cloudformation/cloudformation-coverage-roadmap,
issue 383.
"""

from __future__ import annotations

from collections.abc import Iterator

from deployment.stack_changes.change_set import ChangeSet, Kind
from deployment.stack_changes.violation import Violation

GROUP = "AWS::ElastiCache::ReplicationGroup"
SUBNETS = "AWS::ElastiCache::SubnetGroup"
# Settings that ElastiCache changes by separate requests, each of which needs an available group.
SETTINGS = {
    "engine": {"Engine", "EngineVersion"},
    "node type": {"CacheNodeType"},
    "number of nodes": {"NumCacheClusters", "NumNodeGroups", "ReplicasPerNodeGroup"},
    "failover": {"AutomaticFailoverEnabled", "MultiAZEnabled"},
    "encryption": {"TransitEncryptionEnabled", "TransitEncryptionMode"},
    "password": {"AuthToken"},
}
GENERATIONS = ("redis", "valkey")  # the engines in the order of their upgrades


def cache_changes_one_setting(changes: ChangeSet) -> Iterator[Violation]:
    """One update of a replication group changes one setting."""
    for change in changes.of_type(GROUP):
        if change.kind is not Kind.MODIFIED:
            continue
        touched = [name for name, parts in SETTINGS.items() if parts & change.properties]
        if len(touched) > 1:
            yield Violation(
                stack=changes.stack,
                rule="cache_changes_one_setting",
                resource=change.logical_id,
                message=f"one update changes {', '.join(touched)}, which ElastiCache refuses",
            )


def engine_is_not_downgraded(changes: ChangeSet) -> Iterator[Violation]:
    """ElastiCache upgrades an engine and its version, and lowers neither."""
    for change in changes.of_type(GROUP):
        if change.kind is not Kind.MODIFIED:
            continue
        old, new = _generation(change.old), _generation(change.new)
        if new < old:
            yield Violation(
                stack=changes.stack,
                rule="engine_is_not_downgraded",
                resource=change.logical_id,
                message=f"the engine goes from {_engine(change.old)} down to "
                f"{_engine(change.new)}, which ElastiCache rejects",
            )


def subnets_in_use_stay(changes: ChangeSet) -> Iterator[Violation]:
    """A subnet group does not lose a subnet while a cache may use it."""
    for change in changes.of_type(SUBNETS):
        if change.kind is not Kind.MODIFIED:
            continue
        gone = [one for one in change.old["SubnetIds"] if one not in change.new["SubnetIds"]]
        if gone:
            yield Violation(
                stack=changes.stack,
                rule="subnets_in_use_stay",
                resource=change.logical_id,
                message=f"{len(gone)} of its subnets are removed while the cache is in them",
            )


def _generation(properties: dict[str, object]) -> tuple[int, list[int]]:
    engine = str(properties.get("Engine", GENERATIONS[0]))
    version = str(properties.get("EngineVersion", "0"))
    return GENERATIONS.index(engine), [int(one) for one in version.split(".") if one.isdigit()]


def _engine(properties: dict[str, object]) -> str:
    return f"{properties.get('Engine', GENERATIONS[0])} {properties.get('EngineVersion', '')}"
