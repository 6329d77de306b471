# SPDX-License-Identifier: Apache-2.0
"""One CloudWatch metric in the function's log, for bundles without Powertools."""

from __future__ import annotations

import json
import sys

NAMESPACE = "WaitingRoom"
STACK = "Stack"  # the dimension that keeps the metrics of two rooms of an account apart


def emit_total(name: str, count: int, now: float, stack: str) -> None:
    """Log a count of all events of a stack together, at ``now`` (epoch s)."""
    metric = {"Name": name, "Unit": "Count"}
    definition = {"Namespace": NAMESPACE, "Dimensions": [[STACK]], "Metrics": [metric]}
    about = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [definition]}
    sys.stdout.write(json.dumps({"_aws": about, STACK: stack, name: count}) + "\n")
    sys.stdout.flush()
