# SPDX-License-Identifier: Apache-2.0
"""A browser at a site: the decision of the gate and the routes of the entrance, without a loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.entrance import app as module
from tests.apps.entrance_client import EntranceClient
from tests.apps.gate_room import LIFE, ME, SALE, GateRoom
from tests.support.fakes.entrance import entrance_of
from waiting_room.domain.gate.decision import Pass, cookie_name, decide
from waiting_room.domain.gate.request import GateRequest, parameters
from waiting_room.domain.gate.store import GatedEvent, gate_event
from waiting_room.runtime import session_views
from waiting_room.runtime.settings.entrance import EntranceSettings

COOKIE, MARKER, PROBE = (cookie_name(kind, SALE, secure=True) for kind in ("", "renewing", "probe"))
NAVIGATION = {
    "sec-fetch-mode": ["navigate"], "sec-fetch-dest": ["document"], "accept": ["text/html"],
}  # fmt: skip
SCRIPT = {"sec-fetch-mode": ["cors"], "sec-fetch-dest": ["empty"], "accept": ["*/*"]}
MOST = 6  # redirects of one navigation; browsers stop after 20
RULES = [(SALE, False, {"path": "/checkout"})]


@dataclass
class Site:
    """A site behind the gate; ``served`` are the session headers that the origin received."""

    room: GateRoom
    store_delay: bool = False  # the edge has not received the latest generation yet
    served: list[str] = field(default_factory=list)

    def ask(
        self, client: EntranceClient, target: str, headers: Mapping[str, list[str]]
    ) -> tuple[int, str]:
        """Return status and location of one request to the protected host."""
        parts = urlsplit(target)
        if parts.path.startswith("/_waiting-room/"):
            route = parts.path.removeprefix("/_waiting-room/")
            if not route:
                return 200, ""  # the waiting page
            reply = client.call(route, **parameters(parts.query))
            return reply.status, reply.headers.get("Location", "")
        cookies = {name: [value] for name, value in client.jar.items()}
        request = GateRequest("GET", client.host, parts.path, parts.query or None, headers, cookies)
        document = self.room.documents.store.read(SALE).document
        generation = 1 if self.store_delay else self.room.generation
        state = gate_event(GatedEvent(SALE, document, generation, 0))
        keys, now = self.room.gate_keys.keys(SALE), int(self.room.clock.now)
        found = decide(request, RULES, {SALE: state}, keys, now)
        if isinstance(found, Pass):
            self.served.append(found.session)
            return 200, ""
        for name, value, life in found.cookies:
            client.jar.pop(name, None)
            if life:
                client.jar[name] = value
        return found.status, found.headers.get("location", "")

    def navigate(self, client: EntranceClient, target: str = "/checkout") -> tuple[list[str], bool]:
        """Follow redirects; return the addresses, and whether the site responded at the end."""
        path, before = [target], len(self.served)
        for _ in range(MOST):
            status, location = self.ask(client, path[-1], NAVIGATION)
            if status not in (302, 303):
                return path, len(self.served) > before
            path.append(location)
        raise AssertionError(f"a loop: {path}")

    def script(self, client: EntranceClient) -> bool:
        """Return whether a script's request reaches the site."""
        return self.ask(client, "/checkout/api", SCRIPT)[0] == 200


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return site_of(monkeypatch)


def site_of(patch: pytest.MonkeyPatch) -> Site:
    room = GateRoom()
    entrance = entrance_of(room.stores, room.clock)
    patch.setattr(module, "entrance", lambda: entrance)
    patch.setattr(session_views, "gate_sessions", lambda: room.sessions)
    for views in (module, session_views):
        patch.setattr(views, "entrance_settings", EntranceSettings)
    return Site(room)


def visitor(site: Site) -> EntranceClient:
    """A visitor who waited, and has a session."""
    client = EntranceClient()
    path, passed = site.navigate(client)
    assert not passed
    assert path[-1] == "/_waiting-room/?event=sale"
    token = site.room.enter()[0]
    raw = f"event={SALE}&to=/checkout&token={token}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.call("session", method="POST", raw=raw, headers=form).location == "/checkout"
    assert site.navigate(client) == (["/checkout"], True)
    return client


def test_a_renewal_is_one_detour(site: Site) -> None:
    client = visitor(site)
    for seconds, detours in ((299, 0), (1, 2), (299, 0), (600, 2)):
        site.room.clock.now += seconds
        path, passed = site.navigate(client, "/checkout?step=2")
        assert (len(path) - 1, passed) == (detours, True)
        assert path[-1] == "/checkout?step=2"
    assert set(site.served) == {f"{SALE}:1:1"}


