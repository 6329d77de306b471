# SPDX-License-Identifier: Apache-2.0
"""The adapters of queues, buses, secrets and alarms against a client that answers what is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.servers import closed_port
from waiting_room.adapters import aws
from waiting_room.adapters.cached_secret import CachedSecret
from waiting_room.adapters.cloudwatch_alarm import CloudWatchAlarm, CloudWatchAlarms
from waiting_room.adapters.dynamodb.inlet import DynamoInlet
from waiting_room.adapters.event_bus import EventBridgeBus
from waiting_room.adapters.http import json_get
from waiting_room.adapters.http.public_api import MAX_RESPONSE_BYTES, PublicApi
from waiting_room.adapters.join_queue import BATCH, MOST_BYTES, MOST_REASON, NO_BODY, SqsJoinQueue
from waiting_room.adapters.redis import counters
from waiting_room.adapters.secrets_manager import SecretsManagerKeys
from waiting_room.domain.errors import (
    Conflict,
    Gone,
    NoKeysYet,
    NotServedYet,
    RoomWasReset,
    SessionEnded,
    Unavailable,
)
from waiting_room.domain.events.alarms import Alarm
from waiting_room.domain.ports.join_queue import DeadLetter, Receipt
from waiting_room.domain.signing_keys import PUBLIC_MEMBERS, RSA_MEMBERS, KeySet, SigningKey
from waiting_room.openid.settings import ClientSecrets

EVENT = "Sample"


def failed(code: str, kind: type[ClientError] = ClientError) -> ClientError:
    return kind({"Error": {"Code": code}}, "Call")


class NotFound(ClientError):
    """No such thing."""


class Invalid(ClientError):
    """A label stands elsewhere by now."""


class Refused(ClientError):
    """A condition did not hold."""


class Client:
    """Answers by name of the call; keeps what it was asked."""

    class exceptions:
        ClientError = ClientError
        ResourceNotFoundException = NotFound
        InvalidParameterException = Invalid
        InvalidRequestException = Invalid
        ConditionalCheckFailedException = Refused

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[tuple[str, dict[str, Any]]]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            self.asked.append((name, request))
            told = self.answers.get(name, {})
            if isinstance(told, list):
                told = told.pop(0) if len(told) > 1 else told[0]
            if isinstance(told, Exception):
                raise told
            return told(request) if callable(told) else told

        return call

    def of(self, name: str) -> list[dict[str, Any]]:
        return [request for called, request in self.asked if called == name]


# --- the queue of joins ---------------------------------------------------------------------------


def letter(number: int = 1, body: str = "x", sent_at_ms: int = 5) -> DeadLetter:
    return DeadLetter(f"m{number}", body, "reason", f"r{number}", sent_at_ms)


def took_all(request: dict[str, Any]) -> dict[str, Any]:
    return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}


def test_ten_dead_letters_go_as_a_message_each_and_more_go_together() -> None:
    for count, bodies in ((BATCH, BATCH), (BATCH + 1, 1)):
        client = Client(send_message_batch=took_all)
        letters = [letter(number) for number in range(count)]
        assert SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters) == frozenset()
        (request,) = client.of("send_message_batch")
        assert len(request["Entries"]) == bodies
        lines = [line for one in request["Entries"] for line in one["MessageBody"].split("\n")]
        assert len(lines) == count
    assert SqsJoinQueue(Client(), "joins", "dead").send_to_dead_letters([]) == frozenset()


def test_letters_that_go_together_fit_into_their_message_and_are_counted() -> None:
    client = Client(send_message_batch=took_all)
    letters = [letter(number, "x" * (MOST_BYTES // 3)) for number in range(BATCH + 1)]
    SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters)
    entries = [one for request in client.of("send_message_batch") for one in request["Entries"]]
    assert all(len(one["MessageBody"]) <= MOST_BYTES for one in entries)
    counts = [int(one["MessageAttributes"]["message_count"]["StringValue"]) for one in entries]
    assert sorted(counts) == [1, 2, 2, 2, 2, 2]
    told = [json.loads(line) for one in entries for line in one["MessageBody"].split("\n")]
    assert {one["first_request_id"] for one in told} == {one.request_id for one in letters}
    assert {len(one["body"]) for one in told} == {MOST_BYTES // 3}


def test_a_letter_that_json_writes_at_length_goes_alone_and_keeps_none_from_going() -> None:
    client = Client(send_message_batch=took_all)
    letters = [letter(number) for number in range(BATCH + 1)]
    letters[3] = letter(3, "\x01" * (MOST_BYTES // 2))
    assert SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters) == frozenset()
    bodies = [
        one["MessageBody"]
        for request in client.of("send_message_batch")
        for one in request["Entries"]
    ]
    assert sorted(body.count("first_request_id") for body in bodies) == [0, BATCH]


@pytest.mark.parametrize(("more", "requests"), [(0, 1), (1, 2)])
def test_the_bodies_of_a_request_fit_into_it(more: int, requests: int) -> None:
    client = Client(send_message_batch=took_all)
    half = MOST_BYTES // 4
    letters = [letter(1, "é" * half), letter(2, "x" * (MOST_BYTES - 2 * half + more))]
    SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters)
    assert len(client.of("send_message_batch")) == requests


def test_a_letter_larger_than_a_request_still_goes_alone() -> None:
    client = Client(send_message_batch=took_all)
    assert not SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(
        [letter(1, "x" * (MOST_BYTES + 1))]
    )


def test_a_dead_letter_keeps_its_reason_and_only_what_is_known() -> None:
    client = Client(send_message_batch=took_all)
    bare = DeadLetter("m", "", "r" * (MOST_REASON + 1), "", 0)
    SqsJoinQueue(client, "joins", "dead").send_to_dead_letters([bare, letter()])
    first, second = client.of("send_message_batch")[0]["Entries"]
    assert first["MessageBody"] == NO_BODY
    assert set(first["MessageAttributes"]) == {"reason"}
    assert len(first["MessageAttributes"]["reason"]["StringValue"]) == MOST_REASON
    assert second["MessageAttributes"]["first_sent_at_ms"] == {
        "DataType": "Number", "StringValue": "5",
    }  # fmt: skip


def test_letters_that_were_not_taken_are_named() -> None:
    client = Client(send_message_batch={"Successful": [{"Id": "1"}]})
    left = SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(
        [letter(1), letter(2), letter(3)]
    )
    assert left == {"m1", "m3"}


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDenied"])
def test_after_a_failure_no_further_letter_waits_for_the_queue(code: str) -> None:
    client = Client(send_message_batch=failed(code))
    letters = [letter(number) for number in range(20 * BATCH)]
    left = SqsJoinQueue(client, "joins", "dead").send_to_dead_letters(letters)
    assert len(left) == 20 * BATCH
    assert len(client.of("send_message_batch")) <= 8  # those that were under way at once


def test_messages_come_again_ten_a_request() -> None:
    client = Client()
    SqsJoinQueue(client, "joins", "dead").deliver_again_after(
        {Receipt(f"h{n}"): n for n in range(BATCH + 1)}
    )
    first, second = client.of("change_message_visibility_batch")
    assert [entry["VisibilityTimeout"] for entry in first["Entries"]] == list(range(BATCH))
    assert second["Entries"] == [{"Id": "0", "ReceiptHandle": "h10", "VisibilityTimeout": 10}]
    client = Client(change_message_visibility_batch=failed("AccessDenied"))
    with pytest.raises(Unavailable, match="AccessDenied"):
        SqsJoinQueue(client, "joins", "dead").deliver_again_after({Receipt("h"): 1})


# --- the event bus, the alarm ---------------------------------------------------------------------


def test_events_are_sent_ten_a_request_and_a_rejected_one_is_reported() -> None:
    client = Client(put_events={"FailedEntryCount": 0})
    EventBridgeBus(client, "bus").publish("kind", [{"n": n} for n in range(11)])
    entries = [request["Entries"] for request in client.of("put_events")]
    assert [len(one) for one in entries] == [10, 1]
    assert [json.loads(one["Detail"])["n"] for part in entries for one in part] == list(range(11))
    client = Client(put_events={"FailedEntryCount": 1})
    with pytest.raises(Unavailable):
        EventBridgeBus(client, "bus").publish("kind", [{}])


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "AccessDeniedException", "ThrottlingException"]
)
def test_a_bus_that_refuses_is_unavailable_and_no_fault_of_the_call(code: str) -> None:
    client = Client(put_events=failed(code))
    with pytest.raises(Unavailable, match=code):
        EventBridgeBus(client, "bus").publish("kind", [{}])


@pytest.mark.parametrize("state", ["OK", "ALARM", "INSUFFICIENT_DATA"])
def test_an_alarm_of_either_kind_has_its_state(state: str) -> None:
    for kind in ("MetricAlarms", "CompositeAlarms"):
        found = [{"AlarmName": "Other", "StateValue": "OK"}]
        found.append({"AlarmName": "Slow", "StateValue": state})
        assert CloudWatchAlarm(Client(describe_alarms={kind: found}), "Slow")() == Alarm(state)


def test_an_alarm_that_is_not_there_or_in_no_state_is_missing() -> None:
    for found in ([], [{"AlarmName": "Slow", "StateValue": "NEW"}]):
        assert CloudWatchAlarm(Client(describe_alarms={"MetricAlarms": found}), "Slow")() == (
            Alarm.MISSING
        )


def test_alarms_are_read_by_the_beginning_of_their_names_page_by_page() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    first = {"AlarmName": "Room-B-1", "StateValue": "ALARM", "StateReason": "x" * 900}
    second = {"AlarmName": "Room-A-1", "StateValue": "OK", "StateTransitionedTimestamp": at}
    pages = [
        {"MetricAlarms": [first, {"AlarmName": "Room-C-1", "StateValue": "NEW"}], "NextToken": "m"},
        {"CompositeAlarms": [second]},
    ]
    client = Client(describe_alarms=pages)
    found = CloudWatchAlarms(client).beginning_with("Room-")
    assert [(one.name, one.state, one.since, len(one.reason)) for one in found] == [
        ("Room-A-1", Alarm.OK, int(at.timestamp()), 0), ("Room-B-1", Alarm.ALARM, 0, 500),
    ]  # fmt: skip


# --- secrets --------------------------------------------------------------------------------------

WHOLE = dict.fromkeys((*PUBLIC_MEMBERS, *RSA_MEMBERS), "x")
ONE = KeySet((SigningKey(WHOLE, 5),))


def stands(keys: KeySet, version: str) -> dict[str, str]:
    return {"SecretString": keys.to_json(), "VersionId": version}


def secret(**answers: Any) -> tuple[SecretsManagerKeys, Client]:
    client = Client(**answers)
    return SecretsManagerKeys(client, "id", lambda: 0.0, 60), client


def test_a_secret_without_keys_has_none_and_nobody_signs() -> None:
    for told in (failed("x", NotFound), {"SecretString": "random", "VersionId": "v"}):
        keys, client = secret(get_secret_value=told)
        assert keys.refresh().keys == ()
        with pytest.raises(NoKeysYet):
            keys.load()
        assert len(client.asked) == 2  # before nobody signs, the store is asked once more


def test_the_keys_are_read_with_their_version() -> None:
    keys, client = secret(get_secret_value=stands(ONE, "v7"))
    assert keys.load() == ONE
    assert keys.load().version == "v7"
    assert [request["VersionStage"] for request in client.of("get_secret_value")] == ["AWSCURRENT"]


def test_keys_are_saved_beside_and_made_current_in_place_of_those_that_were_read() -> None:
    keys, client = secret(put_secret_value={"VersionId": "v8"}, get_secret_value=stands(ONE, "v8"))
    keys.save(ONE, KeySet((), "v7"))
    assert client.of("update_secret_version_stage") == [
        {
            "SecretId": "id", "VersionStage": "AWSCURRENT", "MoveToVersionId": "v8",
            "RemoveFromVersionId": "v7",
        }
    ]  # fmt: skip
    assert keys.load().version == "v8"
    assert len(client.of("get_secret_value")) == 1


def test_the_first_keys_need_no_label_to_move() -> None:
    keys, client = secret(put_secret_value={"VersionId": "v1"}, get_secret_value=stands(ONE, "v1"))
    keys.save(ONE, KeySet(()))
    assert client.of("update_secret_version_stage") == []


def test_a_save_that_did_not_become_current_is_a_conflict() -> None:
    keys, _ = secret(
        put_secret_value={"VersionId": "v8"},
        get_secret_value=stands(ONE, "v9"),
        update_secret_version_stage=failed("x", Invalid),
    )
    with pytest.raises(Conflict):
        keys.save(ONE, KeySet((), "v7"))


def test_a_client_secret_is_kept_for_its_time() -> None:
    now = [0.0]
    client = Client(get_secret_value={"SecretString": '{"client_secret": "first-secret-0123"}'})
    kept = CachedSecret(client, "id", ClientSecrets.from_json, lambda: now[0], 60)
    for at, reads in ((0.0, 1), (59.9, 1), (60.0, 2), (119.9, 2), (120.0, 3)):
        now[0] = at
        assert kept.load().client_secret == "first-secret-0123"
        assert len(client.asked) == reads


def test_in_an_outage_the_client_secret_is_read_again_every_five_seconds() -> None:
    now, good = [0.0], {"SecretString": '{"client_secret": "first-secret-0123"}'}
    client = Client(get_secret_value=[good, failed("ThrottlingException")])
    kept = CachedSecret(client, "id", ClientSecrets.from_json, lambda: now[0], 60)
    for at, reads in ((0.0, 1), (60.0, 2), (64.9, 2), (65.0, 3)):
        now[0] = at
        assert kept.load().client_secret == "first-secret-0123"
        assert len(client.asked) == reads


# --- the inlet's record ---------------------------------------------------------------------------


def test_the_inlets_record_is_read_consistently_and_may_be_missing() -> None:
    client = Client()
    assert DynamoInlet(client, "t").read(EVENT) is None
    assert client.asked[0][1]["ConsistentRead"] is True


def test_a_record_has_the_defaults_of_what_was_not_noted_yet() -> None:
    item = {
        "event_id": {"S": EVENT}, "strategy": {"S": "Periodic"}, "deployed_targets": {"S": "{}"},
        "targets": {"S": "{}"}, "controller_state": {"S": "{}"},
        "handled_message_ids": {"S": '["a"]'},
    }  # fmt: skip
    for paused, meant in (("0", False), ("1", True), ("2", False)):
        client = Client(get_item={"Item": {**item, "paused": {"N": paused}}})
        found = DynamoInlet(client, "t").read(EVENT)
        assert found is not None
        assert found.paused is meant
        assert found.handled_ids == ("a",)


# --- clients --------------------------------------------------------------------------------------


def test_a_client_of_aws_gives_up_in_time_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    made = aws.client.__wrapped__("sqs", 2)
    chosen = made.meta.config
    assert (chosen.connect_timeout, chosen.read_timeout, chosen.tcp_keepalive) == (1.0, 2.0, True)
    assert chosen.retries["total_max_attempts"] == 2
    assert chosen.retries["mode"] == "standard"
    assert chosen.max_pool_connections >= 50
    assert aws.session() is aws.session()
    assert json_get._opener() is json_get._opener()
    assert counters.source("counts") is counters.source("counts")


def test_the_libraries_below_log_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"botocore": logging.INFO, "urllib3": logging.ERROR}
    for name in names:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    aws.silence_library_logs()
    assert {name: logging.getLogger(name).level for name in names} == names


def test_the_room_is_asked_twice_at_most_and_followed_nowhere() -> None:
    with closed_port() as port:
        room = PublicApi(f"http://127.0.0.1:{port}", EVENT)
        with pytest.raises(Unavailable, match="did not respond"):
            room.access_token("r", None)
    kept = room._pool.connection_pool_kw
    assert (kept["timeout"].connect_timeout, kept["timeout"].read_timeout) == (2.0, 8.0)
    assert (kept["retries"].total, kept["retries"].redirect) == (1, 0)
    assert kept["retries"].allowed_methods is None
    assert kept["maxsize"] == 64
    room._pool.clear()


class Room:
    """A pool that answers one thing and counts connections that come back."""

    def __init__(self, status: int, content: Any) -> None:
        self.status, self.content, self.back = status, content, 0
        self.asked: dict[str, Any] = {}

    def request(self, _method: str, _address: str, **more: Any) -> Any:
        self.asked = more
        return self

    def read(self, longest: int, *, decode_content: bool) -> bytes:
        assert (longest, decode_content) == (MAX_RESPONSE_BYTES, True)
        return json.dumps(self.content).encode()

    def release_conn(self) -> None:
        self.back += 1


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (410, {"reason": "reset"}, RoomWasReset), (410, {"reason": "other"}, Gone),
        (410, {"reason": 5}, Gone), (410, {}, Gone),
        (410, {"reason": "session_ended"}, SessionEnded),
        (202, {"reason": "reset"}, NotServedYet), (201, {"access_token": "t"}, Unavailable),
        (200, {"access_token": None}, Unavailable), (200, [], Unavailable),
    ],
)  # fmt: skip
def test_a_rejection_by_the_room_raises_its_own_error(
    status: int, content: Any, error: type[Exception]
) -> None:
    pool = Room(status, content)
    with pytest.raises(error) as raised:
        PublicApi("https://r", EVENT, pool).access_token("r", None)
    assert type(raised.value) is error
    assert pool.asked["preload_content"] is False
    assert pool.back == 1
