# SPDX-License-Identifier: Apache-2.0
"""The visitors and the operator of a soak, and those who send nonsense."""

from __future__ import annotations

import asyncio
import json
import random
import time
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from tests.soak.observations import Observations
from tests.soak.samples import Asked, Samples
from tests.support.local_stack import RunningRoom

TIMEOUT = aiohttp.ClientTimeout(total=40, connect=10)
CONNECTIONS = 400
NO_SHOW, LEAVES, ASKS_TWICE, ENDS, ABANDONS = 0.06, 0.03, 0.1, 0.6, 0.1  # shares of the visits
PATIENCE = 240.0  # s that a visitor waits for the position, and again for the turn
TOKENS = ("access_token", "refresh_token", "id_token")
AGAIN = (0, 202, 429, 503)  # statuses after which a visitor asks again
TRIES = 12  # of a call that is answered 503
NONSENSE: tuple[tuple[str, str, str, str], ...] = (
    ("POST", "/assign_queue_num", "application/json", "{"),
    ("POST", "/assign_queue_num", "application/json", '{"event_id": "No body"}'),
    ("POST", "/assign_queue_num", "application/json", '{"event_id": 7}'),
    ("POST", "/assign_queue_num", "text/plain", '{"event_id": "Sample"}'),
    ("POST", "/assign_queue_num", "application/json", '{"event_id": "\\ud800"}'),
    ("GET", "/queue_num?event_id=Sample&request_id=x", "", ""),
    ("GET", "/queue_num?event_id=Sample", "", ""),
    ("GET", "/queue_num?event_id=%00&request_id=%FF", "", ""),
    ("GET", "/queue_pos_expiry?event_id=Sample&request_id={random}", "", ""),
    ("GET", "/status?event_id=Nobody", "", ""),
    ("POST", "/generate_token", "application/json", '{"event_id": "Sample", "request_id": {}}'),
    ("POST", "/generate_token", "application/json", '{"event_id": "Sample", "request_id": "\x00"}'),
    (
        "POST",
        "/generate_token",
        "application/json",
        '{"event_id": "Sample", "request_id": "{random}"}',
    ),
    ("DELETE", "/generate_token", "", ""),
)


