# SPDX-License-Identifier: Apache-2.0
"""Names under which the room stores its data, read back from the stores after real writes.

``persisted_names.txt`` has one line for each: table keys and indexes, attributes of each kind of
item, formats of keys and of packed values, keys and fields in Redis, members of secrets and of
messages. In a format, ``<event>`` stands for the event id, ``<id>`` for a random id and ``N`` for a
number.
"""

from __future__ import annotations

import json
import re
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployment.redrive import Redriven, redrive
from infrastructure.blueprint.resources import CODES, COUNTERS, OUTBOX, TABLES
from tests.contract.test_codes import a_code
from tests.contract.test_joins_queue import JOIN, Line
from tests.support import servers
from tests.support.in_memory_room import in_use, one_key
from waiting_room.adapters.dynamodb.admission import DynamoAdmissionStates
from waiting_room.adapters.dynamodb.counters import DynamoCounters
from waiting_room.adapters.dynamodb.inlet import DynamoInlet
from waiting_room.adapters.dynamodb.openid_codes import DynamoCodes
from waiting_room.adapters.dynamodb.outcome_counts import CountRows
from waiting_room.adapters.dynamodb.outcomes import DynamoOutcomes
from waiting_room.adapters.dynamodb.positions import DynamoPositions
from waiting_room.adapters.dynamodb.public_keys import DynamoPublicKeys
from waiting_room.adapters.dynamodb.serving_log import DynamoServingLog
from waiting_room.adapters.outbox import Outbox, OutboxBus, OutboxJoinQueue
from waiting_room.adapters.redis.counters import RedisCounters
from waiting_room.adapters.secrets_manager import SecretsManagerKeys
from waiting_room.domain import serving_counter
from waiting_room.domain.counter_snapshot import Checkpoint, Snapshot, TokenTally
from waiting_room.domain.events.admission import AdmissionRecord, AdmissionState
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.events.no_shows import Group, NoShows
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.domain.ports.serving_log import Attempt
from waiting_room.domain.published_keys import Publication
from waiting_room.domain.records import (
    EventState,
    Outcome,
    OutcomeKind,
    Position,
    Segment,
    SessionStatus,
    StateDetails,
)
from waiting_room.domain.signing_keys import KeySet
from waiting_room.inlet.strategies import InletRecord, Strategy
from waiting_room.openid.settings import ClientSecrets

ROOT = Path(__file__).resolve().parents[2]
FROZEN = Path(__file__).with_name("persisted_names.txt")
NOW = 1_800_000_000
ID = "0123456789abcdef" * 2
EXPLANATION = """
Names of stored data differ from tests/contract/persisted_names.txt.
Code that expects another name does not find the data of a deployed room: positions, tokens, keys
and counters are lost to it, and old and new functions disagree during a deployment.
Undo the change. If it is a deliberate decision, follow the two steps of
docs/decisions/0114-freeze-persisted-names.md, then edit persisted_names.txt.
"""


NEW_NAMES = """
New names: add these lines to tests/contract/persisted_names.txt, and write them in the function of
this module that writes each kind of data, for Redis `redis_names()`.
"""


def compare(store: str, found: Iterator[str]) -> None:
    """Fail with both differences when the names of a store are not the frozen ones."""
    lines = {line for line in FROZEN.read_text("utf-8").splitlines() if line.startswith(store)}
    names = {f"{store} {name}" for name in found}
    if names == lines:
        return
    if lines < names:
        pytest.fail(NEW_NAMES + "\n".join(sorted(names - lines)), pytrace=False)
    gone = "\n".join(f"  frozen, not found: {line}" for line in sorted(lines - names))
    new = "\n".join(f"  found, not frozen: {line}" for line in sorted(names - lines))
    pytest.fail(f"{EXPLANATION}{gone}\n{new}", pytrace=False)


def pattern(text: str, event_id: str) -> str:
    """The format of a text."""
    text = text.replace(event_id, "<event>")
    text = text.replace(ID, "<id>")
    return re.sub(r"(?<![A-Za-z])-?\d+(\.\d+)?", "N", text)


