# SPDX-License-Identifier: Apache-2.0
"""The counters on Redis or Valkey."""
