# SPDX-License-Identifier: Apache-2.0
"""The assets of templates: zip files for Lambda and for the pages, by their keys in S3."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.assets.bundle import EPOCH, files
from infrastructure.templates.inputs import DistError
from infrastructure.templates.symbols import MISSING, Symbols
from infrastructure.templates.synthesis import PREFIX_SAMPLE, Stack

DEPLOYMENT = "Custom::CDKBucketDeployment"
FIRST_MARKER = 900  # CDK's own markers of a file begin at 0
Asset = Path | Mapping[str, bytes]  # a file as it is, or the files of an archive


def staged(path: Path) -> Asset:
    """Return the content of a staged asset: a zip file as it is, the files of a folder."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise DistError(f"The asset {path} is missing.")
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in files(path)}


def pack(asset: Asset, into: Path) -> None:
    """Write an asset; the same content gives the same bytes."""
    if isinstance(asset, Path):
        into.write_bytes(asset.read_bytes())
        return
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(asset):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o100644 << 16
            packed.writestr(entry, asset[name], zipfile.ZIP_DEFLATED)


def move_values(
    resource: dict[str, Any],
    made: Mapping[str, Any],
    stack: Stack,
    symbols: Symbols,
    assets: dict[str, Asset],
) -> None:
    """Move values of parameters from the files of a site into the properties of its deployment.

    CDK writes text that it knows into ``config.json``. A parameter becomes a marker there, which
    the deployment replaces by the value, as CDK does with references. ``made`` is the synthesized
    resource of ``resource``.
    """
    if made["Type"] != DEPLOYMENT:
        return
    keys = made["Properties"]["SourceObjectKeys"]
    properties = resource["Properties"]
    markers = properties.setdefault("SourceMarkers", [{} for _ in keys])
    for index, key in enumerate(keys):
        path = stack.assets[key.removeprefix(PREFIX_SAMPLE)]
        if not path.is_dir() or len(found := files(path)) != 1:
            continue
        (file,) = found
        text, values = _with_markers(symbols.of(file.read_text(encoding="utf-8"), MISSING))
        if not values:
            continue
        asset = {file.name: text.encode()}
        name = f"{hashlib.sha256(asset[file.name]).hexdigest()}.zip"
        assets[name] = asset
        markers[index] = {**markers[index], **values}
        properties["SourceObjectKeys"][index] = {"Fn::Join": ["", [{"Ref": "AssetsPrefix"}, name]]}


def _with_markers(content: Any) -> tuple[str, dict[str, Any]]:
    """Return a text with markers for references, and the reference of each marker."""
    if isinstance(content, str):
        return content, {}
    parts = content["Fn::Join"][1] if "Fn::Join" in content else [content]
    text = ""
    values: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            marker = f"<<marker:0xbaba:{FIRST_MARKER + len(values)}>>"
            values[marker] = part
            text += marker
    return text, values
