# SPDX-License-Identifier: Apache-2.0
"""Rules of counters that are stored in tables."""
