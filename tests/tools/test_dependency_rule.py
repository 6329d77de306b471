# SPDX-License-Identifier: Apache-2.0
"""One table says which folder may import which. Imports point downwards, and there is no cycle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from infrastructure.assets.module_closure import imports

ROOT = Path(__file__).resolve().parents[2]
STDLIB_WITH_IO = {
    "http", "os", "random", "socket", "ssl", "subprocess", "threading", "time", "urllib.request",
}  # fmt: skip
CLIENTS = {"boto3", "botocore", "chalice", "redis", "requests", "urllib3", "aws_lambda_powertools"}
IO_MODULES = STDLIB_WITH_IO | CLIENTS

DOMAIN, ADAPTERS = "waiting_room.domain", "waiting_room.adapters"
USE_CASES, RUNTIME = "waiting_room.use_cases", "waiting_room.runtime"
AUTHORIZER, GATE = "waiting_room.authorizer", "waiting_room.gate"
INLET, OPENID = "waiting_room.inlet", "waiting_room.openid"
OPENID_PROVIDER = {f"{OPENID}.authlib_server", f"{OPENID}.provider"}
COMMAND_LINE_ADAPTERS = {
    f"{ADAPTERS}.http.json_get", f"{ADAPTERS}.http.signed_client", f"{ADAPTERS}.operator_access",
}  # fmt: skip
GATE_CLIENTS = {
    f"{ADAPTERS}.http.json_get", f"{ADAPTERS}.http.room_keys", f"{ADAPTERS}.refreshing_value",
}  # fmt: skip
SITE_GATE = "waiting_room.site_gate"
SITE_GATE_CLIENTS = {
    f"{ADAPTERS}.http.gate_configuration", f"{ADAPTERS}.http.room_forwarding",
    f"{ADAPTERS}.refreshing_value",
}  # fmt: skip
BLUEPRINT, PARAMETERS = "infrastructure.blueprint", "infrastructure.parameters"
ASSETS, CONSTRUCTS = "infrastructure.assets", "infrastructure.constructs"
COMPUTE, DATA, API = (f"{CONSTRUCTS}.{name}" for name in ("compute", "data", "api"))
EDGE, MONITORING, NAMES = (f"{CONSTRUCTS}.{name}" for name in ("edge", "monitoring", "names"))
LIBRARY = {DOMAIN, USE_CASES, ADAPTERS, RUNTIME, AUTHORIZER, INLET, OPENID}
BELOW_THE_STACKS = {BLUEPRINT, PARAMETERS, ASSETS, "infrastructure.scan_suppressions"}

# A folder, and all of the project that its modules may import; its own modules always. The
# longest name that begins a module's name has its row. Reasons: docs/architecture.md.
MAY_IMPORT: dict[str, set[str]] = {
    DOMAIN: set(),
    USE_CASES: {DOMAIN},
    AUTHORIZER: {DOMAIN},
    INLET: {DOMAIN, AUTHORIZER},
    OPENID: {DOMAIN, AUTHORIZER},
    ADAPTERS: {DOMAIN, AUTHORIZER, INLET, OPENID},
    GATE: {DOMAIN, AUTHORIZER, *GATE_CLIENTS},
    SITE_GATE: {DOMAIN, *SITE_GATE_CLIENTS},
    RUNTIME: {DOMAIN, USE_CASES, AUTHORIZER, INLET, OPENID, ADAPTERS},
    "apps": LIBRARY,
    "apps.command_line": {DOMAIN, *COMMAND_LINE_ADAPTERS},
    BLUEPRINT: {"waiting_room", "apps"},
    PARAMETERS: {BLUEPRINT, "waiting_room"},
    ASSETS: {BLUEPRINT, PARAMETERS},
    COMPUTE: {*BELOW_THE_STACKS, NAMES, "waiting_room"},
    DATA: {*BELOW_THE_STACKS, NAMES, COMPUTE, "waiting_room"},
    EDGE: {*BELOW_THE_STACKS, NAMES, COMPUTE, "waiting_room"},
    API: {*BELOW_THE_STACKS, NAMES, COMPUTE, "waiting_room"},
    MONITORING: {*BELOW_THE_STACKS, NAMES, COMPUTE, DATA, EDGE, API, "waiting_room"},
    NAMES: set(),
    "infrastructure.scan_suppressions": set(),
    "infrastructure": {"infrastructure", "waiting_room", "apps"},
    "deployment": {
        BLUEPRINT,
        ASSETS,
        PARAMETERS,
        "infrastructure.scan_suppressions",
        "waiting_room",
        "apps",
    },
}
# What else a folder must not import, wherever in its text.
MUST_NOT: dict[str, set[str]] = {
    DOMAIN: IO_MODULES,
    USE_CASES: IO_MODULES,
    AUTHORIZER: CLIENTS,
    INLET: CLIENTS,
    OPENID: CLIENTS - {"chalice"},
    ADAPTERS: {"chalice", "boto3"},
    GATE: CLIENTS,
    SITE_GATE: CLIENTS,
    "apps": CLIENTS - {"chalice"},
    BLUEPRINT: {"aws_cdk", "boto3", "botocore"},
    ASSETS: {"boto3", "botocore"},
    "deployment": {"aws_cdk", "tests"},
}
EXCEPTIONS = {  # a module, and what it may import against the tables, with the reason
    f"{ASSETS}.lambda_code": {"aws_cdk"},  # turns a bundle into an asset
}


def modules() -> dict[str, Path]:
    """The modules of the three packages, by dotted name."""
    found = {}
    for root, base in (
        (ROOT / "source" / "waiting_room", ROOT / "source"),
        (ROOT / "source" / "apps", ROOT / "source"),
        (ROOT / "infrastructure", ROOT),
        (ROOT / "deployment", ROOT),
    ):
        for path in root.rglob("*.py"):
            parts = path.relative_to(base).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def row_of(module: str, table: dict[str, set[str]]) -> str:
    """The longest key of ``table`` that begins a module's name; empty without one."""
    keys = [key for key in table if module == key or module.startswith(f"{key}.")]
    return max(keys, key=len, default="")


