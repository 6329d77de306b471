# SPDX-License-Identifier: Apache-2.0
"""Limits on the calls between an API view or a worker and what it decides or writes."""

from __future__ import annotations

import pytest

from tests.tools.hops import (
    COUNTERS,
    LIMITS,
    OPERATIONS,
    RULE,
    WRITE,
    Operation,
    Paths,
    measure,
    too_long,
)

WITHOUT_COUNTERS = {"queue_num"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_paths_are_short(operation: Operation) -> None:
    found = too_long(measure(operation))
    assert not found, "\n".join(
        f"{kind}: {len(path) - 1} hops, {LIMITS[kind]} allowed: {' → '.join(path)}"
        for kind, path in found.items()
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_kind_of_function_is_reached(operation: Operation) -> None:
    """A rule that the operation no longer calls would have no hops and pass every limit."""
    expected = {RULE, WRITE} if operation.name in WITHOUT_COUNTERS else {RULE, WRITE, COUNTERS}
    paths = measure(operation)
    assert set(paths.longest) == expected
    for path in paths.longest.values():
        assert path[0] == operation.view
        assert len(path) > 1


def test_one_hop_more_than_the_limit_is_too_long() -> None:
    paths = Paths()
    paths.add(RULE, ["view", *"abcd"])
    assert too_long(paths) == {}
    paths.add(RULE, ["view", *"abcde"])
    paths.add(RULE, ["view", "a"])
    assert too_long(paths) == {RULE: ["view", *"abcde"]}
