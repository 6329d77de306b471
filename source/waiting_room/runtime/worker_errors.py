# SPDX-License-Identifier: Apache-2.0
"""Error handling of functions that queues, streams and schedules start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from waiting_room.domain.errors import RoomError, SettingsError
from waiting_room.runtime.safe_traceback import safe_traceback

logger = logging.getLogger("waiting_room")


class Failed(Exception):
    """An unexpected error; the message contains only its class."""


def hide_error_texts(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Convert errors of functions without an API: Lambda logs their exceptions with the text.

    Raises the room's own errors as they are, and Failed for every other one.
    """
    try:
        return get_response(event)
    except (RoomError, SettingsError):
        raise
    except Exception as error:
        logger.error("unexpected %s", safe_traceback(error))
        raise Failed(type(error).__name__) from None
