# SPDX-License-Identifier: Apache-2.0
"""Attacks on both fail modes: the room is killed, slow, or returns invalid responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from deployment.local.edge_store import DELAY
from tests.apps.gate_room import LIFE, SALE
from tests.attack import fail_modes
from tests.local.failing_room import FAULTS, TICK, FailingRoom
from tests.local.shop_room import ask
from waiting_room.domain.gate import watchdog
from waiting_room.domain.gate.opening import OPEN_FOR, opened

SCRIPT = {"accept": "*/*"}
Story = Callable[[FailingRoom], Awaitable[None]]


def tell(patch: pytest.MonkeyPatch, when_unreachable: str, story: Story) -> None:
    async def run() -> None:
        async with FailingRoom(patch, when_unreachable) as room:
            await story(room)

    asyncio.run(run())


def ends(room: FailingRoom) -> dict[str, int]:
    return opened(room.store.items(), room.clock.now)


@pytest.mark.parametrize("fault", FAULTS)
def test_closed_admitted_visitors_keep_access_until_their_sessions_end(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(room: FailingRoom) -> None:
        visitor = room.visitor()
        began = room.clock.now
        await room.fail(fault)
        for at in (0, 299, 300, 301, 600, LIFE - 1):
            room.clock.now = began + at
            assert await visitor.opens_again(), at
        assert await room.reaches_shop(visitor.cookies, headers=SCRIPT)
        for at in (LIFE, LIFE + 1, LIFE + 3_600):
            room.clock.now = began + at
            assert not await visitor.opens_again(), at
            assert not await room.reaches_shop(visitor.cookies, headers=SCRIPT)
        room.clock.now = began + LIFE + 59
        assert await room.reaches_shop(visitor.cookies, "POST"), "a form, within a minute"

    tell(monkeypatch, "closed", story)


def test_a_renewal_works_again_after_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker does not extend a session: the room does."""

    async def story(room: FailingRoom) -> None:
        visitor = room.visitor()
        began = room.clock.now
        room.clock.now = began + 301
        await room.fail("killed")
        assert await visitor.opens_again()
        await room.fail("")
        room.clock.now = began + LIFE
        assert not await visitor.opens_again(), "the session was over before it could be renewed"
        other = room.visitor()
        began = room.clock.now
        room.clock.now = began + 301
        assert await other.opens()
        room.clock.now = began + LIFE + 100
        assert await other.opens(), "the renewal moved the end"

    tell(monkeypatch, "closed", story)


