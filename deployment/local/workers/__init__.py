# SPDX-License-Identifier: Apache-2.0
"""Event sources and schedules on this machine."""
