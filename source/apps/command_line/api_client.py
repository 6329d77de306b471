# SPDX-License-Identifier: Apache-2.0
"""Calls of the private API below ``/events``, and ``/status`` of the public API.

Each method returns the content of a success and raises CommandError for every other result. Reads
are repeated after a lost response. A change is repeated only if it was not processed, or if it has
a call id, by which the room recognises its own write.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from apps.command_line.errors import (
    CommandError,
    ExitCode,
    not_permitted,
    refused,
    unreachable,
    usage,
)
from waiting_room.adapters.http.json_get import NotFound
from waiting_room.adapters.http.signed_client import NoResponse, SignedClient
from waiting_room.adapters.operator_access import AccessDenied
from waiting_room.domain.errors import InvalidInput, Unavailable
from waiting_room.domain.parsing import json_object

LONGEST_RESPONSE = 10_000_000  # bytes; the limit of API Gateway
LONGEST_STATUS = 65_536  # bytes
WITH_CALL_ID = ("admit", "end_session")  # actions that the room recognises when repeated

Content = dict[str, Any]
Fetch = Callable[[str, int], Any]


class RoomApi:
    """The events of one room.

    ``private_api`` and ``public_api`` are addresses without a slash at the end; without
    ``public_api`` there is no ``/status``. ``fetch`` returns the JSON of an address.
    """

    def __init__(
        self, client: SignedClient, private_api: str, public_api: str, fetch: Fetch
    ) -> None:
        self._client, self._fetch = client, fetch
        self._private_api, self.public_api = private_api, public_api

    def events(self) -> list[Content]:
        """Return id, title, phase and version of all events."""
        return list(self._pages("/events", "events"))

    def event(self, event_id: str) -> Content:
        """Return the document of an event."""
        return self._read(_path(event_id))

    def find(self, event_id: str) -> Content | None:
        """Return the document of an event; None if it does not exist."""
        status, content = self._send("GET", _path(event_id))
        return None if status == 404 else _success("GET", status, content)

    def create(self, event_id: str, document: Mapping[str, Any]) -> Content:
        """Create an event."""
        return self._change("PUT", _path(event_id), document)

    def patch(self, event_id: str, changes: Mapping[str, Any], version: int) -> Content:
        """Change members of an event whose current version is ``version``."""
        return self._change("PATCH", _path(event_id), changes, version)

    def delete(self, event_id: str, version: int | None = None) -> Content:
        """Delete an event; with ``version`` only if it is the current one."""
        return self._change("DELETE", _path(event_id), None, version)

    def act(self, event_id: str, action: str, content: Mapping[str, Any] | None = None) -> Content:
        """Carry out an action."""
        if action in WITH_CALL_ID:
            content = {**(content or {}), "call_id": uuid.uuid4().hex}
        return self._change("POST", f"{_path(event_id)}/actions/{action}", content)

    def audit(self, event_id: str) -> Iterator[Content]:
        """Yield the entries of the audit log, newest first."""
        return self._pages(f"{_path(event_id)}/audit", "entries")

    def history(self, event_id: str, window: Mapping[str, int]) -> list[Content]:
        """Return the points of the history; ``window`` has ``from``, ``to`` and ``step``."""
        query = f"?{urlencode(window)}" if window else ""
        points: list[Content] = self._read(f"{_path(event_id)}/history{query}")["points"]
        return points

    def status(self, event_id: str) -> Content:
        """Return ``/status`` of the public API."""
        address = f"{self.public_api}/status?{urlencode({'event_id': event_id})}"
        try:
            found = self._fetch(address, LONGEST_STATUS)
        except NotFound as error:
            raise refused(f"the public API has no /status: {error}") from None
        except Unavailable as error:
            raise unreachable(f"the public API did not return /status: {error}") from None
        if not isinstance(found, dict):
            raise unreachable("the public API returned no JSON object for /status")
        return found

    def _pages(self, path: str, name: str) -> Iterator[Content]:
        query = ""
        while True:
            page = self._read(path + query)
            yield from page[name]
            token = page.get("next_token")
            if not token:
                return
            query = f"?{urlencode({'next_token': token})}"

    def _read(self, path: str) -> Content:
        return _success("GET", *self._send("GET", path))

    def _change(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None,
        version: int | None = None,
    ) -> Content:
        return _success(method, *self._send(method, path, content, version))

    def _send(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        version: int | None = None,
    ) -> tuple[int, Content]:
        body = b"" if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        address = self._private_api + path
        repeatable = method == "GET" or "call_id" in (content or {})
        try:
            response = self._client.send(method, address, body, headers, repeatable=repeatable)
        except AccessDenied as error:
            raise not_permitted(str(error)) from None
        except NoResponse as error:
            done = " The change may have been made." if error.sent and method != "GET" else ""
            raise unreachable(
                f"the private API at {self._private_api} did not respond: {error.reason}.{done}"
            ) from None
        try:
            return response.status, json_object(response.body, "the response")
        except InvalidInput:
            return response.status, {}


def _path(event_id: str) -> str:
    return f"/events/{quote(event_id, safe='')}"


def _success(method: str, status: int, content: Content) -> Content:
    """Return the content of a success; raise the CommandError of another status."""
    if status in (200, 201) and content:
        return content
    text = str(content.get("error") or content.get("message") or f"status {status}")
    if status == 400:
        raise usage(text)
    if status in (401, 403):
        raise not_permitted(f"the private API rejects the call: {text}")
    if status == 409:
        raise _conflict(text, content)
    if status == 429 or status >= 500 or status < 400:
        done = "" if method == "GET" or status in (429, 503) else ". The change may have been made"
        raise unreachable(f"the private API returned status {status}: {text}{done}")
    raise refused(text)


def _conflict(text: str, content: Content) -> CommandError:
    """Return the error of a 409: a forbidden phase is a refusal, everything else a conflict."""
    if reason := content.get("reason"):
        return refused(f"{text} (phase: {reason})" if str(reason) not in text else text)
    version = content.get("version")
    current = f" (current version: {version})" if version is not None else ""
    return CommandError(text + current, ExitCode.CONFLICT)
