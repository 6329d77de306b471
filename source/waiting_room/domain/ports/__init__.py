# SPDX-License-Identifier: Apache-2.0
"""What the room needs from the world: one Protocol for each store.

Each port has an adapter in ``adapters/`` and a fake in ``tests/support/fakes``. Every method may
raise ``Unavailable`` when its store times out or throttles.
"""
