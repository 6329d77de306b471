# SPDX-License-Identifier: Apache-2.0
"""The CDK app: ``npx cdk synth``, ``deploy``, ``diff``, ``destroy`` run it."""

from __future__ import annotations

import sys

from aws_cdk import App

from infrastructure.config import CoreConfig
from infrastructure.parameters import ParameterError, refuse_unknown
from infrastructure.stacks.core import CoreStack


def build(app: App) -> CoreStack:
    """Add the stacks that the app's context asks for; answers the core stack.

    Raises ParameterError with one sentence that names the parameter.
    """
    context = app.node.get_all_context()
    refuse_unknown(context, CoreConfig)
    config = CoreConfig.from_context(context)
    return CoreStack(app, "Core", config=config)


if __name__ == "__main__":
    made = App()
    try:
        build(made)
    except ParameterError as error:
        sys.exit(str(error))
    made.synth()
