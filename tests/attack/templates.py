# SPDX-License-Identifier: Apache-2.0
"""The stacks' templates, synthesized once for a run."""

from __future__ import annotations

import threading
from functools import cache

from tests.support.templates.synthesized import Synthesized, everything

_one_at_a_time = threading.Lock()


def stacks() -> dict[str, Synthesized]:
    """Every stack, with all that it may ever do; whoever comes second waits for the first."""
    with _one_at_a_time:
        return _synthesized()


@cache
def _synthesized() -> dict[str, Synthesized]:
    return everything(eventful=True).stacks
