# SPDX-License-Identifier: Apache-2.0
"""The stacks' templates, synthesized once for a run."""

from __future__ import annotations

from functools import cache

from tests.synthesized import Synthesized, everything


@cache
def stacks() -> dict[str, Synthesized]:
    """Every stack, with all that it may ever do."""
    return everything(eventful=True).stacks
