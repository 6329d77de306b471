# SPDX-License-Identifier: Apache-2.0
"""Exit codes of the command line, and its errors: one line of text, and the exit code."""

from __future__ import annotations

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """Exit code of a command."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    CONFLICT = 3
    UNREACHABLE = 4
    NOT_PERMITTED = 5
    DIFFERENCE = 10  # `apply --dry-run` found a difference


class CommandError(click.ClickException):
    """An error that ends a command. click prints its text and exits with its code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(printable(message))
        self.code = code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # a class variable of click
        """The exit code."""
        return self.code


def refused(message: str) -> CommandError:
    """Return the error of a call that the room refused."""
    return CommandError(message, ExitCode.REFUSED)


def usage(message: str) -> CommandError:
    """Return the error of invalid input."""
    return CommandError(message, ExitCode.USAGE)


def unreachable(message: str) -> CommandError:
    """Return the error of a room that did not respond."""
    return CommandError(message, ExitCode.UNREACHABLE)


def not_permitted(message: str) -> CommandError:
    """Return the error of rejected or missing credentials."""
    return CommandError(message, ExitCode.NOT_PERMITTED)


def printable(text: str) -> str:
    """Return a text as one line: spaces instead of line ends and control characters."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
