# SPDX-License-Identifier: Apache-2.0
"""The waiting room: positions, admission, tokens, expiry, inlets.

Start with ``room.py`` (what the room can do), then ``queue.py``, ``expiry.py``, ``tokens.py``
(the rules), ``ports.py`` (what the rules need from the world) and ``adapters/`` (the world).
"""
