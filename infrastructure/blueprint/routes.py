# SPDX-License-Identifier: Apache-2.0
"""Routes of a Chalice app, read from the app itself, so that API Gateway serves the same routes."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from chalice import CustomAuthorizer, IAMAuthorizer


@dataclass(frozen=True)
class Route:
    """A view: its path, its methods and its authorization."""

    view: str
    path: str
    methods: tuple[str, ...]
    iam: bool = False
    token: bool = False


def routes_of(app: Any) -> tuple[Route, ...]:
    """Return the routes of ``app``, sorted by path and view; each view is one function."""
    found: dict[tuple[str, str], list[str]] = {}
    authorizers: dict[tuple[str, str], Any] = {}
    for path, methods in app.routes.items():
        for method, entry in methods.items():
            found.setdefault((path, entry.view_name), []).append(method)
            authorizers[path, entry.view_name] = entry.authorizer
    return tuple(
        Route(
            view=view,
            path=path,
            methods=tuple(sorted(methods)),
            iam=isinstance(authorizers[path, view], IAMAuthorizer),
            token=isinstance(authorizers[path, view], CustomAuthorizer),
        )
        for (path, view), methods in sorted(found.items())
    )


def load_app(name: str) -> Any:
    """Return the Chalice app object of ``source/apps/<name>/app.py``."""
    return importlib.import_module(f"apps.{name}.app").app
