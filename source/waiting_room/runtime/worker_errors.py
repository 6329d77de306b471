# SPDX-License-Identifier: Apache-2.0
"""What stands around functions that queues, streams and schedules start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from waiting_room.domain.errors import RoomError, SettingsError
from waiting_room.runtime.safe_traceback import safe_traceback

logger = logging.getLogger("waiting_room")


class Failed(Exception):
    """An unexpected error, by its class alone."""


def hide_error_texts(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Middleware of functions without an API: Lambda logs what they raise, text and all.

    Raises the room's own errors as they are, and Failed for every other one.
    """
    try:
        return get_response(event)
    except (RoomError, SettingsError):
        raise
    except Exception as error:
        logger.error("unexpected %s", safe_traceback(error))
        raise Failed(type(error).__name__) from None
