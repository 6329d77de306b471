# SPDX-License-Identifier: Apache-2.0
"""Who may import whom: the domain nobody, adapters the domain, apps all but other apps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.bundle_modules import SOURCE, imports

PACKAGE = SOURCE / "waiting_room"
APPS = {path.parent.name for path in SOURCE.glob("*/app.py")}
EDGES = {"web", "wiring"}  # HTTP, and what builds the adapters
CLIENTS = {"boto3", "botocore", "redis", "chalice", "requests", "urllib3", "http", "socket", "ssl"}
WORLD = CLIENTS | {"os", "time", "random", "subprocess", "threading", "aws_lambda_powertools"}


def texts(pattern: str) -> list[Path]:
    return [path for path in sorted(SOURCE.glob(pattern)) if path.stem not in EDGES]


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def reached(path: Path) -> Iterator[tuple[str, str]]:
    """What a file imports, wherever in its text: the package, and the part of the room's own."""
    for dotted in imports(path.read_text(encoding="utf-8")):
        first, _, rest = dotted.partition(".")
        yield first, rest.partition(".")[0] if first == PACKAGE.name else ""


@pytest.mark.parametrize("path", texts("waiting_room/*.py"), ids=name)
def test_the_domain_imports_nothing_of_the_world(path: Path) -> None:
    for package, part in reached(path):
        assert package not in WORLD | APPS
        assert part not in EDGES | {"adapters", "gate"}


@pytest.mark.parametrize("path", texts("waiting_room/adapters/*.py"), ids=name)
def test_adapters_import_no_edge_and_no_use_case(path: Path) -> None:
    for package, part in reached(path):
        assert package not in APPS | {"chalice"}
        assert part not in EDGES | {"gate", "room"}


@pytest.mark.parametrize("path", texts("waiting_room/gate/*.py"), ids=name)
def test_the_gate_in_another_site_brings_nothing_of_the_room_s_stores(path: Path) -> None:
    for package, part in reached(path):
        assert package not in APPS | {"boto3", "botocore", "redis", "chalice"}
        assert part not in EDGES | {"room", "ports"}


@pytest.mark.parametrize("app", sorted(APPS))
def test_an_app_reaches_stores_through_adapters_alone(app: str) -> None:
    for package, _ in reached(SOURCE / app / "app.py"):
        assert package not in (CLIENTS - {"chalice"}) | (APPS - {app})


def test_http_knows_errors_and_nothing_else_of_the_room() -> None:
    parts = {part for package, part in reached(PACKAGE / "web.py") if package == PACKAGE.name}
    assert parts == {"errors", "failures", "reading"}
