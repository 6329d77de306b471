# SPDX-License-Identifier: Apache-2.0
"""The attacks on the gate, with a fixed seed: none succeeds."""

from __future__ import annotations

from tests.attack import gate


def test_no_attack_on_the_gate_succeeds() -> None:
    attempts = gate.run(20261128)
    assert len(attempts) > 50
    assert [one for one in attempts if one.succeeded] == []
