# SPDX-License-Identifier: Apache-2.0
"""Everything that can go wrong, as the domain names it. ``web.py`` holds the statuses.

RoomError
├── InvalidInput           the caller sent something that cannot be meant
├── NotAssignedYet         a join is known to nobody yet: ask again
├── NotServedYet           the line has not come to this position: ask again
├── UnknownRequest         no position belongs to this request id
├── UnknownKey             no signing key has this id
├── NoLiveSession          no token, or its status is already set
├── OtherGeneration        the generation that the caller names is not the one that stands
├── WrongClientSecret      the join was protected and the secret does not fit
├── Gone                   each has a ``reason``
│   ├── RoomWasReset       the position belongs to a line that was reset
│   ├── PositionExpired    the turn was not taken in time
│   ├── SessionEnded       the session was completed or abandoned
│   └── TokenExpired       the token's time is over
└── Unavailable            a store did not answer in time; carries ``retry_after`` (seconds)
    ├── NoKeysYet          the set-up has not run
    └── KeysBusy           another change of the signing keys is under way

CountersLost and Conflict are signals between the use cases and the stores; no caller sees them.
SettingsError stops a function at its start; no request causes it.
"""

from typing import ClassVar


class RoomError(Exception):
    """The base of every error that has a sentence for the caller."""

    @property
    def members(self) -> dict[str, str | int]:
        """What the answer carries beside the sentence, for programs."""
        return {}


class InvalidInput(RoomError):
    """The caller sent something that cannot be meant; the sentence says what."""


class NotAssignedYet(RoomError):
    """The position is not known yet."""


class NotServedYet(RoomError):
    """The serving counter has not reached the position."""


class UnknownRequest(RoomError):
    """No position belongs to this request id."""


class UnknownKey(RoomError):
    """No signing key of this room has the id that the caller names."""


class NoLiveSession(RoomError):
    """There is no token whose session could be ended.

    ``status`` is the one that is set already, as callers write it; None without a token.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status

    @property
    def members(self) -> dict[str, str | int]:
        """``reason``, and ``status`` where one is set."""
        if self.status is None:
            return {"reason": "no_token"}
        return {"reason": "already_set", "status": self.status}


class OtherGeneration(RoomError):
    """The caller names a generation that is not the one that stands, ``generation``."""

    def __init__(self, message: str, generation: int = 0) -> None:
        super().__init__(message)
        self.generation = generation

    @property
    def members(self) -> dict[str, str | int]:
        """The generation that stands."""
        return {"generation": self.generation}


class WrongClientSecret(RoomError):
    """The position was taken with a client secret, and this is not it."""


class Gone(RoomError):
    """It was there and never comes back; ``reason`` says why, for programs."""

    reason: ClassVar[str] = ""

    @property
    def members(self) -> dict[str, str | int]:
        """The reason."""
        return {"reason": self.reason}


class RoomWasReset(Gone):
    """The position belongs to a line that was reset."""

    reason = "reset"


class PositionExpired(Gone):
    """The turn was not taken in time."""

    reason = "position_expired"


class SessionEnded(Gone):
    """The session was completed or abandoned."""

    reason = "session_ended"


class TokenExpired(Gone):
    """The token's time is over."""

    reason = "token_expired"


class Unavailable(RoomError):
    """A store did not answer in time; the same call may succeed after ``retry_after`` seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoKeysYet(Unavailable):
    """No signing key has been made; another answer of the secret store never means that."""

    def __init__(self) -> None:
        super().__init__("no signing key has been made yet: run the set-up", 5)


class KeysBusy(Unavailable):
    """The signing keys cannot be changed now: another change runs, or too many are published."""


class CountersLost(Exception):
    """The fast counters are missing or older than the tables: rebuild them, then ask again."""


class Conflict(Exception):
    """Another writer changed the event first: read it again, then decide again."""


class SettingsError(Exception):
    """A setting is missing or invalid; the message names the setting and the rule."""
