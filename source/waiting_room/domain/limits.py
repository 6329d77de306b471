# SPDX-License-Identifier: Apache-2.0
"""Limits that several modules share, each with the reason for its value.

A limit that only one module reads is defined in that module.
"""

from __future__ import annotations

import re

MAX_INCREMENT = 1_000_000  # API contract: a larger increment is assumed to be a typing error
MIN_VALIDITY, MAX_VALIDITY = 1, 86_400  # API contract: one second to one day
MAX_MESSAGE = 500  # API contract: characters (code points) of the operators' message
# API contract: an event id is part of keys and URLs; no route accepts a longer one
EVENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
# API contract: ids of events that are created at run time; EVENT_ID is that of the deployment
NEW_EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
ROW_LIFE = 30 * 86_400  # seconds; TTL deletes rows a month after they were written
AUDIT_LIFE = 90 * 86_400  # seconds; API contract: the audit log goes back 90 days
RATE_WINDOW = 300  # seconds over which the admission rate is measured
SHORTEST_RATE = 60  # seconds; the shortest time to measure it over, after the event opens
LATEST_MOVES = 6  # moves that are always kept: five gaps, for clients that poll after a long pause
MAX_UNUSED_POSITIONS = 1_000  # known ones, in one row; reconciliation finds the others
CLOCK_STEP = 600  # seconds; the largest assumed error of a function's clock
MAX_STALE_SECONDS = MAX_VALIDITY  # a cached value that cannot be refreshed is used this long
SHOWN = 40  # characters of an invalid value that an error message quotes
