# SPDX-License-Identifier: Apache-2.0
"""Loads the Chalice apps without changes, for calls as from Lambda."""

from __future__ import annotations

import importlib
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalice import Chalice

SOURCE = Path(__file__).resolve().parents[3] / "source"


class ThreadedChalice(Chalice):  # type: ignore[misc]
    """A Chalice app for several threads: each thread has its own request."""

    _own = threading.local()

    @property
    def current_request(self) -> Any:
        return getattr(self._own, "request", None)

    @current_request.setter
    def current_request(self, request: Any) -> None:
        self._own.request = request

    @property
    def lambda_context(self) -> Any:
        return getattr(self._own, "context", None)

    @lambda_context.setter
    def lambda_context(self, context: Any) -> None:
        self._own.context = context


@dataclass(frozen=True)
class LambdaContext:
    """The Lambda context object of one call."""

    function_name: str
    timeout: float = 29
    memory_limit_in_mb: int = 1024
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:local:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int(1000 * (self.timeout - (time.monotonic() - self.started))))


def load(name: str) -> Any:
    """Return the app object of ``source/apps/<name>/app.py``; None if the file is missing."""
    if not (SOURCE / "apps" / name / "app.py").exists():
        return None
    app = importlib.import_module(f"apps.{name}.app").app
    for part in ("current_request", "lambda_context"):
        app.__dict__.pop(part, None)
    app.__class__ = ThreadedChalice
    return app