@pytest.mark.parametrize("fault", FAULTS)
def test_closed_nobody_passes_without_a_session(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(room: FailingRoom) -> None:
        passed: list[bool] = []

        async def tick() -> None:
            passed.append(await room.reaches_shop())

        room.tick = tick
        await room.fail(fault)
        await room.live(600)
        await room.fail("")
        await room.live(120)
        assert len(passed) == 72
        assert not any(passed)
        assert room.store.calls == []
        assert room.reports == []

    tell(monkeypatch, "closed", story)


@pytest.mark.parametrize("fault", FAULTS)
def test_open_visitors_pass_while_the_watchdog_has_opened_the_gate(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(room: FailingRoom) -> None:
        passed: dict[float, bool] = {}

        async def tick() -> None:
            passed[room.clock.now] = await room.reaches_shop()

        room.tick = tick
        await room.live(120)
        assert not any(passed.values())
        assert room.store.calls == ["list"], "a new environment looks once for what is left"
        await room.fail(fault)
        failed = room.clock.now
        await room.live(OPEN_FOR + 200)
        await room.fail("")
        ended = room.clock.now
        await room.live(240)
        first = min(at for at, passes in passed.items() if passes)
        last = max(at for at, passes in passed.items() if passes)
        assert first - failed <= 180, "it opens within three minutes"
        assert last - ended <= 60 + DELAY + TICK, "it closes a minute after the recovery"
        assert all(passes for at, passes in passed.items() if first <= at <= last)
        assert not await room.reaches_shop()
        assert ends(room) == {}
        updates = room.store.calls.count("update")
        assert updates == 4, "opened, renewed twice, closed"
        assert set(room.reports) == {1}

    tell(monkeypatch, "open", story)


def test_open_admitted_visitors_keep_access_longer_while_the_gate_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(room: FailingRoom) -> None:
        visitor = room.visitor()
        began = room.clock.now
        await room.fail("killed")
        results: dict[float, bool] = {}

        async def tick() -> None:
            results[room.clock.now] = await visitor.opens_again()

        room.tick = tick
        await room.live(LIFE + 120)
        await room.fail("")
        ended = room.clock.now
        await room.live(180)
        after = {at for at, passes in results.items() if passes and at - began >= LIFE}
        assert min(after) - began < LIFE + TICK
        assert max(after) - ended <= 60 + DELAY + TICK
        assert all(passes for at, passes in results.items() if at <= ended)
        assert not await visitor.opens_again(), "the session ended meanwhile"

    tell(monkeypatch, "open", story)


def test_open_the_gate_closes_by_itself_when_the_watchdog_ends_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(room: FailingRoom) -> None:
        await room.fail("killed")
        await room.live(200)
        (until,) = ends(room).values()
        room.watches = False
        await room.live(until - 1 - room.clock.now)
        assert await room.reaches_shop()
        room.clock.now = until
        assert not await room.reaches_shop()
        await room.live(600)
        assert not await room.reaches_shop()

    tell(monkeypatch, "open", story)


@pytest.mark.parametrize("action", ["pause", "close"])
def test_open_an_action_of_the_operator_closes_an_opened_gate(
    action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(room: FailingRoom) -> None:
        await room.fail("killed")
        await room.live(200)
        assert await room.reaches_shop()
        await room.act(action)
        await room.live(DELAY + 1)
        assert not await room.reaches_shop()
        await room.live(300)
        assert not await room.reaches_shop(), "the fault still lasts"
        assert ends(room) == {}

    tell(monkeypatch, "open", story)


def test_open_a_flood_of_the_room_does_not_open_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room that limits its callers responds 429, and anyone can cause that."""

    async def story(room: FailingRoom) -> None:
        await room.fail("busy")
        await room.live(900)
        assert ends(room) == {}
        assert not await room.reaches_shop()
        await room.fail("killed")
        await room.live(200)
        assert await room.reaches_shop()
        await room.fail("busy")
        await room.live(120)
        assert not await room.reaches_shop(), "it responds again"

    tell(monkeypatch, "open", story)


def test_open_a_room_that_fails_now_and_then_does_not_open_the_gate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(room: FailingRoom) -> None:
        async def tick() -> None:
            await room.fail("error" if room.clock.now // TICK % 6 else "")

        room.tick = tick
        await room.live(900)
        assert room.store.calls.count("update") == 0
        assert ends(room) == {}

    tell(monkeypatch, "open", story)


def test_open_forged_requests_do_not_pass_before_the_gate_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing that a visitor sends tells gate or watchdog that there is a fault."""

    async def story(room: FailingRoom) -> None:
        forged = "1:new:sale:1:1:1:zzzzzz:" + "A" * 43
        name = "__Host-waiting-room-sale"
        attempts: list[tuple[str, dict[str, str]]] = [
            (f"{name}={forged}", {}),
            (f"{name}={forged}; __Host-waiting-room_renewing-sale={'A' * 43}", {}),
            ("", {"x-waiting-room-session": "sale:1:1"}),
            ("", {"x-api-key": "secret", "w": "9999999999"}),
            ('w=9999999999; e:sale={"w":9999999999}', {}),
        ]
        await room.fail("killed")
        for cookies, headers in attempts:
            sent = {**SCRIPT, **headers}
            assert not await room.reaches_shop(cookies, headers=sent)
            assert not await room.reaches_shop(cookies, "POST", sent)
        await room.fail("")
        await room.live(180)
        assert ends(room) == {}

    tell(monkeypatch, "open", story)


def test_open_requests_for_events_that_do_not_exist_have_no_effect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(room: FailingRoom) -> None:
        for event in ("made-up", "__proto__", "sale%0d%0aw:1", SALE + "2"):
            await ask(room.edge, f"/_waiting-room/enter?event={event}")
            await ask(room.edge, f"/_waiting-room/status?event_id={event}")
        await room.live(300)
        assert room.store.calls == ["list"]
        assert ends(room) == {}

    tell(monkeypatch, "open", story)


def test_random_faults_and_forged_requests_open_nothing_and_a_weaker_watchdog_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seed, periods = 20_261_129, 6
    made = fail_modes.run(seed, periods)
    assert [one for one in made if one.succeeded] == []
    assert [one.result.split()[0] for one in made] == ["0", "0", "0", "2"]
    monkeypatch.setattr(watchdog, "FAILING_FOR", 30.0)
    assert [one.succeeded for one in fail_modes.run(seed, periods)] == [False, False, False, True]


def test_the_probes_stop_no_visitor_from_going_straight_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A visitor who has to wait sets ``line``; a probe is no visitor."""

    async def story(room: FailingRoom) -> None:
        await room.live(300)
        state = room.room.log.store.read(SALE)
        assert (state.line, state.queue, state.serving) == (0, 0, 0)

    tell(monkeypatch, "open", story)
