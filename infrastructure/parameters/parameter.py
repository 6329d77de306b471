# SPDX-License-Identifier: Apache-2.0
"""Deploy-time parameters: frozen dataclasses that are read from the CDK context and checked.

A parameter is a field made with ``text``, ``texts``, ``number``, ``flag``, ``switch``, ``choice``
or ``content``. It has the contract's name in the context (``EventId``) and a Python name in code.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Self

from waiting_room.domain.parsing import LARGEST, read_whole

SHOWN = 40  # characters of an invalid value that the message repeats


class ParameterError(Exception):
    """A parameter is missing, unknown or invalid; the message names it."""


@dataclass(frozen=True)
class Parameter:
    """Name, description (one line for the docs) and reader of a parameter.

    ``kind`` is the name of the function that made it. ``pattern`` and ``constraint`` are those of a
    text, ``low`` and ``high`` the limits of a number, ``among`` the words of a choice. A
    ``required`` parameter has no meaningful default: see ``check_required``.
    """

    name: str
    description: str
    read: Callable[[str, Any], Any]
    kind: str
    pattern: str = ""
    constraint: str = ""
    low: int = 0
    high: int = 0
    among: tuple[str, ...] = ()
    required: bool = False


def text(
    name: str, description: str, *, default: str | None = None, pattern: str, constraint: str
) -> Any:
    """A text that matches ``pattern`` whole; ``constraint`` describes valid values."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise ParameterError(f"The parameter {name} must be {constraint}, not {_shown(value)}.")
        return value

    made = Parameter(name, description, read, "text", pattern=pattern, constraint=constraint)
    return _field(made, default)


def texts(
    name: str, description: str, *, pattern: str, constraint: str, required: bool = False
) -> Any:
    """Any number of texts, separated by commas; none by default, at least one if ``required``."""

    def read(name: str, value: Any) -> tuple[str, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        known = isinstance(parts, list | tuple)
        found = tuple(str(part).strip() for part in parts if str(part).strip()) if known else ()
        if not known or not all(re.fullmatch(pattern, part, re.ASCII) for part in found):
            raise ParameterError(f"The parameter {name} must be {constraint}, not {_shown(value)}.")
        return found

    made = Parameter(
        name,
        description,
        read,
        "texts",
        pattern=pattern,
        constraint=constraint,
        required=required,
    )
    return _field(made, ())


def content(
    name: str,
    description: str,
    *,
    check: Callable[[Mapping[str, Any]], dict[str, Any]],
    constraint: str,
) -> Any:
    """A JSON object, as text or as an object in cdk.json; None by default.

    ``check`` returns the content in its final form, or raises ValueError with the rule of a member.
    """

    def read(name: str, value: Any) -> dict[str, Any]:
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            found = None
        if not isinstance(found, Mapping):
            raise ParameterError(f"The parameter {name} must be {constraint}, not {_shown(value)}.")
        try:
            return check(found)
        except ValueError as error:
            raise ParameterError(f"The parameter {name}: {error}.") from None

    made = Parameter(name, description, read, "content", constraint=constraint)
    return field(default=None, metadata={"parameter": made})


def number(name: str, description: str, *, default: int, low: int, high: int) -> Any:
    """A whole number within limits."""

    def read(name: str, value: Any) -> int:
        spelled = value if isinstance(value, str) else repr(value)
        found = read_whole(spelled, -LARGEST, LARGEST)
        if found is None:
            raise ParameterError(
                f"The parameter {name} must be a whole number, not {_shown(value)}."
            )
        if not low <= found <= high:
            raise ParameterError(
                f"The parameter {name} must be between {low} and {high}, not {found}."
            )
        return found

    return _field(Parameter(name, description, read, "number", low=low, high=high), default)


def flag(name: str, description: str, *, default: bool) -> Any:
    """``true`` or ``false``."""

    def read(name: str, value: Any) -> bool:
        found = str(value).strip().lower()
        if found not in ("true", "false"):
            raise ParameterError(
                f"The parameter {name} must be true or false, not {_shown(value)}."
            )
        return found == "true"

    return _field(Parameter(name, description, read, "flag"), default)


def switch(name: str, description: str) -> Any:
    """``true`` or ``false``; None by default: the profile decides."""
    made = flag(name, description, default=False)
    return field(default=None, metadata=made.metadata)


def choice(name: str, description: str, *, default: str, among: Iterable[str]) -> Any:
    """One of several words."""
    words = tuple(among)

    def read(name: str, value: Any) -> str:
        if value not in words:
            raise ParameterError(
                f"The parameter {name} must be one of {', '.join(words)}, not {_shown(value)}."
            )
        return str(value)

    return _field(Parameter(name, description, read, "choice", among=words), default)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Base class of the parameters of a stack."""

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """Read and check the parameters; those missing in the context keep their defaults.

        Raises ParameterError, which names the parameter.
        """
        values: dict[str, Any] = {}
        for part, known in cls.known():
            given = context.get(known.name)
            if given not in (None, ""):
                values[part.name] = known.read(known.name, given)
            elif part.default is MISSING:
                raise ParameterError(f"The parameter {known.name} is missing.")
        return cls(**values)

    def check_required(self) -> None:
        """Raise ParameterError for a required parameter that is empty."""
        for part, known in self.known():
            if known.required and not getattr(self, part.name):
                raise ParameterError(f"The parameter {known.name} is missing.")

    @classmethod
    def known(cls) -> list[tuple[Field[Any], Parameter]]:
        """Return each field with its parameter."""
        return [(part, part.metadata["parameter"]) for part in fields(cls)]


def reject_unknown(context: Iterable[str], *kinds: type[Parameters]) -> None:
    """Raise ParameterError for an unknown parameter in the context.

    CDK's own names start with a small letter or with ``@``; parameters start with a capital. A name
    that differs from a parameter only by capital and small letters is unknown too.
    """
    names = [known.name for kind in kinds for _, known in kind.known()]
    small = {name.lower(): name for name in reversed(names)}
    for given in context:
        meant = small.get(given.lower())
        if meant and given not in names:
            raise ParameterError(f"There is no parameter {given}. Did you mean {meant}?")
        if given[:1].isupper() and given not in names:
            near = get_close_matches(given, names, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ParameterError(f"There is no parameter {given}.{hint}")


def _shown(value: object) -> str:
    """Return the start of an invalid value, quoted; JSON values can be long."""
    return repr(value if isinstance(value, str) else str(value)[:SHOWN])[: SHOWN + 2]


def _field(parameter: Parameter, default: Any) -> Any:
    metadata = {"parameter": parameter}
    return (
        field(metadata=metadata) if default is None else field(default=default, metadata=metadata)
    )
