# SPDX-License-Identifier: Apache-2.0
"""Two ways to the same stack: templates in a form in which equal stacks are equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.assets.bundle import files
from infrastructure.templates.assets import DEPLOYMENT, Asset
from infrastructure.templates.synthesis import PREFIX_SAMPLE, Stack
from infrastructure.templates.template import Written
from tests.support.templates.parameters import Resolver

VERSION, DEPLOYED = "AWS::Lambda::Version", "AWS::ApiGateway::Deployment"
ORIGIN_ACCESS = "AWS::CloudFront::OriginAccessControl"


def of_cdk(stack: Stack, name: str) -> dict[str, Any]:
    """Return the resources and outputs of a synthesized stack."""
    return _comparable(Resolver(stack.template, {}, name).template(), stack.keys, stack.assets)


def of_dist(written: Written, values: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the resources and outputs of a template of `make dist` for values of parameters."""
    template = Resolver(written.template, values, name).template()
    return _comparable(template, written.keys, written.assets)


def _comparable(
    template: Mapping[str, Any], keys: Mapping[str, str], assets: Mapping[str, Asset]
) -> dict[str, Any]:
    # the hash of a deployment is that of its content
    ids = {logical: re.sub(r"[0-9a-f]{32}$", "", key) for logical, key in keys.items()}
    resources = {}
    for logical, made in template["Resources"].items():
        one = {name: part for name, part in made.items() if name != "Metadata"}
        one["DependsOn"] = sorted(ids[name] for name in made.get("DependsOn", []))
        properties = dict(made.get("Properties", {}))
        if made["Type"] == VERSION:
            properties.pop("Description", None)  # replaces CDK's hash in the logical id
        if made["Type"] == ORIGIN_ACCESS:
            properties["OriginAccessControlConfig"] = {}  # CDK's name has a hash of the stack's
        if made["Type"] == DEPLOYMENT:
            properties["Sources"] = _contents(properties, assets)
            for name in ("SourceObjectKeys", "SourceMarkers"):
                properties.pop(name, None)
        one["Properties"] = properties
        resources[ids[logical]] = _plain(one, ids)
    return {"Resources": resources, "Outputs": _plain(template["Outputs"], ids)}


def _contents(properties: Mapping[str, Any], assets: Mapping[str, Asset]) -> list[Any]:
    """Return the files of each source, with the values of its markers in them."""
    keys = properties["SourceObjectKeys"]
    markers = properties.get("SourceMarkers") or [{} for _ in keys]
    found = []
    for key, values in zip(keys, markers, strict=True):
        content: Any = {}
        for name, text in _files(assets[key.removeprefix(PREFIX_SAMPLE)]).items():
            parts: list[Any] = [text]
            for marker, value in values.items():
                parts = [piece for part in parts for piece in _split(part, marker, value)]
            content[name] = Resolver({}, {}, "").of({"Fn::Join": ["", parts]})
        found.append(content)
    return found


def _split(part: Any, marker: str, value: Any) -> list[Any]:
    if not isinstance(part, str):
        return [part]
    pieces: list[Any] = []
    for index, text in enumerate(part.split(marker)):
        pieces += [value, text] if index else [text]
    return pieces


def _files(asset: Asset) -> dict[str, str]:
    if isinstance(asset, Path):
        if asset.is_file():
            return {}
        asset = {one.relative_to(asset).as_posix(): one.read_bytes() for one in files(asset)}
    return {name: text.decode("latin-1") for name, text in asset.items()}


def _plain(node: Any, ids: Mapping[str, str]) -> Any:
    """Return a node with the same ids, numbers as texts, and without hashes of names."""
    if isinstance(node, list):
        return [_plain(one, ids) for one in node]
    if isinstance(node, dict):
        if list(node) == ["Ref"]:
            return {"Ref": ids.get(node["Ref"], node["Ref"])}
        if list(node) == ["Fn::GetAtt"]:
            first, *rest = node["Fn::GetAtt"]
            return {"Fn::GetAtt": [ids.get(first, first), *rest]}
        return {name: _plain(part, ids) for name, part in node.items()}
    if isinstance(node, bool):
        return str(node).lower()
    return re.sub(r"-[0-9A-F]{8}-", "-hash-", str(node))
