# SPDX-License-Identifier: Apache-2.0
"""Shared by all apps: HTTP, Lambda events, settings, wiring."""
