# SPDX-License-Identifier: Apache-2.0
"""The CDK app, synthesized once for a set of parameters, without the assets of a bootstrap."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App, CliCredentialsStackSynthesizer

from infrastructure.app import build

BUCKET_SAMPLE, PREFIX_SAMPLE = "qz-assets", "qz/prefix/"
PATH = "aws:cdk:path"
# CDK names these by a hash of what they contain: another content is another resource.
BY_CONTENT = ("AWS::ApiGateway::Deployment",)


@dataclass(frozen=True)
class Stack:
    """The template of a stack, and the folder or file of each asset by its key in S3.

    ``keys`` has a key for each logical id. It is the same for the same resource in each synthesis.
    """

    template: Mapping[str, Any]
    assets: Mapping[str, Path]
    keys: Mapping[str, str]


def synthesize(context: Mapping[str, Any]) -> dict[str, Stack]:
    """Return the stacks by their construct ids. Raises ParameterError and errors of the assets."""
    app = App(
        context={"aws:cdk:enable-path-metadata": True, **context},
        default_stack_synthesizer=CliCredentialsStackSynthesizer(
            file_assets_bucket_name=BUCKET_SAMPLE, bucket_prefix=PREFIX_SAMPLE
        ),
    )
    build(app)
    assembly = app.synth()
    folder = Path(assembly.directory)
    return {
        made.display_name.split(" ")[0]: Stack(
            made.template,
            _assets(folder / f"{made.display_name.split(' ')[0]}.assets.json"),
            _keys(made.template),
        )
        for made in assembly.stacks
    }


def _assets(manifest: Path) -> dict[str, Path]:
    files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    return {
        target["objectKey"].removeprefix(PREFIX_SAMPLE): manifest.parent / one["source"]["path"]
        for one in files.values()
        for target in one["destinations"].values()
        if not one["source"]["path"].endswith(".template.json")
    }


def _keys(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the path of each resource.

    CDK writes the port of a security group rule and the address of a subscription into it.
    """
    return {
        logical: logical
        if made["Type"] in BY_CONTENT
        else re.sub(r":\d+$|[^/]+@[^/]+", ":value", made["Metadata"][PATH])
        for logical, made in template["Resources"].items()
    }
