# SPDX-License-Identifier: Apache-2.0
"""The tables of parameters in ``docs/deploy.md``; `deployment/docs_tables.py` writes them."""

from __future__ import annotations

import re
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from infrastructure.parameters.account import AccountConfig
from infrastructure.parameters.core import CoreConfig
from infrastructure.parameters.domains import DomainsConfig
from infrastructure.parameters.gate import GateConfig
from infrastructure.parameters.operator_sign_in import OperatorSignInConfig
from infrastructure.parameters.optional_stacks import (
    AuthorizerArn,
    AuthorizerConfig,
    BrandConfig,
    EdgeAlarmsConfig,
    InletConfig,
    InletRoomConfig,
    OpenIdConfig,
    OpenIdRoomConfig,
    PageConfig,
    SampleConfig,
    StacksConfig,
)
from infrastructure.parameters.parameter import Parameter, Parameters
from infrastructure.parameters.restored import RestoredConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
TABLES: dict[str, tuple[type[Parameters], ...]] = {
    "core": (StacksConfig, CoreConfig, RestoredConfig),
    "account": (AccountConfig,),
    "domains": (DomainsConfig,),
    "optional_stacks": (
        AuthorizerConfig,
        SampleConfig,
        OpenIdRoomConfig,
        InletRoomConfig,
        AuthorizerArn,
        PageConfig,
        BrandConfig,
    ),
    "operator_sign_in": (OperatorSignInConfig,),
    "openid": (OpenIdConfig,),
    "inlet": (InletConfig,),
    "gate": (GateConfig,),
    "edge_alarms": (EdgeAlarmsConfig,),
}


def table(name: str) -> str:
    """Return a table of the page with one row per parameter, and links to other pages."""
    rows = {
        known.name: f"| `{known.name}` | {_default(known, part.default)} | {known.description} |"
        for kind in TABLES[name]
        for part, known in kind.known()
    }
    head = ["| parameter | default | description |", "|---|---|---|"]
    return re.sub(r"`?docs/([a-z-]+\.md)`?", r"[\1](\1)", "\n".join([*head, *rows.values()]))


def _default(known: Parameter, value: Any) -> str:
    if value is MISSING or known.required:
        return "(required)"
    if (known.kind, value) in (("flag", None), ("choice", "")):
        return "by profile"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value in ("", (), None) else f"{value}"
