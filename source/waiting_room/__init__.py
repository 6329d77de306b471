# SPDX-License-Identifier: Apache-2.0
"""The waiting room: positions, admission, tokens, expiry, inlets.

Start with ``room.py`` (what the room can do), then its parts, one for each kind of thing, of which
``ledger.py`` says how figures change; ``queue.py``, ``expiry.py``, ``tokens.py`` (the rules),
``ports.py`` (what they need from the world) and ``adapters/`` (the world).
"""
