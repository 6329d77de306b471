# SPDX-License-Identifier: Apache-2.0
"""The functions of an app, each with its own grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import aws_lambda
from constructs import Construct, IConstruct

from infrastructure.blueprint.permissions import Grant
from infrastructure.constructs.compute.function import API_TIMEOUT, RoomFunction
from infrastructure.constructs.compute.function_context import FunctionContext


class AppFunctions(Construct):
    """``by_name`` holds the functions that were added."""

    def __init__(
        self, scope: Construct, name: str, *, app: str, function_context: FunctionContext
    ) -> None:
        super().__init__(scope, name)
        self._app, self._function_context = app, function_context
        self.by_name: dict[str, RoomFunction] = {}

    def add(
        self,
        name: str,
        *,
        grants: Sequence[Grant],
        handler: str = "",
        environment: Mapping[str, str] | None = None,
        timeout: int = API_TIMEOUT,
        memory: int = 1024,
        reserved: int = 0,
        role_name: str | None = None,
        traced: bool = True,
    ) -> RoomFunction:
        """Add a function; its handler is ``name`` by default."""
        context = self._function_context
        grants = context.grants(name, grants)
        self.by_name[name] = RoomFunction(
            self,
            name.title().replace("_", ""),
            app=self._app,
            handler=handler or name,
            description=f"Waiting room: {name.replace('_', ' ')}",
            environment={**context.environment(grants), **(environment or {})},
            statements=context.statements(grants),
            defaults=context.defaults,
            placement=context.placement_for(grants),
            timeout=timeout,
            memory=memory,
            reserved=reserved,
            role_name=role_name,
            traced=traced,
        )
        return self.by_name[name]

    def add_views(
        self,
        grants: Mapping[str, Sequence[Grant]],
        *,
        environment: Mapping[str, Mapping[str, str]] | None = None,
        reserved: int = 0,
        role_names: Mapping[str, str] | None = None,
    ) -> None:
        """Add a function for each view of an HTTP app; ``environment`` adds to that of a view.

        ``reserved`` is the reserved concurrency of each function. ``role_names`` has the names of
        roles that another stack knows.
        """
        for view, allowed in grants.items():
            more = (environment or {}).get(view)
            self.add(
                view,
                grants=allowed,
                handler="app",
                environment=more,
                reserved=reserved,
                role_name=(role_names or {}).get(view),
            )

    @property
    def updated(self) -> list[IConstruct]:
        """Return the resources after whose update callers invoke new code and settings."""
        return [one for made in self.by_name.values() for one in made.updated]

    @property
    def targets(self) -> dict[str, aws_lambda.IFunction]:
        """Return the invocation target of each function, by name."""
        return {name: made.target for name, made in self.by_name.items()}