def members(name: str, value: Any) -> Iterator[str]:
    """The paths of the members of a JSON value."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from members(f"{name}.{key}", one)
    elif isinstance(value, list) and value and not isinstance(value[0], int):
        for one in value:
            yield from members(f"{name}[]", one)
    else:
        yield name


# --- tables ---------------------------------------------------------------------------------------


def write_one_of_each(client: Any, names: Mapping[str, str], event_id: str) -> None:
    """Write every kind of item, with every attribute that it may have."""
    log_table = names["SERVING_LOG_TABLE"]
    positions = DynamoPositions(client, names["QUEUE_POSITIONS_TABLE"], log_table)
    outcomes = DynamoOutcomes(client, names["TOKENS_TABLE"])
    log = DynamoServingLog(client, client, log_table)
    positions.insert([Position(event_id, 1, ID, 1, NOW, "ab" * 32)])
    token = Outcome(event_id, 1, 1, ID, OutcomeKind.TOKEN, NOW, NOW + 60, "issuer", "key")
    outcomes.put_if_absent(token)
    assert outcomes.extend_session(event_id, 1, 1, NOW + 90, NOW)
    ended = outcomes.end_session(event_id, 1, 1, SessionStatus.COMPLETED, NOW + 1, "mark")
    assert ended.done
    outcomes.put_expired([Outcome(event_id, 1, 2, ID, OutcomeKind.EXPIRED, NOW)])
    for _ in range(2):
        state = log.reserve(event_id, 5, log.read(event_id), Attempt(3, ID)).state
    log.set_message(event_id, 1, "soon", NOW + 0.5)
    for current in (2, 4):
        log.add_unused_positions(event_id, 1, [5])
        state = log.read(event_id)
        moved = serving_counter.move(state, current, NOW, "operator", mark=ID, actor="me")
        log.write(state, replace(moved, lowering=1))
    for _ in range(20):  # more than a state row has room for
        state = log.read(event_id)
        log.write(state, serving_counter.move(state, 1, NOW, "operator", mark=ID, actor="me"))
    tally = TokenTally(1, b"\x01", b"\x01", ((NOW, 1),), 1, 1, 0, ((1, NOW),))
    log.save_checkpoint(event_id, Checkpoint(1, 2, NOW, (Segment(1, 2, NOW),), tally))
    keys = in_use(one_key())
    DynamoPublicKeys(client, log_table, time.monotonic, 60).save(
        Publication((*keys.keys, replace(keys.keys[0], confirmed=False)), 1, "change", NOW),
        Publication(),
    )
    inlet = DynamoInlet(client, log_table)
    targets = {"increment_by": 1}
    inlet.write(None, InletRecord(event_id, Strategy.PERIODIC, targets, targets, version=1))
    admission = DynamoAdmissionStates(client, names["EVENTS_TABLE"])
    seen = NoShows(9, 3, (Group(NOW, 9.0, 3.0),))
    record = AdmissionRecord(event_id, 1, AdmissionState(1, NOW, 0.5, no_shows=seen))
    admission.write(AdmissionRecord(event_id), record)
    admission.report_health(event_id, 1.0, NOW)
    admission.report_alarm(event_id, "alarm", Alarm.OK, NOW)
    counted = DynamoCounters(CountRows(client, names["COUNTERS_TABLE"]), log)
    counted.count_token(event_id, 1, 1, NOW + 60, NOW + 60)
    counted.count_session(event_id, 1, 2, NOW + 60, SessionStatus.ABANDONED)
    counted.trim(event_id, NOW, reconciled_at=NOW, swept_at=NOW)
    counted.discard(event_id, 1, 60)
    outbox = Outbox(client, names["OUTBOX_TABLE"], lambda: NOW)
    OutboxBus(outbox).publish("kind", [{"event_id": event_id}])
    queue = OutboxJoinQueue(outbox)
    queue.request_step(event_id, 1)
    queue.deliver_again_after({Receipt("handle"): 1})
    queue.send_to_dead_letters([DeadLetter("id", "body", "reason")])


def items(client: Any, table: str) -> list[dict[str, Any]]:
    """Every item of a table."""
    found: list[dict[str, Any]] = client.scan(TableName=table)["Items"]
    return found


def item_names(table: str, item: Mapping[str, Any], event_id: str) -> Iterator[str]:
    """The kind of an item, its attributes with types, formats of its keys and packed values."""
    entry = item.get("entry") or item.get("item")
    kind = pattern(entry["S"], event_id) if entry else ""
    kind = kind or item.get("kind", {"S": "item"})["S"]
    for name, value in item.items():
        ((type_, content),) = value.items()
        plain = re.sub(r"\d+", "N", name)
        yield f"{table} {kind}: {plain} {type_}"
        if (table, name) == (OUTBOX.name, "id"):
            assert re.fullmatch("[0-9a-f]{32}", content)
        elif name in ("id", "shard", "ended_shard", "event_id", "move"):
            yield f"{table} {kind}: {plain} = {pattern(content, event_id)}"
        if name == "moves":  # the first of them
            *first, mark, _, _ = json.loads(content)[:9]
            yield f"{table} {kind}: moves = {pattern(json.dumps(first), event_id)} <mark> N N"
            assert mark == "ASNFZ4mrze8BI0VniavN7w"  # base64 of ID
        if name == "content":
            for path in members("content", json.loads(zlib.decompress(content))):
                yield f"{table} {kind}: {path}"
        if name in ("jwks", "admission_state") or (table, name) == (OUTBOX.name, "parts"):
            for path in members(name, json.loads(content)):
                yield f"{table} {kind}: {path}"


def table_names(moto_url: str) -> Iterator[str]:
    client = servers.aws_client("dynamodb", moto_url)
    event_id = f"Event-{uuid.uuid4().hex[:8]}"
    names = servers.create_tables(client, f"wr-{uuid.uuid4().hex[:8]}")
    write_one_of_each(client, names, event_id)
    names[CODES.setting] = f"wr-{uuid.uuid4().hex[:8]}-codes"
    servers.create_table(client, CODES, names[CODES.setting])
    codes = DynamoCodes(client, names[CODES.setting])
    code = a_code()
    codes.save(code)
    codes.save(a_code())
    assert codes.redeem(code.hash, code.client_id, NOW)
    for table in (*TABLES, COUNTERS, OUTBOX, CODES):
        made = client.describe_table(TableName=names[table.setting])["Table"]
        yield f"{table.name} time to live: {table.ttl}"
        yield f"{table.name} keys: {_keys(made)}"
        for index in made.get("GlobalSecondaryIndexes", []):
            projected = ", ".join(sorted(index["Projection"].get("NonKeyAttributes", [])))
            yield f"{table.name} index {index['IndexName']}: {_keys(index)}; {projected}"
        for item in items(client, names[table.setting]):
            yield from item_names(table.name, item, event_id)


def _keys(described: Mapping[str, Any]) -> str:
    return ", ".join(one["AttributeName"] for one in described["KeySchema"])


def test_names_in_the_tables_are_frozen(moto_url: str) -> None:
    compare("table", table_names(moto_url))


# --- Redis ----------------------------------------------------------------------------------------


def redis_names(valkey: servers.Valkey) -> Iterator[str]:
    client, event_id = valkey.client(), f"Event-{uuid.uuid4().hex[:8]}"
    counters = RedisCounters(client)
    lease = uuid.uuid4().hex
    counters.acquire_rebuild_lease(event_id, lease)
    yield from _redis_keys(client, event_id)
    state = EventState(event_id, queue=9, reconciled_through=2)
    state = serving_counter.move(state, 4, NOW, "operator")
    tally = TokenTally(0, b"\x80", b"\x80", ((NOW + 60, 1),), 1, 1, 0)
    checkpoint = Checkpoint(1, 1, NOW, (Segment(1, 4, NOW),), tally)
    details = StateDetails(unused_positions=(3,))
    snapshot = Snapshot(state, (), (), checkpoint, unverified=1, details=details)
    assert counters.restore(snapshot, lease)
    counters.acquire_join_leases(event_id, [str(uuid.uuid4())], NOW)
    counters.count_token(event_id, 1, 3, NOW + 60, NOW + 90)
    counters.count_session(event_id, 1, 4, NOW + 60, SessionStatus.ABANDONED)
    counters.checkpoint(event_id, NOW)
    counters.trim(event_id, NOW + 61, reconciled_at=NOW, swept_at=NOW)
    yield from _redis_keys(client, event_id)


def _redis_keys(client: Any, event_id: str) -> Iterator[str]:
    for raw in client.scan_iter(match=f"*{event_id}*"):
        key = pattern(raw.decode(), event_id)
        type_ = client.type(raw).decode()
        yield f"{key} {type_}"
        if key.endswith(":state"):
            for field in client.hkeys(raw):
                yield f"{key} field {field.decode()}"
        elif type_ == "zset":
            yield f"{key} member {pattern(client.zrange(raw, 0, 0)[0].decode(), event_id)}"


def test_names_in_redis_are_frozen(valkey: servers.Valkey) -> None:
    compare("redis", redis_names(valkey))


WRITES = re.compile(r"redis\.call\('(?:HSET|HSETNX|HINCRBY)', STATE, (.+)")


def fields_in(script: str) -> set[str]:
    """Fields of the state hash that a script writes by a literal name."""
    return {name for line in WRITES.findall(script) for name in re.findall(r"'([a-z_]+)'", line)}


def test_each_field_that_a_script_writes_is_frozen(valkey: servers.Valkey) -> None:
    """Also a field that only a call outside of ``redis_names`` writes."""
    scripts = sorted((ROOT / "source/waiting_room/adapters/redis/lua").glob("*.lua"))
    written = set().union(*(fields_in(path.read_text("utf-8")) for path in scripts))
    read_back = {name.rpartition(" field ")[2] for name in redis_names(valkey) if " field " in name}
    assert written
    if written - read_back:
        pytest.fail(
            f"Scripts write the fields {sorted(written - read_back)} of the state hash, and "
            f"redis_names() does not: call the method that writes them there.\n{NEW_NAMES}"
            + "\n".join(f"redis waiting_room:{{<event>}}:state field {name}"
                        for name in sorted(written - read_back)),
            pytrace=False,
        )  # fmt: skip


def test_the_fields_of_a_script_are_found() -> None:
    script = """
    redis.call('HSET', STATE, 'run', RUN, 'lost_at', 1)
    if at then redis.call('HSETNX', STATE, 'first', string.match(at, ':(%d+)$')) end
    redis.call('HINCRBY', LIVE_COUNT, 'other', 1) redis.call('HGET', STATE, 'read')
    redis.call('HINCRBY', STATE, 'refused', 1)
    """
    assert fields_in(script) == {"run", "lost_at", "first", "refused"}


# --- secrets and messages -------------------------------------------------------------------------


def secret_names(moto_url: str) -> Iterator[str]:
    client, name = servers.aws_client("secretsmanager", moto_url), f"keys-{uuid.uuid4().hex[:8]}"
    client.create_secret(Name=name, SecretString="made by the deployment")
    keys = SecretsManagerKeys(client, name, time.monotonic, 60)
    before: KeySet = keys.refresh()
    keys.save(one_key(), before)
    text = client.get_secret_value(SecretId=name)["SecretString"]
    yield from members("signing keys", json.loads(text))
    versions = client.describe_secret(SecretId=name)["VersionIdsToStages"]
    for stage in {stage for stages in versions.values() for stage in stages}:
        yield f"staging label {stage}"


def test_members_of_secrets_are_frozen(moto_url: str) -> None:
    compare("secret", secret_names(moto_url))


def test_members_of_the_secret_of_the_openid_client_are_frozen() -> None:
    text = json.dumps({"client_secret": "a" * 16, "transaction_key": "b" * 16})
    found = ClientSecrets.from_json(text)
    assert (found.client_secret, found.transaction_key) == ("a" * 16, "b" * 16)


def message_names(moto_url: str) -> Iterator[str]:
    line = Line(moto_url)
    line.sqs.send_message(QueueUrl=line.dead, MessageBody=JOIN)
    assert redrive(line.redriver) == Redriven(sent=1)
    (redriven,) = line.messages(line.joins)
    for name, value in redriven["MessageAttributes"].items():
        yield f"redriven join: attribute {name} {value['DataType']}"
    for count in (1, 20):
        line.worker.send_to_dead_letters(
            [DeadLetter(f"id-{n}", "x", "no join", f"id-{n}", NOW * 1000) for n in range(count)]
        )
    for message in line.messages(line.dead):
        kind = "one dead letter" if message["Body"] == "x" else "many dead letters"
        for name, value in message["MessageAttributes"].items():
            yield f"{kind}: attribute {name} {value['DataType']}"
        if kind == "many dead letters":
            for path in members("line", json.loads(message["Body"].splitlines()[0])):
                yield f"{kind}: {path}"


def test_names_in_messages_are_frozen(moto_url: str) -> None:
    compare("message", message_names(moto_url))
