# SPDX-License-Identifier: Apache-2.0
"""``make preview``: the states of the waiting page with a brand and events of a file.

No room runs: ``preview.html`` answers the page's calls itself, and this server returns the title,
brand, texts and block of the events. A change of the file is seen when the page is reloaded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from starlette.datastructures import QueryParams
from starlette.responses import JSONResponse, Response

from apps.command_line.event_files import FileError, parse_files
from deployment.local.gateway.static_site import Site
from infrastructure.assets import sites
from infrastructure.blueprint.site_config import PREVIEW, SITES, waiting_room_config
from waiting_room.adapters.page_html import clean_html
from waiting_room.domain.errors import InvalidInput
from waiting_room.domain.events.brand import BrandError, checked_brand
from waiting_room.domain.events.page import page_of, with_clean_html
from waiting_room.domain.events.schema import defaults
from waiting_room.domain.events.validation import check_event_id, replace_document
from waiting_room.domain.parsing import json_object

ROOT = Path(__file__).parents[1]
DEFAULT = "Sample"  # event of the page without events of a file
PORT = "8790"
API = "/api"


class PreviewError(Exception):
    """A setting or a file is invalid; the text is for the person who previews."""


@dataclass(frozen=True)
class Settings:
    """Of the environment: brand of the deployment, file of the events, and port."""

    brand: Mapping[str, Any]
    events: Path | None
    port: int


def read_settings(env: Mapping[str, str]) -> Settings:
    """Return the settings; raises PreviewError."""
    try:
        brand = checked_brand(json_object(env.get("BRAND") or "{}", "BRAND"))
    except InvalidInput:
        raise PreviewError("BRAND must be a JSON object, as for make run.") from None
    except BrandError as error:
        raise PreviewError(f"BRAND: {error}.") from None
    port = env.get("PORT") or PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise PreviewError("PORT must be a number from 1 to 65535.")
    events = Path(env["EVENTS"]) if env.get("EVENTS") else None
    found = Settings(brand, events, int(port))
    pages(found)
    return found


def pages(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the response of ``GET /page`` of each event of the file; raises PreviewError."""
    if settings.events is None:
        return {}
    try:
        text = settings.events.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PreviewError(f"EVENTS={settings.events} cannot be read: {why}.") from None
    found = {}
    try:
        for event_id, content in parse_files([(settings.events.name, text)]).items():
            try:
                document = replace_document(
                    with_clean_html(content, clean_html), check_event_id(event_id), None
                )
            except InvalidInput as error:
                raise PreviewError(f"{settings.events.name}: {event_id}: {error}.") from None
            found[event_id] = {"event_id": event_id, **page_of(document)}
    except FileError as error:
        raise PreviewError(f"{error}.") from None
    return found


class PreviewServer:
    """The built page, its ``config.json``, and ``GET /page`` from the file."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        first = next(iter(pages(settings)), DEFAULT)
        config = waiting_room_config(
            event_id=first, public_api=f"http://127.0.0.1:{settings.port}{API}", store_api="",
            brand=settings.brand,
        )  # fmt: skip
        self._site = Site(folder, SITES[0], config, [config["public_api"]])

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """Serve an ASGI connection."""
        if scope["type"] != "http":
            return
        if scope["path"] == f"{API}/page":
            asked = QueryParams(scope["query_string"]).get("event_id", "")
            await self._page(asked)(dict(scope), receive, send)
            return
        await self._site(scope, receive, send)

    def _page(self, event_id: str) -> Response:
        try:
            found = pages(self._settings)
        except PreviewError as error:
            return JSONResponse({"error": str(error)}, 400)
        if event_id in found:
            return JSONResponse(found[event_id], headers={"Cache-Control": "no-store"})
        if self._settings.events is None:
            return JSONResponse({"event_id": event_id, **page_of(defaults())})
        return JSONResponse({"error": f"{self._settings.events.name} has no such event."}, 400)


def main() -> int:
    """Build the page, serve it until Ctrl-C; return the exit status."""
    argparse.ArgumentParser(prog="python -m deployment.preview", description=__doc__).parse_args()
    try:
        settings = read_settings(os.environ)
        print("· building the waiting page", flush=True)
        folder = sites.build(ROOT, ROOT / "build" / "preview")[SITES[0]]
        server = PreviewServer(folder, settings)
    except (PreviewError, sites.SitesError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\nPreview: http://127.0.0.1:{settings.port}/{PREVIEW}")
    for event_id in pages(settings):
        query = f"?event={event_id}"
        print(f"  {event_id}: http://127.0.0.1:{settings.port}/{PREVIEW}{query}")
    print("Reload the page after a change of the file. Ctrl-C ends the server.", flush=True)
    config = uvicorn.Config(
        server, host="127.0.0.1", port=settings.port, log_level="warning", access_log=False,
        lifespan="off", server_header=False,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run()
    except SystemExit:  # uvicorn has written why it cannot listen
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
