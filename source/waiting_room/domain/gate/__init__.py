# SPDX-License-Identifier: Apache-2.0
"""Decision of a gate: credentials, rules and answer to one request. Standard library only.

``source/edge/decision.js`` makes the same decision at the edge. ``source/edge/vectors.json`` has
the cases that both have to pass.
"""
