# SPDX-License-Identifier: Apache-2.0
"""Context shared by all functions: resources, settings, defaults, VPC placement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam

from infrastructure.blueprint.permissions import (
    COUNTER_STORES,
    Grant,
    MissingGrant,
    Resource,
    with_outbox,
    with_table_counters,
)
from infrastructure.constructs.compute.encryption import key_statements
from infrastructure.constructs.compute.function import FunctionDefaults, VpcPlacement


@dataclass(frozen=True, kw_only=True)
class ResourceRef:
    """The name or id of a resource for an environment variable, and its ARN for a policy.

    Without a name there is no environment variable.
    """

    name: str
    arn: str


@dataclass(frozen=True, kw_only=True)
class FunctionContext:
    """Turns grants into policy statements, environment variables and a VPC placement.

    ``settings`` go to every function. ``counters`` settings go to functions that use the counters;
    those run in ``placement``, all others outside any VPC. ``resources`` has every resource that
    a grant names. Grants are for counters in Redis; ``redis`` is False if they are in DynamoDB.
    Functions in ``placement`` get the outbox instead of the services that they cannot reach.
    """

    defaults: FunctionDefaults
    resources: Mapping[Resource, ResourceRef] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    counters: Mapping[str, str] = field(default_factory=dict)
    redis: bool = True
    placement: VpcPlacement | None = None

    def grants(self, function: str, grants: Sequence[Grant]) -> tuple[Grant, ...]:
        """Return the grants of a function for the store of the counters and for its placement."""
        given = tuple(grants) if self.redis else with_table_counters(function, grants)
        return with_outbox(given) if self.placement_for(given) else given

    def statements(self, grants: Iterable[Grant]) -> list[aws_iam.PolicyStatement]:
        """Return one statement for each resource and index, and those for the key of the data."""
        allowed: dict[tuple[Resource, str], dict[str, None]] = {}
        for grant in grants:
            calls = allowed.setdefault((grant.resource, grant.index), {})
            calls.update(dict.fromkeys(grant.actions))
        return [
            aws_iam.PolicyStatement(actions=sorted(calls), resources=[self._arn(resource, index)])
            for (resource, index), calls in allowed.items()
        ] + key_statements(
            self.defaults.key, (call for calls in allowed.values() for call in calls)
        )

    def environment(self, grants: Sequence[Grant]) -> dict[str, str]:
        """Return the environment variables of a function with these grants."""
        refs = {grant.resource.value: self._ref(grant.resource) for grant in grants}
        names = {setting: ref.name for setting, ref in refs.items() if ref.name}
        return {**self.settings, **(self.counters if _uses_counters(grants) else {}), **names}

    def placement_for(self, grants: Sequence[Grant]) -> VpcPlacement | None:
        """Return the VPC placement of a function with these grants; None for no VPC."""
        return self.placement if _uses_counters(grants) else None

    def _arn(self, resource: Resource, index: str) -> str:
        arn = self._ref(resource).arn
        return f"{arn}/index/{index}" if index else arn

    def _ref(self, resource: Resource) -> ResourceRef:
        """Return a resource of the stack; raise MissingGrant if the stack does not have it."""
        if resource not in self.resources:
            raise MissingGrant(
                f"A grant names Resource.{resource.name}: add it to the resources of the stack"
                " (infrastructure/stacks) that has the function"
            )
        return self.resources[resource]


def _uses_counters(grants: Sequence[Grant]) -> bool:
    return any(grant.resource in COUNTER_STORES for grant in grants)
