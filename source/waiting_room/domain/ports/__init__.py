# SPDX-License-Identifier: Apache-2.0
"""Ports: one Protocol for each store or service of the room.

Each port has an adapter in ``adapters/`` and a fake in ``tests/support/fakes``. Every method may
raise ``Unavailable`` when its store times out or throttles.
"""
