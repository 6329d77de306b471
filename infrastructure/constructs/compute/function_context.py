# SPDX-License-Identifier: Apache-2.0
"""What the functions of a room share: its parts, its settings, their habits, their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam

from infrastructure.blueprint.permissions import REDIS, Grant, MissingGrant, Part
from infrastructure.constructs.compute.function import Habits, Place


@dataclass(frozen=True, kw_only=True)
class Located:
    """A part: what a function is told (a name, an id), and the ARN that its role names."""

    told: str
    arn: str


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Turns grants into statements, settings and a place.

    ``settings`` go to every function, ``redis`` to those that read the counters; these run in
    ``place``, the others outside of any VPC. ``parts`` has every part that a grant names.
    """

    habits: Habits
    parts: Mapping[Part, Located] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    redis: Mapping[str, str] = field(default_factory=dict)
    place: Place | None = None

    def statements(self, grants: Iterable[Grant]) -> list[aws_iam.PolicyStatement]:
        """One statement for each part and index, each with the ARN it holds for."""
        allowed: dict[tuple[Part, str], dict[str, None]] = {}
        for grant in grants:
            calls = allowed.setdefault((grant.part, grant.index), {})
            calls.update(dict.fromkeys(grant.actions))
        return [
            aws_iam.PolicyStatement(actions=sorted(calls), resources=[self._arn(part, index)])
            for (part, index), calls in allowed.items()
        ]

    def environment(self, grants: Sequence[Grant]) -> dict[str, str]:
        """The settings of a function with these grants."""
        told = {grant.part.value: self._part(grant.part).told for grant in grants}
        return {**self.settings, **(self.redis if _uses_redis(grants) else {}), **told}

    def place_of(self, grants: Sequence[Grant]) -> Place | None:
        """Where a function with these grants runs; None is outside of any VPC."""
        return self.place if _uses_redis(grants) else None

    def _arn(self, part: Part, index: str) -> str:
        arn = self._part(part).arn
        return f"{arn}/index/{index}" if index else arn

    def _part(self, part: Part) -> Located:
        """Return what the stack says of a part; raise MissingGrant when it has no such part."""
        if part not in self.parts:
            raise MissingGrant(
                f"A grant names Part.{part.name}: add it to the parts of the stack"
                " (infrastructure/stacks) that has the function"
            )
        return self.parts[part]


def _uses_redis(grants: Sequence[Grant]) -> bool:
    return any(grant.part is REDIS for grant in grants)