def imported(module: str) -> set[str]:
    """What a module imports at run time: modules of the project, and names of others."""
    found = set()
    for name in imports(MODULES[module].read_text(encoding="utf-8")):
        if name in MODULES or name.partition(".")[0] not in (
            "waiting_room",
            "apps",
            "infrastructure",
            "deployment",
        ):
            found.add(name)
        # ``from package import name``: the module it is in was given before
    return found - {module}


def allowed(module: str, other: str) -> bool:
    row = row_of(module, MAY_IMPORT)
    if row_of(other, MAY_IMPORT) == row or other in EXCEPTIONS.get(module, ()):
        return not row.startswith("apps") or other.rpartition(".")[0] == module.rpartition(".")[0]
    return any(other == name or other.startswith(f"{name}.") for name in MAY_IMPORT[row])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_folder_may(module: str) -> None:
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    for other in imported(module):
        if other in MODULES and other not in packages:
            assert allowed(module, other), f"{module} must not import {other}: see MAY_IMPORT"
        if other not in MODULES and other not in EXCEPTIONS.get(module, ()):
            forbidden = MUST_NOT.get(row_of(module, MUST_NOT), set())
            assert not any(other == name or other.startswith(f"{name}.") for name in forbidden), (
                f"{module} must not import {other}: see MUST_NOT"
            )


def test_no_modules_import_each_other() -> None:
    """Packages count as their modules do; imports inside functions count, those for types not."""
    graph = {
        module: {other for other in imported(module) if other in MODULES} for module in MODULES
    }
    packages = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    for module in graph:  # a package whose module is imported is no dependency by itself
        graph[module] = {other for other in graph[module] if other not in packages}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join([*path[path.index(module) :], module])
        if module in done:
            return
        for other in sorted(graph[module]):
            visit(other, (*path, module))
        done.add(module)

    for module in sorted(graph):
        visit(module, ())


def test_no_folders_import_each_other() -> None:
    """The rows of the table in an order in which each imports only rows before it."""
    order: list[str] = []
    left = dict(MAY_IMPORT)
    expanded = {
        row: {
            other
            for other in left
            for name in may
            if other == name or other.startswith(f"{name}.") or other == row_of(name, MAY_IMPORT)
        }
        - {row}
        for row, may in left.items()
    }
    while left:
        free = [row for row in left if not expanded[row] - set(order)]
        assert free, f"these rows import each other: {sorted(left)}"
        order += free
        for row in free:
            del left[row]


def test_only_the_runtime_reads_the_environment() -> None:
    """``os.environ`` elsewhere in the library is a setting that nobody checks at start."""
    for module, path in MODULES.items():
        if module.startswith(("waiting_room.runtime", "infrastructure", "deployment", "apps")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (
                isinstance(node, ast.Attribute)
                and node.attr == "environ"
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
            ), module


def test_folders_are_small_enough_to_read() -> None:
    """At most 20 modules side by side; none beside the folders of ``source/waiting_room``."""
    folders: dict[Path, int] = {}
    for path in [
        *ROOT.glob("source/**/*.py"),
        *ROOT.glob("infrastructure/**/*.py"),
        *ROOT.glob("deployment/**/*.py"),
        *ROOT.glob("tests/**/*.py"),
    ]:
        if (
            "node_modules" in path.parts
            or path.name == "__init__.py"
            or path.stem.startswith("test_")
        ):
            continue
        folders[path.parent] = folders.get(path.parent, 0) + 1
    crowded = {
        str(folder.relative_to(ROOT)): count for folder, count in folders.items() if count > 20
    }
    assert not crowded
    assert ROOT / "source" / "waiting_room" not in folders


def test_a_long_module_gives_the_reason() -> None:
    """More than 300 lines need a reason in the docstring. Test modules are lists of tests."""
    paths = [path for top in ("source", "infrastructure", "deployment", "tests")
             for path in (ROOT / top).rglob("*.py")
             if "node_modules" not in path.parts and not path.stem.startswith("test_")]  # fmt: skip
    assert len(paths) > 200
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            reason = ast.get_docstring(ast.parse(text)) or ""
            assert "300 lines" in reason, f"{path.relative_to(ROOT)}: divide it, or say why not"
