# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of an event document, and the document with all default values.

The API, the command line, the form of the console and the published ``docs/event.schema.json`` use
this schema. ``title``, ``description`` and ``x-unit`` of a member are its label, help text and unit
in the form, ``x-own`` is the value that the waiting page has without it. ``readOnly`` members are
not in the form. Rules that JSON Schema cannot express are in ``validation.py``.

The module has more than 300 lines because it is one list of all members with their texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from waiting_room.domain.events.brand import (
    COLOUR,
    COLOURS,
    CURRENCY,
    DARK,
    LIGHT,
    LONGEST_NAME,
)

MAX_EVENTS: Final = 1_000  # events of one deployment
MAX_TITLE: Final = 100  # characters
MAX_NUMBER: Final = 1_000_000
MAX_SECONDS: Final = 86_400
MAX_RULES: Final = 40  # rules in a list
MAX_RULE_TEXT: Final = 256  # characters of a text of a rule
MAX_HOSTS: Final = 40
MAX_ORIGINS: Final = 20
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_LOGO: Final = 8_192  # characters
MAX_HTML: Final = 4_000  # characters
MAX_TIME: Final = 253_402_300_799  # epoch s; the last second of the year 9999
# Members that accept their default value only, because their features are not built yet.
NOT_BUILT: Final = (
    "opening", "lanes", "join.proof", "join.invitation", "join.identity",
)  # fmt: skip

Schema = dict[str, Any]


def _object(properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties, **more}


def _field(title: str, description: str = "", unit: str = "") -> Schema:
    """Return the label, the help text and the unit of a member."""
    texts = {"title": title, "description": description, "x-unit": unit}
    return {name: text for name, text in texts.items() if text}


def _whole(low: int, high: int, default: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


def _choice(*values: str) -> Schema:
    """Return the schema of one of some values; the first is the default."""
    return {"enum": list(values), "default": values[0]}


def _time(title: str, description: str = "") -> Schema:
    """Return the schema of a time in epoch seconds, or null."""
    return {
        **_field(title, description, "epoch seconds"),
        "type": ["integer", "null"],
        "minimum": 0,
        "maximum": MAX_TIME,
        "default": None,
    }


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


def _rules(title: str, description: str) -> Schema:
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
        **_field(title, description),
        "type": "array",
        "maxItems": MAX_RULES,
        "items": _object(members, minProperties=1),
        "default": [],
    }


def _texts(one: Schema, most: int) -> Schema:
    return {"type": "array", "maxItems": most, "uniqueItems": True, "items": one, "default": []}


def _optional_text(title: str, description: str, longest: int) -> Schema:
    """Return the schema of a text without a default value: the member may be absent."""
    return {
        **_field(title, description),
        "type": "string",
        "minLength": 1,
        "maxLength": longest,
    }


def _colours(title: str, own: Mapping[str, str]) -> Schema:
    """Return the schema of the colours of a brand; ``x-own`` is the page's own colour."""
    colour = _text(COLOUR, 7, "a colour like #1a2b3c")
    members = {name: {**_field(name.capitalize()), **colour} for name in COLOURS}
    for name, one in own.items():
        members[name]["x-own"] = one
    return _object(members, title=title)


