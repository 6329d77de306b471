# SPDX-License-Identifier: Apache-2.0
"""The private API below ``/events`` in memory, as the connection pool of a signed client."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from waiting_room.domain.errors import InvalidInput, PhaseForbids
from waiting_room.domain.events.actions import act
from waiting_room.domain.events.document import StoredEvent, changed_members, is_gated
from waiting_room.domain.events.phase import phase_of
from waiting_room.domain.events.validation import patch_document, replace_document

PAGE = 100
PATH = re.compile(r"/api/events(?:/([^/]+)(?:/(audit|history|actions/([a-z_]+)))?)?")
STAFF = {"who": "arn:aws:iam::123456789012:user/operator", "role": "person"}
Reply = tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """A call that arrived."""

    method: str
    path: str
    content: Any
    headers: Mapping[str, str]

    @property
    def changes(self) -> bool:
        """True if the call is not a read."""
        return self.method != "GET"


class FakeResponse:
    """What the signed client reads of a urllib3 response."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self._body = status, body

    def read(self, longest: int, decode_content: bool = False) -> bytes:
        return self._body[:longest]

    def release_conn(self) -> None:
        return


@dataclass
class FakeEventsApi:
    """Events by id. ``before`` may answer a call in place of the API, or raise an error."""

    clock: Callable[[], float]
    events: dict[str, StoredEvent] = field(default_factory=dict)
    entries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    before: Callable[[Call], Reply | None] = lambda _: None

    @property
    def changing(self) -> list[Call]:
        """The calls that are not reads."""
        return [call for call in self.calls if call.changes]

    def document(self, event_id: str) -> dict[str, Any]:
        """The document of an event."""
        return self.events[event_id].document

    def request(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], **_: Any
    ) -> FakeResponse:
        parts = urlsplit(url)
        content = json.loads(body) if body else None
        call = Call(method, parts.path, content, headers)
        self.calls.append(call)
        reply = self.before(call)
        if reply is None:
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            try:
                reply = self._reply(call, query)
            except InvalidInput as error:
                reply = 400, {"error": str(error)}
            except PhaseForbids as error:
                reply = 409, {"error": str(error), **error.members}
        return FakeResponse(reply[0], json.dumps(reply[1]).encode())

    def _reply(self, call: Call, query: Mapping[str, str]) -> Reply:
        found = PATH.fullmatch(call.path)
        if found is None:
            return 403, {"message": "Missing Authentication Token"}
        event_id, below, action = found.groups()
        if event_id is None:
            return self._list(query)
        event = self.events.get(event_id)
        if event is None and call.method != "PUT":
            return 404, {"error": "no event of this waiting room has this id"}
        stale = event and call.headers.get("If-Match", f'"{event.version}"') != f'"{event.version}"'
        if stale or (event and call.method == "PUT" and "If-Match" not in call.headers):
            assert event
            text = "the event has changed: If-Match is not its current version"
            current = event.response(self.clock())
            return 409, {"error": text, "version": event.version, "current": current}
        if below == "audit":
            return self._audit(event_id, query)
        if below == "history":
            self.window = dict(query)
            return 200, {"points": self.points}
        if call.method == "GET":
            assert event
            return 200, {**event.response(self.clock()), "message": ""}
        return self._change(call, event_id, event, action)

    def _change(
        self, call: Call, event_id: str, event: StoredEvent | None, action: str | None
    ) -> Reply:
        now = int(self.clock())
        if call.method == "DELETE":
            assert event
            if phase_of(event.document, now) != "closed":
                return 409, {"error": "an event must be closed before it is deleted"}
            del self.events[event_id]
            return 200, {"event_id": event_id, "phase": "deleted"}
        if call.method == "PUT":
            document = replace_document(call.content, event_id, event)
        elif call.method == "PATCH":
            assert event
            document = patch_document(call.content, event)
        else:
            assert event
            assert action
            unchanged = action in ("admit", "reset", "end_session")
            document = event.document if unchanged else act(event.document, action, now)
        before = event.document if event else {}
        stored = StoredEvent(event_id, event.version + 1 if event else 1, document)
        self.events[event_id] = stored
        old, new = changed_members(before, document)
        entry = {"at": now, **STAFF, "what": action or call.method.lower()}
        self.entries.setdefault(event_id, []).insert(0, {**entry, "before": old, "after": new})
        return 200, stored.response(now)

    def _list(self, query: Mapping[str, str]) -> Reply:
        start = int(query.get("next_token", 0))
        names = sorted(self.events)[start : start + PAGE]
        found = [self.events[name].response(self.clock()) for name in names]
        kept = ("event_id", "title", "phase", "version")
        rows = [{**{name: one[name] for name in kept}, "gated": is_gated(one)} for one in found]
        page = {"events": rows}
        more = {"next_token": str(start + PAGE)} if start + PAGE < len(self.events) else {}
        return 200, {**page, **more}

    def _audit(self, event_id: str, query: Mapping[str, str]) -> Reply:
        start = int(query.get("next_token", 0))
        found = self.entries.get(event_id, [])
        more = {"next_token": str(start + PAGE)} if start + PAGE < len(found) else {}
        return 200, {"entries": found[start : start + PAGE], **more}
