# SPDX-License-Identifier: Apache-2.0
"""Metrics, alarms and the dashboard."""
