# SPDX-License-Identifier: Apache-2.0
"""Rules of all events of a deployment together: equal rules, and the size of the edge's store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from waiting_room.domain.errors import EventConflict
from waiting_room.domain.gate.path_readings import fold
from waiting_room.domain.gate.rules import Rule
from waiting_room.domain.gate.store import MAX_VALUE, parts_by_host, rules_of

MAX_PARTS = 20  # values with the rules of one host; a request reads all of them
MAX_STORE = 4_500_000  # bytes; a CloudFront KeyValueStore has 5 MB
LONGEST_KEY = 512  # bytes


def check_shared(event_id: str, documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise EventConflict if the event's rules do not fit beside those of the other events.

    ``documents`` are those of all events behind a gate, by event id, with this event's.
    """
    own = {_comparable(rule) for rule in documents[event_id]["protect"]}
    for other, document in documents.items():
        if other != event_id and own & {_comparable(rule) for rule in document["protect"]}:
            raise EventConflict(
                f"protect has a rule that the event {other} has too: "
                "remove it from one of the two events"
            )
    rules = [one for other, document in documents.items() for one in rules_of(other, document)]
    size = len(documents) * (MAX_VALUE + LONGEST_KEY)
    for host, parts in parts_by_host(rules):
        if len(parts) > MAX_PARTS:
            shown = "all hosts" if host == "*" else f"the host {host}"
            raise EventConflict(
                f"protect and bypass of all events together have too many rules for {shown}: "
                "remove or combine some"
            )
        size += len(parts) * (MAX_VALUE + LONGEST_KEY)
        if size > MAX_STORE:
            raise EventConflict(
                "protect and bypass of all events together have too many hosts and rules: "
                "remove or combine some"
            )


def _comparable(rule: Rule) -> str:
    """Return a text that rules which protect the same requests have in common."""
    found = dict(rule)
    if "path" in rule:
        found["path"] = fold(rule["path"]).rstrip("/")
    if "methods" in rule:
        found["methods"] = sorted(
            {*rule["methods"], *(["HEAD"] if "GET" in rule["methods"] else [])}
        )
    for name, separator in (("header", ":"), ("cookie", "=")):
        if name in rule:
            before, found_one, after = rule[name].partition(separator)
            before = before.strip().lower() if name == "header" else before
            found[name] = f"{before}{found_one}{after.strip()}"
    return json.dumps(found, sort_keys=True)
