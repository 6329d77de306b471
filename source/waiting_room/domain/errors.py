# SPDX-License-Identifier: Apache-2.0
"""Errors of the room. ``runtime/http_api.py`` maps each to an HTTP status.

RoomError
├── InvalidInput           the caller sent invalid input
│   ├── InvalidDocument    a member of an event document breaks a rule of the schema
│   └── NoSuchEvent        event_id is not an event of this room
├── NotAssignedYet         the join is not processed yet: poll again
├── NotServedYet           the serving counter is below the position: poll again
├── UnknownRequest         no position belongs to this request id
├── UnknownKey             no signing key has this id
├── NoLiveSession          no token, or its status is already set
├── UnknownEvent           no event has this id
├── PhaseForbids           the phase of the event does not allow the change
├── StaleVersion           the document of the event has another version
├── EventConflict          another event, or a member of the document, prevents the change
├── OtherGeneration        the given generation is not the current one
├── WrongClientSecret      the client secret does not match that of the join
├── SessionRefused         the entrance gives no session; ``reason`` is the cause
├── Gone                   each has a ``reason``
│   ├── RoomWasReset       the position belongs to an earlier generation
│   ├── JoinRefused        the join got no position; ``reason`` is the cause
│   ├── PositionExpired    no token was requested in time
│   ├── SessionEnded       the session was completed or abandoned
│   └── TokenExpired       the token has expired, or its key was retired
└── Unavailable            a dependency timed out or throttles; carries ``retry_after`` (s)
    ├── Throttled          a dependency limits the requests of the room
    ├── NoKeysYet          the set-up function has not run
    └── KeysBusy           another change of the signing keys is in progress

CountersLost and Conflict are signals between use cases and stores; no caller receives them.
SettingsError stops a function at its start; no request causes it.
An error that always has the same text defines it here, as ``text``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class RoomError(Exception):
    """Base of every error that a caller of the room can receive."""

    text: ClassVar[str] = ""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.text)

    @property
    def members(self) -> dict[str, Any]:
        """Members of the response besides ``error``, for programs."""
        return {}


class InvalidInput(RoomError):
    """The caller sent invalid input; the text names the member and the rule."""


class InvalidDocument(InvalidInput):
    """A member of an event document breaks a rule of the schema; the message names both."""

    text = "a member of the event document is invalid"


class NoSuchEvent(InvalidInput):
    """``event_id`` is not an event of this room. ``/status`` returns ``reason`` to waiting pages;
    other routes return the body of the AWS solution.
    """

    reason = "unknown_event"


class NotAssignedYet(RoomError):
    """The join is not processed yet."""

    text = "request_id has no position yet; repeat the call shortly"


class NotServedYet(RoomError):
    """The serving counter has not reached the position."""

    text = "this position is not being served yet"


class UnknownRequest(RoomError):
    """No position belongs to this request id."""

    text = "no position belongs to this request id"


class UnknownKey(RoomError):
    """No signing key of this room has the given id."""

    text = "revoke is not the kid of a signing key of this room"


class NoLiveSession(RoomError):
    """No session can be ended: there is no token, or its ``status`` is already set.

    ``status`` is 1 (completed) or −1 (abandoned); None without a token.
    """

    text = "no token was issued for this position"

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def members(self) -> dict[str, Any]:
        """``reason``, and ``status`` where one is set."""
        if self.status is None:
            return {"reason": "no_token"}
        return {"reason": "already_set", "status": self.status}


class UnknownEvent(RoomError):
    """No event has this id."""

    text = "no event of this waiting room has this id"


class PhaseForbids(RoomError):
    """The phase of the event does not allow the change; ``reason`` is the phase."""

    text = "the phase of the event does not allow this action"

    def __init__(self, phase: str) -> None:
        super().__init__()
        self.phase = phase

    @property
    def members(self) -> dict[str, Any]:
        """The phase, as ``reason``."""
        return {"reason": str(self.phase)}


class StaleVersion(RoomError):
    """The document of the event has another version; ``current`` is the current response."""

    text = "the event has changed: If-Match is not its current version"

    def __init__(self, current: Mapping[str, Any], message: str = "") -> None:
        super().__init__(message)
        self.current = current

    @property
    def members(self) -> dict[str, Any]:
        """The current document with its version and phase."""
        return {"version": self.current["version"], "current": dict(self.current)}


class EventConflict(RoomError):
    """Another event, or a member of the document, prevents the change; the text names it."""


class OtherGeneration(RoomError):
    """The given generation is not the current one, which is ``generation``."""

    text = "generation is not the current generation of the event"

    def __init__(self, generation: int) -> None:
        super().__init__()
        self.generation = generation

    @property
    def members(self) -> dict[str, Any]:
        """The current generation."""
        return {"generation": self.generation}


class WrongClientSecret(RoomError):
    """The client secret does not match that of the join."""

    text = "client_secret does not match the client_secret_hash of the join"


class SessionRefused(RoomError):
    """The entrance gives or renews no session. The texts have the reasons as keys."""

    text = "the entrance gave no session"
    texts: ClassVar[dict[str, str]] = {
        "no_session": "this request has no session of the event",
        "session_over": "the session has expired",
        "session_ended": "the session was completed or abandoned, or the event was reset",
        "invalid_token": "token is not an access token of this event",
        "token_expired": "the token has expired",
        "not_of_site": "only a page of the site itself may send this request",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(self.texts.get(reason, ""))
        self.reason = reason

    @property
    def members(self) -> dict[str, Any]:
        """The reason."""
        return {"reason": self.reason}


class Gone(RoomError):
    """The position or token existed and is final; ``reason`` is the cause, for programs."""

    reason: ClassVar[str] = ""

    @property
    def members(self) -> dict[str, Any]:
        """The reason."""
        return {"reason": self.reason}


class RoomWasReset(Gone):
    """The position belongs to an earlier generation."""

    reason = "reset"
    text = "the event was reset after this join; join again"


class JoinRefused(Gone):
    """The join got no position. The texts have the machine-readable reasons as keys."""

    text = "the event did not accept the join"
    texts: ClassVar[dict[str, str]] = {
        "unknown_event": "no event of this waiting room has this id",
        "not_open": "the event does not accept joins yet",
        "draining": "the event does not accept joins any more",
        "closed": "the event is closed",
        "client_secret": "this event requires client_secret_hash in the join",
    }

    def __init__(self, reason: str) -> None:
        super().__init__(self.texts.get(reason, ""))
        self.why = reason

    @property
    def members(self) -> dict[str, Any]:
        """The reason."""
        return {"reason": self.why}


class PositionExpired(Gone):
    """The position was served, and no token was requested in time."""

    reason = "position_expired"
    text = "this position has expired: no token was requested in time"


class SessionEnded(Gone):
    """The session was completed or abandoned."""

    reason = "session_ended"
    text = "the session of this request_id was completed or abandoned"


class TokenExpired(Gone):
    """The token has expired, or its key was retired."""

    reason = "token_expired"
    text = "the token of this request_id has expired"


class Unavailable(RoomError):
    """A dependency timed out or throttles; retry after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(Unavailable):
    """A dependency limits the requests of the room: many callers cause it, an outage does not."""


class NoKeysYet(Unavailable):
    """No signing key exists. Other failures of the secret store raise Unavailable."""

    def __init__(self) -> None:
        super().__init__("no signing key exists yet: run the set_up function", 5)


class KeysBusy(Unavailable):
    """The signing keys cannot be changed: a change is in progress, or too many are published."""


class CountersLost(Exception):
    """The counters are missing or older than the tables: rebuild them, then repeat the call."""


class Conflict(Exception):
    """Another writer changed the row first: read it and decide again."""


class SettingsError(Exception):
    """A setting is missing or invalid; the message names the setting and the rule."""
