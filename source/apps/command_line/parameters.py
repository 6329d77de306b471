# SPDX-License-Identifier: Apache-2.0
"""What all commands share: the options that choose the room, and types of arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from apps.command_line.connection import Options
from apps.command_line.errors import CommandError, printable, refused
from apps.command_line.event_files import FileError, epoch_seconds
from waiting_room.domain.limits import EVENT_ID

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """A group whose unexpected errors are one line too."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; convert an error that is not click's."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
            raise
        except Exception as error:
            raise refused(f"unexpected {type(error).__name__}: {error}") from None


class EventId(click.ParamType[str]):
    """An event id. The shell completes it from the room's list of events."""

    name = "event"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Check the id; raises a usage error."""
        if not EVENT_ID.fullmatch(value):
            self.fail(
                f"{printable(value)} is not an event id: 1 to 64 letters, digits, _, . and -, the"
                " first a letter or digit",
                param,
                ctx,
            )
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,
        param: Any,  # noqa: ARG002 - of click
        incomplete: str,
    ) -> list[Any]:
        """Return the ids that begin with the typed text; none without a room."""
        try:
            events = ctx.ensure_object(Options).connect().events()
        except CommandError:
            return []
        return [
            CompletionItem(one["event_id"], help=one["phase"])
            for one in events
            if one["event_id"].startswith(incomplete)
        ]


class Time(click.ParamType[int]):
    """A time: epoch seconds, or ISO 8601 with a time zone."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Return epoch seconds; raises a usage error."""
        try:
            return int(value) if str(value).isdecimal() else int(epoch_seconds(value, "the time"))
        except FileError as error:
            self.fail(str(error), param, ctx)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name:
        setattr(ctx.ensure_object(Options), param.name, value)


def common(command: Command) -> Command:
    """Add the options that choose the room and the form of the output."""
    for option in reversed(
        (
            click.option(
                "--api", metavar="URL", help="Address of the private API.",
                callback=_store, expose_value=False,
            ),
            click.option(
                "--public-api", metavar="URL", help="Address of the public API, for status.",
                callback=_store, expose_value=False,
            ),
            click.option(
                "--stack", metavar="NAME", help="Core stack on AWS, instead of --api.",
                callback=_store, expose_value=False,
            ),
            click.option(
                "--region", metavar="NAME", help="AWS region; default: that of the profile.",
                callback=_store, expose_value=False,
            ),
            click.option(
                "--profile", metavar="NAME", help="Profile of the AWS configuration.",
                callback=_store, expose_value=False,
            ),
            click.option(
                "--json", "as_json", is_flag=True, help="Print JSON.",
                callback=_store, expose_value=False,
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


pass_options = click.make_pass_decorator(Options, ensure=True)
event_argument = click.argument("event", type=EventId())
yes_option = click.option("--yes", is_flag=True, help="Skip the confirmation.")
