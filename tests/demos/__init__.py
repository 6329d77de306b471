# SPDX-License-Identifier: Apache-2.0
"""Demonstrations against a running room."""
