# SPDX-License-Identifier: Apache-2.0
"""Tools around the room: the one-machine stack, load tests, the capacity model."""
