# SPDX-License-Identifier: Apache-2.0
"""CloudWatch metrics in the function's log (embedded metric format), without an API call."""

from __future__ import annotations

from collections.abc import Mapping

from waiting_room.adapters.metric_line import NAMESPACE, STACK


def emit(gauges: Mapping[str, int], stack: str, event_id: str = "") -> None:
    """Log gauges of a stack: of an event, with the dimension ``EventId``, or of all events."""
    from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(name=STACK, value=stack)
    if event_id:
        metrics.add_dimension(name="EventId", value=event_id)
    for name, value in gauges.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)
    metrics.flush_metrics()
