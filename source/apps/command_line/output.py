# SPDX-License-Identifier: Apache-2.0
"""Output of a command: a view for people or JSON for a script, and the question before a change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click

from apps.command_line import views
from apps.command_line.errors import refused


def show(as_json: bool, content: Any, view: Callable[[], Any]) -> None:
    """Print the content as JSON, or its view."""
    if as_json:
        print_json(content)
    else:
        views.console().print(view())


def print_json(content: Any, indent: int | None = 2) -> None:
    """Print JSON; without ``indent`` in one line."""
    click.echo(json.dumps(content, indent=indent, ensure_ascii=False))


def confirm(yes: bool, question: str) -> None:
    """Ask on the standard error unless ``yes``; raises CommandError without agreement."""
    if yes:
        return
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)  # ends the line of the question
        raise refused("nothing was changed: confirm on a terminal, or use --yes") from None
    if not agreed:
        raise refused("nothing was changed")
