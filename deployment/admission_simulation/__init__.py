# SPDX-License-Identifier: Apache-2.0
"""Simulation of automatic admission."""
