# SPDX-License-Identifier: Apache-2.0
"""The workers: positions, reconciliation, expiry sweep, metrics, bus events and signing keys."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chalice import Chalice

from waiting_room.adapters.aws import skip_validation
from waiting_room.domain.errors import Unavailable
from waiting_room.runtime.time_left import time_left
from waiting_room.runtime.wiring import joins_queue, outbox_sender, room, settings
from waiting_room.runtime.worker_errors import hide_error_texts

app = Chalice(app_name="waiting-room-workers", configure_logs=False)
skip_validation()
app.register_middleware(hide_error_texts, "pure_lambda")
logger = logging.getLogger("waiting_room")

# Functions by the name that the deployment gives them; each takes a Lambda event. The results of
# queue and stream functions list the messages to deliver again (ReportBatchItemFailures).


@app.lambda_function(name="assign_positions")
def assign_positions(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """SQS batch: assign a position to each join; send invalid messages to the dead-letter queue."""
    from waiting_room.runtime.lambda_events import read_joins, read_step_requests

    steps, event = read_step_requests(event)
    for requested in steps:
        _make_step(requested)
    event_id = settings().events[0].event_id
    joins, dead = read_joins(event, event_id, settings().redrive_role_id)
    retry: frozenset[str] = frozenset()
    workers = room().workers
    try:
        found = workers.intake.sort(joins)
        retry = workers.intake.refuse(found)
    except Unavailable as error:
        logger.error("%d joins not processed, SQS delivers them again: %s", len(joins), error)
        found = None
        retry = frozenset(join.message_id for join in joins)
    # a failure of one event delays its own joins only
    for event_id, mine in found.accepted.items() if found else ():
        try:
            workers.line.joins_received(event_id, mine)
            retry |= workers.assignment.assign(event_id, mine).retry
            _make_step(event_id)
        except Unavailable as error:
            logger.error("%d joins not processed, SQS delivers them again: %s", len(mine), error)
            retry |= {join.message_id for join in mine}
    for requested, sent_at in steps.items():
        if workers.line.message_received(requested, sent_at):
            _make_step(requested)
    if retry:
        _come_again(event, retry)
    left: frozenset[str] = frozenset()
    if dead:
        left = joins_queue().send_to_dead_letters(dead)
        logger.warning(
            "%d invalid join messages moved to the dead-letter queue", len(dead) - len(left)
        )
    failed = sorted(retry | left)
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _make_step(event_id: str) -> None:
    """Admit visitors of an event in which no visitor waited; request the next step if some wait.

    The requests bridge the time until the next run of ``admit``. Then its steps are not due any
    more for this worker, and the requests end.
    """
    seconds = room().workers.admission.step_after_joins(event_id)
    if seconds is None:
        return
    try:
        joins_queue().request_step(event_id, math.ceil(seconds))
    except Unavailable as error:
        logger.warning(
            "next admission step not requested, the function admit makes it within a minute: %s",
            error,
        )


def _come_again(event: dict[str, Any], retry: frozenset[str]) -> None:
    """Shorten the time until SQS delivers messages again; after an error its own time holds."""
    from waiting_room.domain.joins import seconds_until_again
    from waiting_room.runtime.lambda_events import receipts

    found = receipts(event)
    due = {found[one]: seconds_until_again(found[one].count) for one in retry if one in found}
    try:
        joins_queue().deliver_again_after(due)
    except Unavailable as error:
        logger.warning(
            "visibility timeout of joins not changed, the default of the queue applies: %s", error
        )


@app.lambda_function(name="publish_events")
def publish_events(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Stream batch of the token table: publish the outcomes on the bus."""
    from waiting_room.runtime.lambda_events import read_outcomes

    batch = read_outcomes(event)
    room().publisher.publish_outcomes(batch.decided, batch.extended)
    return {"batchItemFailures": []}


