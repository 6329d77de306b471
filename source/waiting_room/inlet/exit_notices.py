# SPDX-License-Identifier: Apache-2.0
"""Exit notices: the site's SNS messages that visitors left.

Invalid members of a notice are logged and left out; the valid ones count.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.joins import REQUEST_ID
from waiting_room.domain.parsing import UNREADABLE, is_whole, json_object, read_whole
from waiting_room.inlet.ports import RoomApi

MAX_EXITED = 1_000_000  # per notice: the serving counter is not raised by more at once

logger = logging.getLogger("waiting_room")


@dataclass(frozen=True, slots=True)
class ExitNotice:
    """One notice.

    ``exited`` is the number of all visitors who left, including those in the lists. ``faults``
    names each part that was left out, in a sentence without its value.
    """

    exited: int = 0
    completed: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exits:
    """Numbers of visitors in one notice: ``left``, and of those ``unnamed``, without a session."""

    message_id: str
    left: int
    unnamed: int


def parse_exit_notice(message: str) -> ExitNotice:
    """Parse ``{"exited": n?, "completed": [id…]?, "abandoned": [id…]?}``.

    A number may be a text. Invalid members and invalid ids are left out. Raises InvalidInput when
    the message is not a JSON object.
    """
    content = json_object(message, "the message")
    faults: list[str] = []
    exited = _exited(content.get("exited"), faults)
    completed = _ids(content, "completed", faults)
    named = set(completed)
    abandoned = tuple(one for one in _ids(content, "abandoned", faults) if one not in named)
    return ExitNotice(exited, completed, abandoned, tuple(faults))


def new_exit_notices(
    records: Sequence[Mapping[str, Any]], handled_ids: Sequence[str]
) -> dict[str, ExitNotice]:
    """Return the notices of SNS records by message id, without those in ``handled_ids``.

    An invalid record is skipped. An invalid message becomes an empty notice.
    """
    found: dict[str, ExitNotice] = {}
    for record in records:
        try:
            sns = record["Sns"]
            message_id, message = sns.get("MessageId") or "", sns["Message"]
            if not (isinstance(message_id, str) and isinstance(message, str)):
                raise TypeError
        except UNREADABLE as error:
            logger.warning("skipped a record that is not an SNS message: %s", type(error).__name__)
            continue
        message_id = message_id or str(uuid.uuid4())
        if message_id in handled_ids or message_id in found:
            continue
        try:
            notice = parse_exit_notice(message)
        except InvalidInput as error:
            logger.warning("skipped an invalid exit notice: %s", error)
            notice = ExitNotice()
        for fault in notice.faults:
            logger.warning("left out a part of an exit notice: %s", fault)
        found[message_id] = notice
    return found


def end_sessions(room: RoomApi, event_id: str, notices: Mapping[str, ExitNotice]) -> list[Exits]:
    """End the sessions that the notices name, and return how many visitors left by each notice.

    The message id is the call id, so a run that is repeated after a failure counts the same
    visitors again. Raises Unavailable.
    """
    completed = {one for notice in notices.values() for one in notice.completed}
    named: set[str] = set()
    left = []
    for message_id, notice in notices.items():
        ended = 0
        for ids, status in ((notice.completed, 1), (notice.abandoned, -1)):
            new = tuple(
                one for one in ids if one not in named and (status == 1 or one not in completed)
            )
            named.update(new)
            if new:
                ended += room.end_sessions(event_id, new, status, message_id)
        left.append(Exits(message_id, max(ended, notice.exited), max(0, notice.exited - ended)))
    return left


def _exited(value: object, faults: list[str]) -> int:
    if isinstance(value, str):
        value = read_whole(value.strip(), 0, MAX_EXITED)
    elif value is None:
        return 0
    if is_whole(value) and 0 <= value <= MAX_EXITED:
        return value
    faults.append(f"exited must be a whole number from 0 to {MAX_EXITED}")
    return 0


def _ids(content: Mapping[str, Any], name: str, faults: list[str]) -> tuple[str, ...]:
    values = content.get(name)
    if values is None:
        return ()
    if not isinstance(values, list):
        faults.append(f"{name} must be a list of request ids")
        return ()
    valid = [one.lower() for one in values if isinstance(one, str) and REQUEST_ID.fullmatch(one)]
    if len(valid) < len(values):
        faults.append(f"{len(values) - len(valid)} entries of {name} are not request ids")
    return tuple(dict.fromkeys(valid))
