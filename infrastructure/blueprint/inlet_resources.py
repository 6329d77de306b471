# SPDX-License-Identifier: Apache-2.0
"""The functions of the inlets: one definition for CDK and one machine. Times are in seconds.

The strategy decides which of them is deployed. The periodic and the automatic one tick and sleep
through their minute, hence the timeout above 60. ``MAX_SIZE`` is started by its SNS topic too.
"""

from __future__ import annotations

from infrastructure.blueprint.resources import Function

PERIODIC = Function("periodic_inlet", 75, 256, schedule="rate(1 minute)")
MAX_SIZE = Function("max_size_inlet", 75, 256, schedule="rate(1 minute)")
AUTOMATIC = Function("automatic_inlet", 75, 256, schedule="rate(1 minute)")
INLETS = {"Periodic": PERIODIC, "MaxSize": MAX_SIZE, "Automatic": AUTOMATIC}
# What the functions may do, beside calling the routes below: read and update one row of the
# serving log, and cloudwatch:DescribeAlarms (which knows no narrower resource than *).
PRIVATE_ROUTES = {
    "Periodic": ("POST /increment_serving_counter",),
    "MaxSize": ("POST /increment_serving_counter", "POST /update_session", "GET /metrics"),
    "Automatic": ("POST /increment_serving_counter", "GET /metrics"),
}
