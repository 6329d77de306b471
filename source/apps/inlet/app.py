# SPDX-License-Identifier: Apache-2.0
"""The inlet app: raises the serving counter by one of two strategies. Deploy one per event.

Functions, by the name that the deployment gives them; each takes a Lambda event:

- ``periodic_inlet``: once per minute, by a schedule. One run ticks TICKS_PER_MINUTE times and
  sleeps in between, so its timeout should be 75 s.
- ``max_size_inlet``: by the SNS topic of exit notices, and once per minute by a schedule. The
  schedule fills an empty site and replaces no-shows.

Environment: EVENT_ID, PRIVATE_API_ENDPOINT, AWS_REGION, SERVING_LOG_TABLE,
INLET_STRATEGY Periodic | MaxSize (Periodic), START_TIME and END_TIME in epoch seconds (0: no
limit), CLOUDWATCH_ALARM_NAME, ON_INSUFFICIENT_DATA go | hold (go), TICKS_PER_MINUTE (1),
INCREMENT_BY (10), MAX_SIZE (100). Credentials come from the default chain of the AWS SDK.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any

from chalice import Chalice

from waiting_room.inlet.runner import InletRunner
from waiting_room.inlet.settings import InletSettings
from waiting_room.runtime.settings.inlet import read_inlet_settings
from waiting_room.runtime.time_left import time_left
from waiting_room.runtime.worker_errors import hide_error_texts

app = Chalice(app_name="waiting-room-inlet", configure_logs=False)
app.register_middleware(hide_error_texts, "pure_lambda")


@app.lambda_function(name="periodic_inlet")
def periodic_inlet(event: dict[str, Any], context: object) -> dict[str, int]:
    """Run a minute of equal ticks, unless the alarm holds the inlet."""
    return {"opened": sum(one.by for one in inlet().run_periodic(event, time_left(context)))}


@app.lambda_function(name="max_size_inlet")
def max_size_inlet(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Handle exit notices (SNS), or fill the free capacity (schedule)."""
    return {"opened": inlet().run_max_size(event).by}


@cache
def settings() -> InletSettings:
    """Return the settings of this function, read once from its environment."""
    return read_inlet_settings(os.environ)


@cache
def inlet() -> InletRunner:
    """Return the inlet of this function, built on first use."""
    from waiting_room.adapters.aws import client
    from waiting_room.adapters.cloudwatch_alarm import CloudWatchAlarm
    from waiting_room.adapters.dynamodb.inlet import DynamoInlet
    from waiting_room.adapters.http.private_api import PrivateApi
    from waiting_room.adapters.http.signed_client import credentials

    chosen = settings()
    return InletRunner(
        chosen,
        DynamoInlet(client("dynamodb"), chosen.table),
        PrivateApi(chosen.private_api, chosen.region, credentials),
        lambda: CloudWatchAlarm(client("cloudwatch"), chosen.alarm)(),
        time.time,
        time.sleep,
    )
