# SPDX-License-Identifier: Apache-2.0
"""``make run``: start the room on this machine and print its addresses; Ctrl-C ends it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from typing import Any

from apps.command_line.connection import Options
from apps.command_line.errors import CommandError
from deployment.local import config, events
from deployment.local.room import ROOT, AlreadyRunning, LocalRoom, LocalRoomError

LABELS = (
    ("Ticket shop", "shop_url"),
    ("Waiting page", "waiting_room_url"),
    ("Console", "console_url"),
    ("Public API", "public_api"),
    ("Private API", "private_api"),
    ("Store API", "store_api"),
    ("OpenID issuer", "openid_issuer"),
    ("Inlet", "inlet"),
    ("Access key id", "access_key_id"),
    ("Secret access key", "secret_access_key"),
)


def main() -> int:
    """Run until Ctrl-C; return the exit status."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    began = time.monotonic()
    try:
        chosen = config.read(os.environ, ROOT)
    except config.ConfigError as error:
        return _fail(str(error))
    stack = LocalRoom(chosen, lambda text: print(f"· {text}", flush=True))
    try:
        endpoints = stack.start()
        print(f"\nThe room is running; the start took {time.monotonic() - began:.0f} s.\n")
        show(endpoints)
        show_events(endpoints)
        print(
            f"\nWritten to {chosen.folder / 'endpoints.json'}. Ctrl-C ends everything.", flush=True
        )
        while True:
            stack.watch(3600)
    except AlreadyRunning as other:
        if not other.endpoints:
            return _fail("Another `make run` is starting or ending here: wait a moment.")
        pid = other.endpoints["pid"]
        print(
            f"The room is running already (process {pid}), with the settings that it was started"
            f" with. To start it with others, end it first: kill {pid}\n"
        )
        show(other.endpoints)
        show_events(other.endpoints)
        return 0
    except LocalRoomError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("\n· ending everything", flush=True)
        return 0
    finally:
        stack.stop()


def show(endpoints: dict[str, Any]) -> None:
    """Print the addresses."""
    for label, name in LABELS:
        if endpoints.get(name):
            print(f"  {label:<18} {endpoints[name]}")


def show_events(endpoints: dict[str, Any]) -> None:
    """Print the events with their phase and opening time."""
    try:
        found = list(events.lines(Options().local_room(endpoints), time.time()))
    except CommandError as error:
        found = [error.message]
    print("\n  Events")
    for line in found:
        print(f"    {line}")


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


def _end(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make run", description=__doc__).parse_args()
    sys.exit(main())