class Traffic:
    """Makes visits, and writes down what they were answered."""

    def __init__(
        self, room: RunningRoom, session: aiohttp.ClientSession, seed: int, began: float
    ) -> None:
        self._room, self._session, self._began = room, session, began
        self.random = random.Random(seed)
        self.observed, self.samples = Observations(), Samples()
        self.generation = 1
        self.come = 0
        self.busy: set[asyncio.Task[None]] = set()

    @property
    def now(self) -> float:
        """Seconds since the start of the load."""
        return time.monotonic() - self._began

    async def arrive(self, rate: float, until: float) -> None:
        """Let visitors come, so many a second, at random moments."""
        while self.now < until:
            task = asyncio.create_task(self._visit())
            self.busy.add(task)
            task.add_done_callback(self.busy.discard)
            self.come += 1
            await asyncio.sleep(self.random.expovariate(rate))

    async def nonsense(self, rate: float, until: float) -> None:
        """Send what is refused."""
        while self.now < until:
            method, path, kind, body = self.random.choice(NONSENSE)
            url = self._room.endpoints["public_api"] + path.replace("{random}", str(uuid.uuid4()))
            text = body.replace("{random}", str(uuid.uuid4()))
            headers = {"Content-Type": kind} if kind else {}
            status, content = await self._ask("nonsense", method, url, text.encode(), headers)
            if status == 200 and "api_request_id" in content:  # then it was no nonsense
                self.observed.joined(content["api_request_id"], time.time())
            await asyncio.sleep(self.random.expovariate(rate))

    async def capacity(self, seconds: float, together: int) -> float:
        """Short visits a second that the machine bears with so many at once."""
        done = 0

        async def go_on() -> None:
            nonlocal done
            while self.now < seconds:
                joined = await self._join()
                for path in ("/queue_num", "/status", "/queue_num", "/status"):
                    await self._public("warm-up", path, joined or str(uuid.uuid4()))
                await self._token("warm-up", joined or str(uuid.uuid4()))
                done += 1

        await asyncio.gather(*(go_on() for _ in range(together)))
        return done / max(self.now, 1.0)

    # --- a visit -------------------------------------------------------------------------------

    async def _visit(self) -> None:
        chance = self.random.random()
        request_id = await self._join()
        if request_id is None:
            return
        place = await self._place(request_id)
        if place is None or chance < LEAVES:
            return
        if not await self._turn(place) or chance < LEAVES + NO_SHOW:
            return
        status, content = await self._insist(lambda: self._token("token", request_id))
        if status != 200:
            return
        self.observed.tokens[request_id] = time.time()
        if self.random.random() < ASKS_TWICE:
            status, again = await self._insist(lambda: self._token("token", request_id))
            if status == 200 and any(again[name] != content[name] for name in TOKENS):
                self.observed.other_tokens.append(request_id)
        await self._ask(
            "store", "GET", self._room.endpoints["store_api"] + "/search", b"",
            {"Authorization": content["access_token"]},
        )  # fmt: skip
        await asyncio.sleep(self.random.uniform(1, 10))
        await self._public("queue_num", "/queue_num", request_id, place)
        chance = self.random.random()
        if chance < ENDS + ABANDONS:
            await self._end(request_id, 1 if chance < ENDS else -1)

    async def _join(self) -> str | None:
        body = json.dumps({"event_id": self._room.event_id}).encode()
        url = self._room.endpoints["public_api"] + "/assign_queue_num"
        status, content = await self._ask(
            "join", "POST", url, body, {"Content-Type": "application/json"}
        )
        if status != 200:
            return None  # a join that was not accepted is not sent again: it is another visit
        request_id = str(content["api_request_id"])
        self.observed.joined(request_id, time.time())
        return request_id

    async def _place(self, request_id: str) -> int | None:
        end = self.now + PATIENCE
        while self.now < end:
            status, content = await self._public("queue_num", "/queue_num", request_id)
            if status == 200:
                self.observed.placed(request_id, int(content["queue_number"]), time.time())
                return int(content["queue_number"])
            if status not in AGAIN:
                return None  # told to join again
            await asyncio.sleep(self.random.uniform(0.5, 1.0))
        return None

    async def _turn(self, place: int) -> bool:
        """Whether the turn came, as far as the status says."""
        end, generation = self.now + PATIENCE, self.generation
        while self.now < end and self.generation == generation:
            status, content = await self._public("status", "/status", None)
            if status == 200 and content["serving_counter"] >= place:
                return True
            pause = content.get("poll_after_seconds", 2) if status == 200 else 2
            await asyncio.sleep(min(5, max(1, pause)) * self.random.uniform(0.8, 1.2))
        return False

    async def _token(self, route: str, request_id: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"event_id": self._room.event_id, "request_id": request_id}).encode()
        url = self._room.endpoints["public_api"] + "/generate_token"
        return await self._ask(route, "POST", url, body, {"Content-Type": "application/json"})

    async def _end(self, request_id: str, status: int) -> None:
        call = {"request_id": request_id, "status": status, "call_id": str(uuid.uuid4())}
        answered, _ = await self._insist(
            lambda: self.private("update_session", "POST", "/update_session", call),
        )
        if answered == 200:
            self.observed.ends[request_id] = "completed" if status == 1 else "abandoned"

    # --- the operator --------------------------------------------------------------------------

    async def operate(self, rate: float, until: float, reset_at: float) -> None:
        """Admit everybody a little later, look at the figures, set messages, reset once."""
        tick = 0
        while self.now < until or (self.busy and self.now < until + PATIENCE):
            tick += 1
            if reset_at and self.now >= reset_at:
                reset_at = 0
                await self._reset()
            status, figures = await self.private("metrics", "GET", "/metrics", {})
            if status == 200:
                ahead = figures["queue_counter"] - figures["serving_counter"]
                by = min(int(ahead), max(1, int(3 * rate)))
                if by > 0:
                    await self._raise(by)
            if tick % 15 == 0:
                message = {"message": f"Minute {int(self.now // 60)}"}
                await self.private("update_message", "POST", "/update_message", message)
                await self.private("num_active_tokens", "GET", "/num_active_tokens", {})
                await self._public("waiting_num", "/waiting_num", None)
                await self._public("ended_sessions", "/ended_sessions", None)
            await asyncio.sleep(1)
        await self._serve_the_rest()

    async def _serve_the_rest(self) -> None:
        """The turns of those who never came to take one, so that they can expire."""
        for _ in range(TRIES):
            status, figures = await self.private("metrics", "GET", "/metrics", {})
            if status == 200 and figures["queue_counter"] <= figures["serving_counter"]:
                return
            if status == 200:
                await self._raise(figures["queue_counter"] - figures["serving_counter"])
            await asyncio.sleep(1)

    async def _raise(self, by: int) -> None:
        call = {"increment_by": by, "call_id": str(uuid.uuid4())}
        for _ in range(3):
            self.observed.raised(self.generation, by, time.time())
            status, _ = await self.private(
                "increment", "POST", "/increment_serving_counter", call
            )  # fmt: skip
            if status not in AGAIN:
                return
            await asyncio.sleep(1)

    async def _reset(self) -> None:
        began = self.now
        for _ in range(TRIES):
            status, _ = await self.private("reset", "POST", "/reset_initial_state", {})
            if status == 200:
                break
            await asyncio.sleep(1)
        _, figures = await self.private("metrics", "GET", "/metrics", {})
        self.generation = int(figures.get("generation", self.generation + 1))
        self.samples.windows.append((began, self.now, "reset by the operator"))

    async def private(
        self, route: str, method: str, path: str, content: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """A signed call; the event is added."""
        url = self._room.endpoints["private_api"] + path
        given = {"event_id": self._room.event_id, **content}
        if method == "GET":
            url += f"?event_id={self._room.event_id}"
            return await self._ask(route, method, url, b"", self._room.signed(method, url, ""))
        data = json.dumps(given)
        return await self._ask(
            route, method, url, data.encode(), self._room.signed(method, url, data)
        )  # fmt: skip

    # --- requests ------------------------------------------------------------------------------

    async def _insist(self, call: Any) -> tuple[int, dict[str, Any]]:
        """Ask until there is another answer than: later."""
        status, content = 0, dict[str, Any]()
        for turn in range(TRIES):
            status, content = await call()
            if status not in AGAIN:
                break
            await asyncio.sleep(min(5, 1 + turn))
        return status, content

    async def _public(
        self, route: str, path: str, request_id: str | None, place: int | None = None
    ) -> tuple[int, dict[str, Any]]:
        url = f"{self._room.endpoints['public_api']}{path}?event_id={self._room.event_id}"
        if request_id:
            url += f"&request_id={request_id}"
        status, content = await self._ask(route, "GET", url, b"", {})
        if place is not None and status == 200 and request_id:
            self.observed.placed(request_id, int(content["queue_number"]), time.time())
        return status, content

    async def _ask(
        self, route: str, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Status and content; 0 without an answer."""
        at, began = self.now, time.perf_counter()
        content: Any = {}
        try:
            async with self._session.request(
                method, url, data=body or None, headers=headers, skip_auto_headers=["Content-Type"]
            ) as answer:
                text = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status, text = 0, b""
        self.samples.asked.append(Asked(at, route, 1000 * (time.perf_counter() - began), status))
        try:
            content = json.loads(text) if text else {}
        except ValueError:
            content = {}
        return status, content if isinstance(content, dict) else {}
