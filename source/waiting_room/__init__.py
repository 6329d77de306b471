# SPDX-License-Identifier: Apache-2.0
"""The waiting room: positions, admission, tokens, expiry, inlets.

``use_cases/room.py`` lists what the room does, ``domain/`` has the rules and the ports of the
stores, ``adapters/`` the stores, ``runtime/`` what all apps share.
"""
