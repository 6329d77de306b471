# SPDX-License-Identifier: Apache-2.0
"""The counters as use cases see them, and the implementation for counters in tables."""
