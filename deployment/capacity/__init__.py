# SPDX-License-Identifier: Apache-2.0
"""How many visitors the room bears, what to raise beforehand, what it costs."""
