# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of an event document, and the document with all default values.

The API, the command line and the published ``docs/event.schema.json`` use this schema. Rules that
JSON Schema cannot express are in ``document.py``.
"""

from __future__ import annotations

from typing import Any, Final

MAX_EVENTS: Final = 1_000  # events of one deployment
MAX_TITLE: Final = 100  # characters
MAX_NUMBER: Final = 1_000_000
MAX_SECONDS: Final = 86_400
MAX_RULES: Final = 40  # rules in a list
MAX_RULE_TEXT: Final = 256  # characters of a text of a rule
MAX_HOSTS: Final = 40
MAX_ORIGINS: Final = 20
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_TIME: Final = 253_402_300_799  # epoch s; the last second of the year 9999

Schema = dict[str, Any]


def _object(properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _whole(low: int, high: int, default: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


def _choice(*values: str) -> Schema:
    """Return the schema of one of some values; the first is the default."""
    return {"enum": list(values), "default": values[0]}


def _time() -> Schema:
    """Return the schema of a time in epoch seconds, or null."""
    return {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_TIME, "default": None}


def _text(pattern: str, longest: int, description: str) -> Schema:
    """Return the schema of a text that matches a pattern as a whole."""
    return {
        "type": "string",
        "pattern": f"^(?:{pattern})(?![\\s\\S])",
        "maxLength": longest,
        "description": description,
    }


_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_NAME = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HOST: Final = _text(
    _HOST, 253, "a host name in lower case, without scheme, port, path and final dot"
)
ORIGIN: Final = _text(
    f"https?://{_HOST}(?::[1-9][0-9]{{0,4}})?",
    270,
    "scheme, host and port in lower case, without a path, such as https://www.example.com",
)


def _rules() -> Schema:
    members = {
        "host": HOST,
        "path": _text("/[ -~]*", MAX_RULE_TEXT, "a path that begins with /, in printable ASCII"),
        "methods": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(METHODS)},
        },
        "header": _text(
            rf"{_NAME}(?:: ?[!-~](?:[ -~]*[!-~])?)?",
            MAX_RULE_TEXT,
            "the name of a header, or name and value as name: value, in printable ASCII",
        ),
        "cookie": _text(
            rf"{_NAME}(?:=[!#-+\--:<-\[\]-~]+)?",
            MAX_RULE_TEXT,
            "the name of a cookie, or name and value as name=value, without spaces and quotes",
        ),
        "user_agent": _text("[ -~]+", MAX_RULE_TEXT, "a part of a user agent, in printable ASCII"),
    }
    return {
        "type": "array",
        "maxItems": MAX_RULES,
        "items": _object(members, minProperties=1),
        "default": [],
    }


def _texts(one: Schema, most: int) -> Schema:
    return {"type": "array", "maxItems": most, "uniqueItems": True, "items": one, "default": []}


_MEMBERS: Schema = {
    "title": {"type": "string", "maxLength": MAX_TITLE, "default": ""},
    "mode": _choice("queue", "pass_through"),
    "opening": _choice("first_come", "draw"),
    "schedule": _object(
        {
            "pre_queue_at": _time(),
            "opens_at": _time(),
            "closes_at": _time(),
            "after": _choice("closed", "pass_through"),
        }
    ),
    "control": _object({"paused_at": _time(), "draining_since": _time(), "closed_at": _time()}),
    "admission": _object(
        {
            "strategy": _choice("manual", "rate", "active", "both"),
            "per_minute": _whole(0, MAX_NUMBER, 600),
            "max_active": _whole(0, MAX_NUMBER, 1_000),
            "burst": {
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": MAX_NUMBER,
                "default": None,
            },
            "min_per_minute": _whole(0, MAX_NUMBER, 0),
            "no_show_after": _whole(10, 3_600, 90),
            "alarm": {
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 255,
                "default": None,
            },
            "on_insufficient_data": _choice("go", "hold"),
        }
    ),
    "turn": _object(
        {
            "expires_after": _whole(0, MAX_SECONDS, 900),
            "increment_on_expiry": {"type": "boolean", "default": False},
        }
    ),
    "token": _object({"valid_for": _whole(1, MAX_SECONDS, 3_600)}),
    "session": _object(
        {
            "valid_for": _whole(60, MAX_SECONDS, 600),
            "renew_every": _whole(30, MAX_SECONDS, 300),
            "sliding": {"type": "boolean", "default": True},
            "when_unreachable": _choice("closed", "open"),
        }
    ),
    "join": _object(
        {
            "client_secret": _choice("optional", "required"),
            "proof": {"type": "string", "default": "none"},
            "invitation": {"type": "string", "default": "none"},
            "identity": {"type": "string", "default": "none"},
        }
    ),
    "lanes": {
        "type": "array",
        "minItems": 1,
        "maxItems": 10,
        "items": _object(
            {
                "name": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"},
                "share": {"type": "integer", "minimum": 0, "maximum": 100},
            },
            required=["name", "share"],
        ),
        "default": [{"name": "standard", "share": 100}],
    },
    "site": _object({"hosts": _texts(HOST, MAX_HOSTS), "origins": _texts(ORIGIN, MAX_ORIGINS)}),
    "protect": _rules(),
    "bypass": _rules(),
    "page": _object(
        {
            "brand": {"type": "object", "default": {}},
            "texts": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                },
                "default": {},
            },
            "html": {"type": "string", "default": ""},
        }
    ),
}

EVENT_SCHEMA: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Event of the virtual waiting room",
    **_object(_MEMBERS),
}


def defaults(schema: Schema = EVENT_SCHEMA) -> dict[str, Any]:
    """Return the object of a schema with the default value of each member."""
    return {
        name: defaults(member) if "properties" in member else _copy(member["default"])
        for name, member in schema["properties"].items()
    }


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
