# SPDX-License-Identifier: Apache-2.0
"""Deletion of an event on Valkey and tables: what stays, and for whom."""

from __future__ import annotations

import pytest

from tests.support import servers
from tests.support.real_stores import RealRoom, kept_registry
from waiting_room.domain.actors import Actor, ActorKind
from waiting_room.domain.errors import UnknownEvent
from waiting_room.domain.events.admission import AdmissionRecord
from waiting_room.domain.events.alarms import Alarm

ADA = Actor(ActorKind.PERSON, "arn:aws:iam::1:user/ada")


def test_a_late_reader_does_not_keep_the_counters_of_a_deleted_event(
    real: RealRoom, valkey: servers.Valkey
) -> None:
    event_id, client = f"{real.event_id}-gone", valkey.client()
    documents, late = real.event_documents(), real.new_room()
    documents.put(event_id, {}, None, actor=ADA)
    stores = real.new_stores()
    stores.admission.report_alarm(event_id, "slow", Alarm.ALARM, 5)
    documents.act(event_id, "close", actor=ADA)
    with kept_registry():
        assert late.metrics.counts(event_id).queue == 0
        documents.delete(event_id, None, actor=ADA)
        assert late.metrics.counts(event_id).queue == 0
    keys = client.keys(f"*{{{event_id}}}*")
    assert keys
    assert all(0 < client.ttl(key) <= 60 for key in keys)
    assert stores.admission.read(event_id) == AdmissionRecord(event_id)
    with pytest.raises(UnknownEvent):
        documents.show(event_id)
    documents.put(event_id, {}, None, actor=ADA)
    assert real.new_room().metrics.counts(event_id).generation == 2
    assert {client.ttl(key) for key in client.keys(f"*{{{event_id}}}*")} == {-1}
