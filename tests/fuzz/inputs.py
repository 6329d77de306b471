# SPDX-License-Identifier: Apache-2.0
"""Strategies that the fuzzers share: input from callers and queues."""

from __future__ import annotations

import base64
import json
import os
import re
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st

from tests.support.in_memory_room import EVENT

SEED = int(os.environ.get("FUZZ_SEED", "0")) or 20_261_124  # always the same in CI
RUNS = int(os.environ.get("FUZZ_EXAMPLES", "0")) * 5  # of each fuzzer in `make fuzz`
Test = TypeVar("Test", bound=Callable[..., object])


def fuzzed(test: Test) -> Test:
    """Run a property as often as asked, from FUZZ_SEED and its own name."""
    chosen = settings(
        max_examples=RUNS or 30,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    return seed(SEED + zlib.crc32(test.__name__.encode()))(chosen(test))


TEXT = st.text(st.characters(), max_size=40)  # every code point, lone surrogates as well
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT
    | st.sampled_from([EVENT, 10**400, -(10**400), 2**63, "\x00", "\ud800", "\u202e", "﷽" * 500])
)  # fmt: skip
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
ID = "0f6c3b9e-6d5c-4b0a-9a3e-2f0d1c7b8a90"
NAMES = st.sampled_from(
    ["event_id", "request_id", "increment_by", "status", "message", "issuer", "validity_period",
     "client_secret", "client_secret_hash", "paused", "targets", "health", "limit", "next_token"]
)  # fmt: skip
VALUES = JSON | st.sampled_from([EVENT, ID, 1, -1, 1.0, True, "a" * 64, 1e300, "", {}])
OBJECTS = st.dictionaries(NAMES | TEXT, VALUES, max_size=6)


def spelled(content: object) -> str:
    """JSON as Python writes it, NaN and Infinity included."""
    return json.dumps(content)


# Bodies of joins on which readers of JSON may differ.
_JOIN = f'"event_id":"{EVENT}"'
HOSTILE = [
    f'{{{_JOIN},"x":{"9" * 5000}}}', f'{{{_JOIN}}} trailing', f'{{{_JOIN}}}{{{_JOIN}}}',
    f'\ufeff{{{_JOIN}}}', f'{{{_JOIN}}}\x00', f'{{{_JOIN},"x":"\\u0000"}}', f'{{{_JOIN},"x":NaN}}',
    f'{{{_JOIN},"x":"\\ud800"}}', f'{{{_JOIN},"x":1e999}}', f'{{{_JOIN},"x":"\x01"}}',
    f'{{"event_id":"Other",{_JOIN}}}', f'{{{_JOIN},"event_id":"Other"}}',
    f'{{{_JOIN},"event_id":["{EVENT}"]}}', f'{{{_JOIN},"event_id":"{EVENT}\\u0000"}}',
    f'{{{_JOIN},"event_id":"a\\",\\"x\\":\\"b"}}', f'{{{_JOIN},"event_id":"&Action=DeleteQueue"}}',
    f'{{{_JOIN},"client_secret_hash":"{"a" * 64}","client_secret_hash":"b"}}',
    f'{{{_JOIN},"client_secret_hash":"{"a" * 64}","client_secret_hash":""}}',
    f'{{{_JOIN},"client_secret_hash":null}}', f'{{{_JOIN},"client_secret_hash":"{"a" * 64}\\n"}}',
    f'{{{_JOIN},"\\u0065vent_id":"Other"}}', f'{{{_JOIN},"Event_id":"Other"}}',
    f'{{{_JOIN},"x":"{"x" * 257}"}}', f'{{{_JOIN},"{"x" * 20_000}":1}}',
    f'{{{_JOIN}}}{" " * 20_000}',
]  # fmt: skip
DEEP = [
    "[" * 100_000, "{" * 5000, '{"a":' * 5000 + "1" + "}" * 5000,
    '{"event_id":' + "[" * 900 + "]" * 900 + "}",
]  # fmt: skip
ODD = [
    "", " ", "null", "1", '"x"', "[]", "{}", "NaN", '{"event_id":NaN}', '{"event_id":1e400}',
    '{"event_id":-1e400}', '{"event_id":1e-400}', "1" * 5000, '{"increment_by":' + "9" * 5000 + "}",
    f'{{"event_id":"Other","event_id":"{EVENT}"}}', f'{{"event_id":"{EVENT}","event_id":"Other"}}',
    f'{{"event_id":"{EVENT}","increment_by":1,"increment_by":true}}', '{"event_id":"\\ud800"}',
    '{"event_id":"\\udc00\\ud800"}', '\ufeff{"event_id":"Sample"}', '{"event_id":"Sample"}\x00',
    "{'event_id':'Sample'}", '{"event_id":"Sample",}', '{"event_id":"Sample"} trailing', "\ud800",
    '{"__proto__":{"event_id":"Sample"}}', '{"event_id":"' + "x" * 20_000 + '"}',
]  # fmt: skip
BODIES = OBJECTS.map(spelled) | JSON.map(spelled) | TEXT | st.sampled_from(ODD + DEEP)
PAIRS = st.lists(st.tuples(NAMES | TEXT, TEXT | st.sampled_from([EVENT, ID, "5"])), max_size=6)
TYPES = st.sampled_from(
    ["application/json", "APPLICATION/JSON; charset=utf-8", "application/json;", "", "text/plain",
     "application/x-www-form-urlencoded", "multipart/form-data", ";", "application/json, text/x"]
)  # fmt: skip


def path_parameters(path: str) -> st.SearchStrategy[dict[str, str] | None]:
    """Values of the parameters of a resource, as API Gateway passes them; None without any."""
    names = re.findall(r"{(\w+)}", path)
    usual = st.sampled_from(["Sample", "none", "open", "close", "admit", "reset", "%2e", ""])
    return st.fixed_dictionaries(dict.fromkeys(names, usual | TEXT)) if names else st.none()


@st.composite
def proxy_events(draw: Any, method: str, path: str) -> dict[str, Any]:
    """An event of API Gateway, with everything that it leaves out, repeats or encodes."""
    many: dict[str, list[str]] = {}
    for name, value in draw(PAIRS):
        many.setdefault(name, []).append(value)
    body = draw(st.none() | BODIES)
    encoded = draw(st.booleans())
    if encoded and draw(st.booleans()):
        body = draw(st.sampled_from(["a", "é", "====", "AAAAA", "\ud800", "e30"]))
    elif encoded and body is not None and draw(st.booleans()):
        body = base64.b64encode(body.encode("utf-8", "surrogatepass")).decode()
    headers = draw(st.none() | st.fixed_dictionaries({}, optional={
        "Content-Type": TYPES, "content-type": TYPES, "Authorization": TEXT, "Accept": TEXT,
        "Cookie": TEXT, "Origin": TEXT, "Accept-Encoding": st.sampled_from(["gzip", "*", ""]),
    }))  # fmt: skip
    query = {name: values[-1] for name, values in many.items()} or None
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": headers and {name: [value] for name, value in headers.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": many or None,
        "pathParameters": draw(path_parameters(path)),
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": method,
            "requestId": ID,
            "identity": {"sourceIp": None},
            "authorizer": {"sub": ID, "exp": "1800000000", "queue_position": "1"},
        },
        "body": body,
        "isBase64Encoded": encoded,
    }
