# SPDX-License-Identifier: Apache-2.0
"""The Lambda bundles: complete, minimal, equal to the byte, for the right machine.

The bundles that run here are built by the same recipe for this machine and this Python.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from infrastructure.assets import bundle as recipe
from infrastructure.assets.bundle import (
    APPS,
    PYTHON,
    BundleError,
    bundle,
    files,
    locked,
    normalized,
    pack,
    requirements,
)
from infrastructure.assets.module_closure import SOURCE, imports, reached
from infrastructure.blueprint.resources import INLETS, WORKERS
from tests.support.lambda_proxy_events import proxy_event
from tests.support.servers import in_ci
from tests.support.templates.lambda_process import ENV, SDK, LambdaProcess, Raised, Start

HERE = platform.machine()
THIS_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def function(start: Start) -> Callable[[str], LambdaProcess]:
    """The warm function of an app."""
    warm: dict[str, LambdaProcess] = {}

    def function(app: str) -> LambdaProcess:
        if app not in warm:
            warm[app] = start(app, ENV)
        return warm[app]

    return function


def routes(app: str) -> list[tuple[str, str]]:
    chalice_app = __import__(f"apps.{app}.app", fromlist=["app"]).app
    return [(method, path) for path, entries in chalice_app.routes.items() for method in entries]


NEED_AWS_ALONE = (  # and no parameter
    "/.well-known/jwks.json", "/rotate_keys", "/rotate_gate_keys", "/events", "/alarms",
)  # fmt: skip


@pytest.mark.parametrize(
    ("app", "method", "path"),
    [(app, method, path) for app in ("public_api", "private_api") for method, path in routes(app)],
)
def test_each_api_function_answers_a_call_without_parameters_from_its_bundle_alone(
    function: Callable[[str], LambdaProcess], app: str, method: str, path: str
) -> None:
    event = proxy_event(method, path, body={} if method == "POST" else None)
    answer = function(app)("app.app", event)
    if path in NEED_AWS_ALONE:  # which is not there
        assert answer["statusCode"] == 503
    else:
        assert answer["statusCode"] == 400
    assert set(json.loads(answer["body"])) == {"error"}
    assert answer["headers"]["Content-Type"] == "application/json"


def test_the_store_sells_from_its_bundle_alone(
    function: Callable[[str], LambdaProcess],
) -> None:
    visitor = {"sub": str(uuid.uuid4()), "queue_position": "7", "exp": "1800000000"}
    for method, path in routes("sample_store"):
        answer = function("sample_store")("app.app", proxy_event(method, path, authorizer=visitor))
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["visitor"]["queue_position"] == 7


def test_the_writer_of_the_gates_store_runs_from_its_bundle_alone(
    function: Callable[[str], LambdaProcess],
) -> None:
    for event in ({"Records": []}, {"detail-type": "Scheduled Event"}):
        with pytest.raises(Raised, match=r"^Unavailable: "):
            function("gate_store")("app.write_gate_store", event)
    with pytest.raises(Raised, match=r"^Unavailable: "):
        function("gate_store")("app.watch_room", {})


def test_the_authorizer_refuses_from_its_bundle_alone(
    function: Callable[[str], LambdaProcess],
) -> None:
    arn = "arn:aws:execute-api:eu-central-1:123456789012:abc/api/GET/checkout"
    event = {"type": "TOKEN", "methodArn": arn, "authorizationToken": ""}
    with pytest.raises(Raised, match=r"^Unauthorized: Unauthorized$"):
        function("token_authorizer")("app.token_authorizer", event)


@pytest.mark.parametrize(("method", "path"), routes("openid"))
def test_each_openid_endpoint_answers_from_its_bundle_alone(
    function: Callable[[str], LambdaProcess], method: str, path: str
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    event = proxy_event(method, path, raw="", headers=form if method == "POST" else None)
    answer = function("openid")("app.app", event)
    expected = dict.fromkeys(("/.well-known/jwks.json", "/authorize/continue"), 503)  # need AWS
    expected |= {"/.well-known/openid-configuration": 200, "/userInfo": 401}
    assert answer["statusCode"] == expected.get(path, 400)
    if path != "/userInfo":
        json.loads(answer["body"])


@pytest.mark.parametrize("strategy", INLETS)
def test_each_inlet_runs_from_its_bundle_alone(start: Start, strategy: str) -> None:
    inlet = start("inlet", {**ENV, "INLET_STRATEGY": strategy})
    with pytest.raises(Raised, match=r"^Unavailable: .*(were not done|did not respond)"):
        inlet(f"app.{INLETS[strategy].name}", {})


def test_each_worker_is_a_handler_of_its_bundle(
    function: Callable[[str], LambdaProcess],
) -> None:
    batches = {"assign_positions", "publish_events"}
    for worker in WORKERS:
        if worker.name in batches:
            answer = function("workers")(f"app.{worker.name}", {"Records": []})
            assert answer == {"batchItemFailures": []}
        else:  # nobody listens here: the journey below has servers
            with pytest.raises(Raised, match=r"^Unavailable: ") as caught:
                function("workers")(f"app.{worker.name}", {})
            assert "ImportError" not in caught.value.trace


def test_two_builds_are_equal_to_the_byte(bundles: dict[str, Path], tmp_path: Path) -> None:
    again = {app: bundle(app, HERE, THIS_PYTHON, into=tmp_path) for app in APPS}
    for app, folder in bundles.items():
        assert content(again[app]) == content(folder)
    assert digest(pack(again["inlet"])) == digest(pack(bundles["inlet"]))


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): digest(path) for path in files(folder)}


def test_bytecode_too_is_equal_to_the_byte(tmp_path: Path) -> None:
    built = [
        bundle("inlet", HERE, THIS_PYTHON, into=tmp_path / name, compiler=sys.executable)
        for name in ("one", "two")
    ]
    assert digest(pack(built[0])) == digest(pack(built[1]))
    assert len(list(built[0].rglob("*.pyc"))) == len(list(built[0].rglob("*.py")))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_bundle_holds_nothing_that_does_not_run(bundles: dict[str, Path]) -> None:
    for app, folder in bundles.items():
        names = [path.relative_to(folder).as_posix() for path in files(folder)]
        tops = {name.partition("/")[0] for name in names}
        assert not tops & {*SDK, "pip", "setuptools", "bin", "share"}, app
        assert ("awscrt" in tops) == (app == "gate_store"), app
        for name in names:
            assert not re.search(r"__pycache__|\.pyc$|\.pyi$|(^|/)tests?(/|\.py$)", name), name
            assert not name.startswith("waiting_room/gate/"), name
        assert all(path.stat().st_mode & 0o777 == 0o644 for path in files(folder))


SIGNED_CALL = """
from waiting_room.adapters.aws import client
from waiting_room.adapters.edge_store import CloudFrontStore
from waiting_room.domain.errors import Unavailable
arn = "arn:aws:cloudfront::123456789012:key-value-store/a"
try:
    CloudFrontStore(client("cloudfront-keyvaluestore"), arn).version()
