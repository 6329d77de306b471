# SPDX-License-Identifier: Apache-2.0
"""Commands of ``waiting-room``: each makes its calls and prints a table, or JSON for a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import click
import yaml
from click.shell_completion import get_completion_class
from rich.live import Live

from apps.command_line import output, views
from apps.command_line.api_client import RoomApi
from apps.command_line.apply import apply_files
from apps.command_line.connection import Options
from apps.command_line.errors import CommandError, ExitCode, usage
from apps.command_line.gate import gate
from apps.command_line.history_view import history_view
from apps.command_line.parameters import (
    Commands,
    Time,
    common,
    event_argument,
    pass_options,
    yes_option,
)

NAME = "waiting-room"
STATUSES = {"completed": 1, "abandoned": -1}
AUDIT_ENTRIES = 100  # that `audit` shows without --limit


@click.group(
    cls=Commands, name=NAME, context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 refused, 2 usage, 3 conflict, 4 unreachable, 5 not permitted,"
    " 10 apply --dry-run found a difference.",
)  # fmt: skip
@common
def main() -> None:
    """Create and control the events of a waiting room.

    The room is the one of --api, else of --stack, else the one that `make run` started.
    """


@main.group(cls=Commands)
@common
def events() -> None:
    """List, show, apply and delete events."""


@events.command("list")
@common
@pass_options
def list_events(options: Options) -> None:
    """List all events with their phase."""
    found = options.connect().events()
    output.show(options.as_json, {"events": found}, lambda: views.events_table(found))


@events.command()
@common
@event_argument
@pass_options
def show(options: Options, event: str) -> None:
    """Print the document of an event, as YAML: a file for `apply`."""
    document = options.connect().event(event)
    if options.as_json:
        output.print_json(document)
    else:
        click.echo(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), nl=False)


@events.command()
@common
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.File("r", "utf-8"))
@click.option("--dry-run", is_flag=True, help="Show the difference only; exit with 10 if any.")
@yes_option
@pass_options
@click.pass_context
def apply(
    ctx: click.Context, options: Options, files: tuple[Any, ...], dry_run: bool, yes: bool
) -> None:
    """Create and change events from YAML or JSON files; - is the standard input.

    The difference is shown first. A member that a file leaves out stays as it is, and null
    restores its default. A paused, draining or closed event stays so.
    """
    ctx.exit(apply_files(options, files, dry_run=dry_run, yes=yes))


@events.command()
@common
@event_argument
@click.option("--version", type=int, help="Delete the event only if this is its current version.")
@yes_option
@pass_options
def delete(options: Options, event: str, version: int | None, yes: bool) -> None:
    """Delete a closed event with its queue and sessions."""
    api = options.connect()
    output.confirm(yes, f"Delete {event} with its queue and sessions?")
    output.show(options.as_json, api.delete(event, version), lambda: f"{event} is deleted.")


def _action(command: str, action: str, text: str) -> None:
    @main.command(command, help=text, short_help=text)
    @common
    @event_argument
    @pass_options
    def run(options: Options, event: str) -> None:
        _act(options, event, action)


for _command, _name, _text in (
    ("open", "open", "Open an event now, in any phase."),
    ("pause", "pause", "Pause an open event: joins are accepted, no visitor is admitted."),
    ("resume", "resume", "End the pause of an event."),
    ("drain", "drain", "Accept no more joins; the queue continues to be served."),
    ("close", "close", "Close an event: no joins, turns or tokens."),
    ("pass-through", "pass_through", "Admit all visitors without a queue."),
    ("queue", "queue", "End pass-through: visitors queue again."),
):
    _action(_command, _name, _text)


@main.command(context_settings={"ignore_unknown_options": True})
@common
@event_argument
@click.argument("number", type=int, metavar="N")
@pass_options
def admit(options: Options, event: str, number: int) -> None:
    """Admit N visitors: raise the serving counter by N."""
    _act(options, event, "admit", {"by": number})


@main.command()
@common
@event_argument
@click.option("--generation", type=int, help="Reset only if this is the current generation.")
@yes_option
@pass_options
def reset(options: Options, event: str, generation: int | None, yes: bool) -> None:
    """Empty the queue of an event: its visitors must join again."""
    api = options.connect()
    output.confirm(yes, f"Reset {event}? Its visitors lose their positions.")
    content = None if generation is None else {"generation": generation}
    document = api.act(event, "reset", content)
    output.show(options.as_json, document, lambda: f"{event} is reset; it is {document['phase']}.")


@main.command("end-session")
@common
@event_argument
@click.option("--request-id", metavar="ID", help="Request id of the visitor.")
@click.option(
    "--session",
    metavar="ID",
    help="Session id <event>:<generation>:<position>, instead of the request id.",
)
@click.option("--status", type=click.Choice(list(STATUSES)), default="completed", show_default=True)
@pass_options
def end_session(
    options: Options, event: str, request_id: str | None, session: str | None, status: str
) -> None:
    """End the session of one visitor."""
    if (request_id is None) == (session is None):
        raise click.UsageError("Give either --request-id or --session.")
    who = {"session": session} if request_id is None else {"request_id": request_id}
    _act(options, event, "end_session", {**who, "status": STATUSES[status]})


@main.command()
@common
@event_argument
@click.option("--watch", is_flag=True, help="Update until Ctrl-C.")
@click.option(
    "--every", type=click.FloatRange(1, 3600), default=2, show_default=True, metavar="SECONDS",
    help="Time between two updates.",
)  # fmt: skip
@pass_options
def status(options: Options, event: str, watch: bool, every: float) -> None:
    """Show phase, times and counters of an event."""
    api = options.connect()
    if not watch:
        found = _status(api, event)
        output.show(options.as_json, found, lambda: views.status_view(**found, now=options.clock()))
    elif options.as_json:
        with _until_interrupt():
            for found, problem in _updates(options, api, event, every):
                output.print_json({**found, "problem": problem} if problem else found, indent=None)
    else:
        with _until_interrupt(), Live(console=views.console(), auto_refresh=False) as live:
            for found, problem in _updates(options, api, event, every):
                live.update(
                    views.status_view(**found, now=options.clock(), problem=problem), refresh=True
                )


def _status(api: RoomApi, event: str) -> dict[str, Any]:
    document = api.event(event)
    return {"document": document, "status": api.status(event) if api.public_api else None}


def _updates(
    options: Options, api: RoomApi, event: str, every: float
) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the status of an event; while the room is unreachable, the last one with a reason."""
    found = _status(api, event)
    problem = ""
    while True:
        yield found, problem
        options.sleep(every)
        try:
            found, problem = _status(api, event), ""
        except CommandError as error:
            if error.exit_code != ExitCode.UNREACHABLE:
                raise
            problem = error.message


