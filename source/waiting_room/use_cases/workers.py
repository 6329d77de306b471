# SPDX-License-Identifier: Apache-2.0
"""The use cases of the workers: a queue, a schedule or a deployment starts them, never a request.

``Room.workers`` imports this module on first use: a cold start of an API does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waiting_room.domain.gate.root_keys import new_root_key
from waiting_room.use_cases.events.admission_steps import AdmissionSteps
from waiting_room.use_cases.events.alarm_states import AlarmStates
from waiting_room.use_cases.events.join_intake import JoinIntake
from waiting_room.use_cases.events.minute_history import MinuteHistory
from waiting_room.use_cases.events.minute_metrics import MinuteMetrics
from waiting_room.use_cases.expiry_sweep import ExpirySweep
from waiting_room.use_cases.gate.headroom_steps import HeadroomSteps
from waiting_room.use_cases.gate.key_rotation import GateKeyRotation
from waiting_room.use_cases.gate.line import LineUpkeep
from waiting_room.use_cases.key_check import KeyCheck
from waiting_room.use_cases.minute_jobs import MinuteJobs
from waiting_room.use_cases.position_assignment import PositionAssigner
from waiting_room.use_cases.position_reconciliation import PositionReconciliation
from waiting_room.use_cases.room_setup import RoomSetup

if TYPE_CHECKING:
    from waiting_room.domain.ports.clock import Clock
    from waiting_room.domain.room_settings import RoomSettings
    from waiting_room.use_cases.counters.room_counters import RoomCounters
    from waiting_room.use_cases.event_control import EventControl
    from waiting_room.use_cases.event_publishing import EventPublisher
    from waiting_room.use_cases.event_state import EventStates
    from waiting_room.use_cases.events.directory import EventDirectory
    from waiting_room.use_cases.key_rotation import SigningKeys
    from waiting_room.use_cases.room import Stores


@dataclass(frozen=True, eq=False, repr=False)
class Workers:
    """The use cases of the workers."""

    assignment: PositionAssigner
    intake: JoinIntake
    minute_jobs: MinuteJobs
    reconciliation: PositionReconciliation
    expiry_sweep: ExpirySweep
    setup: RoomSetup
    admission: AdmissionSteps
    alarm_states: AlarmStates
    history: MinuteHistory
    minute_metrics: MinuteMetrics
    gate_keys: GateKeyRotation
    key_check: KeyCheck
    line: LineUpkeep


def build_workers(
    settings: RoomSettings,
    stores: Stores,
    events: EventDirectory,
    counters: RoomCounters,
    states: EventStates,
    publisher: EventPublisher,
    keys: SigningKeys,
    control: EventControl,
    clock: Clock,
    pause: Callable[[float], None],
) -> Workers:
    """Create the use cases of the workers from the stores and the shared use cases of a room."""
    positions, outcomes, log = stores.positions, stores.outcomes, stores.log
    reconciliation = PositionReconciliation(
        settings, positions, outcomes, log, counters, states, clock
    )
    gate_keys = GateKeyRotation(stores.gate_keys, stores.documents, clock, new_root_key)
    sweep = ExpirySweep(events, positions, outcomes, log, counters, publisher, clock)
    headroom = HeadroomSteps(
        stores.documents, stores.admission, log, stores.straight_through, counters, control, clock
    )
    assigner = PositionAssigner(counters, positions, log, clock)
    return Workers(
        assignment=assigner,
        intake=JoinIntake(events, positions, clock),
        minute_jobs=MinuteJobs(reconciliation, sweep),
        reconciliation=reconciliation,
        expiry_sweep=sweep,
        setup=RoomSetup(settings, keys, gate_keys, counters, stores.documents, clock),
        admission=AdmissionSteps(
            events, stores.documents, stores.admission, headroom, counters, control, clock, pause
        ),
        alarm_states=AlarmStates(
            events, stores.documents, stores.admission, stores.alarms, clock, pause
        ),
        minute_metrics=MinuteMetrics(per_event=settings.metrics_per_event),
        history=MinuteHistory(positions, stores.history, clock),
        gate_keys=gate_keys,
        key_check=KeyCheck(stores.keys, stores.public_keys, stores.gate_keys, clock),
        line=LineUpkeep(events, log, stores.straight_through, clock),
    )