def test_a_stolen_cookie_navigates_until_the_next_renewal(site: Site) -> None:
    client = visitor(site)
    thief = EntranceClient(jar=dict(client.jar))
    assert site.navigate(thief)[1]
    site.room.room.sessions.end_by_session(SALE, f"{SALE}:1:1", -1)
    site.room.clock.now += 299
    assert site.navigate(thief)[1], "as documented, until the next renewal"
    copy = EntranceClient(jar=dict(thief.jar))
    site.room.clock.now += 1
    path, passed = site.navigate(thief)
    assert not passed
    assert [urlsplit(one).path for one in path[1:]] == [
        "/_waiting-room/renew", "/_waiting-room/enter", "/_waiting-room/",
    ]  # fmt: skip
    assert not site.navigate(thief)[1]
    assert not site.script(thief)
    assert site.script(copy), "as documented, until the cookie's own end"
    site.room.clock.now += LIFE - 300
    assert not site.script(copy)
    assert not site.navigate(copy)[1]


def test_a_marker_that_was_kept_navigates_until_the_end_of_its_cookie(site: Site) -> None:
    """As documented: the marker lets visitors pass while the room has a fault."""
    client = visitor(site)
    thief = EntranceClient(jar=dict(client.jar))
    site.room.room.sessions.end_by_session(SALE, f"{SALE}:1:1", -1)
    site.room.clock.now += 300
    status, location = site.ask(thief, "/checkout", NAVIGATION)
    assert (status, location.partition("?")[0]) == (302, "/_waiting-room/renew")
    assert MARKER in thief.jar, "and the thief does not follow"
    site.room.clock.now += LIFE - 301
    assert site.navigate(thief) == (["/checkout"], True), "in the last second of the cookie"
    other = EntranceClient(jar={**client.jar, MARKER: thief.jar[MARKER][::-1]})
    assert not site.navigate(other)[1], "another marker is no marker"
    site.room.clock.now += 1
    assert not site.navigate(EntranceClient(jar=dict(thief.jar)))[1]
    assert not site.script(thief)


def test_a_marker_is_of_one_cookie(site: Site) -> None:
    """The marker of an earlier cookie does not delay the renewal of a later one."""
    client = visitor(site)
    site.room.clock.now += 300
    site.ask(client, "/checkout", NAVIGATION)
    marker = client.jar[MARKER]
    assert site.navigate(client, "/_waiting-room/renew?event=sale&to=/checkout")[1]
    client.jar[MARKER] = marker
    site.room.clock.now += 300
    path, _ = site.navigate(client)
    assert len(path) == 3


def test_a_session_that_is_over_leads_to_the_queue_once(site: Site) -> None:
    client = visitor(site)
    site.room.clock.now += LIFE
    assert not site.script(client)
    path, passed = site.navigate(client)
    assert not passed
    assert path[-1] == "/_waiting-room/?event=sale"
    assert COOKIE not in client.jar
    assert PROBE in client.jar


def test_a_fault_of_the_room_locks_out_no_visitor(site: Site) -> None:
    client = visitor(site)
    site.room.clock.now += 400
    site.room.outcomes.fail("extend_session", "before")
    path, passed = site.navigate(client)
    assert (len(path) - 1, passed) == (2, True)
    assert MARKER in client.jar
    site.room.clock.now += LIFE - 401
    assert site.navigate(client) == (["/checkout"], True), "the marker lasts as the session"
    site.room.clock.now += 1
    assert not site.navigate(client)[1]


@pytest.mark.parametrize("store_delay", [True, False])
def test_after_a_reset_no_old_session_passes_a_renewal(site: Site, store_delay: bool) -> None:
    client = visitor(site)
    site.room.room.control.reset(SALE)
    site.store_delay = store_delay
    assert site.navigate(client)[1] is store_delay
    site.room.clock.now += 300
    assert not site.navigate(client)[1]
    assert not site.navigate(client)[1]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from((1, 60, 299, 300, 600, LIFE))),
        st.tuples(st.sampled_from(("end", "leave", "reset", "close", "fail", "late")), st.just(0)),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(ACTIONS)
def test_no_history_makes_a_loop_or_lets_an_ended_session_through(
    actions: list[tuple[str, int]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        site = site_of(patch)
        client = visitor(site)
        for kind, seconds in actions:
            if kind == "wait":
                site.room.clock.now += seconds
            elif kind == "end":
                row = site.room.outcomes.store.get(SALE, 1, 1)
                if row.ended_at == 0 and site.room.generation == 1:
                    site.room.room.sessions.end_by_session(SALE, f"{SALE}:1:1", 1)
            elif kind == "leave":
                client.call(
                    "leave", method="POST", event=SALE, headers={"Sec-Fetch-Site": "same-origin"}
                )
            elif kind == "reset":
                site.room.room.control.reset(SALE)
            elif (
                kind == "close"
                and site.room.documents.store.read(SALE).document["control"]["closed_at"] is None
            ):
                site.room.event_documents.act(SALE, "close", actor=ME)
            elif kind == "fail":
                site.room.outcomes.fail("extend_session", "before")
            site.store_delay = kind == "late"
            path, passed = site.navigate(client)
            row = site.room.outcomes.store.get(SALE, 1, 1)
            is_over = row.ended_at or row.session_until <= site.room.clock.now
            if any("/renew" in one for one in path) and is_over:
                assert not passed