@main.command()
@common
@event_argument
@click.option("--limit", type=click.IntRange(1), default=AUDIT_ENTRIES, show_default=True)
@click.option("--all", "everything", is_flag=True, help="Show all entries of the last 90 days.")
@pass_options
def audit(options: Options, event: str, limit: int, everything: bool) -> None:
    """Show the changes of an event with time and actor, newest first."""
    found = list(islice(options.connect().audit(event), None if everything else limit))
    output.show(
        options.as_json,
        {"entries": found},
        lambda: views.audit_table(found, terminal=views.console().is_terminal),
    )


@main.command()
@common
@event_argument
@click.option("--from", "since", type=Time(), help="First point; default: 24 h ago.")
@click.option("--to", "until", type=Time(), help="End; default: now.")
@click.option("--step", type=click.Choice(["60", "300", "3600"]), help="Seconds between points.")
@pass_options
def history(
    options: Options, event: str, since: int | None, until: int | None, step: str | None
) -> None:
    """Show counters and waits of an event over time. Times: epoch seconds or ISO 8601."""
    given = {"from": since, "to": until, "step": None if step is None else int(step)}
    window = {name: value for name, value in given.items() if value is not None}
    points = options.connect().history(event, window)
    console = views.console()
    output.show(
        options.as_json,
        {"points": points},
        lambda: history_view(points, console.width, terminal=console.is_terminal),
    )


main.add_command(gate)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise usage(f"{shell} is not supported")
    click.echo(kind(main, {}, NAME, "_WAITING_ROOM_COMPLETE").source())


def _act(
    options: Options, event: str, action: str, content: Mapping[str, Any] | None = None
) -> None:
    document = options.connect().act(event, action, content)
    output.show(options.as_json, document, lambda: f"{event} is {document['phase']}.")


@contextmanager
def _until_interrupt() -> Iterator[None]:
    """End a live view with Ctrl-C, without an error."""
    try:
        yield
    except KeyboardInterrupt:
        return
