# SPDX-License-Identifier: Apache-2.0
"""One CloudWatch metric in the function's log, for bundles without Powertools."""

from __future__ import annotations

import json
import sys

NAMESPACE = "WaitingRoom"


def emit_total(name: str, count: int, now: float) -> None:
    """Log a count of all events together, without a dimension, at ``now`` (epoch s)."""
    metric = {"Name": name, "Unit": "Count"}
    definition = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": [metric]}
    about = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [definition]}
    sys.stdout.write(json.dumps({"_aws": about, name: count}) + "\n")
    sys.stdout.flush()
