# SPDX-License-Identifier: Apache-2.0
"""The context of a deployment: the parameters in cdk.json and in the arguments of CDK."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infrastructure.parameters.parameter import ParameterError

FILE = Path(__file__).resolve().parents[2] / "cdk.json"
CONTEXT = ("-c", "--context")
ARGUMENTS = "DEPLOYMENT_ARGS"  # environment variable: the arguments of CDK, from the Makefile


@dataclass(frozen=True)
class CdkContext:
    """``values`` are the context of CDK; ``profile`` is the AWS profile, empty for none."""

    values: dict[str, Any]
    profile: str = ""


def read_context(arguments: str, file: Path = FILE) -> CdkContext:
    """Return the context of CDK's command line ``arguments`` over that of ``cdk.json``.

    Reads ``-c NAME=VALUE``, ``--context NAME=VALUE`` and ``--profile NAME``, with a space or ``=``
    before the value; ignores all other options. Raises ParameterError for a pair without ``=``.
    """
    values: dict[str, Any] = dict(json.loads(file.read_text(encoding="utf-8")).get("context", {}))
    profile = ""
    words = iter(shlex.split(arguments))
    for word in words:
        option, attached, value = word.partition("=")
        if word[:2] == "-c" and word not in CONTEXT and option not in CONTEXT:
            option, attached, value = "-c", "=", word[2:]
        if option not in (*CONTEXT, "--profile"):
            continue
        given = value if attached else next(words, "")
        if option == "--profile":
            profile = given
            continue
        name, equals, content = given.partition("=")
        if not name or not equals:
            raise ParameterError(f"{option} needs NAME=VALUE, not {given!r}.")
        values[name] = content
    return CdkContext(values, profile)
