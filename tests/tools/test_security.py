# SPDX-License-Identifier: Apache-2.0
"""The static checks find what they are for, and find nothing here."""

from __future__ import annotations

import ast
import json
import string
from pathlib import Path
from random import Random

import pytest

from deployment.checks import security
from deployment.checks.secrets_scan import ROOT, files, look, scan
from deployment.checks.security import Result, node_result, pins, python_result, verdict

UPPER = string.ascii_uppercase + string.digits


RANDOM = Random(20_261_124)


def some(length: int, of: str) -> str:
    return "".join(RANDOM.choice(of) for _ in range(length))


@pytest.mark.parametrize(
    "line",
    [
        "key = " + "AK" + "IA" + "Q7" * 8,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        '{"kty": "RSA", "d' + '": "' + "Xk3_" * 30 + '"}',
        "Bearer " + "ey" + "J" + "hbGciOiJSUzI1NiJ9.ey" + "J" + "zdWIiOiI3Zjhm.x" + "Zk" * 60,
        "gh" + "p_" + "a8Xk" * 9,
        "redis://user:" + "hunter22" + "@cache.example:6379",
        'client_sec' + 'ret = "p9Xv-2LqZ7mWc4RtYk0B"',
        "'api_k" + "ey': 'f47ac10b58cc4372a5670e02b2c3d479'",
    ],
)  # fmt: skip
def test_a_secret_is_found_wherever_it_stands(line: str) -> None:
    found = list(look("file", f"first line\n  {line}\n"))
    assert {finding.line for finding in found} == {2}
    assert line not in "".join(map(str, found))


def test_keys_drawn_at_random_are_found() -> None:
    missed = 0
    for _ in range(200):
        aws = "AK" + "IA" + some(16, UPPER)
        hexadecimal = "secret" + f'_key = "{some(32, "0123456789abcdef")}"'
        missed += not list(look("file", aws))
        missed += not list(look("file", hexadecimal))
    assert missed <= 4  # one that happens to spell a word passes


@pytest.mark.parametrize(
    "line",
    [
        'secret = "client-secret-for-readers"', 'OPENID_CLIENT_SECRET_ID = "waiting-room/openid"',
        'secret_access_key=env["AWS_SECRET_ACCESS_KEY"]', "https://user@example.com/a:b@c",
        "accessKeyId: 'AK" + "IAIOSFODNN7EXAMPLE'", "redis://{user}:{password}@{host}",
    ],
)  # fmt: skip
def test_what_only_sounds_like_a_secret_is_left_alone(line: str) -> None:
    assert not list(look("file", line))


def test_no_secret_is_in_the_files_of_the_project() -> None:
    assert [str(finding) for finding in scan()] == []
    assert {"README.md", ".ci/run", "deployment/checks/secrets_scan.py"} <= set(files())


def test_all_files_are_read_but_those_that_git_ignores(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("# made by tools\nbuild/\n*.pyc\n")
    key = "AK" + "IA" + "Q7" * 8
    for path in ("a.txt", ".hidden", "deep/er/b.py", "build/c", "deep/build/d", "e.pyc", ".git/f"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(key)
    (tmp_path / "image.png").write_bytes(b"\xff\xfe")
    assert [one.path for one in scan(tmp_path)] == [".hidden", "a.txt", "deep/er/b.py"]


@pytest.mark.parametrize("pattern", ["/build", "docs/*.tmp", "!kept"])
def test_a_pattern_that_is_not_understood_is_an_error(tmp_path: Path, pattern: str) -> None:
    (tmp_path / ".gitignore").write_text(f"{pattern}\n")
    with pytest.raises(ValueError, match="no pattern of a name"):
        files(tmp_path)


def test_every_dependency_is_pinned_with_a_hash() -> None:
    found = pins()
    assert found.findings == []
    assert int(found.says.split()[0]) > 100


def test_a_hole_that_an_advisory_names_is_a_finding() -> None:
    known = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1"}]}
    good = {"name": "b", "version": "1", "vulns": []}
    unknown = {"name": "c", "version": "1", "skip_reason": "not found"}
    found = python_result("python", [known, good, unknown])
    assert (found.findings, found.asked) == (["a 1: CVE-1"], True)
    assert "1 are not known there" in found.says
    assert not python_result("python", [unknown]).asked
    said = {"vulnerabilities": {"a": {"severity": "high"}},
            "metadata": {"dependencies": {"total": 9}}}  # fmt: skip
    assert node_result("node", json.dumps(said)).findings == ["a: high"]


@pytest.mark.parametrize(
    "said", ["", "{", "null", '{"error": {"code": "EAUDIT"}}', '{"message": "405"}']
)
def test_a_service_that_cannot_be_asked_is_said_to_be_so(said: str) -> None:
    found = node_result("node", said)
    assert (found.asked, found.findings) == (False, [])
    assert verdict([found], strict=False) == 0
    assert verdict([found], strict=True) == 1


def test_any_finding_fails_the_target() -> None:
    assert verdict([Result("a", ""), Result("b", "", ["x"])], strict=False) == 1
    assert verdict([Result("a", "")], strict=True) == 0


def test_bandit_finds_nothing_and_would(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert security.code().findings == []
    bad = "import subprocess\nsubprocess.run('ls', shell=True)\neval('1')\n"
    (tmp_path / "bad.py").write_text(bad)
    monkeypatch.setattr(security, "CODE", (str(tmp_path),))
    assert {finding.split()[1] for finding in security.code().findings} >= {"B602", "B307"}


def test_no_assert_stands_for_a_check_in_what_is_deployed() -> None:
    for path in (ROOT / "source").rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not isinstance(node, ast.Assert), f"{path}:{node.lineno}"
