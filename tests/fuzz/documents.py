# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI documents, and runs of all of schemathesis's checks against APIs in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import schemathesis
import yaml
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema

from tests.fuzz import tally
from tests.support.servers import ROOT

DOCUMENTS = ROOT / "docs" / "api"
NAMES = ("public", "private", "openid", "store")
ADDRESS = "http://testserver/api"
# 413 and 431: API Gateway refuses what is too long before anybody reads it
REJECTED = ("400", "401", "403", "404", "406", "413", "422", "428", "431")


@cache
def document(name: str) -> dict[str, Any]:
    """An API's document; not to be changed."""
    found: dict[str, Any] = yaml.safe_load((DOCUMENTS / f"{name}.yaml").read_text())
    return found


def narrowed(
    name: str, known: dict[str, list[Any]], besides: Collection[str] = ()
) -> dict[str, Any]:
    """The document as one deployment could state it: what may be *sent* for a named schema.

    Nothing else may, but for those in ``besides``.
    """
    found = deepcopy(document(name))
    schemas = found["components"]["schemas"]
    sent = {
        f"#/components/schemas/{schema}": (
            {"anyOf": [{"enum": values}, schemas[schema]]}
            if schema in besides
            else {**schemas[schema], "enum": values}
        )
        for schema, values in known.items()
    }
    parts = [found["components"].get("parameters", {})]
    for methods in found["paths"].values():
        for operation in methods.values():
            parts += [operation.get("parameters", []), operation.get("requestBody", {})]
    parts.append(schemas.get("Join", {}))
    for part in parts:
        _replace(part, sent)
    return found


def _replace(part: Any, sent: dict[str, dict[str, Any]]) -> None:
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(value, dict) and value.get("$ref") in sent:
            part[key] = sent[value["$ref"]]
        elif isinstance(value, dict | list):
            _replace(value, sent)


@dataclass
class Findings:
    """Results of a run: number of requests, their statuses, and the wrong responses."""

    cases: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def report(self) -> str:
        """The findings as text, one paragraph each."""
        return "\n\n".join(self.wrong.values())


def explore(
    content: dict[str, Any],
    app: Any,
    *,
    seed: int,
    examples: int,
    steps: bool = True,
    auth: Any = None,
    headers: dict[str, str] | None = None,
    without: Iterable[str] = (),
    operations: Sequence[dict[str, Any]] = (),
    stop: Callable[[Findings], bool] = lambda _: False,
    accepts: Callable[[Any], bool] = lambda _: False,
) -> Findings:
    """Run every phase with every check but those named in ``without``.

    ``auth`` signs requests (a requests auth); ``examples`` are drawn for each operation and phase.
    ``accepts`` is true for a case that the API may accept although its document excludes it.
    """
    checks: dict[str, Any] = {name: {"enabled": False} for name in without}
    accepted = ["2xx", "3xx", "401", "403", "404", "409", "410", "429"]
    checks["positive_data_acceptance"] = {"expected-statuses": accepted}
    checks["negative_data_rejection"] = {"expected-statuses": list(REJECTED)}
    config = SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": ADDRESS,
            "continue-on-failure": True,
            "headers": headers or {},
            "checks": checks,
            "operations": list(operations),
            "generation": {"max-examples": examples, "database": "none", "no-shrink": False},
            "phases": {
                "stateful": {
                    "enabled": steps,
                    "generation": {"max-examples": max(1, examples // 4)},
                }
            },
        }
    )
    schema = schemathesis.openapi.from_dict(content, config=config)
    schema.app = app
    if auth is not None:
        schema.auth.set_from_requests(auth)
    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _take(event, found, accepts)
        elif isinstance(event, events.NonFatalError):
            found.wrong[f"{event.label} error"] = f"{event.label}: {event.value!r}"
        elif isinstance(event, events.FatalError):
            raise event.exception
    for (_, status), times in found.statuses.items():
        tally.note(status, times)
    return found


def _take(event: Any, found: Findings, accepts: Callable[[Any], bool]) -> None:
    recorder = event.recorder
    for case_id, interaction in recorder.interactions.items():
        found.cases += 1
        answer = interaction.response
        case = recorder.cases[case_id].value
        found.statuses[case.operation.label, answer.status_code if answer else 0] += 1
    for case_id, nodes in recorder.checks.items():
        for node in nodes:
            if node.status is Status.SUCCESS or node.failure_info is None:
                continue
            info = node.failure_info
            case = recorder.cases[case_id].value
            if node.name == "negative_data_rejection" and accepts(case):
                continue
            label = case.operation.label
            found.wrong.setdefault(
                f"{label} {node.name} {info.failure.title}",
                f"{label}: {node.name}: {info.failure.title}\n{info.failure.message}\n"
                f"{info.code_sample}",
            )
