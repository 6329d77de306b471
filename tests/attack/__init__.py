# SPDX-License-Identifier: Apache-2.0
"""Bounded attacks on loopback servers; each attempt is printed with its result."""
