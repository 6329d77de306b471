# SPDX-License-Identifier: Apache-2.0
"""Finding 3: request ids and addresses in what the room wrote while it was attacked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.attack.report import Attempt
from tests.attack.target import Target
from tests.attack.templates import stacks

FAULT = "logs"
NEVER = ("$context.identity.sourceIp", "$context.requestId", "X-Forwarded-For", "$context.path")


def run(target: Target) -> list[Attempt]:
    """Look for what the attack used, then at the formats that the templates ask for."""
    written = target.room.logs()
    ids = sorted(one for one in target.ids if len(one) == 36 and one in written)
    addresses = [one for one in target.addresses if re.search(rf"\b{re.escape(one)}\b", written)]
    return [
        Attempt(
            FAULT, f"find one of {len(target.ids)} request ids in {len(written):,} characters",
            f"{len(ids)} found", bool(ids),
        ),
        Attempt(
            FAULT, f"find one of {len(target.addresses)} claimed addresses",
            f"{len(addresses)} found", bool(addresses),
        ),
        *_formats(),
    ]  # fmt: skip


def _formats() -> Iterator[Attempt]:
    """``$context.requestId`` is what the caller's own header says."""
    for name, stack in stacks().items():
        for stage, made in stack.of_type("AWS::ApiGateway::Stage").items():
            text = _format(made)
            found = [one for one in NEVER if one in text]
            yield Attempt(
                FAULT, f"read them in the access log of {name} {stage}",
                ", ".join(found) or "neither is in its format", bool(found),
            )  # fmt: skip


def _format(stage: dict[str, Any]) -> str:
    return json.dumps(stage.get("AccessLogSetting", {}).get("Format", ""))
