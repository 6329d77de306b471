# SPDX-License-Identifier: Apache-2.0
"""Functions that write the store of the gate at the edge: its writer, and the watchdog.

The writer runs on the stream of the Events table, one run at a time, and on a schedule.
Environment: ``EVENT_ID``, ``EVENTS_TABLE``, ``SERVING_LOG_TABLE``, ``GATE_KEYS_SECRET`` and
``GATE_STORE_ARN``.

The watchdog runs each minute, outside the room: it has no access to what the room needs for a
response, except the documents of the events. Environment: ``EVENTS_TABLE``, ``GATE_STORE_ARN``,
``WATCHED_PUBLIC_API``, ``WATCHED_ENTRANCE`` (addresses with the stage) and ``GATE_API_KEY_SECRET``.
"""

from __future__ import annotations

from typing import Any

from chalice import Chalice

from waiting_room.runtime.gate_store_wiring import room_watch, store_writer
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


@app.lambda_function(name="watch_room")
def watch_room(_event: dict[str, Any], _context: object) -> dict[str, list[str]]:
    """Probe the room, and open the gate of events with ``when_unreachable: open`` in a fault."""
    return {"opened": list(room_watch().run())}
