# SPDX-License-Identifier: Apache-2.0
"""Ports: one Protocol for each store and service that the room uses.

Each port has an adapter in ``adapters/`` and a fake in ``tests/support/fakes``. Every method may
raise ``Unavailable`` when its store times out or throttles.
"""