_MEMBERS: Schema = {
    "title": {
        **_field("Title", "Operators and visitors see it."),
        "type": "string",
        "maxLength": MAX_TITLE,
        "default": "",
    },
    "mode": {
        **_field("Mode", "queue: visitors wait. pass_through: every visitor is admitted at once."),
        **_choice("queue", "pass_through"),
    },
    "opening": _choice("first_come", "draw"),
    "schedule": _object(
        {
            "pre_queue_at": _time(
                "Pre-queue", "From then on visitors can join, but no one is admitted."
            ),
            "opens_at": _time("Opening", "Without a time, the event is open now."),
            "closes_at": _time("Closing", "Without a time, the event stays open."),
            "after": {
                **_field("After the closing", "pass_through opens the site to everyone."),
                **_choice("closed", "pass_through"),
            },
        },
        **_field("Schedule"),
    ),
    "control": _object(
        {
            "paused_at": _time("Paused"),
            "draining_since": _time("Draining"),
            "closed_at": _time("Closed"),
        },
        readOnly=True,
    ),
    "admission": _object(
        {
            "strategy": {
                **_field(
                    "Strategy",
                    "manual: by operators or an inlet. rate: by positions per minute."
                    " active: by visitors on the site. both: what both limits allow.",
                ),
                **_choice("manual", "rate", "active", "both"),
            },
            "per_minute": {
                **_field("Rate", "The most that rate and both admit.", "positions per minute"),
                **_whole(0, MAX_NUMBER, 600),
            },
            "max_active": {
                **_field("Active visitors", "The most that active and both allow.", "visitors"),
                **_whole(0, MAX_NUMBER, 1_000),
            },
            "burst": {
                **_field(
                    "Burst",
                    "The most unused quota. Without a number, that of ten seconds.",
                    "positions",
                ),
                "type": ["integer", "null"],
                "minimum": 0,
                "maximum": MAX_NUMBER,
                "default": None,
            },
            "min_per_minute": {
                **_field(
                    "Lowest rate", "Admitted even while the brake is on.", "positions per minute"
                ),
                **_whole(0, MAX_NUMBER, 0),
            },
            "no_show_after": {
                **_field(
                    "No-show after", "A visitor without a token by then counts as gone.", "seconds"
                ),
                **_whole(10, 3_600, 90),
            },
            "alarm": {
                **_field("Alarm", "Name of the CloudWatch alarm that slows admission."),
                "type": ["string", "null"],
                "minLength": 1,
                "maxLength": 255,
                "default": None,
            },
            "on_insufficient_data": {
                **_field(
                    "Alarm without data", "go ignores such an alarm. hold keeps the brake as it is."
                ),
                **_choice("go", "hold"),
            },
        },
        **_field("Admission"),
    ),
    "turn": _object(
        {
            "expires_after": {
                **_field(
                    "Turn expires after",
                    "A served visitor takes a token by then. 0: a turn never expires.",
                    "seconds",
                ),
                **_whole(0, MAX_SECONDS, 900),
            },
            "increment_on_expiry": {
                **_field(
                    "Replace expired turns", "Only with the strategy manual: admit as many others."
                ),
                "type": "boolean",
                "default": False,
            },
        },
        **_field("Turn"),
    ),
    "token": _object(
        {
            "valid_for": {
                **_field("Token is valid for", unit="seconds"),
                **_whole(1, MAX_SECONDS, 3_600),
            }
        },
        **_field("Token"),
    ),
    "session": _object(
        {
            "valid_for": {
                **_field("Session is valid for", "The idle time that is guaranteed.", "seconds"),
                **_whole(60, MAX_SECONDS, 600),
            },
            "renew_every": {
                **_field(
                    "Renew every", "A navigation later than this renews the session.", "seconds"
                ),
                **_whole(30, MAX_SECONDS, 300),
            },
            "sliding": {
                **_field("Sliding", "Whether a renewal moves the end of a session."),
                "type": "boolean",
                "default": True,
            },
            "when_unreachable": {
                **_field(
                    "While the room does not respond",
                    "closed refuses requests without a session, open lets them pass.",
                ),
                **_choice("closed", "open"),
            },
        },
        **_field("Session at the gate"),
    ),
    "join": _object(
        {
            "client_secret": {
                **_field("Client secret", "Whether a join needs the hash of a secret."),
                **_choice("optional", "required"),
            },
            "proof": {"type": "string", "default": "none"},
            "invitation": {"type": "string", "default": "none"},
            "identity": {"type": "string", "default": "none"},
        },
        **_field("Join"),
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
    "site": _object(
        {
            "hosts": {
                **_field("Hosts", "Hosts of the site, to which the entrance may lead a visitor."),
                **_texts(HOST, MAX_HOSTS),
            },
            "origins": {
                **_field("Origins", "Origins whose scripts may read a refusal of the gate."),
                **_texts(ORIGIN, MAX_ORIGINS),
            },
        },
        **_field("Site"),
    ),
    "protect": _rules("Protected addresses", "Rules of requests that need a session."),
    "bypass": _rules("Bypass", "Rules of requests that need no session."),
    "page": _object(
        {
            "brand": _object(
                {
                    "name": _optional_text("Name", "Shown at the top.", LONGEST_NAME),
                    "logo": _optional_text(
                        "Logo",
                        "An https address, a path of the page or a data: address of an image.",
                        MAX_LOGO,
                    ),
                    "colors": _colours("Colours", LIGHT),
                    "colors_dark": _colours("Colours in dark mode", DARK),
                    "currency": {
                        **_field("Currency", "For the receipt, such as EUR."),
                        **_text(CURRENCY, 3, "three capital letters, such as EUR"),
                    },
                },
                **_field("Brand", "Replaces members of the brand of the deployment."),
                default={},
            ),
            "texts": {
                **_field(
                    "Texts",
                    'By language, * for all: {"en": {"closed": ["Sold out", "Thank you."]}}.'
                    " The names are in words/en.json beside the waiting page.",
                ),
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "array", "object"]},
                },
                "default": {},
            },
            "html": {
                **_field("HTML", "A block below the card. Scripts and styles are removed."),
                "type": "string",
                "maxLength": MAX_HTML,
                "x-lines": True,
                "default": "",
            },
        },
        **_field("Waiting page"),
    ),
}
for _path in NOT_BUILT:
    _first, _, _second = _path.partition(".")
    (_MEMBERS[_first]["properties"][_second] if _second else _MEMBERS[_first])["readOnly"] = True

EVENT_SCHEMA: Final[Schema] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Event of the virtual waiting room",
    **_object(_MEMBERS),
}


def defaults(schema: Schema = EVENT_SCHEMA) -> dict[str, Any]:
    """Return the object of a schema with the default value of each member."""
    return {
        name: _copy(member["default"]) if "default" in member else defaults(member)
        for name, member in schema["properties"].items()
    }


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(member) for name, member in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
