# SPDX-License-Identifier: Apache-2.0
"""CloudWatch metrics in the function's log (embedded metric format), without an API call."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.adapters.metric_line import NAMESPACE, STACK


def emit(event_id: str, gauges: Mapping[str, int], stack: str) -> None:
    """Log the gauges of an event, with the dimensions ``Stack`` and ``EventId``."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(name=STACK, value=stack)
    metrics.add_dimension(name="EventId", value=event_id)
    for name, value in gauges.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()
