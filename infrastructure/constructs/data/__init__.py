# SPDX-License-Identifier: Apache-2.0
"""Tables, counters and their network."""