except Unavailable as error:
    print(error)
"""


@pytest.mark.parametrize(("app", "end"), [("gate_store", 0), ("workers", 1)])
def test_only_the_writer_of_the_gates_store_can_sign_its_calls(
    bundles: dict[str, Path], app: str, end: int
) -> None:
    """The signed call goes to an address that does not exist."""
    env = {
        "PYTHONPATH": str(bundles[app]), "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    path = {"PYTHONPATH": f"{SOURCE}:{bundles[app]}"} if end else {}
    done = subprocess.run(
        [sys.executable, "-c", SIGNED_CALL], env={**env, **path},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == end, done.stderr
    if end:
        assert "MissingDependencyException" in done.stderr
    else:
        assert "the store of the gate did not respond" in done.stdout


def test_no_bundle_comes_near_the_size_that_lambda_refuses(
    bundles: dict[str, Path], record_property: Callable[[str, object], None]
) -> None:
    for app, folder in bundles.items():
        size = sum(path.stat().st_size for path in files(folder))
        record_property(f"{app}_bytes", size)
        assert size < 25 * 1024 * 1024  # a tenth of what Lambda takes: cold starts read it all


@pytest.mark.parametrize("machine", [("aarch64", 0xB7), ("x86_64", 0x3E)])
def test_compiled_parts_are_for_the_machine_that_was_asked_for(
    machine: tuple[str, int], tmp_path: Path
) -> None:
    name, number = machine
    try:
        folder = bundle("token_authorizer", name, into=tmp_path)
    except BundleError as error:
        if in_ci():
            raise
        pytest.skip(f"the wheels for Lambda are not on this machine: {error}")
    compiled = [path for path in files(folder) if path.suffix == ".so"]
    assert len(compiled) == 2  # cryptography and its cffi backend
    for path in compiled:
        header = path.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == number  # e_machine


# The rotation of keys is the workers' alone, so that the APIs need not carry what makes keys.
MADE_ELSEWHERE = {app: {"jwcrypto"} for app in ("public_api", "openid", "entrance")}
FOR_SIGNING = {"gate_store": {"awscrt"}}  # botocore uses it if it is there
SDK_NAMES = ("boto3", "botocore", "python-dateutil", "jmespath", "s3transfer", "six", "urllib3")
LEFT_OUT = ("pycparser",)  # cffi's, for compiling
EXTRAS = {"pyjwt": "crypto"}  # RS256
LAMBDA = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
OLDEST = {"python_version": "3.11", "python_full_version": "3.11.0"}


@pytest.mark.parametrize("app", APPS)
def test_an_app_requires_what_it_imports_and_nothing_else(app: str) -> None:
    distributions = importlib.metadata.packages_distributions()
    modules = reached(app).others - sys.stdlib_module_names
    direct = {normalized(distributions[module][0]) for module in modules}
    needed: set[str] = set()
    to_add = direct - MADE_ELSEWHERE.get(app, set()) - set(SDK_NAMES)
    while to_add:
        name = to_add.pop()
        needed.add(name)
        to_add |= parts(name) - needed
    assert needed | FOR_SIGNING.get(app, set()) == set(requirements(app))


def parts(name: str) -> set[str]:
    """What a distribution needs beside it; Chalice's are its command line's."""
    try:
        texts = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        assert name == "async-timeout"  # for older Pythons than this one
        return set()
    places = [{**place, "extra": EXTRAS.get(name, "")} for place in (LAMBDA, OLDEST)]
    return {
        normalized(need.name)
        for need in map(Requirement, texts if name != "chalice" else ())
        if not need.marker or any(need.marker.evaluate(place) for place in places)
        if need.name not in (*SDK_NAMES, *LEFT_OUT)
    }


def test_the_modules_an_app_reaches_are_found_wherever_they_are_imported() -> None:
    code = (
        "import os.path\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import never\n"
        "def late():\n    from waiting_room.adapters import aws\n"
    )
    assert set(imports(code)) == {
        "os.path", "typing", "typing.TYPE_CHECKING",
        "waiting_room.adapters", "waiting_room.adapters.aws",
    }  # fmt: skip
    names = {path.relative_to(SOURCE).as_posix() for path in reached("sample_store").files}
    assert names == {
        "waiting_room/__init__.py",
        "waiting_room/domain/__init__.py", "waiting_room/domain/errors.py",
        "waiting_room/domain/parsing.py",
        "waiting_room/runtime/__init__.py", "waiting_room/runtime/http_api.py",
        "waiting_room/runtime/safe_traceback.py",
    }  # fmt: skip


def test_files_that_modules_read_go_with_them() -> None:
    claimed = {path for app in APPS for path in reached(app).files if path.suffix != ".py"}
    there = {path for path in (SOURCE / "waiting_room").rglob("*.*") if path.is_file()}
    there |= set((SOURCE / "sites" / "waiting_room" / "words").iterdir())  # room_words.py
    marker = SOURCE / "waiting_room" / "py.typed"  # of the wheel
    assert claimed | {marker} == {path for path in there if path.suffix not in (".py", ".pyc")}


def test_no_module_is_imported_by_a_name_made_at_run_time() -> None:
    for path in SOURCE.rglob("*.py"):
        assert not re.search(r"import_module|__import__", path.read_text(encoding="utf-8")), path


def test_wheels_are_locked_by_hash_and_installed_by_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert re.match(r"chalice==[\d.]+ \\\n    --hash=sha256:[0-9a-f]{64}", locked("sample_store"))
    lock = tmp_path / "lock.txt"
    lock.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", locked("sample_store")))
    monkeypatch.setattr(recipe, "LOCK", lock)
    with pytest.raises(BundleError, match="could not be installed"):
        bundle("sample_store", HERE, THIS_PYTHON, into=tmp_path)


def test_without_a_network_the_wheels_of_an_earlier_build_are_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[list[str]] = []

    def install(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(list(command))
        return subprocess.CompletedProcess(
            command, int("--offline" not in command), "", "no network"
        )

    monkeypatch.setattr(recipe.subprocess, "run", install)
    recipe._install("", tmp_path, HERE, THIS_PYTHON)
    assert [call[-1] for call in calls] == ["-", "--offline"]


def test_a_refused_bundle_says_why_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"^There is no app 'shop'; the apps are public_api, "):
        bundle("shop", into=tmp_path)
    with pytest.raises(BundleError, match=r"^Lambda has no 'riscv64'; the platforms are aarch64, "):
        bundle("inlet", "riscv64", into=tmp_path)
    with pytest.raises(BundleError, match=r"is not Python 2\.7, or cannot compile"):
        recipe._compile(tmp_path, sys.executable, "2.7")
    with pytest.raises(BundleError, match=r"^/nowhere/python does not run"):
        recipe._compile(tmp_path, "/nowhere/python", THIS_PYTHON)
    monkeypatch.setattr(recipe, "LOCK", Path("/dev/null"))
    with pytest.raises(BundleError, match=r"^chalice of inlet is not locked: add it and run `make"):
        bundle("inlet", into=tmp_path)
    monkeypatch.undo()
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(BundleError, match="Check that this machine reaches its package index"):
        bundle("inlet", into=tmp_path)
    assert not list(tmp_path.glob("*/inlet"))


def test_a_bundle_without_redis_lacks_its_client_and_its_adapter_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(recipe, "_install", lambda pinned, folder, *_: _make(asked, pinned, folder))
    with_redis, without = (
        bundle("workers", HERE, THIS_PYTHON, into=tmp_path, redis=redis) for redis in (True, False)
    )
    missing = {normalized(one) for one in re.findall(r"(?m)^([\w.-]+)==", asked[0])} - {
        normalized(one) for one in re.findall(r"(?m)^([\w.-]+)==", asked[1])
    }
    assert missing == {"redis", "async-timeout"}
    names = [{path.relative_to(root) for path in files(root)} for root in (with_redis, without)]
    assert {str(path.parent) for path in names[0] - names[1]} == {
        "waiting_room/adapters/redis", "waiting_room/adapters/redis/lua",
    }  # fmt: skip
    assert names[1] < names[0]


def test_an_app_without_the_client_has_one_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(recipe, "_install", lambda pinned, folder, *_: _make([], pinned, folder))
    assert bundle("openid", HERE, THIS_PYTHON, into=tmp_path, redis=False).name == "openid"


def _make(asked: list[str], pinned: str, folder: Path) -> None:
    """Note what would be installed, and make the empty folder."""
    asked.append(pinned)
    folder.mkdir()
