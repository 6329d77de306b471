# SPDX-License-Identifier: Apache-2.0
"""A static site as on CloudFront: files, ``config.json``, security headers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from infrastructure.blueprint.site_config import (
    CONFIG,
    LOOPBACK,
    SAME_HOST_REFERRER,
    SITES,
    headers_of,
    with_plain_room,
)

INDEX, INDEX_PATHS = "index.html", ("/", "/index.html")


class Site:
    """Serves a folder; the CSP allows calls of ``addresses`` and forms to ``forms``.

    ``plain_room``: the page is below a protected host, which has a room without scripts.
    """

    def __init__(
        self,
        folder: Path,
        site: str,
        settings: Mapping[str, Any],
        addresses: list[str],
        forms: Iterable[str] = (),
        *,
        plain_room: bool = False,
    ) -> None:
        self._files = StaticFiles(directory=folder, html=True, check_dir=False)
        self._settings = json.dumps(settings).encode()
        images = LOOPBACK if site == SITES[0] else ()  # as https: on AWS
        headers = headers_of(site, addresses, forms, images)
        self._headers = {**headers, "Cache-Control": "no-cache"}
        self._index = folder / INDEX if plain_room else None
        if plain_room:
            self._headers |= SAME_HOST_REFERRER

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                known = Headers(raw=message["headers"])
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.lower().encode(), value.encode())
                        for name, value in self._headers.items()
                        if name not in known
                    ),
                ]
            await send(message)

        if scope["path"] == f"/{CONFIG}" and scope["method"] in ("GET", "HEAD"):
            answer = Response(self._settings, media_type="application/json")
            await answer(dict(scope), receive, with_headers)  # type: ignore[arg-type]
            return
        if self._index and scope["path"] in INDEX_PATHS and scope["method"] in ("GET", "HEAD"):
            page = with_plain_room(self._index.read_text(encoding="utf-8"))
            await Response(page, media_type="text/html")(dict(scope), receive, with_headers)  # type: ignore[arg-type]
            return
        await self._serve(scope, receive, with_headers)

    async def _serve(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        from starlette.exceptions import HTTPException

        try:
            await self._files(dict(scope), receive, send)
        except HTTPException as error:
            answer = Response(error.detail, error.status_code, media_type="text/plain")
            await answer(dict(scope), receive, send)
