# SPDX-License-Identifier: Apache-2.0
"""Permissions of each function, as plain data.

They determine a function's role, its environment and whether it runs inside the VPC. A grant names
a resource of the room and the calls to it that the function's code makes. No function can create or
delete a table. Only workers and operators' routes can write to the serving log and to the events.
The module has more than 300 lines because it is one list of all permissions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Resource(StrEnum):
    """A resource of the room, by the setting that contains its name or address."""

    POSITIONS = "QUEUE_POSITIONS_TABLE"
    TOKENS = "TOKENS_TABLE"
    SERVING_LOG = "SERVING_LOG_TABLE"
    EVENTS = "EVENTS_TABLE"
    COUNTERS = "REDIS_AUTH_SECRET"
    COUNTERS_TABLE = "COUNTERS_TABLE"  # instead of COUNTERS if the counters are in DynamoDB
    SIGNING_KEYS = "SIGNING_KEYS_SECRET"
    GATE_KEYS = "GATE_KEYS_SECRET"
    GATE_STORE = "GATE_STORE_ARN"
    GATE_API_KEY = "GATE_API_KEY_SECRET"
    BUS = "EVENT_BUS_NAME"
    CODES = "OPENID_CODES_TABLE"
    CLIENT = "OPENID_CLIENT_SECRET_ID"
    JOINS = "JOIN_QUEUE_URL"
    DEAD_LETTERS = "JOIN_DEAD_LETTER_QUEUE_URL"
    OUTBOX = "OUTBOX_TABLE"
    ALARMS = "ALARMS"  # all alarms of the account: no function needs a name of one


@dataclass(frozen=True)
class Grant:
    """Calls to one resource, or to its secondary index if ``index`` is not empty."""

    resource: Resource
    actions: tuple[str, ...]
    index: str = ""


def positions(*calls: str) -> Grant:
    """Return a grant of calls to the positions table."""
    return Grant(Resource.POSITIONS, _dynamodb(calls))


def tokens(*calls: str) -> Grant:
    """Return a grant of calls to the tokens table."""
    return Grant(Resource.TOKENS, _dynamodb(calls))


def serving_log(*calls: str) -> Grant:
    """Return a grant of calls to the serving log."""
    return Grant(Resource.SERVING_LOG, _dynamodb(calls))


def events(*calls: str) -> Grant:
    """Return a grant of calls to the events table."""
    return Grant(Resource.EVENTS, _dynamodb(calls))


def counters_table(*calls: str) -> Grant:
    """Return a grant of calls to the table of the counters."""
    return Grant(Resource.COUNTERS_TABLE, _dynamodb(calls))


def _dynamodb(calls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"dynamodb:{call}" for call in calls)


PASSWORD = Grant(Resource.COUNTERS, ("secretsmanager:GetSecretValue",))
READ_KEYS = Grant(Resource.SIGNING_KEYS, ("secretsmanager:GetSecretValue",))
WRITE_KEYS = Grant(
    Resource.SIGNING_KEYS,
    ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
)
READ_GATE_KEYS = Grant(Resource.GATE_KEYS, ("secretsmanager:GetSecretValue",))
WRITE_GATE_KEYS = Grant(
    Resource.GATE_KEYS,
    ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
)
CHANGE_GATE_KEYS = (READ_GATE_KEYS, WRITE_GATE_KEYS, events("UpdateItem"))
CHANGE_KEYS = (READ_KEYS, WRITE_KEYS, serving_log("GetItem", "PutItem"))
PUBLISH = Grant(Resource.BUS, ("events:PutEvents",))
ENDED = Grant(Resource.TOKENS, ("dynamodb:Query",), index="EndedSessions")
BY_POSITION = Grant(Resource.POSITIONS, ("dynamodb:Query",), index="ByPosition")
READ_EVENTS = events("GetItem")  # the registry, and the document of one event
CHANGE_EVENTS = events("GetItem", "PutItem", "UpdateItem")  # document, registry and audit entry
# Each function that uses the counters can rebuild them from the tables. A function that reads their
# numbers also reads the state row while a lower serving counter or a reset is announced.
REBUILD = (PASSWORD, serving_log("Query"), tokens("Query"))
COUNTERS = (*REBUILD, serving_log("GetItem"))
TOKEN = (*COUNTERS, READ_EVENTS, positions("GetItem"), tokens("GetItem", "PutItem"), READ_KEYS)
LOOK = (*COUNTERS, READ_EVENTS)
# A step of automatic admission writes its state and moves the serving counter.
ADMIT = (events("UpdateItem"), serving_log("UpdateItem", "PutItem"), PUBLISH)

PUBLIC = {
    "queue_num": (
        positions("GetItem", "BatchGetItem"),
        serving_log("BatchGetItem"),
        READ_EVENTS,
    ),
    "serving_num": LOOK,
    "waiting_num": LOOK,
    "status": LOOK,
    "page": (READ_EVENTS,),
    "queue_pos_expiry": (*LOOK, positions("GetItem")),
    "generate_token": TOKEN,
    "public_key": (serving_log("GetItem"), READ_EVENTS),
    "jwks": (serving_log("GetItem"),),
    "ended_sessions": (serving_log("GetItem"), READ_EVENTS, ENDED),
}
PRIVATE = {
    "increment_serving_counter": (*LOOK, serving_log("UpdateItem", "PutItem"), PUBLISH),
    "num_active_tokens": LOOK,
    "metrics": LOOK,
    "expired_tokens": (serving_log("GetItem"), READ_EVENTS, tokens("Query")),
    "generate_token": TOKEN,
    "update_session": (
        *REBUILD,
        READ_EVENTS,
        positions("BatchGetItem"),
        serving_log("BatchGetItem"),
        tokens("UpdateItem"),
    ),
    "request_status": (*LOOK, positions("GetItem"), BY_POSITION, tokens("GetItem")),
    "update_message": (*LOOK, serving_log("UpdateItem")),
    "show_inlet": (serving_log("GetItem"),),
    "change_inlet": (serving_log("GetItem", "UpdateItem"),),
    "reset_initial_state": (
        *COUNTERS,
        serving_log("PutItem", "UpdateItem"),
        READ_EVENTS,
        PUBLISH,
    ),
    "rotate_keys": CHANGE_KEYS,
    "rotate_gate_keys": CHANGE_GATE_KEYS,
    "list_events": (events("GetItem", "BatchGetItem"),),
    "show_event": (READ_EVENTS, serving_log("Query")),
    "put_event": (
        *COUNTERS,
        CHANGE_EVENTS,
        events("Query", "BatchGetItem"),
        serving_log("PutItem", "UpdateItem"),
        PUBLISH,
    ),
    "patch_event": (CHANGE_EVENTS, events("BatchGetItem"), PUBLISH),
    "delete_event": (
        CHANGE_EVENTS,
        events("DeleteItem"),
        PASSWORD,
        serving_log("GetItem"),
        PUBLISH,
    ),
    "act_on_event": (
        *COUNTERS,
        CHANGE_EVENTS,
        positions("BatchGetItem"),
        serving_log("BatchGetItem", "PutItem", "UpdateItem"),
        tokens("UpdateItem"),
        PUBLISH,
    ),
    "show_audit": (events("GetItem", "Query"), serving_log("GetItem", "Query")),
    "show_history": (events("GetItem", "Query"),),
    "show_alarms": (events("GetItem"), Grant(Resource.ALARMS, ("cloudwatch:DescribeAlarms",))),
    "show_gate": (READ_EVENTS, serving_log("Query"), READ_GATE_KEYS),
    "report_health": (events("GetItem", "UpdateItem"),),
}
# Routes of the private API by role: watch, steer, administer. A test fails for a route that is in
# no list. The operators' group has all routes except KEYS and EVENTS, so all of the AWS solution.
# A path parameter matches any text in IAM, also slashes: see DENIED.
WATCHING = (
    "GET /alarms",
    "GET /events",
    "GET /events/{event_id}",
    "GET /events/{event_id}/audit",
    "GET /events/{event_id}/history",
    "GET /expired_tokens",
    "GET /inlet",
    "GET /metrics",
    "GET /num_active_tokens",
    "GET /request_status",
)
STEERING_ACTIONS = (  # all but the reset
    "open", "pause", "resume", "drain", "close", "pass_through", "queue", "admit", "end_session",
)  # fmt: skip
STEERING = (
    *WATCHING,
    *(f"POST /events/{{event_id}}/actions/{action}" for action in STEERING_ACTIONS),
    "POST /generate_token",
    "POST /increment_serving_counter",
    "POST /inlet",
    "POST /update_message",
    "POST /update_session",
)
RESET = ("POST /events/{event_id}/actions/reset", "POST /reset_initial_state")
KEYS = ("POST /rotate_gate_keys", "POST /rotate_keys")
OPERATORS = (*STEERING, *RESET)
EVENTS = ("DELETE /events/{event_id}", "PATCH /events/{event_id}", "PUT /events/{event_id}")
ADMINISTRATORS = (*OPERATORS, *KEYS, *EVENTS)
# The site reports its health with a role of its own; no group of people has this route.
SITE = ("POST /events/{event_id}/health",)
# Returns keys of the gate: only the role of a gate has it. `GET /events/*` matches it too, so the
# policies of people and of the site deny it.
GATE = ("GET /events/{event_id}/gate",)
DENIED = GATE
# The entrance of protected sites has no counters, so it needs no VPC.
RENEW = (READ_EVENTS, serving_log("GetItem"), tokens("GetItem", "UpdateItem"), READ_GATE_KEYS)
ENTRANCE = {
    "enter": (READ_EVENTS, serving_log("GetItem", "UpdateItem")),
    "session": (
        *RENEW,
        events("UpdateItem"),
        serving_log("PutItem", "UpdateItem", "Query"),
        positions("PartiQLInsert", "BatchGetItem"),
        tokens("PutItem"),
    ),
    "begin_session": (*RENEW, positions("BatchGetItem"), serving_log("BatchGetItem")),
    "renew": RENEW,
    "leave": (READ_EVENTS, serving_log("GetItem"), tokens("UpdateItem"), READ_GATE_KEYS),
    "join": (READ_EVENTS, READ_GATE_KEYS, Grant(Resource.JOINS, ("sqs:SendMessage",))),
    "wait": (
        READ_EVENTS,
        READ_GATE_KEYS,
        serving_log("GetItem", "Query"),
        positions("GetItem"),
        tokens("PutItem", "UpdateItem"),
    ),
}
WORKERS = {
    "assign_positions": (
        *LOOK,
        positions("BatchGetItem", "PartiQLInsert"),
        serving_log("UpdateItem"),
        *ADMIT,
        Grant(Resource.JOINS, ("sqs:ChangeMessageVisibility", "sqs:SendMessage")),
        Grant(Resource.DEAD_LETTERS, ("sqs:SendMessage",)),
    ),
    "publish_events": (*REBUILD, PUBLISH),
    "sweep_positions": (
        *LOOK,
        BY_POSITION,
        tokens("GetItem", "PartiQLInsert"),
        serving_log("UpdateItem", "PutItem"),
        PUBLISH,
    ),
    "admit": (*LOOK, *ADMIT, Grant(Resource.JOINS, ("sqs:SendMessage",))),
    "read_alarms": (
        events("GetItem", "BatchGetItem", "UpdateItem"),
        Grant(Resource.ALARMS, ("cloudwatch:DescribeAlarms",)),
    ),
    "report_metrics": (*LOOK, BY_POSITION, events("PutItem"), PUBLISH),
    "rotate_keys": (*CHANGE_KEYS, *CHANGE_GATE_KEYS),
    "check_keys": (READ_KEYS, READ_GATE_KEYS, serving_log("GetItem")),
    "set_up": (
        *COUNTERS,
        READ_KEYS,
        WRITE_KEYS,
        *CHANGE_GATE_KEYS,
        serving_log("PutItem"),
        CHANGE_EVENTS,
    ),
}
# With COUNTERS_STORE=dynamodb. A transaction needs the permission of each of its writes.
TABLE_COUNTER_WORKERS = {
    "count_outcomes": (
        serving_log("GetItem"),
        counters_table("BatchGetItem", "PutItem", "UpdateItem"),
    ),
}
# Functions inside the VPC cannot call these services: they write to the outbox instead.
OUTSIDE = frozenset({Resource.BUS, Resource.JOINS, Resource.DEAD_LETTERS})
WRITE_OUTBOX = Grant(Resource.OUTBOX, ("dynamodb:PutItem",))
OUTBOX_WORKERS = {
    "send_outbox": (
        PUBLISH,
        Grant(Resource.JOINS, ("sqs:ChangeMessageVisibility", "sqs:SendMessage")),
        Grant(Resource.DEAD_LETTERS, ("sqs:SendMessage",)),
    ),
}
READ_CLIENT = Grant(Resource.CLIENT, ("secretsmanager:GetSecretValue",))
OPENID = {
    "authorize": (READ_CLIENT,),
    "resume": (READ_CLIENT, READ_KEYS, Grant(Resource.CODES, _dynamodb(("PutItem",)))),
    "token": (READ_CLIENT, READ_KEYS, Grant(Resource.CODES, _dynamodb(("UpdateItem",)))),
    "user_info": (READ_KEYS,),
    "configuration": (),
    "jwks": (READ_KEYS,),
}
INLET = (serving_log("GetItem", "UpdateItem"),)
# A role that writes rules into a KeyValueStore can also read the keys in it: IAM has no condition.
CHANGE_GATE_STORE = Grant(
    Resource.GATE_STORE,
    (
        "cloudfront-keyvaluestore:DescribeKeyValueStore",
        "cloudfront-keyvaluestore:ListKeys",
        "cloudfront-keyvaluestore:UpdateKeys",
    ),
)
GATE_STORE = {
    "write_gate_store": (
        events("GetItem", "BatchGetItem"),
        serving_log("Query"),
        READ_GATE_KEYS,
        CHANGE_GATE_STORE,
    ),
    "watch_room": (
        events("GetItem", "BatchGetItem"),
        Grant(Resource.GATE_API_KEY, ("secretsmanager:GetSecretValue",)),
        CHANGE_GATE_STORE,
    ),
}
TOKEN_ISSUING_VIEWS = frozenset({"generate_token"})  # views that name the issuer of a token
# A function with a grant to one of them uses the counters. With Redis it is inside the VPC.
COUNTER_STORES = (Resource.COUNTERS, Resource.COUNTERS_TABLE)


class MissingGrant(Exception):
    """A function without grants, or grants without a function; the text names what to change."""


def check_grants(table: str, functions: Iterable[str]) -> None:
    """Raise MissingGrant unless a table of this module has one entry for each function.

    ``table`` is the name of the table, such as "PUBLIC"; its keys are names of functions.
    """
    needed, granted = set(functions), set(globals()[table])
    here = f"{table} in infrastructure/blueprint/permissions.py"
    changes = [f"Add `{one}` to {here}, with the calls it makes" for one in needed - granted]
    changes += [f"Remove `{one}` from {here}: no function has it" for one in granted - needed]
    if changes:
        raise MissingGrant(". ".join(sorted(changes)))


# --- counters in DynamoDB ------------------------------------------------------------------------

# Functions that read tokens for another reason than a rebuild.
_READ_TOKENS = frozenset({"sweep_positions", "set_up"})
# Functions that write to the table of the counters: totals, times of jobs, the end of an event's
# rows.
_WRITE_COUNTERS = {
    "sweep_positions": ("PutItem", "UpdateItem"),
    "delete_event": ("UpdateItem",),
    "set_up": ("PutItem", "UpdateItem"),
}


def with_table_counters(function: str, grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return the grants of a function if the counters are in DynamoDB instead of Redis.

    It reads no password, so it is outside any VPC. Nothing is rebuilt from the tokens. The state
    row is part of the counters.
    """
    given = tuple(grants)
    if PASSWORD not in given:
        return given
    dropped = {PASSWORD} if function in _READ_TOKENS else {PASSWORD, tokens("Query")}
    kept = tuple(grant for grant in given if grant not in dropped)
    calls = ("BatchGetItem", "Query", *_WRITE_COUNTERS.get(function, ()))
    return (*kept, serving_log("GetItem", "Query"), counters_table(*calls))


# --- inside a VPC --------------------------------------------------------------------------------


def with_outbox(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return the grants of a function in the VPC: it writes to the outbox what it cannot send."""
    given = tuple(grants)
    kept = tuple(grant for grant in given if grant.resource not in OUTSIDE)
    return (*kept, WRITE_OUTBOX) if len(kept) < len(given) else kept
