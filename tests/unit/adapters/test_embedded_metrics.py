# SPDX-License-Identifier: Apache-2.0
"""Metrics in the log: the form that Powertools writes."""

from __future__ import annotations

import json

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from waiting_room.adapters.embedded_metrics import emit
from waiting_room.adapters.metric_line import NAMESPACE, emit_total


def test_a_total_has_the_form_of_powertools(capsys: pytest.CaptureFixture[str]) -> None:
    emit_total("GateOpened", 3, 1_800_000_000.75, "Sale")
    made = json.loads(capsys.readouterr().out)
    metrics = EphemeralMetrics(namespace=NAMESPACE)
    metrics.add_dimension(name="Stack", value="Sale")
    metrics.add_metric(name="GateOpened", unit=MetricUnit.Count, value=3)
    expected = json.loads(json.dumps(metrics.serialize_metric_set()))
    assert made["_aws"]["Timestamp"] == 1_800_000_000_750
    (definition,) = made["_aws"]["CloudWatchMetrics"]
    (known,) = expected["_aws"]["CloudWatchMetrics"]
    assert (definition["Namespace"], definition["Dimensions"]) == (NAMESPACE, known["Dimensions"])
    assert [(one["Name"], one["Unit"]) for one in definition["Metrics"]] == [
        (one["Name"], one["Unit"]) for one in known["Metrics"]
    ]
    assert (made["GateOpened"], made["Stack"]) == (3, "Sale")


def test_the_gauges_of_an_event_have_its_dimension_and_its_stacks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit({"Waiting": 7}, "Sale", "sale")
    made = json.loads(capsys.readouterr().out)
    assert (made["EventId"], made["Stack"]) == ("sale", "Sale")
    assert made["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Stack", "EventId"]]
