# SPDX-License-Identifier: Apache-2.0
"""CloudWatch metrics in the function's log (embedded metric format), without an API call."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

NAMESPACE = "WaitingRoom"


def emit(event_id: str, gauges: Mapping[str, int]) -> None:
    """Log the gauges of an event, with the dimension ``EventId``."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(name="EventId", value=event_id)
    for name, value in gauges.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()


def emit_total(name: str, count: int, now: float) -> None:
    """Log a count of all events together, without a dimension, at ``now`` (epoch s).

    Without Powertools, whose package the bundle of the caller lacks.
    """
    metric = {"Name": name, "Unit": "Count"}
    definition = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": [metric]}
    about = {"Timestamp": int(now * 1000), "CloudWatchMetrics": [definition]}
    sys.stdout.write(json.dumps({"_aws": about, name: count}) + "\n")
    sys.stdout.flush()
