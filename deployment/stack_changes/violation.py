# SPDX-License-Identifier: Apache-2.0
"""One finding of a rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, order=True)
class Violation:
    """A change that CloudFormation or AWS refuses, or that loses state.

    ``rule`` is the name of the rule, ``resource`` the logical id of a resource or the name of an
    export.
    """

    stack: str
    rule: str
    resource: str
    message: str

    def __str__(self) -> str:
        return f"{self.stack}: {self.resource}: {self.message} ({self.rule})"
