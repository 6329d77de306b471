# SPDX-License-Identifier: Apache-2.0
"""An entry of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Break:
    """One change that a test must notice: in ``target``, ``new`` in the place of ``old``.

    ``target`` names a class, function or constant of Python without its module, as in
    ``PositionAssigner.assign``; where the name is not unique, ``stem:name`` with the stem of the
    file. A script is named by its file: ``alive.lua``. ``tests`` names test files without folder
    and suffix, with a blank between, each with an optional ``::test_name``. Where the name of a
    file is not unique, the test name tells which, or any folder above: ``unit/test_recovery``.
    """

    rule: str
    target: str
    old: str
    new: str
    tests: str
