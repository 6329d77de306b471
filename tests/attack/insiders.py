# SPDX-License-Identifier: Apache-2.0
"""Finding 9: what an insider may do by the templates' policies, and without leaving a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.attack.report import Attempt
from tests.attack.target import Target
from tests.attack.templates import stacks

FAULT = "insiders"
RESET = "/POST/reset_initial_state"
FORBIDDEN = {
    "reset the line": ("execute-api:Invoke", RESET),
    "write joins into the queue": ("sqs:SendMessage", "JoinQueue"),
    "read the signing keys": ("secretsmanager:GetSecretValue", "SigningKeys"),
    "replace the signing keys": ("secretsmanager:PutSecretValue", "SigningKeys"),
    "rotate the signing keys": ("execute-api:Invoke", "/POST/rotate_keys"),
    "read the keys of the gate": ("secretsmanager:GetSecretValue", "GateKeys"),
    "rotate the keys of the gate": ("execute-api:Invoke", "/POST/rotate_gate_keys"),
    "invoke a function by hand": ("lambda:InvokeFunction", "RotateKeys"),
    "write the tables": ("dynamodb:PutItem", "Table"),
}


def run(target: Target) -> list[Attempt]:
    """By the templates, then in the running room."""
    return [*_policies(), *_trace(target), *_generation(target)]


def groups(resources: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The statements of each group of people in a template, by logical id."""
    managed = {
        name: made["Properties"]["PolicyDocument"]["Statement"]
        for name, made in resources.items()
        if made["Type"] == "AWS::IAM::ManagedPolicy"
    }
    found = {}
    for name, made in resources.items():
        if made["Type"] == "AWS::IAM::Group":
            named = [one.get("Ref", "") for one in made["Properties"].get("ManagedPolicyArns", [])]
            found[name] = [statement for ref in named for statement in managed.get(ref, [])]
    return found


def allows(statements: list[Mapping[str, Any]], action: str, resource: str) -> bool:
    """Return whether statements allow an action on a resource whose text has ``resource``.

    Wildcards of the statements count; references are compared by the names of what they mean.
    """
    for one in statements:
        actions = one["Action"] if isinstance(one["Action"], list) else [one["Action"]]
        if one["Effect"] == "Allow" and any(fnmatchcase(action, each) for each in actions):
            wanted = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
            if any(_covers(each, resource) for each in wanted):
                return True
    return False


def _covers(written: Any, resource: str) -> bool:
    text = written if isinstance(written, str) else json.dumps(written)
    tail = text.rstrip('"]} ')
    if text == "*" or resource.lower() in text.lower():
        return True
    return resource.startswith("/") and (tail.endswith(("/*/*", "/*", "/POST/*")))


def _policies() -> Iterator[Attempt]:
    found = groups(
        {name: made for stack in stacks().values() for name, made in stack.resources.items()}
    )
    steering = [one for name, one in found.items() if "steering" in name.lower()]
    may = [one for one in found.values() if allows(one, "execute-api:Invoke", "/POST/increment")]
    for what, (action, resource) in FORBIDDEN.items():
        if steering:
            granted = any(allows(one, action, resource) for one in steering)
        else:  # there is no narrower group: whoever steers has this one
            granted = any(allows(one, action, resource) for one in may)
        yield Attempt(
            FAULT, f"{what}, as a member of the narrowest group that may steer",
            "allowed" if granted else "not allowed", granted,
        )  # fmt: skip


def _trace(target: Target) -> Iterator[Attempt]:
    room = target.room
    changes = {
        "a move of the counter": ("serving_counter", lambda: room.serve(1)),
        "a new message": (
            "message", lambda: room.private("POST", "/update_message", {"message": "hello"})
        ),
        "a new key": ("signing_keys", lambda: room.private("POST", "/rotate_keys")),
        "a reset": ("reset", lambda: room.private("POST", "/reset_initial_state")),
    }  # fmt: skip
    for what, (name, change) in changes.items():
        before = _changes(room.logs(), name)
        change()
        known = len(before)
        target.until(lambda name=name, n=known: len(_changes(room.logs(), name)) > n, 5)  # type: ignore[misc]
        # the logs of several processes stand one after the other: new lines are not the last ones
        lines = [one for one in _changes(room.logs(), name) if one not in before]
        whole = [
            one
            for one in lines
            if one.get("who") not in (None, "", "unknown")
            and one.get("kind") == "person"
            and "before" in one
            and "after" in one
        ]
        yield Attempt(
            FAULT, f"{what} that the log does not attribute",
            f"{len(lines)} lines, {len(whole)} with who, kind, before and after", not whole,
        )  # fmt: skip


def _changes(logs: str, name: str) -> list[dict[str, Any]]:
    found = []
    for line in logs.splitlines():
        start = line.find('{"change"')
        if start < 0:
            continue
        try:
            said, _ = json.JSONDecoder().raw_decode(line[start:])
        except ValueError:
            continue
        if said.get("change") == name:
            found.append(said)
    return found


def _generation(target: Target) -> Iterator[Attempt]:
    room = target.room
    stands = int(room.private("GET", "/metrics").json().get("generation", 0))
    for wanted in (stands + 1, max(1, stands - 1)):
        if wanted == stands:
            continue
        answer = room.private("POST", "/reset_initial_state", {"generation": wanted})
        now = int(room.private("GET", "/metrics").json().get("generation", 0))
        yield Attempt(
            FAULT, f"reset another generation than the one that stands ({wanted} for {stands})",
            f"{answer.status_code}, generation {now}", now != stands,
        )  # fmt: skip
        stands = now
