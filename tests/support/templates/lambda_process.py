# SPDX-License-Identifier: Apache-2.0
"""A Lambda function in a process of its own, that sees its bundle and nothing else.

The interpreter is isolated (``-I -S``): no site-packages, no PYTHONPATH, no current folder. What
Lambda's runtime brings, the AWS SDK, comes from a folder after the bundle on the path.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# What `pip show boto3` and its parts are made of; nothing else of this environment can be seen.
SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")

# As Lambda's bootstrap: import the module of the handler, call it with an event and a context.
# `ahead` moves the clock of the process by seconds.
RUNTIME = """
import importlib, json, os, sys, time, traceback

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "test", 512, "test"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    def get_remaining_time_in_millis(self):
        return 20_000

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
sys.path[:0] = sys.argv[1:]
real_time, ahead = time.time, 0
time.time = lambda: real_time() + ahead
for line in sys.stdin:
    ahead = json.loads(line)["ahead"]
    module, _, name = json.loads(line)["handler"].rpartition(".")
    try:
        handler = getattr(importlib.import_module(module), name)
        answer = {"returned": handler(json.loads(line)["event"], Context())}
    except Exception as error:
        answer = {"raised": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
    print(json.dumps(answer), file=answers, flush=True)
"""


# The settings of every function, of a deployment that nobody could reach.
ENV = {
    "EVENT_ID": "Sample",
    "WAITING_ROOM_EVENT_ID": "Sample",
    "PUBLIC_API_ENDPOINT": "https://room.example/api",
    "PRIVATE_API_ENDPOINT": "https://room.example/api",
    "ISSUER": "https://room.example/api",
    "TOKEN_ISSUER": "https://room.example/api",
    "OPENID_ISSUER": "https://openid.example/api",
    "WAITING_ROOM_URL": "https://wait.example/",
    "OPENID_REDIRECT_URIS": "https://shop.example/callback",
    "OPENID_CODES_TABLE": "codes",
    "OPENID_CLIENT_SECRET_ID": "client",
    "SIGNING_KEYS_SECRET": "keys",
    "GATE_KEYS_SECRET": "gate-keys",
    "GATE_STORE_ARN": "arn:aws:cloudfront::123456789012:key-value-store/a",
    "GATE_API_KEY_SECRET": "gate-api-key",
    "WATCHED_PUBLIC_API": "https://room.example/api",
    "WATCHED_ENTRANCE": "https://entrance.example/api",
    "SERVING_LOG_TABLE": "log",
    "EVENTS_TABLE": "events",
    "EVENT_BUS_NAME": "bus",
    "START_TIME": "90000000000",  # the inlets are called and open nothing
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # nobody listens: no test reaches an account
    "REDIS_HOST": "127.0.0.1",
    "REDIS_PORT": "9",
    "REDIS_TLS": "false",
}


class Raised(Exception):
    """The function raised; ``trace`` is its traceback."""

    def __init__(self, said: str, trace: str) -> None:
        super().__init__(said)
        self.trace = trace


def sdk(folder: Path) -> Path:
    """Make the folder of Lambda's own packages: links to those of this environment."""
    import botocore

    packages = Path(botocore.__file__).parent.parent
    folder.mkdir()
    for name in SDK:
        (folder / name).symlink_to(packages / name)
    return folder


class LambdaProcess:
    """A warm function: the bundle is imported once, events follow one another."""

    def __init__(self, bundle: Path, *behind: Path, env: Mapping[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        kept = f"pycache_prefix={bundle.parent}/bytecode"  # the bundle stays as it was built
        command = [sys.executable, "-I", "-S", "-X", kept, "-c", RUNTIME, str(bundle)]
        self._process = subprocess.Popen(
            [*command, *map(str, behind)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=dict(env or {}),
            cwd=bundle,
        )

    def __call__(self, handler: str, event: Any, ahead: float = 0) -> Any:
        """Call ``module.name`` with an event; raises Raised. ``ahead`` shifts its clock, in s."""
        assert self._process.stdin
        assert self._process.stdout
        sent = {"handler": handler, "event": event, "ahead": ahead}
        self._process.stdin.write(json.dumps(sent) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "raised" in answer:
            raise Raised(answer["raised"], answer["trace"])
        return answer["returned"]

    @property
    def log(self) -> str:
        """Return the log and output of the function."""
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        """End it at once."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            pipe.close()
        self._process.wait(10)
        self._log.close()


Start = Callable[[str, Mapping[str, str]], LambdaProcess]  # app, environment
