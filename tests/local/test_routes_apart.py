# SPDX-License-Identifier: Apache-2.0
"""A crowd at one route of the local gateway leaves its other routes alone, as on AWS."""

from __future__ import annotations

import asyncio
import threading

from chalice import Chalice

from deployment.local.gateway.proxy_events import Answer, Call
from deployment.local.gateway.rest_api import RestApi


def call(path: str) -> Call:
    return Call("POST", path, path, "", {}, {}, b"{}", "127.0.0.1")


def test_calls_that_hang_at_one_route_do_not_keep_another_waiting() -> None:
    released = threading.Event()

    def hangs(_: Call) -> Answer:
        released.wait(20)
        return Answer(200, (), b"late")

    def answers(_: Call) -> Answer:
        return Answer(200, (), b"at once")

    api = RestApi(
        "test",
        Chalice("test", configure_logs=False),
        threads=1,
        integrations={("POST", "/busy"): hangs, ("POST", "/quiet"): answers},
    )

    async def send_at_once() -> tuple[bytes, int]:
        busy = [asyncio.create_task(api.answer(call("/busy"))) for _ in range(5)]
        await asyncio.sleep(0.05)
        try:
            quiet = await asyncio.wait_for(api.answer(call("/quiet")), 5)
            waiting = sum(not one.done() for one in busy)
        finally:
            released.set()
        await asyncio.gather(*busy)
        return quiet.body, waiting

    assert asyncio.run(send_at_once()) == (b"at once", 5)
    api.close()
