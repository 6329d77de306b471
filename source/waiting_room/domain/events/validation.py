# SPDX-License-Identifier: Apache-2.0
"""Validation of event documents: JSON Schema, rules between members, read-only members."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from waiting_room.domain.errors import InvalidDocument, InvalidInput
from waiting_room.domain.events.brand import BrandError, checked_brand
from waiting_room.domain.events.document import Document, StoredEvent, complete, merge_patch
from waiting_room.domain.events.phase import Phase
from waiting_room.domain.events.schema import EVENT_SCHEMA, NOT_BUILT, defaults
from waiting_room.domain.events.site_rules import check_site
from waiting_room.domain.limits import NEW_EVENT_ID
from waiting_room.domain.parsing import NAME

ADDED = ("event_id", "version", "phase", "message")  # members that a response adds
MAX_DOCUMENT = 16_384  # bytes as JSON
# Members that accept their default value only, until their feature exists.


def check_event_id(value: object) -> str:
    """Return the id of an event; raises InvalidInput."""
    if isinstance(value, str) and NEW_EVENT_ID.fullmatch(value):
        return value
    raise InvalidInput(
        "event_id must be 1 to 64 letters, digits, dots, hyphens and underscores,"
        " and start with a letter or a digit"
    )


def replace_document(
    content: Mapping[str, Any], event_id: str, before: StoredEvent | None
) -> Document:
    """Return the document of a PUT; raises InvalidInput, which names the member."""
    own = _without_added(content, event_id, before)
    return _checked(own, own.get("control"), before)


def patch_document(content: Mapping[str, Any], before: StoredEvent) -> Document:
    """Return the document after a JSON Merge Patch (RFC 7396); null restores a default value.

    Raises InvalidInput, which names the member.
    """
    patch = _without_added(content, before.event_id, before)
    return _checked(merge_patch(before.document, patch), patch.get("control"), before)


def _without_added(
    content: Mapping[str, Any], event_id: str, before: StoredEvent | None
) -> Document:
    """Return the content without the members that a response adds, sent back as received."""
    if content.get("event_id", event_id) != event_id:
        raise InvalidInput("event_id must be the id in the path, or absent")
    version = content.get("version")
    if version is not None and (before is None or version != before.version):
        raise InvalidInput("version is read-only; send the version in If-Match")
    if content.get("phase", Phase.OPEN) not in tuple(Phase):
        raise InvalidInput("phase is read-only: it follows from schedule, mode and control")
    if not isinstance(content.get("message", ""), str):
        raise InvalidInput("message is read-only; set it with update_message")
    return {name: value for name, value in content.items() if name not in ADDED}


def _checked(
    content: Mapping[str, Any], given_control: object, before: StoredEvent | None
) -> Document:
    """Return the complete document; raises InvalidInput.

    ``given_control`` is the member ``control`` of the request, which may repeat current values.
    """
    problems = sorted(_validator().iter_errors(content), key=lambda one: list(map(str, one.path)))
    if problems:
        raise InvalidDocument(_sentence(problems[0]))
    document = complete(content)
    control = before.document["control"] if before else defaults()["control"]
    if isinstance(given_control, Mapping):
        for name, value in given_control.items():
            if value != control[name]:
                raise InvalidInput(
                    f"control.{name} is read-only; change it with the actions of the event"
                )
    document["control"] = control
    _check_not_built(document)
    _check_schedule(document["schedule"])
    _check_rest(document)
    check_site(document)
    _check_page(document["page"])
    return document


def _check_not_built(document: Mapping[str, Any]) -> None:
    usual = defaults()
    for path in NOT_BUILT:
        first, _, second = path.partition(".")
        given, default = document[first], usual[first]
        if second:
            given, default = given[second], default[second]
        if given != default:
            raise InvalidInput(
                f"{path} must be {json.dumps(default)} or absent: "
                "other values are not supported yet"
            )


def _check_page(page: Mapping[str, Any]) -> None:
    try:
        checked_brand(page["brand"])
    except BrandError as error:
        raise InvalidDocument(f"page.brand.{error}") from None
    try:
        checked_brand({"texts": page["texts"]})
    except BrandError as error:
        raise InvalidDocument(f"page.{error}") from None


def _check_schedule(schedule: Mapping[str, Any]) -> None:
    pre_queue_at, opens_at, closes_at = (
        schedule[name] for name in ("pre_queue_at", "opens_at", "closes_at")
    )
    if pre_queue_at is not None and opens_at is None:
        raise InvalidInput(
            "schedule.pre_queue_at needs schedule.opens_at: without it the event is open now"
        )
    if pre_queue_at is not None and pre_queue_at > opens_at:
        raise InvalidInput("schedule.pre_queue_at must not be after schedule.opens_at")
    if closes_at is not None and opens_at is not None and closes_at <= opens_at:
        raise InvalidInput("schedule.closes_at must be after schedule.opens_at")


def _check_rest(document: Mapping[str, Any]) -> None:
    admission = document["admission"]
    if admission["min_per_minute"] > admission["per_minute"]:
        raise InvalidInput("admission.min_per_minute must not exceed admission.per_minute")
    if document["session"]["renew_every"] >= document["session"]["valid_for"]:
        raise InvalidInput("session.renew_every must be less than session.valid_for")
    if len(json.dumps(document, ensure_ascii=False).encode()) > MAX_DOCUMENT:
        raise InvalidInput(f"the document must be at most {MAX_DOCUMENT} bytes of JSON")


@cache
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # only a change of a document needs it

    return Draft202012Validator(EVENT_SCHEMA)


def _sentence(problem: Any) -> str:
    """Return the text of a schema error. It names the member and the rule, never the value."""
    where = _path(problem.absolute_path)
    rule, limit, schema = problem.validator, problem.validator_value, problem.schema
    if rule == "additionalProperties":
        unknown = next(name for name in problem.instance if name not in schema["properties"])
        shown = unknown if NAME.fullmatch(unknown) else "a member"
        return f"{where + '.' if where else ''}{shown} is not a member of an event"
    texts = {
        "type": f"must be {_kinds(limit)}",
        "enum": f"must be one of {', '.join(map(str, limit if rule == 'enum' else ()))}",
        "minimum": f"must be from {schema.get('minimum')} to {schema.get('maximum')}",
        "maximum": f"must be from {schema.get('minimum')} to {schema.get('maximum')}",
        "minLength": "must not be empty",
        "maxLength": f"must have at most {limit} characters",
        "minItems": f"must have at least {limit} entries",
        "maxItems": f"must have at most {limit} entries",
        "minProperties": "must have at least one member",
        "pattern": f"must be {schema.get('description', 'a text of another form')}",
        "uniqueItems": "must not have an entry twice",
        "required": f"needs {' and '.join(map(str, limit if rule == 'required' else ()))}",
    }
    return f"{where or 'the document'} {texts.get(rule, 'has an invalid form')}"


def _path(parts: Iterable[str | int]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = part if NAME.fullmatch(part) else "a member"
            text += f".{shown}" if text else shown
    return text


_KINDS = {
    "object": "an object", "array": "a list", "string": "a text", "integer": "a whole number",
    "boolean": "true or false", "null": "null",
}  # fmt: skip


def _kinds(limit: object) -> str:
    names = limit if isinstance(limit, list) else [limit]
    return " or ".join(_KINDS.get(str(name), str(name)) for name in names)
