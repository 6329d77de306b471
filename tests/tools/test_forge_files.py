# SPDX-License-Identifier: Apache-2.0
"""The workflow runs each folder of tests in one job; the issue forms have the required members."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.checks.secrets_scan import files
from tests.support.servers import ROOT

FORGE = ROOT / ".github"
# Run by make targets of their own, or have no tests.
NOT_IN_A_JOB = {
    "attack", "benchmarks", "clients", "demos", "firefox", "mutants", "mutations", "on_sale",
    "screenshots", "sign_in_provider", "sites_lint", "soak", "support",
}  # fmt: skip
FORMS = sorted(path.name for path in (FORGE / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def suites() -> list[dict[str, str]]:
    workflow = read(FORGE / "workflows" / "ci.yml")
    return list(workflow["jobs"]["test"]["strategy"]["matrix"]["suite"])


def test_each_folder_of_tests_is_in_one_job() -> None:
    assert len(suites()) == 4
    run = [folder for suite in suites() for folder in suite["tests"].split()]
    folders = {
        "/".join(Path(path).parts[:2])
        for path in files()
        if path.startswith("tests/") and path.count("/") > 1
    } - {f"tests/{name}" for name in NOT_IN_A_JOB}
    assert sorted(run) == sorted(folders), "Add the folder to a suite of .github/workflows/ci.yml"


def test_the_jobs_call_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    called = {target for suite in suites() for target in suite["targets"].split()}
    assert called == {"lint", "types", "test", "scan"}, "what `make check` runs, and scanners"
    check = re.search(r"^check: (.*?) ##", makefile, re.M)
    assert check is not None
    assert called == {*check[1].split(), "scan"}


def test_the_workflow_may_only_read() -> None:
    assert read(FORGE / "workflows" / "ci.yml")["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("form", [one for one in FORMS if one != "config.yml"])
def test_an_issue_form_has_a_name_and_labelled_fields(form: str) -> None:
    content = read(FORGE / "ISSUE_TEMPLATE" / form)
    assert {"name", "description", "labels", "body"} <= set(content)
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_each_path_with_an_owner_exists() -> None:
    lines = (FORGE / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    paths = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert "*" in paths
    for path in paths:
        assert path == "*" or (ROOT / path.lstrip("/")).exists(), path


def test_the_tests_that_the_pull_request_names_exist() -> None:
    text = (FORGE / "PULL_REQUEST_TEMPLATE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|docs)/[^`]+)`", text)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path