@app.lambda_function(name="count_outcomes")
def count_outcomes(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Stream batch of the token table: count tokens and sessions if the counters are in DynamoDB.

    After a failure the stream delivers the whole batch again. What is counted already stays so.
    """
    from waiting_room.runtime.lambda_events import read_outcomes

    batch = read_outcomes(event)
    room().counters.count_delivered([*batch.decided, *batch.extended])
    return {"batchItemFailures": []}


@app.lambda_function(name="send_outbox")
def send_outbox(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Stream batch of the outbox: send its messages to the bus and the queues, outside the VPC.

    After a failure the stream delivers the first message that is not sent and all later ones again.
    """
    from waiting_room.runtime.lambda_events import read_outbox

    again = outbox_sender().send_all(list(read_outbox(event)))
    return {"batchItemFailures": [] if again is None else [{"itemIdentifier": again}]}


@app.lambda_function(name="sweep_positions")
def sweep_positions(event: dict[str, Any], _context: object) -> dict[str, int]:
    """Every minute: reconcile assigned positions, then expire positions."""
    from waiting_room.runtime.lambda_events import read_tick

    tick, swept = read_tick(event), 0

    failures = _Failures()
    for event_id in room().directory.with_minute_work():
        with failures.caught(event_id):
            swept += room().workers.minute_jobs.run(event_id, tick).expired_through
    failures.report()
    return {"swept": swept}


@app.lambda_function(name="admit")
def admit(_event: dict[str, Any], context: object) -> dict[str, int]:
    """Every minute: make the steps of automatic admission while an event has a queue."""
    admission = room().workers.admission
    return {"admitted": admission.run_minute(time_left(context), _send_through_queue)}


def _send_through_queue(event_id: str) -> None:
    """Send a message that removes ``line``, unless the join queue delays it."""
    try:
        joins_queue().request_step(event_id, 0)
    except Unavailable as error:
        logger.warning(
            "message to the join queue not sent, visitors of %s do not go straight through yet: %s",
            event_id,
            error,
        )


@app.lambda_function(name="read_alarms")
def read_alarms(_event: dict[str, Any], context: object) -> dict[str, int]:
    """Every minute: store the states of the alarms that slow admission."""
    return {"watched": room().workers.alarm_states.run_minute(time_left(context))}


@app.lambda_function(name="report_metrics")
def report_metrics(_event: dict[str, Any], _context: object) -> dict[str, int]:
    """Every minute: send the metrics to the bus and to CloudWatch, and store the history."""
    from waiting_room.adapters.embedded_metrics import emit

    own: dict[str, int] = {}
    minute = room().workers.minute_metrics

    failures = _Failures()
    for event_id in room().directory.with_minute_work():
        with failures.caught(event_id):
            counts = room().metrics.report(event_id)
            figures = minute.add(event_id, counts)
            own = figures if room().directory.is_own(event_id) else own
            room().workers.history.record(event_id, room().directory.visible(event_id, counts))
    sums, changed = minute.end(complete=not failures.any)
    if sums:
        emit(sums, settings().stack_name)
    for event_id, figures in changed.items():
        emit(figures, settings().stack_name, event_id)
    failures.report()
    return own


class _Failures:
    """Failures of the events' jobs."""

    def __init__(self) -> None:
        self._last: Unavailable | None = None

    @contextmanager
    def caught(self, event_id: str) -> Iterator[None]:
        """Catch Unavailable in the job of an event, so that the other events continue."""
        try:
            yield
        except Unavailable as error:
            logger.error(
                "job of the event %s failed, the next minute repeats it: %s", event_id, error
            )
            self._last = error

    @property
    def any(self) -> bool:
        """Whether the job of an event failed."""
        return self._last is not None

    def report(self) -> None:
        """Raise the last Unavailable, so that the function's error alarm sees it."""
        if self._last:
            raise self._last


@app.lambda_function(name="rotate_keys")
def rotate_keys(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """On a schedule: add a signing key, published before it signs, and a key of the gate.

    The key of the gate is added when no session needs the older one. It revokes no
    key. A payload other than the schedule's changes nothing.
    """
    from waiting_room.domain.actors import scheduled

    if event != {} and not (isinstance(event, dict) and "detail-type" in event):
        return {"error": "rotate_keys takes no payload; to revoke a key, call POST /rotate_keys"}
    keys = room().keys.rotate(actor=scheduled("rotate_keys")).keys
    if room().workers.gate_keys.is_due():
        room().workers.gate_keys.rotate(actor=scheduled("rotate_keys"))
    return {"key_ids": [key.key_id for key in keys]}


@app.lambda_function(name="check_keys")
def check_keys(_event: dict[str, Any], _context: object) -> dict[str, str]:
    """Every hour: check the keys; fail if one is missing, so that the alarm Keys reports it."""
    if why_keys_fail := "; ".join(room().workers.key_check.faults()):
        raise Unavailable(f"keys: {why_keys_fail}")
    return {"status": "complete"}


@app.lambda_function(name="set_up")
def set_up(_event: dict[str, Any], _context: object) -> dict[str, str]:
    """At deployment: create the first key, the events' state rows and the counters. Idempotent."""
    room().workers.setup.run()
    return {"status": "ready"}
