# SPDX-License-Identifier: Apache-2.0
"""Writer of the store that the gate at the edge reads.

It runs on the stream of the Events table, one run at a time, and on a schedule. Environment:
``EVENT_ID``, ``EVENTS_TABLE``, ``SERVING_LOG_TABLE``, ``GATE_KEYS_SECRET`` and ``GATE_STORE_ARN``.
"""

from __future__ import annotations

from typing import Any

from chalice import Chalice

from waiting_room.runtime.gate_store_wiring import store_writer
from waiting_room.runtime.worker_errors import hide_error_texts

app = Chalice(app_name="waiting-room-gate-store", configure_logs=False)
app.register_middleware(hide_error_texts, "pure_lambda")


@app.lambda_function(name="write_gate_store")
def write_gate_store(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Make the store equal to the events. A batch of the stream only says that one changed.

    The schedule also corrects what others changed in the store, and a record that was lost. After
    an error the stream delivers the batch again.
    """
    return {"written": store_writer().run(verify="Records" not in event)}
