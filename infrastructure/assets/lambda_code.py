# SPDX-License-Identifier: Apache-2.0
"""Code of a Lambda function: the bundle of its app, or the plain sources for quick tests."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from aws_cdk import aws_lambda
from constructs import Construct

from infrastructure.assets.module_closure import APPS_FOLDER

PLAIN = "plainCode"  # the context key that selects plain sources, without dependencies


def code_for(scope: Construct, *, app: str, redis: bool = True) -> aws_lambda.Code:
    """Return the code asset of ``source/apps/<app>``; its handlers are named ``app.<name>``.

    Without ``redis`` the bundle does not contain its client.
    """
    if scope.node.try_get_context(PLAIN):
        return aws_lambda.Code.from_asset(str(APPS_FOLDER / app), exclude=["__pycache__"])
    return aws_lambda.Code.from_asset(str(_bundle(app, redis)))


@cache
def _bundle(app: str, redis: bool) -> Path:
    from infrastructure.assets.bundle import bundle

    return Path(bundle(app, redis=redis))
