# SPDX-License-Identifier: Apache-2.0
"""Processor time of botocore's clients with its own service models and with pruned ones.

Pruned models have only the operations that the room calls; ``endpoints.json`` has one partition.
Each measurement is a process that creates the clients of DynamoDB and Secrets Manager.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import botocore

from tests.benchmarks.tables import number_setting, table

STARTS = number_setting("STARTS", 7)
DATA = Path(botocore.__file__).parent / "data"
OPERATIONS = {
    "dynamodb": (
        "BatchExecuteStatement", "BatchGetItem", "GetItem", "PutItem", "Query",
        "TransactWriteItems", "UpdateItem",
    ),
    "secretsmanager": ("GetSecretValue",),
}  # fmt: skip
CODE = """
import time
from botocore.session import Session
before = time.process_time()
session = Session()
for service in ("dynamodb", "secretsmanager"):
    session.create_client(service, region_name="eu-central-1")
print((time.process_time() - before) * 1000)
"""


def prune(folder: Path) -> int:
    """Write the pruned models into ``folder``; return their bytes."""
    for service, operations in OPERATIONS.items():
        (version,) = sorted(path.name for path in (DATA / service).iterdir())[-1:]
        to = folder / service / version
        to.mkdir(parents=True)
        for path in (DATA / service / version).iterdir():
            if path.name.startswith(("service-2.json", "endpoint-rule-set")):
                content = _read(path)
                if path.name.startswith("service-2."):
                    content = _only(content, operations)
                name = path.name.removesuffix(".gz")
                (to / name).write_text(json.dumps(content, separators=(",", ":")))
    endpoints = _read(next(DATA.glob("endpoints.json*")))
    for partition in endpoints["partitions"]:
        kept = partition["services"].items()
        partition["services"] = {name: one for name, one in kept if name in OPERATIONS}
    (folder / "endpoints.json").write_text(json.dumps(endpoints, separators=(",", ":")))
    return sum(path.stat().st_size for path in folder.rglob("*.json"))


def _read(path: Path) -> Any:
    content = path.read_bytes()
    return json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)


def _only(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """Return a service model with some operations and the shapes that they need."""
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    todo = [json.loads(json.dumps(one)) for one in kept.values()]
    while todo:
        found = todo.pop()
        if isinstance(found, dict):
            name = found.get("shape")
            if isinstance(name, str) and name not in shapes:
                shapes[name] = model["shapes"][name]
                todo.append(shapes[name])
            todo += found.values()
        elif isinstance(found, list):
            todo += found
    return {**model, "operations": kept, "shapes": shapes}


def main() -> None:
    """Print the table."""
    found: dict[str, list[float]] = {"models of botocore": [], "pruned models": []}
    with tempfile.TemporaryDirectory() as folder:
        size = prune(Path(folder))
        for round_ in range(STARTS):
            for name in sorted(found, reverse=bool(round_ % 2)):
                env = {**os.environ, **({"AWS_DATA_PATH": folder} if "pruned" in name else {})}
                done = subprocess.run(
                    [sys.executable, "-c", CODE],
                    env=env,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                found[name].append(float(done.stdout))
    times = {name: statistics.median(runs) for name, runs in found.items()}
    base = times["models of botocore"]
    table(
        f"Clients of DynamoDB and Secrets Manager: medians of {STARTS} processes",
        ["models", "ms of processor time", "ratio"],
        [[name, round(ms, 1), round(ms / base, 2)] for name, ms in times.items()],
        name="service-models",
    )
    print(f"The pruned models have {size:,} bytes.")


if __name__ == "__main__":
    main()
